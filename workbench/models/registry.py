"""Registry of architectures by name, modelled on timm's."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from workbench.core.errors import UnknownNameError
from workbench.core.registry import Registry

if TYPE_CHECKING:
    from torch import nn

Factory = TypeVar("Factory", bound=Callable)
Triple = tuple[float, float, float]

KINDS = ("generator", "discriminator", "classifier")


def _check(name: str, factory: object) -> None:
    if getattr(factory, "kind", None) not in KINDS or not callable(factory):
        raise TypeError(f"expected a factory with an attribute `kind`, one of {', '.join(KINDS)}")


ARCHITECTURES: Registry[Any] = Registry(
    "architecture", package="workbench.models", group="workbench.models", check=_check
)


def register(
    kind: str, mean: Triple = (0.5, 0.5, 0.5), std: Triple = (0.5, 0.5, 0.5)
) -> Callable[[Factory], Factory]:
    """Register the decorated factory under its own name as an architecture of ``kind`` (one of ``KINDS``).

    A third-party package names its factory as an entry point of the group ``workbench.models``.

    Args:
        kind: of the network.
        mean: of RGB in [0, 1], by which a classifier's input is standardised.
        std: standard deviation of RGB, likewise.
    """
    if kind not in KINDS:
        raise ValueError(f"Expected `kind` to be one of {KINDS} but got {kind!r}.")

    def wrap(factory: Factory) -> Factory:
        factory.kind, factory.mean, factory.std = kind, mean, std  # type: ignore[attr-defined]
        return ARCHITECTURES.register(factory)

    return wrap


class ArchitectureInfo(NamedTuple):
    """Properties of an architecture that are known before it is built."""

    mean: Triple  # of RGB in [0, 1], see :func:`register`
    std: Triple
    pretrained: bool  # whether ImageNet weights are available
    defaults: dict[str, Any]  # the factory's arguments


def architecture_info(name: str) -> ArchitectureInfo:
    """Input normalisation, availability of ImageNet weights, and default arguments of an architecture.

    Raises:
        UnknownNameError: if nothing is registered under ``name``.
    """
    factory = ARCHITECTURES.get(name)
    parameters = inspect.signature(factory).parameters
    defaults = {p.name: p.default for p in parameters.values() if p.kind is not p.VAR_KEYWORD}
    half = (0.5, 0.5, 0.5)
    return ArchitectureInfo(
        getattr(factory, "mean", half), getattr(factory, "std", half), "pretrained" in defaults, defaults
    )


def names(kind: str | None = None) -> list[str]:
    """Sorted names of the registered architectures, of one ``kind`` if given."""
    if kind is None:
        return ARCHITECTURES.names()
    own = ARCHITECTURES.own()
    kinds = {name: entry.arguments[:1] for name, entry in own.items()}
    return sorted(
        name
        for name in ARCHITECTURES.names()
        if kinds.get(name) == (kind,) or (name not in own and _has_kind(name, kind))
    )


def _has_kind(name: str, kind: str) -> bool:
    try:
        return ARCHITECTURES.get(name).kind == kind
    except UnknownNameError:  # a third-party package that cannot be loaded
        return False


def create(name: str, **kwargs: Any) -> nn.Module:
    """Build the architecture ``name`` with random weights (``kwargs`` go to its factory).

    A classifier gets timm's ``pretrained_cfg``, from which ``timm.data.resolve_data_config`` derives the
    preprocessing that the network expects. Any classifier takes ``novelty_components``, too: it gets an
    unfitted :class:`~workbench.models.novelty.Novelty` of as many; 0, or no classes, is none.

    Raises:
        UnknownNameError: if nothing is registered under ``name``.
        ValueError: pretrained weights are requested but do not exist.
    """
    factory, known = ARCHITECTURES.get(name), architecture_info(name)
    if not known.pretrained and kwargs.pop("pretrained", False):
        raise ValueError(f"Expected `pretrained=False`: no weights of {name} are published. Train it.")
    classifies = factory.kind == "classifier"
    components = kwargs.pop("novelty_components", 0) if classifies else 0
    network = factory(**kwargs)
    if classifies:
        classes = kwargs.get("num_classes", known.defaults.get("num_classes"))
        if components and classes:
            from workbench.models.novelty import attach

            attach(network, components)
        set_preprocessing(network, name, mean=known.mean, std=known.std, num_classes=classes)
    return network


def set_preprocessing(
    network: nn.Module,
    architecture: str,
    mean: Sequence[float],
    std: Sequence[float],
    num_classes: int | None,
    size: int = 224,
    classes: Sequence[str] = (),
) -> None:
    """Set ``pretrained_cfg``: the whole picture resized to a square of ``size`` pixels, standardised."""
    config: Mapping[str, Any] = {
        "architecture": architecture,
        "input_size": (3, size, size),
        "mean": tuple(mean),
        "std": tuple(std),
        "num_classes": num_classes,
        "classes": tuple(classes),
        "label_names": tuple(classes) or None,  # timm's name for them
        "interpolation": "bicubic",
        "crop_pct": 1.0,
        "crop_mode": "squash",
    }
    network.pretrained_cfg = network.default_cfg = config  # type: ignore[assignment]
