"""Estimators of mood: fit, predict, cross-validate, calibrate."""

from workbench.core import lazy

__getattr__, __dir__, __all__ = lazy.modules_of(__name__, __path__)
lazy.callable_package(__name__, "workbench.classify.reading", "classify")
