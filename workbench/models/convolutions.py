"""Shared by the fully convolutional generators: checking and padding of their input, and initial weights."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


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
