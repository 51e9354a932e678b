"""Study 06: every classifier of the project on the same folds of several data sets, in one table.

Networks are trained as their own studies found best within the stated budget; the linear probe and the
statistics model read frozen ImageNet networks; the colour-and-line model is a linear classifier on the
expression descriptors. The majority class is the floor.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer

from workbench.classify.cross_validation import Trainer, cross_validate, finetuned, softmax, summarise
from workbench.classify.finetune import FinetuneConfig, Pictures
from workbench.classify.linear_probe import linear_probe
from workbench.classify.statistics_probe import StatisticsConfig, fit_layer, new_network, statistics
from workbench.data.paintings import Paintings
from workbench.interpret.descriptors import DESCRIPTORS, describe_folder

BASELINE = "lite0 linear probe"
_SCRATCH = {"pretrained": False, "layer_decay": 1.0, "learning_rate": 2e-3}
_RESNET = {"size": 64, "mixed_precision": "bf16", **_SCRATCH}  # what a CPU has time for
_BASE = FinetuneConfig(size=96, epochs=6, learning_rate=1e-3, folds=3)
NETWORKS: dict[str, FinetuneConfig] = {
    "DKSE (scratch)": dataclasses.replace(
        _BASE, model="dkse_small", size=64, epochs=15, **_SCRATCH | {"learning_rate": 3e-3}
    ),
    "lite0 (ImageNet)": dataclasses.replace(_BASE, arguments={"aggregated": 0}),
    "MAFR lite0, n=16 (ImageNet)": dataclasses.replace(_BASE, arguments={"aggregated": 16}),
    "ResNet-50 (scratch)": dataclasses.replace(
        _BASE, model="mafr_resnet50", arguments={"aggregated": 0}, **_RESNET
    ),
    "MAFR ResNet-50, n=16 (scratch)": dataclasses.replace(
        _BASE, model="mafr_resnet50", arguments={"aggregated": 16}, **_RESNET
    ),
}


def majority(data: Paintings) -> Trainer:
    """The frequencies of the training pictures' classes, whatever the picture."""

    def train(training: NDArray, test: NDArray, seed: int) -> tuple[NDArray, Mapping]:
        share = (np.bincount(data.labels[training], minlength=len(data.classes)) + 1) / (
            len(training) + len(data.classes)
        )
        return np.tile(share, (len(test), 1)), {"parameters": len(data.classes)}

    return train


def probe(table: NDArray, data: Paintings, strength: float = 0.01) -> Trainer:
    """Logistic regression on (N, D) features; what a picture lacks (nan) is the training pictures' median."""

    def train(training: NDArray, test: NDArray, seed: int) -> tuple[NDArray, Mapping]:
        known = SimpleImputer(strategy="median", keep_empty_features=True).fit(table[training])
        logits = linear_probe(known.transform(table), data.labels, training, test, strength)
        return softmax(logits), {"parameters": (table.shape[1] + 1) * len(data.classes)}

    return train


def statistics_model(
    table, data: Paintings, dimensions: tuple[int, ...], config: StatisticsConfig
) -> Trainer:
    """The linear layer of ``lite_statistics``."""

    def train(training: NDArray, test: NDArray, seed: int) -> tuple[NDArray, Mapping]:
        weight, bias = fit_layer(table, data, training, dimensions, config)
        logits = (table[test] @ weight.T + bias).double().numpy()
        return softmax(logits), {"parameters": weight.numel() + bias.numel()}

    return train


def run(
    data: Mapping[str, Paintings],
    out: str | Path,
    networks: Mapping[str, FinetuneConfig] = NETWORKS,
    split_seeds: Sequence[int] = (0,),
    folds: int = 3,
    config: StatisticsConfig | None = None,
    cache: str | Path | None = None,
    samples: int = 2000,
) -> list[Path]:
    """One table ``benchmark_DATASET.csv`` (and predictions) a data set in ``out``.

    Args:
        data: name -> paintings.
        out: folder.
        networks: label -> training.
        split_seeds: one grouped cross-validation each.
        folds: of each.
        config: of the statistics model.
        cache: folder for the frozen statistics; by default a temporary one.
        samples: of the bootstrap.
    """
    config = config or StatisticsConfig(split_seeds=tuple(split_seeds), folds=folds)
    made = []
    for name, paintings in data.items():
        with tempfile.TemporaryDirectory() as folder:
            network = new_network(config, len(paintings.classes))
            table = statistics(paintings, network, config, Path(cache or folder) / f"statistics_{name}.pt")
        dimensions = tuple(s.dimensions for s in network.statistics)
        pooled = network.statistics[0].network.num_features
        described = describe_folder(paintings)
        colour_and_line = np.column_stack([described[k] for k in DESCRIPTORS])
        trainers: dict[str, Trainer] = {
            "majority class": majority(paintings),
            "colour and line, linear": probe(colour_and_line, paintings, 0.3),
            BASELINE: probe(table[:, :pooled].double().numpy(), paintings),
            "stage statistics, linear": statistics_model(table, paintings, dimensions, config),
        }
        pictures: dict[int, Pictures] = {}
        for label, one in networks.items():
            if one.size not in pictures:
                pictures[one.size] = Pictures(paintings, one.size)
            trainers[label] = finetuned(paintings, pictures[one.size], one)
        made.append(cross_validate(f"benchmark_{name}", out, paintings, trainers, folds, split_seeds))
        summarise(made[-1], BASELINE, samples)
    return made
