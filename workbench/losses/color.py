"""Colour loss: L1 on luma and Huber on chroma, in YUV (BT.601), at low resolution.

AnimeGAN (2019) compares YUV pixel by pixel, which also penalises every drawn line. Here both pictures are
first averaged over ``pool``×``pool`` pixels, so that thin lines cost little.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.core.pixels import LUMA

# BT.601
_YUV = (LUMA, (-0.14713, -0.28886, 0.436), (0.615, -0.51499, -0.10001))


def rgb_to_yuv(image: Tensor) -> Tensor:
    """RGB (B, 3, H, W) to YUV, linear: a range of [-1, 1] stays centred on zero."""
    if image.ndim != 4 or image.shape[1] != 3:
        raise ValueError(f"Expected `image` to be (B, 3, H, W) but got {tuple(image.shape)}.")
    return torch.einsum("ij,bjhw->bihw", image.new_tensor(_YUV), image)


def gray(image: Tensor) -> Tensor:
    """RGB (B, 3, H, W) to its luma in all three channels."""
    return rgb_to_yuv(image)[:, :1].expand_as(image)


def color_loss(drawing: Tensor, photo: Tensor, pool: int = 8, delta: float = 0.1) -> Tensor:
    """L1 on Y plus Huber on U and V of pooled pictures.

    Args:
        drawing: (B, 3, H, W) in [-1, 1].
        photo: same shape; no gradient flows into it.
        pool: side of the averaging window in pixels, ≥ 1.
        delta: where Huber turns from squared to linear.

    Returns:
        Scalar ≥ 0.

    Raises:
        ValueError: if shapes differ or are not RGB batches.
    """
    if drawing.shape != photo.shape:
        raise ValueError(f"Expected equal shapes but got {tuple(drawing.shape)} and {tuple(photo.shape)}.")
    y, x = rgb_to_yuv(drawing), rgb_to_yuv(photo.detach())
    if pool > 1:
        y, x = (F.avg_pool2d(t, pool, ceil_mode=True) for t in (y, x))
    return F.l1_loss(y[:, :1], x[:, :1]) + F.huber_loss(y[:, 1:], x[:, 1:], delta=delta) / delta
