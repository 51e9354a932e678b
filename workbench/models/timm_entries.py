"""``timm.create_model("mafr_resnet50")``: timm knows our classifiers once ``workbench.models`` is imported.

timm brings torch, which the listing of our models must not. What is registered are light functions that
import an architecture when it is built; they are registered once timm has been imported, now or later.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from workbench.models.registry import create, names

_ABOUT_DOWNLOADS = ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir")


def offer_to_timm() -> None:
    """Register our classifiers with timm: at once if it is imported, else as soon as it is."""
    if "timm" in sys.modules:
        _register_all()
    elif not any(isinstance(finder, _AfterTimm) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterTimm())


def _register_all() -> None:
    from timm.models import is_model, register_model

    for name in names("classifier"):
        if not is_model(name):
            register_model(_entry(name))


def _entry(name: str) -> Callable[..., Any]:
    def entry(**kwargs: Any) -> Any:
        given = {k: v for k, v in kwargs.items() if v is not None and k not in _ABOUT_DOWNLOADS}
        return create(name, **given)

    entry.__name__ = entry.__qualname__ = name
    return entry


class _AfterTimm(MetaPathFinder):
    """Leaves timm's import as it is, and registers our classifiers when it is imported."""

    def find_spec(
        self, fullname: str, path: Any = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "timm":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec("timm")
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                _register_all()

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
