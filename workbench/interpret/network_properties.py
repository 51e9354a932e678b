"""Image properties from the first layer of a network: symmetry, sparseness, variability, self-similarity.

The picture is squeezed to 224 × 224 pixels. The 32 filters of EfficientNet-lite0's first layer, after their
normalisation and ReLU6, give maps of 112 × 112 positions, and the greatest response of a filter in each of
14 × 14 patches is kept. Filters like those of the primary visual cortex, edges and colours in all
directions, arise in the first layer of any network that is trained on photographs.

The literature defines these properties on AlexNet, of which no weights come with this package. Definitions
here are of the same form on another network, so that the names say lite0: values compare within this project
only.

Sources: Brachmann and Redies, "Using convolutional neural network filters to measure left-right mirror
symmetry in images", Symmetry, 2016; Brachmann, Barth and Redies, "Using CNN features to better understand
what makes visual artworks special", Frontiers in Psychology, 2017.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench.data.images import as_rgb
from workbench.interpret.expression import INFINITY, Descriptor

if TYPE_CHECKING:
    from torch import nn

NETWORK_PROPERTIES: dict[str, Descriptor] = {}
PATCHES = 14  # along each side
_SYMMETRY = "after Brachmann and Redies, Using CNN filters to measure left-right mirror symmetry, 2016"
_RICHNESS = "after Brachmann, Barth and Redies, Using CNN features to better understand artworks, 2017"

Responses = NDArray[np.float64]  # (32, 14, 14), 0 or more


def network_properties(image: Image.Image) -> dict[str, float]:
    """All properties of a picture, in the order of :data:`NETWORK_PROPERTIES`; nan where nothing responds."""
    found = responses(image)
    return {name: float(one.measure(found)) for name, one in NETWORK_PROPERTIES.items()}  # type: ignore[arg-type]


def responses(image: Image.Image) -> Responses:
    """Greatest response of each filter in each patch, (32, 14, 14)."""
    import torch
    from torch.nn import functional as F

    from workbench.data.transforms import Squeeze, Views

    with torch.inference_mode():
        maps = _first_layer()(Views((Squeeze(224),))(as_rgb(image)))
        return F.max_pool2d(maps, maps.shape[-1] // PATCHES)[0].double().numpy()


@functools.cache
def _first_layer() -> nn.Module:
    from torch import nn

    from workbench.models.features import FrozenFeatures

    network = cast(Any, FrozenFeatures("lite0").network)
    return nn.Sequential(network.conv_stem, network.bn1).eval()


def _property(source: str, high: float = 1.0):
    """Register a function of the responses under its name; its docstring is the definition."""

    def keep(function: Callable[[Responses], float]) -> Callable[[Responses], float]:
        name, text = function.__name__, " ".join((function.__doc__ or "").split())
        one = Descriptor(name, "1", text, source, (0, high), function)  # type: ignore[arg-type]
        NETWORK_PROPERTIES[name] = one
        return function

    return keep


@_property(_SYMMETRY)
def lite0_symmetry_left_right(found: Responses) -> float:
    """How alike the left and the right half are: 1 less the sum of the differences of the responses to those
    of the mirrored map, over the sum of the greater of the two.
    """
    return _symmetry(found, found[:, :, ::-1])


@_property(_SYMMETRY)
def lite0_symmetry_up_down(found: Responses) -> float:
    """How alike the upper and the lower half are, as left and right."""
    return _symmetry(found, found[:, ::-1])


def _symmetry(found: Responses, mirrored: Responses) -> float:
    total = np.maximum(found, mirrored).sum()
    return float(1 - np.abs(found - mirrored).sum() / total) if total > 0 else float("nan")


@_property(_RICHNESS, INFINITY)
def lite0_sparseness(found: Responses) -> float:
    """How few filters respond to each patch: variance of all responses, those of a patch scaled to sum 1."""
    return float(np.nanvar(_shares(found)))


@_property(_RICHNESS, INFINITY)
def lite0_variability(found: Responses) -> float:
    """How much patches differ: variance of a filter's responses over patches, those of a patch scaled to sum
    1; median over filters.
    """
    shares = _shares(found).reshape(len(found), -1)
    return float(np.median(np.nanvar(shares, axis=1)))


@_property(_RICHNESS)
def lite0_self_similarity(found: Responses) -> float:
    """How alike parts and whole are: intersection of the responses of a patch with those of the whole
    picture, both scaled to sum 1; median over patches.
    """
    whole = found.max((1, 2))
    if whole.sum() == 0:
        return float("nan")
    shares = _shares(found).reshape(len(found), -1)
    return float(np.nanmedian(np.minimum(shares, (whole / whole.sum())[:, None]).sum(0)))


def _shares(found: Responses) -> Responses:
    total = found.sum(0, keepdims=True)
    return np.divide(found, total, out=np.zeros_like(found), where=total > 0)
