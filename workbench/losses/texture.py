"""Texture without colour: a gray picture whose weights of red, green and blue are drawn at random.

A discriminator that sees only this judges strokes and contrasts, since the style's colours and brightness
tell it nothing.

Source: X. Wang, J. Yu, "Learning to cartoonize using white-box cartoon representations" (CVPR 2020), section
3.3, equation 5, in the form of its reference implementation: luma's weights, each moved by up to 0.1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.core.pixels import LUMA

SHIFT = 0.1


def random_gray(*pictures: Tensor) -> tuple[Tensor, ...]:
    """Each picture (B, 3, H, W) as (B, 1, H, W) in the same range, all with the same random weights, which
    add up to 1.

    The weights come from torch's global generator.
    """
    luma = torch.tensor(LUMA)
    weights = luma + SHIFT * (2 * torch.rand(3) - 1)
    weights = weights / weights.sum()
    return tuple(torch.einsum("j,bjhw->bhw", weights.to(p), p).unsqueeze(1) for p in pictures)
