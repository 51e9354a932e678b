"""AFGAN: portraits redrawn as anime faces, the background left alone.

U-GAT-IT without its fully connected layers: an auxiliary classifier's class-activation map (CAM) tells the
decoder where photo and drawing differ most, adaptive layer-instance normalisation (AdaLIN) takes its γ and β
from pooled features through 1×1 convolutions, and the last layer gives a mask in addition to the drawing, so
that Y = m ⊙ G(X) + (1 − m) ⊙ X. The network is fully convolutional and takes any size, but γ, β and the
normalisation depend on the whole input, so large pictures are drawn as crops of faces (``styles.portrait``),
not as tiles.

Sources: "Painter's psychology and anime creation style based on deep neural networks" (2022), section 4,
which gives the parts but no layer sizes; U-GAT-IT, Kim et al., ICLR 2020.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.core.pixels import LUMA
from workbench.models.convolutions import initialise, padded
from workbench.models.discriminators import patch_layers, spectral_conv
from workbench.models.registry import register


class Portrayal(NamedTuple):
    """Output of the generator."""

    picture: Tensor  # (B, 3, H, W) composited: m ⊙ drawing + (1 − m) ⊙ photo
    drawing: Tensor  # (B, 3, H, W) in [-1, 1] before compositing
    mask: Tensor  # (B, 1, H, W) in [0, 1], 1 where the drawing replaces the photo
    mask_logits: Tensor  # (B, 1, H, W)
    cam_logits: Tensor  # (B, 2): from average and from maximum pooling
    attention: Tensor  # (B, 1, H/8, W/8): attention map of the auxiliary classifier


class CAM(nn.Module):
    """Class-activation attention: channels are weighted by an auxiliary classifier of their pooled values.

    Shapes: features (B, C, H, W) → attended features (B, C, H, W), logits (B, 2), attention map (B, 1, H, W).
    """

    def __init__(self, channels: int, normalised: bool = False):
        super().__init__()
        wrap: Any = nn.utils.parametrizations.spectral_norm if normalised else nn.Identity()
        self.average = wrap(nn.Conv2d(channels, 1, 1, bias=False))
        self.maximum = wrap(nn.Conv2d(channels, 1, 1, bias=False))
        self.merge = wrap(nn.Conv2d(2 * channels, channels, 1))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits = torch.cat(
            [
                self.average(F.adaptive_avg_pool2d(features, 1)).flatten(1),
                self.maximum(F.adaptive_max_pool2d(features, 1)).flatten(1),
            ],
            1,
        )
        weighted = torch.cat([features * self.average.weight[0], features * self.maximum.weight[0]], 1)
        attended = F.leaky_relu(self.merge(weighted), 0.2)
        return attended, logits, attended.mean(1, keepdim=True)


RHO_MARGIN = 1e-3  # a ρ clamped to exactly 0 or 1 has no gradient and would stay there


class AdaLIN(nn.Module):
    """γ · (ρ · instance norm + (1 − ρ) · layer norm) + β with a learned ρ ∈ [0, 1] for each channel."""

    def __init__(self, channels: int):
        super().__init__()
        self.rho = nn.Parameter(torch.full((1, channels, 1, 1), 0.9))

    def forward(self, x: Tensor, gamma: Tensor | float, beta: Tensor | float) -> Tensor:
        rho = self.rho.clamp(0, 1)
        # in float32, as half precision loses the variance
        variance, mean = torch.var_mean(x.float(), (2, 3), keepdim=True, correction=0)
        layer_mean = mean.mean(1, keepdim=True)
        layer_variance = (variance + (mean - layer_mean).square()).mean(1, keepdim=True)
        instance = rho * (variance + 1e-5).rsqrt()
        layer = (1 - rho) * (layer_variance + 1e-5).rsqrt()
        # both norms and the affine map are one multiplication and one addition of the whole map
        scale = gamma * (instance + layer)
        shift = beta - gamma * (instance * mean + layer * layer_mean)
        return x * scale.to(x.dtype) + shift.to(x.dtype)


@torch.no_grad()
def keep_ratios(network: nn.Module) -> None:
    """Clamp every ρ of AdaLIN between 0 and 1; call it after each optimiser step, as in U-GAT-IT."""
    for module in network.modules():
        if isinstance(module, AdaLIN):
            module.rho.clamp_(RHO_MARGIN, 1 - RHO_MARGIN)


class _Block(nn.Module):
    """x + norm(conv(act(norm(conv(x))))), with AdaLIN if γ and β are given."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1, self.norm2 = AdaLIN(channels), AdaLIN(channels)

    def forward(self, x: Tensor, gamma: Tensor | float = 1.0, beta: Tensor | float = 0.0) -> Tensor:
        y = F.leaky_relu(self.norm1(self.conv1(x), gamma, beta), 0.1)
        return x + self.norm2(self.conv2(y), gamma, beta)


class _Up(nn.Module):
    """Upsampling by 2 with a gated skip connection, so that the photo's eyes do not leak into the drawing."""

    def __init__(self, inputs: int, outputs: int, refined: bool):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.gate = nn.Conv2d(outputs, outputs, 1)
        self.refine = nn.Conv2d(outputs, outputs, 3, padding=1) if refined else None

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = self.conv(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))
        x = F.leaky_relu(x + torch.sigmoid(self.gate(x)) * skip, 0.1)
        return x if self.refine is None else x + F.leaky_relu(self.refine(x), 0.1)


