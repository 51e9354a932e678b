"""The project's studies: each module answers one question and writes its runs to one CSV."""

from workbench.core import lazy

__getattr__, __dir__, __all__ = lazy.modules_of(__name__, __path__)
