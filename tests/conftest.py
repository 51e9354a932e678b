"""Fixtures that several files of tests share."""

from postgres import cluster, postgres

__all__ = ["cluster", "postgres"]
