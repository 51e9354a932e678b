"""Shared by the fully convolutional generators: checking and padding of their input, initial weights, and
upsampling before a convolution.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# (2, 3, 3): what three taps at an even and at an odd place of a doubled row see, as shares of the row's own
# pixels around that place.
_DOUBLED = (
    ((0.75, 0.25, 0.0), (0.25, 0.75, 0.0), (0.0, 0.75, 0.25)),
    ((0.25, 0.75, 0.0), (0.0, 0.75, 0.25), (0.0, 0.25, 0.75)),
)


def padded(x: Tensor, stride: int) -> Tensor:
    """RGB pictures (B, 3, H, W) with both sides extended to multiples of ``stride`` by their last pixels.

    Raises:
        ValueError: another shape.
    """
    if x.ndim != 4 or x.shape[1] != 3:
        raise ValueError(f"Expected a batch of RGB pictures (B, 3, H, W) but got shape {tuple(x.shape)}.")
    return F.pad(x, (0, -x.shape[3] % stride, 0, -x.shape[2] % stride), mode="replicate")


def initialise(network: nn.Module, slope: float) -> None:
    """Convolutions with He's weights for leaky ReLUs of that slope, and biases of 0, in place.

    Source: He et al., "Delving Deep into Rectifiers", ICCV 2015.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, a=slope)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class UpsamplingConv2d(nn.Conv2d):
    """A 3×3 convolution with padding 1 of its input at twice the size.

    Bilinear upsampling is linear as the convolution is, and three taps of the doubled picture reach three
    pixels of the input. So one convolution to four times the channels gives the four pixels of each: as many
    multiplications, and the doubled picture, which takes longer to write and to read than to compute, is
    never made.

    Args:
        in_channels, out_channels: C and D.
        upsampling: "bilinear" or "nearest".

    Shapes:
        input (B, C, H, W), output (B, D, 2 H, 2 W): but for rounding, what a convolution with these weights
        makes of ``F.interpolate(x, scale_factor=2, mode=upsampling)``.
    """

    def __init__(self, in_channels: int, out_channels: int, upsampling: str = "bilinear"):
        if upsampling not in ("bilinear", "nearest"):
            raise ValueError(f"Expected `upsampling` to be 'bilinear' or 'nearest' but got {upsampling!r}.")
        super().__init__(in_channels, out_channels, 3, padding=1)
        self.upsampling = upsampling

    def forward(self, x: Tensor) -> Tensor:
        if self.upsampling == "nearest":
            return super().forward(F.interpolate(x, scale_factor=2, mode="nearest"))
        # exported, the corrections below would be slow: other runtimes copy everything for each
        if torch.compiler.is_exporting() or torch.jit.is_tracing():
            return super().forward(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))
        (batch, _, height, width), out = x.shape, self.out_channels
        taps = x.new_tensor(_DOUBLED)
        weight = torch.einsum("atu,bsv,octs->abocuv", taps, taps, self.weight).flatten(0, 2)
        bias = None if self.bias is None else self.bias.repeat(4)
        y = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), weight, bias)
        y = y.permute(0, 2, 3, 1).reshape(batch, height, width, 2, 2, out).transpose(2, 3)
        y = y.reshape(batch, 2 * height, 2 * width, out).permute(0, 3, 1, 2)
        for end, tap in ((slice(0, 1), 0), (slice(-1, None), 2)):  # beyond the borders are zeros, not copies
            row = F.interpolate(x[:, :, end], scale_factor=(1, 2), mode="bilinear", align_corners=False)
            row = F.pad(row, (1, 1, 0, 0), mode="replicate")
            y[:, :, end] -= F.conv2d(row, self.weight[:, :, tap : tap + 1])
            column = F.interpolate(x[..., end], scale_factor=(2, 1), mode="bilinear", align_corners=False)
            y[..., end] -= F.conv2d(column, self.weight[..., tap : tap + 1], padding=(1, 0))
        return y
