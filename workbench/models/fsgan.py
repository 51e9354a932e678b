"""FSGAN's generator: a light, fully convolutional scene stylizer without normalisation.

A full-resolution stem keeps lines sharp, a quarter-resolution trunk of residual blocks forms colour blocks,
bilinear upsampling with additive skips restores the resolution, and the output is the photo plus a learnt
residual, whose borders can be hardened and soft areas cut into shapes. There is no normalisation layer, so
every output pixel depends on a bounded window of the input (:attr:`FSGANGenerator.halo`) and a picture
processed in tiles equals the picture processed whole.

Source: "Painter's psychology and anime creation style based on deep neural networks" (2022), section 4. It
gives losses and properties; the layer sizes are this project's. Encoder-trunk-decoder after Johnson et al.
(2016).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.core.pixels import LUMA
from workbench.models.convolutions import UpsamplingConv2d, initialise, padded
from workbench.models.registry import register

_STEEP = 1.75  # steepness of the borders of shapes: chosen by blind judges of photos that chose
_SHADING = 0.03, 0.09  # range in a square, of 2: up to the first shading stays, from the second on all is cut
_CONTRAST = 0.3, 0.7  # the same: up to the first all is cut, from the second on eyes and letters stay
_AROUND = 2  # radius of the square whose contrast that is, in pixels
_SOFTENED = 3  # pixels that the three softenings of cut_shapes reach


def _activate(x: Tensor) -> Tensor:
    """LeakyReLU(0.1) in place: ``x`` is the output of a convolution that nothing else needs."""
    return F.leaky_relu(x, 0.1, inplace=True)


def harden(x: Tensor, steepness: float, radius: int = 1, span: tuple[float, float] | None = None) -> Tensor:
    """Borders and lines made steeper: each value moves, channel by channel, towards the lesser or the greater
    of the extremes of the square around it, and half-way values, as in a gradient, stay.

    Args:
        x: (B, C, H, W).
        steepness: ≥ 1; 1 changes nothing.
        radius: of the square, in pixels, ≥ 1.
        span: difference of the extremes up to which nothing moves, and from which on all of it does;
            without it everything moves.

    Source: one step of a shock filter, Osher and Rudin, "Feature-oriented image enhancement using shock
        filters", 1990, with a ramp in place of the sign.
    """
    if x.shape[1] > 1:  # one by one, so that what is written along the way stays in the cache
        return torch.cat([harden(channel, steepness, radius, span) for channel in x.split(1, 1)], 1)
    low, high = extremes(x, radius)
    # the ramp about the middle of both extremes, (low + high) / 2, that ends at each of them
    hard = torch.clamp(torch.add(x * steepness, low + high, alpha=(1 - steepness) / 2), low, high)
    if span is None:
        return hard
    return torch.lerp(x, hard, share(high - low, span))


def share(x: Tensor, span: tuple[float, float]) -> Tensor:
    """0 up to the first end of ``span``, 1 from the second on, a ramp in between."""
    first, second = span
    return ((x - first) / (second - first)).clamp(0, 1)


def extremes(x: Tensor, radius: int) -> tuple[Tensor, Tensor]:
    """The least and the greatest value of the square around each, of (B, C, H, W); borders are repeated."""
    around = F.pad(x, (radius,) * 4, mode="replicate")
    return _of_square(torch.minimum, around, radius), _of_square(torch.maximum, around, radius)


def _of_square(extreme: Callable[[Tensor, Tensor], Tensor], x: Tensor, radius: int) -> Tensor:
    """The extreme of each square, (B, C, H, W) → (B, C, H - 2 radius, W - 2 radius); faster than pooling."""
    for _ in range(radius):
        x = extreme(extreme(x[..., :-2, :], x[..., 1:-1, :]), x[..., 2:, :])
        x = extreme(extreme(x[..., :-2], x[..., 1:-1]), x[..., 2:])
    return x


def luma_of(x: Tensor) -> Tensor:
    """(B, 3, H, W) → (B, 1, H, W): Rec. 601's brightness."""
    red, green, blue = (share * channel for share, channel in zip(LUMA, x.split(1, 1), strict=True))
    return red + green + blue


def soften(x: Tensor) -> Tensor:
    """The binomial filter 1, 2, 1 along columns and rows, (B, C, H, W) → the same; borders are repeated."""
    around = F.pad(x, (1, 1, 1, 1), mode="replicate")
    rows = (around[..., :-2, :] + around[..., 2:, :]).add_(around[..., 1:-1, :], alpha=2)
    return (rows[..., :-2] + rows[..., 2:]).add_(rows[..., 1:-1], alpha=2).mul_(1 / 16)


