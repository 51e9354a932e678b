"""Architectures by name. A plain dict; the decorator returns the function unchanged (after timm's
registry).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from workbench.core.registry import Registry

if TYPE_CHECKING:
    from torch import nn

Factory = TypeVar("Factory", bound=Callable)

KINDS = ("generator", "discriminator", "classifier")


def _check(name: str, factory: object) -> None:
    if getattr(factory, "kind", None) not in KINDS or not callable(factory):
        raise TypeError(f"expected a factory with an attribute `kind`, one of {', '.join(KINDS)}")


_registry: Registry[Any] = Registry(
    "architecture", package="workbench.models", group="workbench.models", check=_check
)


def register(kind: str) -> Callable[[Factory], Factory]:
    """Register the decorated factory under its own name as an architecture of ``kind`` (one of ``KINDS``).

    A package of its own names such a factory as an entry point of the group ``workbench.models``.
    """
    if kind not in KINDS:
        raise ValueError(f"Expected `kind` to be one of {KINDS} but got {kind!r}.")

    def wrap(factory: Factory) -> Factory:
        factory.kind = kind  # type: ignore[attr-defined]
        return _registry.register(factory)

    return wrap


def names(kind: str | None = None) -> list[str]:
    """Sorted names of the registered architectures, of one ``kind`` if given."""
    return sorted(name for name, factory in _registry.items() if kind in (None, factory.kind))


def create(name: str, **kwargs: Any) -> nn.Module:
    """Build the architecture ``name`` with random weights (``kwargs`` go to its factory).

    Raises:
        UnknownNameError: if nothing is registered under ``name``.
    """
    return _registry.get(name)(**kwargs)
