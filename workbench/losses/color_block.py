"""Colour-block loss: a drawing should have flat colour within each region of the photo.

Regions are superpixels of the photo, computed once by any method (Felzenszwalb, selective search, SLIC).

Source: a simplification of the structure representation of White-box Cartoonization (CVPR 2020).
"""

from __future__ import annotations

import torch
from torch import Tensor


def region_means(image: Tensor, labels: Tensor) -> Tensor:
    """Every pixel replaced by the mean of its region.

    Args:
        image: (B, C, H, W) float.
        labels: (B, H, W) integer region labels ≥ 0, each picture with its own numbering.

    Returns:
        (B, C, H, W), differentiable with respect to ``image``.

    Raises:
        ValueError: if the shapes do not match.
    """
    batch, channels, height, width = image.shape
    if labels.shape != (batch, height, width):
        raise ValueError(
            f"Expected `labels` of shape {(batch, height, width)} but got {tuple(labels.shape)}."
        )
    regions = int(labels.max()) + 1
    index = (labels.long() + regions * torch.arange(batch, device=labels.device).view(-1, 1, 1)).flatten()
    pixels = image.permute(0, 2, 3, 1).reshape(-1, channels)  # (BHW, C)
    count = pixels.new_zeros(batch * regions).index_add_(0, index, torch.ones_like(pixels[:, 0]))
    total = pixels.new_zeros(batch * regions, channels).index_add_(0, index, pixels)
    means = total / count.clamp_min(1).unsqueeze(1)
    return means[index].view(batch, height, width, channels).permute(0, 3, 1, 2)


def color_block_loss(drawing: Tensor, labels: Tensor) -> Tensor:
    """Mean absolute deviation of the drawing from its own region means.

    Args:
        drawing: (B, C, H, W).
        labels: (B, H, W) region labels ≥ 0 of the photo.

    Returns:
        Scalar ≥ 0; 0 for a drawing with one colour per region.
    """
    return (drawing - region_means(drawing, labels)).abs().mean()
