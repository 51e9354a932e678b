"""Registers this project's classifiers with timm, so that ``timm.create_model("mafr_resnet50")`` works.

Importing timm loads torch, and listing our models must not. The registration therefore waits until timm is
imported, and the registered functions import an architecture only when it is built.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from workbench.core.lazy import when_imported
from workbench.models.registry import create, names

_ABOUT_DOWNLOADS = ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir")


def offer_to_timm() -> None:
    """Register our classifiers with timm, now if it is imported, else when it is."""
    when_imported("timm", _register_all)


def _register_all(timm: ModuleType) -> None:
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
