"""What is drawn without learning: teachers, classical filters, the geometry of faces."""

from workbench.core import lazy

__getattr__, __dir__, __all__ = lazy.modules_of(__name__, __path__)
