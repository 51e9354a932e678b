"""Discriminators of patches, of frozen features and of spectra. All return a list of score maps.

Spectral normalisation (Miyato et al., ICLR 2018) in every layer prevents them from overpowering a light
generator.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from workbench.models.registry import register


def spectral_conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Module:
    """Convolution with spectral normalisation; keeps the size, or divides it by ``stride``."""
    return spectral_norm(nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2))


def patch_layers(inputs: int, base: int) -> list[nn.Module]:
    """Layers of a PatchGAN before its scores: (B, ``inputs``, H, W) to (B, 4 · ``base``, H/8, W/8)."""
    return [
        spectral_conv(inputs, base, 5, 2),
        nn.LeakyReLU(0.2),
        spectral_conv(base, 2 * base, 3, 2),
        nn.LeakyReLU(0.2),
        spectral_conv(2 * base, 4 * base, 3, 2),
        nn.LeakyReLU(0.2),
        spectral_conv(4 * base, 4 * base, 3),
        nn.LeakyReLU(0.2),
    ]


class PatchDiscriminator(nn.Module):
    """PatchGAN of three strided layers: one score per patch of about 40 pixels.

    Shapes: input (B, ``inputs``, H, W), output one map (B, 1, H/8, W/8).

    Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", CVPR 2017.
    """

    def __init__(self, inputs: int = 3, base: int = 32):
        super().__init__()
        self.inputs = inputs
        self.layers = nn.Sequential(*patch_layers(inputs, base), spectral_conv(4 * base, 1, 3))

    def forward(self, x: Tensor) -> list[Tensor]:
        if x.ndim != 4 or x.shape[1] != self.inputs:
            raise ValueError(f"Expected (B, {self.inputs}, H, W) but got {tuple(x.shape)}.")
        return [self.layers(x)]


class FeatureDiscriminator(nn.Module):
    """Scores the feature maps of a frozen backbone, which lets it learn from few pictures.

    Source: Sauer et al., "Projected GANs Converge Faster", NeurIPS 2021.

    Args:
        channels: channels of each feature map.
        width: hidden channels of each head.

    Shapes: input a list of (B, channels[i], H_i, W_i), output a list of (B, 1, H_i, W_i).
    """

    def __init__(self, channels: Sequence[int] = (24, 40, 112), width: int = 64):
        super().__init__()
        # a fixed affine map standardises each channel: raw features differ by orders of magnitude
        self.norms = nn.ModuleList(nn.BatchNorm2d(c, affine=False, momentum=0.05) for c in channels)
        self.heads = nn.ModuleList(
            nn.Sequential(
                spectral_conv(c, width, 1),
                nn.LeakyReLU(0.2),
                spectral_conv(width, width, 3),
                nn.LeakyReLU(0.2),
                spectral_conv(width, 1, 1),
            )
            for c in channels
        )
        for norm in self.norms:
            norm.eval()

    def train(self, mode: bool = True) -> FeatureDiscriminator:
        """As in ``nn.Module``, but only :meth:`observe` updates the feature statistics, not every fake."""
        super().train(mode)
        for norm in self.norms:
            norm.eval()
        return self

    @torch.no_grad()
    def observe(self, features: Sequence[Tensor]) -> None:
        """Update the standardising statistics with features of style pictures."""
        for norm, feature in zip(self.norms, features, strict=True):
            norm.train()
            norm(feature.float())
            norm.eval()

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        if len(features) != len(self.heads):
            raise ValueError(f"Expected {len(self.heads)} feature maps but got {len(features)}.")
        return [head(norm(f)) for f, norm, head in zip(features, self.norms, self.heads, strict=True)]


class SpectrumDiscriminator(nn.Module):
    """A small convolutional network on standardised log spectra.

    Two coordinate channels give the frequency of each position.

    Shapes: input (B, 1, S, S // 2 + 1), output one map (B, 1, S/4, S/8 + 1).
    """

    def __init__(self, base: int = 16):
        super().__init__()
        self.layers = nn.Sequential(
            spectral_conv(3, base, 3),
            nn.LeakyReLU(0.2),
            spectral_conv(base, 2 * base, 3, 2),
            nn.LeakyReLU(0.2),
            spectral_conv(2 * base, 2 * base, 3, 2),
            nn.LeakyReLU(0.2),
            spectral_conv(2 * base, 1, 3),
        )

    def forward(self, spectrum: Tensor) -> list[Tensor]:
        if spectrum.ndim != 4 or spectrum.shape[1] != 1:
            raise ValueError(f"Expected spectra (B, 1, S, S // 2 + 1) but got {tuple(spectrum.shape)}.")
        height, width = spectrum.shape[-2:]
        fy = torch.linspace(-1, 1, height, device=spectrum.device).view(1, 1, -1, 1)
        fx = torch.linspace(0, 1, width, device=spectrum.device).view(1, 1, 1, -1)
        coordinates = [c.expand(len(spectrum), 1, height, width).to(spectrum.dtype) for c in (fy, fx)]
        return [self.layers(torch.cat([spectrum, *coordinates], 1))]


@register("discriminator")
def patch_discriminator(**kwargs) -> PatchDiscriminator:
    """Scores patches of a picture, or of its gray version with ``inputs=1``."""
    return PatchDiscriminator(**kwargs)


@register("discriminator")
def feature_discriminator(**kwargs) -> FeatureDiscriminator:
    """Scores frozen features of a picture."""
    return FeatureDiscriminator(**kwargs)


@register("discriminator")
def spectrum_discriminator(**kwargs) -> SpectrumDiscriminator:
    """Scores log spectra."""
    return SpectrumDiscriminator(**kwargs)
