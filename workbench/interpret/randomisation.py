"""Sanity check by randomisation: a map that stays the same with random weights does not explain the network.

Parameters are randomised cumulatively from the logits to the input, and the map is computed after each step.
Departure from the paper: every tensor is redrawn from a normal distribution with its own mean and standard
deviation, so that activations neither vanish nor explode in layers that keep their batch-norm statistics.

Source: Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018, arXiv:1810.03292.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.interpret.attribution import AttributionError
from workbench.interpret.layers import stages
from workbench.interpret.localisation import rank_correlation


def parts(network: nn.Module) -> dict[str, list[str]]:
    """Names of the parameters of each part, from the logits to the first layer.

    A parameter belongs to the stage that contains it, or else to the next stage (a convolution before the
    norm that ends a stem); those after the last stage are the ``logits``.
    """
    modules = {id(m): name for name, m in network.named_modules()}
    prefixes = {f"{modules[id(stage)]}.": name for name, stage in stages(network).items()}
    owner = [
        next((part for prefix, part in prefixes.items() if name.startswith(prefix)), None)
        for name, _ in network.named_parameters()
    ]
    for i in range(len(owner) - 2, -1, -1):
        owner[i] = owner[i] or owner[i + 1]
    by_part: dict[str, list[str]] = {}
    for part, (name, _) in zip(owner, network.named_parameters(), strict=True):
        by_part.setdefault(part or "logits", []).append(name)
    return dict(reversed(by_part.items()))


@torch.no_grad()
def randomise(network: nn.Module, names: list[str], generator: torch.Generator) -> None:
    """Redraw the named parameters in place, keeping mean and standard deviation of each."""
    values = dict(network.named_parameters())
    for name in names:
        value = values[name]
        noise = torch.randn(value.shape, generator=generator)
        spread = value.std() if value.numel() > 1 else value.abs().mean()
        value.copy_(value.mean() + spread * noise)


def cascade(
    explain: Callable[[nn.Module], Tensor],
    network: nn.Module,
    seed: int = 0,
    points: int | None = None,
    original: Tensor | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Rank correlation of the original maps with those of cumulatively randomised copies of the network.

    Args:
        explain: maps a network to maps (B, H, W).
        network: not modified.
        seed: of the new parameters.
        points: number of comparisons; neighbouring parts are randomised together. By default one per part.
        original: (B, H, W) maps of the network, if they are known.

    Returns:
        last part randomised -> (B,) Spearman correlations in [-1, 1], from the logits down; in the last
        entry all weights are random. 0 if a map became constant.
    """
    original = explain(network) if original is None else original
    network = copy.deepcopy(network)
    groups = [list(g) for g in np.array_split(np.arange(len(parts(network))), points or len(parts(network)))]
    items = list(parts(network).items())
    generator, result = torch.Generator().manual_seed(seed), {}
    for group in (g for g in groups if g):
        for i in group:
            randomise(network, items[i][1], generator)
        try:
            changed = explain(network)
        except AttributionError:  # no gradient reaches the layer any more
            changed = torch.zeros_like(original)
        result[items[group[-1]][0]] = rank_correlation(original, changed)
    return result
