"""Plots of the studies' tables, in one shared style. Tables in, matplotlib figures out."""
