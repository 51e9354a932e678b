"""Agreement of maps with a known true region, and with each other."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from workbench.interpret.attribution import AttributionError


def _check(maps: Tensor, masks: Tensor) -> None:
    if maps.ndim != 3 or maps.shape != masks.shape or masks.dtype != torch.bool:
        raise AttributionError(
            f"Expected maps (B, H, W) and boolean masks alike but got {tuple(maps.shape)} and "
            f"{tuple(masks.shape)} {masks.dtype}."
        )


def pointing_game(maps: Tensor, masks: Tensor) -> NDArray[np.float64]:
    """1 if the maximum of a map lies inside its mask, else 0: (B,). Chance level: the mask's area.

    Args:
        maps: (B, H, W) raw.
        masks: (B, H, W) bool, the true region.

    Source: Zhang et al., "Top-down Neural Attention by Excitation Backprop", ECCV 2016 (there with a
    tolerance of 15 pixels, here with none).
    """
    _check(maps, masks)
    best = maps.flatten(1).argmax(1, keepdim=True)
    return masks.flatten(1).gather(1, best)[:, 0].double().numpy()


def relevance_mass(maps: Tensor, masks: Tensor) -> NDArray[np.float64]:
    """Share of positive relevance inside the mask, in [0, 1]: (B,). Chance level: the mask's area.

    NaN for a map without any positive value.

    Source: Arras et al., "CLEVR-XAI", Information Fusion 2022.
    """
    _check(maps, masks)
    positive = maps.double().clamp(min=0)
    total = positive.sum((1, 2))
    inside = (positive * masks).sum((1, 2))
    return torch.where(total > 0, inside / total, torch.nan).numpy()


def mask_area(masks: Tensor) -> NDArray[np.float64]:
    """Share of the pixels inside each mask: (B,)."""
    return masks.flatten(1).double().mean(1).numpy()


def cells(maps: Tensor, count: int) -> Tensor:
    """Means of maps (B, H, W) over ``count`` × ``count`` cells, for methods of different resolution."""
    return F.adaptive_avg_pool2d(maps[:, None].double(), count)[:, 0]


def rank_correlation(a: Tensor, b: Tensor) -> NDArray[np.float64]:
    """Spearman's correlation of two maps over 14 × 14 cells, in [-1, 1]: (B,). 0 if a map is constant.

    Args:
        a: (B, H, W) raw.
        b: (B, H, W) raw.
    """
    if a.shape != b.shape or a.ndim != 3:
        raise AttributionError(
            f"Expected two stacks of maps (B, H, W) alike but got {tuple(a.shape)} and {tuple(b.shape)}."
        )
    from scipy.stats import rankdata  # takes a second to import

    side = min(14, *a.shape[1:])
    ranks = [rankdata(cells(maps, side).flatten(1).numpy(), axis=1) for maps in (a, b)]
    first, second = (r - r.mean(1, keepdims=True) for r in ranks)
    scale = np.sqrt((first**2).sum(1) * (second**2).sum(1))
    return np.divide((first * second).sum(1), scale, out=np.zeros(len(scale)), where=scale > 0)
