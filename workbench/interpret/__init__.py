"""What a network looked at, and whether that explanation can be trusted."""

from workbench.core import lazy

__getattr__, __dir__, __all__ = lazy.modules_of(__name__, __path__)
