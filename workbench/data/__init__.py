"""Data sets: reading pictures, paintings with moods, scenes, faces, splits, duplicates, the atelier."""

from workbench.core import lazy

__getattr__, __dir__, __all__ = lazy.modules_of(__name__, __path__)
