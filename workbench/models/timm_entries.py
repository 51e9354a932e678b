"""Registers this project's classifiers with timm, so that ``timm.create_model("mafr_resnet50")`` works.

Importing timm loads torch, and listing our models must not. The registration therefore waits until timm is
imported, and the registered functions import an architecture only when it is built.
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
    """Register our classifiers with timm, now if it is imported, else when it is."""
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
    """Registers our classifiers after timm is imported; the import itself is unchanged."""

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
