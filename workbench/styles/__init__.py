"""Redraw pictures and films in a style found by name."""

from workbench.core import lazy

__getattr__, __dir__, __all__ = lazy.modules_of(__name__, __path__)
lazy.callable_package(__name__, "workbench.styles.stylize", "styles")