def cut_shapes(x: Tensor, radii: Sequence[int]) -> Tensor:
    """Soft areas cut into shapes with crisp borders, as of cut paper: the luma is softened twice, so that
    grain makes no shapes, and hardened by squares of each radius in turn; a last softening, by half, leaves
    no staircases. Shading as weak as that of skin and sky stays, and so does what has strong contrast, as
    lines, eyes and letters. Chroma stays, too, as borders of the three channels would part into coloured
    fringes.

    Args:
        x: (B, 3, H, W) in [-1, 1].
        radii: of the squares, in pixels, wide ones first.
    """
    luma = luma_of(x)
    soft = soften(luma)
    low, high = extremes(soft, _AROUND)
    cut = 1 - share(high - low, _CONTRAST)
    shapes = soften(soft)
    for radius in radii:
        shapes = harden(shapes, _STEEP, radius, _SHADING)
    return x + cut * (torch.lerp(shapes, soften(shapes), 0.5) - luma)


class ResidualBlock(nn.Module):
    """x + conv3×3(act(conv3×3(x))), no normalisation."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(_activate(self.conv1(x))).add_(x)


class FSGANGenerator(nn.Module):
    """Photo in, drawing out, same size.

    Args:
        stem: channels at full resolution.
        middle: channels at half resolution.
        trunk: channels at quarter resolution.
        blocks: residual blocks in the trunk.
        upsampling: "bilinear" or "nearest".
        steepness: of the borders and lines of the output, see :func:`harden`; 1 leaves them.
        shapes: radii of the squares of :func:`cut_shapes`, which finishes the drawing in eval mode; none
            leaves it soft. Trained with that step, networks learnt to blur what it was to cut.
        chroma: share of the output's chroma that is kept, 0 to 1: below 1 no colour of a photo can make a
            look of ink or pencil colourful.

    Shapes:
        input (B, 3, H, W) in [-1, 1], any H and W ≥ 1; output the same, in [-1, 1] in eval mode. In training
        mode the output is left uncut and unclamped so that gradients reach saturated pixels.
    """

    stride = 4  # tiles equal the whole picture if they start at multiples of this

    def __init__(
        self,
        stem: int = 16,
        middle: int = 32,
        trunk: int = 64,
        blocks: int = 4,
        upsampling: str = "bilinear",
        steepness: float = 1.0,
        chroma: float = 1.0,
        shapes: Sequence[int] = (),
    ):
        super().__init__()
        if steepness < 1:
            raise ValueError(f"Expected a `steepness` of at least 1 but got {steepness}.")
        if not 0 <= chroma <= 1:
            raise ValueError(f"Expected a `chroma` between 0 and 1 but got {chroma}.")
        if any(radius < 1 for radius in shapes):
            raise ValueError(f"Expected radii of at least 1 as `shapes` but got {shapes}.")
        self.steepness, self.chroma = steepness, chroma
        self.shapes = tuple(shapes)
        self.stem = nn.Conv2d(3, stem, 3, padding=1)
        self.down1 = nn.Conv2d(stem, middle, 3, stride=2, padding=1)
        self.down2 = nn.Conv2d(middle, trunk, 3, stride=2, padding=1)
        self.trunk = nn.Sequential(*(ResidualBlock(trunk) for _ in range(blocks)))
        self.up1 = UpsamplingConv2d(trunk, middle, upsampling)
        self.up2 = UpsamplingConv2d(middle, stem, upsampling)
        self.out = nn.Conv2d(stem, 3, 3, padding=1)
        initialise(self, slope=0.1)
        for block in self.trunk:  # without normalisation each block must start near the identity
            nn.init.normal_(block.get_parameter("conv2.weight"), std=1e-3)
        nn.init.zeros_(self.out.weight)  # an untrained network returns the photo

    @property
    def halo(self) -> int:
        """Radius of the receptive field in input pixels, rounded up to a multiple of ``stride``."""
        # at full resolution: out, up2; at half: up1, bilinear taps, down1; at quarter: trunk, taps, down2
        radius = (self.steepness > 1) + 1 + (1 + 2) + 2 * (1 + 2) + 4 * 2 * len(self.trunk) + 2 + 1 + 1
        if self.shapes:
            radius += sum(self.shapes) + _SOFTENED
        return -(-radius // self.stride) * self.stride + self.stride

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        x = padded(x, self.stride)
        full = _activate(self.stem(x))  # (B, stem, H, W)
        half = _activate(self.down1(full))  # (B, middle, H/2, W/2)
        y = self.trunk(_activate(self.down2(half)))  # (B, trunk, H/4, W/4)
        y = _activate(self.up1(y).add_(half))
        del half
        y = _activate(self.up2(y).add_(full))
        del full
        y = (x + self.out(y).to(x.dtype))[..., :height, :width]  # the photo is never rounded to bfloat16
        y = y.contiguous()  # what follows works on single channels, which are read faster from planes
        if self.chroma < 1:
            y = torch.lerp(luma_of(y), y, self.chroma)
        if self.steepness > 1:
            y = harden(y, self.steepness)
        if self.training:
            return y
        return (cut_shapes(y, self.shapes) if self.shapes else y).clamp(-1, 1)


@register("generator")
def fsgan_small(**kwargs) -> FSGANGenerator:
    """0.34 M parameters, 8.1 GMACs at 512×512."""
    return FSGANGenerator(**kwargs)
