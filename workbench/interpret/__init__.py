"""Attribution and probing of networks, tests of explanations, and descriptors of expression."""

from workbench.core import lazy

__getattr__, __dir__, __all__ = lazy.modules_of(__name__, __path__)
