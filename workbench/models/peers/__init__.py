"""Published stylization networks, re-implemented from their papers for comparison. No weights are shipped."""

from workbench.core import lazy

__getattr__, __dir__, __all__ = lazy.modules_of(__name__, __path__)
