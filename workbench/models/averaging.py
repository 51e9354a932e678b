"""Exponential moving average of weights in training."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def average(averaged: nn.Module, network: nn.Module, decay: float, steps: int) -> None:
    """Move averaged weights towards those of the network: an exponential moving average, in place.

    Args:
        averaged: a copy of the network, whose weights are the means.
        network: the network that is trained.
        decay: per step, in [0, 1]; (1 + steps) / (10 + steps) where that is less, at the start.
        steps: done before this one.
    """
    decay = min(decay, (1 + steps) / (10 + steps))
    for mean, value in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)
