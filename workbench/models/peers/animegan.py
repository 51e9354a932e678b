"""AnimeGANv2's generator, re-implemented for comparison. No weights are shipped.

Normalised convolutions with reflection padding reduce the size to a quarter, inverted residual blocks with
depthwise convolutions follow, and bilinear upsampling restores the size. Normalisation is over all channels
and pixels of a picture (layer normalisation, a GroupNorm of one group), so every output pixel depends on the
whole input.

Source: J. Chen, G. Liu, X. Chen, "AnimeGAN: a novel lightweight GAN for photo animation" (ISICA 2019), with
the changes of its second version: layer instead of instance normalisation, fewer and wider blocks (2.14 M
parameters).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from workbench.models.registry import register


def _norm_act(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.GroupNorm(1, channels), nn.LeakyReLU(0.2)


class ConvBlock(nn.Sequential):
    """Reflection padding, k×k convolution, layer normalisation, LeakyReLU; stride 2 halves even sizes."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1):
        near, far = ((kernel - 1) // 2, (kernel - 1) // 2) if stride == 1 else (0, kernel - 2)
        conv = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=groups > 1)
        super().__init__(nn.ReflectionPad2d((near, far, near, far)), conv, *_norm_act(outputs))


class InvertedResidual(nn.Module):
    """1×1 expansion ×2, 3×3 depthwise, linear 1×1; added to the input where the channel counts agree."""

    def __init__(self, inputs: int, outputs: int, expansion: int = 2):
        super().__init__()
        wide = inputs * expansion
        self.layers = nn.Sequential(
            ConvBlock(inputs, wide, kernel=1),
            ConvBlock(wide, wide, groups=wide),
            nn.Conv2d(wide, outputs, 1, bias=False),
            nn.GroupNorm(1, outputs),
        )
        self.skip = inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return x + y if self.skip else y


class AnimeGANv2Generator(nn.Module):
    """Photo in, drawing out, both (B, 3, H, W) in [-1, 1]; H and W multiples of 4, at least 16."""

    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(
            ConvBlock(3, 32, kernel=7),
            ConvBlock(32, 64, stride=2),
            ConvBlock(64, 64),
            ConvBlock(64, 128, stride=2),
            ConvBlock(128, 128),
        )
        self.trunk = nn.Sequential(
            ConvBlock(128, 128),
            InvertedResidual(128, 256),
            *(InvertedResidual(256, 256) for _ in range(3)),
            ConvBlock(256, 128),
        )
        self.up1 = nn.Sequential(ConvBlock(128, 128), ConvBlock(128, 128))
        self.up2 = nn.Sequential(ConvBlock(128, 64), ConvBlock(64, 64), ConvBlock(64, 32, kernel=7))
        self.out = nn.Sequential(nn.Conv2d(32, 3, 1, bias=False), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        y = self.trunk(self.down(x))  # (B, 128, H/4, W/4)
        # (B, 128, H/2, W/2), then (B, 32, H, W)
        y = self.up1(F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False))
        y = self.up2(F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False))
        return self.out(y)


@register("generator")
def animeganv2() -> AnimeGANv2Generator:
    """2.14 M parameters, about 26 GMACs at 256×256."""
    return AnimeGANv2Generator()
