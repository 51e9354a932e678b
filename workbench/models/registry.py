"""Architectures by name. A plain dict; the decorator returns the function unchanged (after timm's
registry).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from workbench.core.errors import UnknownNameError

if TYPE_CHECKING:
    from torch import nn

KINDS = ("generator", "discriminator", "classifier")

# Modules that register architectures when imported: adding a model is one new file and one line here.
_MODULES = (
    "workbench.models.fsgan",
    "workbench.models.afgan",
    "workbench.models.discriminators",
    "workbench.models.classifiers",
    "workbench.models.building_blocks",
    "workbench.models.mafr",
    "workbench.models.dkse",
    "workbench.models.statistics",
    "workbench.models.peers.animegan",
    "workbench.models.peers.cartoon_discriminator",
    "workbench.models.peers.cartoongan",
    "workbench.models.peers.ugatit",
    "workbench.models.peers.whitebox",
)
_entries: dict[str, tuple[str, Callable[..., nn.Module]]] = {}


def register(kind: str):
    """Register the decorated factory under its own name as an architecture of ``kind`` (one of ``KINDS``)."""
    if kind not in KINDS:
        raise ValueError(f"Expected `kind` to be one of {KINDS} but got {kind!r}.")

    def wrap(factory):
        _entries[factory.__name__] = (kind, factory)
        return factory

    return wrap


def _load_all() -> None:
    for module in _MODULES:
        importlib.import_module(module)


def names(kind: str | None = None) -> list[str]:
    """Sorted names of the registered architectures, of one ``kind`` if given."""
    _load_all()
    return sorted(name for name, (k, _) in _entries.items() if kind in (None, k))


def create(name: str, **kwargs) -> nn.Module:
    """Build the architecture ``name`` with random weights (``kwargs`` go to its factory).

    Raises:
        UnknownNameError: if nothing is registered under ``name``.
    """
    for module in _MODULES:  # one at a time: a generator does not need what classifiers import
        if name in _entries:
            break
        importlib.import_module(module)
    if name not in _entries:
        raise UnknownNameError("architecture", name, _entries)
    return _entries[name][1](**kwargs)
