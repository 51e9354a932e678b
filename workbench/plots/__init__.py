"""Plots of the studies' tables, in one shared style. Tables in, matplotlib figures out."""

from workbench.core import lazy

__getattr__, __dir__, __all__ = lazy.modules_of(__name__, __path__)
