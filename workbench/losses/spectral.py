"""Spectral style loss: an adversarial loss on power spectra, which hide the semantics of a picture.

The paper's equation is L = E_Y[log D(F(Y))] + E_X[log(1 − D(F(G(X))))], F the 2-D Fourier transform. Raw
spectra make that loss explode (log|F| has 50-70 times the gradient of pixel L1, and |F| has none at zero), so
here F is the floored *log power spectrum* of windowed luma, each frequency standardised with statistics of
the style set. Pictures of both domains first pass the same area downscaling, because their resampling history
changes high frequencies more than style does.

Source: the paper, section 4; spectra of generated pictures after Durall et al., CVPR 2020.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.losses.color import rgb_to_yuv

FLOOR = 1e-5  # power below which a frequency counts as absent


def log_spectrum(image: Tensor) -> Tensor:
    """Half the log power spectrum of Hann-windowed, mean-free luma.

    Args:
        image: (B, 3, S, S) in [-1, 1].

    Returns:
        (B, 1, S, S // 2 + 1) in nats, float32, vertical frequency shifted so that zero is in row S // 2.
    """
    if image.ndim != 4 or image.shape[-1] != image.shape[-2]:
        raise ValueError(f"Expected square pictures (B, 3, S, S) but got {tuple(image.shape)}.")
    luma = rgb_to_yuv(image.float())[:, :1]
    luma = luma - luma.mean((-2, -1), keepdim=True)
    size = image.shape[-1]
    hann = torch.hann_window(size, periodic=True, device=image.device)
    window = torch.outer(hann, hann)
    window = window / window.square().mean().sqrt()  # unit RMS keeps the power of white noise
    f = torch.fft.rfft2(luma * window, norm="ortho")
    power = f.real.square() + f.imag.square()  # |F| itself has a NaN gradient at zero
    return torch.fft.fftshift(0.5 * torch.log(power + FLOOR), dim=-2)


def radial_profile(spectrum: Tensor, bins: int = 32) -> Tensor:
    """Mean of a shifted half spectrum over rings of equal radius up to 0.5 cycles/pixel.

    Args:
        spectrum: (B, 1, S, S // 2 + 1) from :func:`log_spectrum`.
        bins: number of rings.

    Returns:
        (B, bins); ring k covers radii [k, k + 1) · 0.5 / bins cycles per pixel; empty rings are 0.
    """
    height, width = spectrum.shape[-2:]
    fy = (torch.arange(height, device=spectrum.device) - height // 2) / height
    fx = torch.arange(width, device=spectrum.device) / height
    radius = torch.hypot(fy.view(-1, 1), fx.view(1, -1))
    ring = (radius * 2 * bins).long().flatten()
    keep = ring < bins
    flat = spectrum.flatten(1)[:, keep]
    count = torch.bincount(ring[keep], minlength=bins).clamp_min(1)
    return flat.new_zeros(len(flat), bins).index_add_(1, ring[keep], flat) / count


class SpectrumNorm(nn.Module):
    """Standardises log spectra frequency by frequency with running statistics of the style set.

    Args:
        size: side S of the pictures.
        momentum: weight of a new batch in the running statistics.
        limit: standardised values are clamped to ±``limit``.
    """

    mean: Tensor
    var: Tensor
    updates: Tensor

    def __init__(self, size: int, momentum: float = 0.02, limit: float = 4.0):
        super().__init__()
        self.momentum, self.limit = momentum, limit
        self.register_buffer("mean", torch.zeros(1, 1, size, size // 2 + 1))
        self.register_buffer("var", torch.ones(1, 1, size, size // 2 + 1))
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def update(self, spectrum: Tensor) -> None:
        """Update the statistics with a batch of style spectra (B, 1, S, S // 2 + 1)."""
        mean = spectrum.mean(0, keepdim=True)
        var = (spectrum - (mean if self.updates == 0 else self.mean)).square().mean(0, keepdim=True)
        step = max(self.momentum, 1 / (1 + int(self.updates)))  # plain average first, then exponential
        self.mean.lerp_(mean, step)
        self.var.lerp_(var, step)
        self.updates += 1

    def forward(self, spectrum: Tensor) -> Tensor:
        return ((spectrum - self.mean) / (self.var + 1e-2).sqrt()).clamp(-self.limit, self.limit)


def equal_history(image: Tensor, size: int, scale: float) -> Tensor:
    """Area downscaling of the upper-left ``scale · size`` square to ``size``, the same for both domains.

    Args:
        image: (B, 3, H, W).
        size: side of the result.
        scale: ≥ 1, of the square taken from ``image``; to be drawn at random in each step.

    Raises:
        ValueError: if ``image`` is smaller than the square.
    """
    side = math.floor(size * scale)
    if side > min(image.shape[-2:]) or scale < 1:
        raise ValueError(
            f"Expected a picture of at least {side} pixels per side and a scale of at least 1 "
            f"but got {tuple(image.shape)} and {scale}."
        )
    return F.adaptive_avg_pool2d(image[..., :side, :side], size)


def spectral_style_loss(discriminator: nn.Module, fake: Tensor, real: Tensor, label: float = 0.9) -> Tensor:
    """Generator loss: least squares towards ``label`` plus the L1 distance of mean radial profiles.

    Args:
        discriminator: maps standardised log spectra to a list of score maps.
        fake: log spectra of drawings, (B, 1, S, S // 2 + 1), already standardised.
        real: those of style pictures.
        label: the discriminator's label for style pictures.
    """
    scores = discriminator(fake)
    adversarial = sum((s - label).square().mean() for s in scores) / len(scores)
    bins = min(32, fake.shape[-1] - 1)  # no empty rings
    anchor = (radial_profile(fake, bins).mean(0) - radial_profile(real.detach(), bins).mean(0)).abs().mean()
    return adversarial + anchor
