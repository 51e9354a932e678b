"""Foundations of all floors: errors, files, caches, cards, devices, provenance."""

from workbench.core import lazy

__getattr__, __dir__, __all__ = lazy.modules_of(__name__, __path__)
