"""Fit the linear layer of ``lite_statistics``: statistics of every picture's views once, then a convex
problem.

As the layer is linear, the mean of the logits over a picture's views is the logit of its mean statistics:
what is fitted is exactly what is read. Every network's part is fitted alone and the logits are averaged, an
ensemble in one layer. A fit takes seconds, so cross-validation is honest and cheap; nothing is random but the
folds.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from workbench.classify.linear_probe import soft_probe
from workbench.classify.soft_targets import soft_targets
from workbench.data.paintings import Paintings
from workbench.data.splits import grouped_folds
from workbench.data.transforms import Crops, Squeeze, Views
from workbench.models import create


@dataclasses.dataclass(frozen=True)
class StatisticsConfig:
    """How the layer is fitted. Written as JSON beside every result."""

    variants: tuple[str, ...] = ("lite0", "lite1")  # the frozen networks
    size: int = 224  # pixels of a view
    eval_crops: tuple[tuple[int, int], ...] = ((224, 3), (336, 3))  # (short side, count) at native scale
    hard_share: float = 0.5  # of the target is the label, the rest the raters' votes (if any)
    class_weight_power: float = 0.5  # weight of a class = frequency ** -power; 0 is none, 1 balances fully
    penalty: float = 0.3  # squared norm of the weights on standardised statistics
    folds: int = 5  # grouped
    split_seeds: tuple[int, ...] = (0, 1, 2)  # one cross-validation each

    @property
    def views(self) -> Views:
        """What the classifier sees of a picture."""
        return Views(
            (Squeeze(self.size), *(Crops(side, count, self.size) for side, count in self.eval_crops))
        )


def new_network(config: StatisticsConfig, num_classes: int) -> nn.Module:
    """The frozen networks with ImageNet weights; the linear layer is not fitted yet."""
    return create(
        "lite_statistics", num_classes=num_classes, variants=config.variants, pretrained=True
    ).eval()


@torch.inference_mode()
def statistics(
    data: Paintings, network: nn.Module, config: StatisticsConfig, cache: Path | None = None
) -> Tensor:
    """(N, D) statistics of all pictures, averaged over the views; read from ``cache`` if made for the
    same.
    """
    settings = [config.variants, config.size, config.eval_crops, data.paths]
    key = hashlib.sha256(json.dumps(settings).encode()).hexdigest()
    if cache is not None and cache.is_file():
        stored = torch.load(cache, weights_only=True)
        if stored["key"] == key:
            return stored["statistics"]
    network = network.eval().to(memory_format=torch.channels_last)
    rows = []
    for i in tqdm(range(len(data)), desc="statistics", unit="picture", disable=None):
        x = config.views(data.read(i)).contiguous(memory_format=torch.channels_last)
        rows.append(network.forward_features(x).mean(0))
    table = torch.stack(rows).float()
    if cache is not None:
        cache.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"key": key, "statistics": table}, cache)
    return table


def fit_layer(
    table: Tensor, data: Paintings, indices: NDArray, dimensions: tuple[int, ...], config: StatisticsConfig
) -> tuple[Tensor, Tensor]:
    """Weight (C, D) and bias (C,) of the linear layer from the pictures ``indices``.

    Args:
        table: (N, D) statistics.
        data: all pictures.
        indices: those to fit on.
        dimensions: how D is divided among the networks.
        config: settings.
    """
    targets, weights = soft_targets(data, indices, config.hard_share, config.class_weight_power)
    parts = [
        soft_probe(part[indices], targets[indices], weights[indices], config.penalty)
        for part in table.split(list(dimensions), 1)
    ]
    count = len(parts)
    return torch.cat([w for w, _ in parts], 1) / count, torch.stack([b for _, b in parts]).mean(0)


def cross_validate(
    table: Tensor, data: Paintings, dimensions: tuple[int, ...], config: StatisticsConfig
) -> list[dict]:
    """One dict a fold: split_seed, fold, test (indices), logits (n, C), seconds."""
    results = []
    for seed in config.split_seeds:
        for fold, (train, test) in enumerate(grouped_folds(data.labels, data.groups, config.folds, seed)):
            start = time.perf_counter()
            weight, bias = fit_layer(table, data, train, dimensions, config)
            logits = (table[test] @ weight.T + bias).double().numpy()
            entry = {"split_seed": seed, "fold": fold, "test": test, "logits": logits}
            results.append(entry | {"seconds": time.perf_counter() - start})
    return results


def fit_all(network: nn.Module, table: Tensor, data: Paintings, config: StatisticsConfig) -> nn.Module:
    """Fit the network's linear layer to all pictures, in place."""
    dimensions = tuple(s.dimensions for s in network.statistics)
    weight, bias = fit_layer(table, data, np.arange(len(data)), dimensions, config)
    with torch.no_grad():
        network.classifier.weight.copy_(weight)
        network.classifier.bias.copy_(bias)
    return network.eval()
