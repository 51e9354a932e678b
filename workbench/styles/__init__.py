"""Redraw pictures and films in a style found by name."""
