"""White-box Cartoonization's generator, re-implemented for comparison. No weights are shipped.

A U-Net without normalisation and with additive skips, followed at inference by a guided filter that restores
the edges of the photo.

Source: X. Wang, J. Yu, "Learning to cartoonize using white-box cartoon representations" (CVPR 2020), section
3.4 and its supplement; guided filter after K. He, J. Sun, X. Tang, "Guided image filtering" (ECCV 2010),
section 3.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from workbench.models.registry import register


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """k×k convolution and LeakyReLU(0.2)."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2), nn.LeakyReLU(0.2))


class ResidualBlock(nn.Module):
    """x + conv3×3(act(conv3×3(x)))."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(_conv(channels, channels), nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def guided_filter(guide: Tensor, x: Tensor, radius: int = 1, epsilon: float = 5e-3) -> Tensor:
    """Smooth ``x`` where ``guide`` is smooth and keep its edges: a local linear model per window and channel.

    Args:
        guide: (B, C, H, W), and ``x`` the same shape.
        radius: windows have a side of 2·radius + 1 pixels and are cropped at the border.
        epsilon: variance below which the guide counts as flat (both signals in [-1, 1]).

    Source: He, Sun, Tang (2010), equations 5-8, each channel guided by its own.
    """

    def mean(y: Tensor) -> Tensor:
        return F.avg_pool2d(y, 2 * radius + 1, stride=1, padding=radius, count_include_pad=False)

    mean_guide, mean_x = mean(guide), mean(x)
    slope = (mean(guide * x) - mean_guide * mean_x) / (mean(guide * guide) - mean_guide**2 + epsilon)
    offset = mean_x - slope * mean_guide
    return mean(slope) * guide + mean(offset)


class WhiteBoxGenerator(nn.Module):
    """Photo in, cartoon out, both (B, 3, H, W) in about [-1, 1]; H and W multiples of 4.

    Args:
        width: channels at full resolution.
        blocks: residual blocks at a quarter of the size.
        smooth: pass the output through :func:`guided_filter` with the photo as guide, as the paper does at
            inference.
    """

    def __init__(self, width: int = 32, blocks: int = 4, smooth: bool = False):
        super().__init__()
        self.smooth = smooth
        self.stem = _conv(3, width, kernel=7)
        self.down1 = nn.Sequential(_conv(width, width, stride=2), _conv(width, 2 * width))
        self.down2 = nn.Sequential(_conv(2 * width, 2 * width, stride=2), _conv(2 * width, 4 * width))
        self.trunk = nn.Sequential(
            *(ResidualBlock(4 * width) for _ in range(blocks)), _conv(4 * width, 2 * width)
        )
        self.up1 = nn.Sequential(_conv(2 * width, 2 * width), _conv(2 * width, width))
        self.up2 = nn.Sequential(_conv(width, width), nn.Conv2d(width, 3, 7, padding=3))

    def forward(self, x: Tensor) -> Tensor:
        full = self.stem(x)  # (B, width, H, W)
        half = self.down1(full)  # (B, 2·width, H/2, W/2)
        y = self.trunk(self.down2(half))  # (B, 2·width, H/4, W/4)
        y = self.up1(F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False) + half)
        y = self.up2(F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False) + full)
        return guided_filter(x, y.to(x.dtype)) if self.smooth else y


@register("generator")
def whitebox(**kwargs) -> WhiteBoxGenerator:
    """1.47 M parameters, about 8.2 GMACs at 256×256."""
    return WhiteBoxGenerator(**kwargs)
