"""Measures, one kind a file: arrays or tensors in, numbers out; most take ``weights`` for the bootstrap."""

from workbench.core import lazy

__getattr__, __dir__, __all__ = lazy.modules_of(__name__, __path__)