def _tones(x: Tensor) -> tuple[Tensor, Tensor]:
    """Luma (B, 1, H, W) and chroma (B, 3, H, W) of the photo smoothed over 8 pixels: colours without texture;
    their sum is the smoothed photo.
    """
    low = F.interpolate(F.avg_pool2d(x, 8), scale_factor=8, mode="bilinear", align_corners=False)
    luma = (low * low.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
    return luma, low - luma


class AFGANGenerator(nn.Module):
    """Photo in, composited anime portrait out, same size.

    Args:
        widths: channels at full, half, quarter and eighth resolution.
        encoder_blocks: residual blocks before the CAM.
        blocks: AdaLIN blocks after it.

    Shapes:
        input (B, 3, H, W) in [-1, 1], H and W ≥ 16; :meth:`forward` gives the composited picture, clamped in
        eval mode; :meth:`portray` gives all parts.
    """

    stride = 8

    def __init__(
        self, widths: tuple[int, int, int, int] = (16, 32, 64, 128), encoder_blocks: int = 2, blocks: int = 3
    ):
        super().__init__()
        full, half, quarter, eighth = widths
        self.stem = nn.Conv2d(3, full, 3, padding=1)
        self.down1 = nn.Conv2d(full, half, 3, stride=2, padding=1)
        self.down2 = nn.Conv2d(half, quarter, 3, stride=2, padding=1)
        self.down3 = nn.Conv2d(quarter, eighth, 3, stride=2, padding=1)
        self.encoder = nn.ModuleList(_Block(eighth) for _ in range(encoder_blocks))
        self.cam = CAM(eighth)
        self.style = nn.Sequential(  # γ and β from pooled features, without fully connected layers
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(eighth, eighth, 1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(eighth, 2 * eighth, 1),
        )
        self.blocks = nn.ModuleList(_Block(eighth) for _ in range(blocks))
        self.up3 = _Up(eighth, quarter, refined=True)
        self.up2 = _Up(quarter, half, refined=True)
        self.up1 = _Up(half, full, refined=False)
        self.out = nn.Conv2d(full, 4, 3, padding=1)
        # how much of the photo's smoothed luma and chroma to keep
        self.tone = nn.Conv2d(full, 2, 3, padding=1)
        initialise(self, slope=0.1)
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.normal_(self.style[-1].get_parameter("weight"), std=1e-3)
        nn.init.normal_(self.tone.weight, std=1e-3)
        self.tone.bias = nn.Parameter(torch.tensor([0.0, 0.8]))

    def _encode(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        full = F.leaky_relu(self.stem(x), 0.1)
        half = F.leaky_relu(self.down1(full), 0.1)
        quarter = F.leaky_relu(self.down2(half), 0.1)
        y = F.leaky_relu(self.down3(quarter), 0.1)
        for block in self.encoder:
            y = block(y)
        return full, half, quarter, y

    def domain_logits(self, x: Tensor) -> Tensor:
        """(B, 2) scores of the CAM's auxiliary classifier: photo above zero, anime below."""
        return self.cam(self._encode(x)[-1])[1]

    def portray(self, x: Tensor) -> Portrayal:
        """All outputs for photos (B, 3, H, W) in [-1, 1]."""
        height, width = x.shape[-2:]
        whole = padded(x, self.stride)
        full, half, quarter, y = self._encode(whole)
        y, cam_logits, attention = self.cam(y)
        gamma, beta = self.style(y).float().chunk(2, 1)
        for block in self.blocks:
            y = block(y, 1 + gamma, beta)
        y = self.up1(self.up2(self.up3(y, quarter), half), full)
        luma, chroma = _tones(whole)
        gain = self.tone(y).float()
        y = self.out(y).float()
        drawing = torch.tanh(y[:, :3] + gain[:, :1] * luma + gain[:, 1:] * chroma)[..., :height, :width]
        mask_logits = y[:, 3:, :height, :width]
        # the tails of the sigmoid are cut off, so that a confident mask is exactly 0 or 1
        mask = (1.1 * torch.sigmoid(mask_logits) - 0.05).clamp(0, 1)
        picture = mask * drawing + (1 - mask) * x
        return Portrayal(picture, drawing, mask, mask_logits, cam_logits, attention)

    def forward(self, x: Tensor) -> Tensor:
        picture = self.portray(x).picture
        return picture if self.training else picture.clamp(-1, 1)


class CAMDiscriminator(nn.Module):
    """PatchGAN with CAM attention on "real or drawn" (the local discriminator of U-GAT-IT).

    Shapes: input (B, 3, H, W) → score map (B, 1, H/8, W/8) and auxiliary logits (B, 2).
    """

    def __init__(self, base: int = 32):
        super().__init__()
        self.layers = nn.Sequential(*patch_layers(3, base))
        self.cam = CAM(4 * base, normalised=True)
        self.score = spectral_conv(4 * base, 1, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        attended, logits, _ = self.cam(self.layers(x))
        return self.score(attended), logits


@register("generator")
def afgan_small(**kwargs) -> AFGANGenerator:
    """1.8 M parameters."""
    return AFGANGenerator(**kwargs)


@register("discriminator")
def cam_discriminator(**kwargs) -> CAMDiscriminator:
    """Scores patches, with class-activation attention."""
    return CAMDiscriminator(**kwargs)
