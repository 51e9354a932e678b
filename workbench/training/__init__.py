"""Fitting a classifier or a stylizer."""
