"""Losses on the lines and luma gradients of a drawn target.

Lines cover few pixels, so a generator that blurs all of them away has a small plain L1 distance.
:func:`line_loss` gives more weight to pixels on and beside lines; :func:`gradient_loss` compares differences
of neighbouring pixels, which penalises blurred lines as well as missing ones.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from workbench.losses.color import rgb_to_yuv


def line_map(drawing: Tensor, depth: float = 0.12, window: int = 7) -> Tensor:
    """Where a drawing has lines: 1 on pixels darker than their surroundings and on their eight neighbours,
    0 elsewhere, (B, 3, H, W) → (B, 1, H, W).

    Args:
        drawing: in [-1, 1].
        depth: how much darker in luma a line is than the mean around it.
        window: side of the square around a pixel, odd, in pixels; cropped at the border.
    """
    luma = rgb_to_yuv(drawing)[:, :1]
    around = F.avg_pool2d(luma, window, stride=1, padding=window // 2, count_include_pad=False)
    return F.max_pool2d((luma < around - depth).to(drawing.dtype), 3, stride=1, padding=1)


def line_loss(drawing: Tensor, target: Tensor, weight: float) -> Tensor:
    """L1 distance with weight 1 + ``weight`` on pixels on or beside lines of ``target`` and 1 elsewhere.

    Args:
        drawing: (B, 3, H, W) in [-1, 1].
        target: same shape; no gradient flows into it.
        weight: ≥ 0; 0 is the plain L1 distance.

    Raises:
        ValueError: if shapes differ, or ``weight`` is negative.
    """
    _check_shapes(drawing, target)
    if weight < 0:
        raise ValueError(f"Expected `weight` of at least 0 but got {weight}.")
    target = target.detach()
    if not weight:
        return F.l1_loss(drawing, target)
    return ((1 + weight * line_map(target)) * (drawing - target).abs()).mean()


def gradient_loss(drawing: Tensor, target: Tensor) -> Tensor:
    """Mean L1 distance between the differences of neighbouring luma values, horizontal plus vertical.

    Args:
        drawing: (B, 3, H, W) in [-1, 1], H, W ≥ 2.
        target: same shape; no gradient flows into it.

    Returns:
        Scalar ≥ 0; also 0 if both differ by a constant.

    Raises:
        ValueError: if shapes differ, or a side is below 2.

    Source: the gradient difference loss of Mathieu, Couprie and LeCun, "Deep multi-scale video prediction
        beyond mean square error", ICLR 2016, with signed differences instead of their magnitudes.
    """
    _check_shapes(drawing, target)
    if min(drawing.shape[-2:]) < 2:
        raise ValueError(f"Expected H, W ≥ 2 but got {tuple(drawing.shape)}.")
    change = rgb_to_yuv(drawing - target.detach())[:, :1]  # luma is linear
    return change.diff(dim=-1).abs().mean() + change.diff(dim=-2).abs().mean()


def _check_shapes(drawing: Tensor, target: Tensor) -> None:
    if drawing.shape != target.shape:
        raise ValueError(f"Expected equal shapes but got {tuple(drawing.shape)} and {tuple(target.shape)}.")
