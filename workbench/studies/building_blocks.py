"""Study 01: the effect of activation, pooling and head on a small network trained on paintings.

Three questions of the paper's section 3. How many parameters does global average pooling save compared with
fully connected layers, and how does accuracy change? Where does the sigmoid saturate, and how much of the
gradient reaches the first layer, compared with tanh and ReLU? Does the kind of pooling matter?

LeNet-5 (:mod:`workbench.models.building_blocks`) is trained from scratch on pictures squeezed to a small
square; one part at a time differs from the reference (ReLU, max pooling, fully connected head). Folds keep
groups together: painters where they are known, near-duplicates where not.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from workbench.core.files import write_whole
from workbench.core.runs import write_rows
from workbench.data.atelier import open_dataset
from workbench.data.paintings import Paintings
from workbench.data.splits import grouped_folds
from workbench.metrics.bootstrap import bootstrap, run_shares
from workbench.metrics.classification import accuracy, balanced_accuracy, confusion_matrix
from workbench.models import create
from workbench.studies.study import Rows, TableStudy, grouped, register

REFERENCE = "reference"
NETWORKS: dict[str, dict[str, str]] = {
    REFERENCE: {"activation": "relu", "pooling": "max", "head": "fc"},
    "tanh": {"activation": "tanh", "pooling": "max", "head": "fc"},
    "sigmoid": {"activation": "sigmoid", "pooling": "max", "head": "fc"},
    "mean pooling": {"activation": "relu", "pooling": "mean", "head": "fc"},
    "stochastic pooling": {"activation": "relu", "pooling": "stochastic", "head": "fc"},
    "GAP head": {"activation": "relu", "pooling": "max", "head": "gap"},
}
GAINS = (1, 4)  # Glorot's initial weights, and four times larger ones
SIDES = (32, 64, 96, 128, 224)  # pixels of the pictures for which parameters of LeNet's heads are counted
FLAT = 0.05  # share of its maximum below which a derivative counts as saturated


@dataclasses.dataclass(frozen=True)
class Pictures:
    """A data set that fits into memory."""

    name: str
    x: Tensor  # (N, 3, side, side) in [-1, 1]
    labels: NDArray[np.int64]  # (N,)
    groups: NDArray[np.str_]  # (N,)
    classes: tuple[str, ...]


@register
@dataclasses.dataclass(frozen=True)
class BuildingBlocks(TableStudy):
    """How do activation, pooling and head change a small network on paintings?

    Beside the table lie ``…_summary.csv`` (intervals over groups and seeds, differences to the reference),
    ``…_saturation.csv`` (of the first data set) and ``…_parameters.csv``.
    """

    keys = ("dataset", "network", "seed", "fold")
    sources = ("data",)

    data: tuple[str, ...] = ("atelier:60",)  # folders of labelled paintings, or atelier:N
    seeds: int = 3  # of the initial weights, the order of the batches, and the folds
    folds: int = 2  # of each cross-validation
    epochs: int = 10  # of each training
    side: int = 48  # pixels of the squeezed pictures
    batch: int = 16  # pictures per step
    learning_rate: float = 3e-3  # of Adam, falling to zero along a cosine

    @functools.cached_property
    def sets(self) -> dict[str, Pictures]:
        """The data sets by name."""
        return {pictures.name: pictures for pictures in (load(source, self.side) for source in self.data)}

    def plan(self) -> list[dict]:
        """Every network on every fold, seed by seed, so that an interrupted study has complete seeds."""
        return [
            {"dataset": name, "network": network, "seed": seed, "fold": fold}
            for seed in range(self.seeds)
            for name in self.sets
            for network in NETWORKS
            for fold in range(self.folds)
        ]

    def prepare(self, out: Path) -> Callable[..., Rows]:
        """Each run stores its predictions in ``predictions``."""

        def train(dataset: str, network: str, seed: int, fold: int) -> dict:
            row, predictions = train_and_test(self.sets[dataset], network, seed, fold, self)
            _store(out, (dataset, network, seed, fold), predictions)
            return row

        return train

    def summarise(self, out: Path) -> None:
        """Saturation, parameters, and the intervals."""
        first = next(iter(self.sets.values()))
        self.runs(out, "_saturation", ("dataset", "activation", "gain", "seed")).do(
            [
                {"dataset": first.name, "activation": activation, "gain": gain, "seed": seed}
                for seed in range(self.seeds)
                for activation in ("sigmoid", "tanh", "relu")
                for gain in GAINS
            ],
            lambda dataset, activation, gain, seed: saturation_of_training(
                first, activation, gain, seed, self
            ),
            "saturation",
        )
        families = [{"family": "LeNet"}, {"family": "published"}]
        self.runs(out, "_parameters", ("family",)).do(families, parameters, "parameters")
        rows = [row for pictures in self.sets.values() for row in intervals(pictures, out, self)]
        write_rows(rows, out / f"{self.name}_summary.csv")


def tables(path: str | os.PathLike) -> dict[str, pd.DataFrame]:
    """The study's tables from its ``building_blocks.csv`` and the files beside it: runs, summary, saturation,
    parameters.
    """
    path = Path(path)
    names = ("summary", "saturation", "parameters")
    beside = {name: pd.read_csv(path.with_name(f"{path.stem}_{name}.csv")) for name in names}
    return {"runs": pd.read_csv(path), **beside}


def load(source: str | os.PathLike, side: int) -> Pictures:
    """Read a data set. Without known painters, near-duplicates share a group."""
    paintings, name = grouped(open_dataset(source)), Path(source).name
    return Pictures(name, squeezed(paintings, side), paintings.labels, paintings.groups, paintings.classes)


def squeezed(paintings: Paintings, side: int) -> Tensor:
    """(N, 3, side, side) in [-1, 1]: every picture squeezed to a square."""
    rows = []
    for i in range(len(paintings)):
        image = paintings.read(i)
        rows.append(np.asarray(image.resize((side, side), Image.Resampling.BOX, reducing_gap=2.0)))
    return torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def train_and_test(
    pictures: Pictures, network: str, seed: int, fold: int, plan: BuildingBlocks
) -> tuple[dict, NDArray[np.int64]]:
    """One run: its row, and the predicted class of every tested picture, -1 for the others (N,)."""
    train, test = grouped_folds(pictures.labels, pictures.groups, plan.folds, seed)[fold]
    torch.manual_seed(seed)
    built = create("lenet", num_classes=len(pictures.classes), size=plan.side, **NETWORKS[network])
    start = time.process_time()
    fit(built, pictures, train, seed, plan)
    seconds = time.process_time() - start
    predicted = predict(built, pictures.x)
    row = dict(NETWORKS[network]) | {
        "parameters": sum(p.numel() for p in built.parameters()),
        "train_pictures": len(train),
        "test_pictures": len(test),
        "train_seconds": seconds,
    }
    for name, part in (("train_", train), ("", test)):
        matrix = confusion_matrix(pictures.labels[part], predicted[part], len(pictures.classes))
        row[f"{name}accuracy"] = accuracy(matrix)
        row[f"{name}balanced_accuracy"] = balanced_accuracy(matrix)
    tested = np.full(len(pictures.labels), -1)
    tested[test] = predicted[test]
    return row, tested


def fit(network: nn.Module, pictures: Pictures, train: NDArray, seed: int, plan: BuildingBlocks) -> None:
    """Adam on the cross-entropy weighted to equal classes, with random mirroring; in place."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.from_numpy(pictures.labels)
    count = torch.bincount(labels[train], minlength=len(pictures.classes)).clamp_min(1)
    weight = len(train) / (len(pictures.classes) * count.float())
    optimizer = torch.optim.Adam(network.parameters(), lr=plan.learning_rate, fused=True)
    steps = plan.epochs * -(-len(train) // plan.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
    network.to(memory_format=torch.channels_last).train()
    indices = torch.from_numpy(train)
    for _ in range(plan.epochs):
        order = indices[torch.randperm(len(train), generator=generator)]
        for chosen in order.split(plan.batch):
            x = pictures.x[chosen]
            mirrored = torch.rand(len(x), generator=generator) < 0.5
            x = torch.where(mirrored[:, None, None, None], x.flip(-1), x)
            loss = F.cross_entropy(network(x), labels[chosen], weight)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()


@torch.inference_mode()
def predict(network: nn.Module, x: Tensor) -> NDArray[np.int64]:
    """(N,) the most probable class of each picture."""
    network.eval()
    return torch.cat([network(part).argmax(1) for part in x.split(64)]).numpy()


def saturation_of_training(
    pictures: Pictures, activation: str, gain: int, seed: int, plan: BuildingBlocks
) -> list[dict]:
    """Saturation of the reference with another activation and ``gain``, before and after its training."""
    train, test = grouped_folds(pictures.labels, pictures.groups, plan.folds, seed)[0]
    torch.manual_seed(seed)
    network = create(
        "lenet", num_classes=len(pictures.classes), size=plan.side, activation=activation, gain=gain
    )
    sample = np.random.default_rng(seed).permutation(train)[:128]
    x, labels = pictures.x[sample], torch.from_numpy(pictures.labels[sample])
    rows = [{"moment": "at the start", **row} for row in saturation(network, x, labels)]
    fit(network, pictures, train, seed, plan)
    rows += [{"moment": "after training", **row} for row in saturation(network, x, labels)]
    matrix = confusion_matrix(
        pictures.labels[test], predict(network, pictures.x)[test], len(pictures.classes)
    )
    return [row | {"balanced_accuracy": balanced_accuracy(matrix)} for row in rows]


def saturation(network: nn.Module, x: Tensor, labels: Tensor) -> list[dict]:
    """Saturation of the units of each layer, and the size of the gradient there.

    Args:
        network: a LeNet.
        x: (B, 3, H, W).
        labels: (B,) classes, for the loss whose gradient is taken.

    Returns:
        A row for each layer: ``flat``, the share of (unit, picture) pairs whose derivative is below
        :data:`FLAT` of its greatest value (for a ReLU: is zero); ``stuck``, the share of units that are flat
        for every picture; ``slope``, the mean derivative; ``gradient``, the root mean square of the loss's
        gradient over the layer's weights.
    """
    network.eval()
    outputs: dict[str, Tensor] = {}
    layers = {name.split(".")[-1]: module for name, module in network.named_modules()}
    hooks = [
        layers[f"act{i}"].register_forward_hook(lambda m, _, y, i=i: outputs.__setitem__(i, y.detach()))
        for i in "1356"
        if f"act{i}" in layers
    ]
    network.zero_grad()
    F.cross_entropy(network(x), labels).backward()
    for hook in hooks:
        hook.remove()
    rows = []
    for i, name in (("1", "c1"), ("3", "c3"), ("5", "c5"), ("6", "f6")):
        if i not in outputs:
            continue
        slope, greatest = derivative(layers[f"act{i}"], outputs[i])
        flat = slope < FLAT * greatest
        gradient = layers[name].weight.grad.square().mean().sqrt()
        rows.append(
            {
                "layer": name.upper(),
                "flat": flat.float().mean().item(),
                "stuck": flat.all(0).float().mean().item(),
                "slope": slope.mean().item(),
                "gradient": gradient.item(),
            }
        )
    network.zero_grad()
    return rows


def derivative(activation: nn.Module, output: Tensor) -> tuple[Tensor, float]:
    """Derivative of an activation, computed from its output, and the maximum of that derivative."""
    if isinstance(activation, nn.Sigmoid):
        return output * (1 - output), 0.25
    if isinstance(activation, nn.Tanh):
        return 1 - output**2, 1.0
    if isinstance(activation, nn.ReLU):
        return (output > 0).float(), 1.0
    raise ValueError(f"Expected a sigmoid, tanh or ReLU but got {type(activation).__name__}.")


def parameters(family: str) -> list[dict]:
    """Parameters with fully connected layers, and with GAP and one linear layer in their place.

    Args:
        family: "LeNet" counts ours at several sides, "published" AlexNet and VGG-16 with 1,000 classes.
    """
    if family == "LeNet":
        with torch.device("meta"):
            return [
                _saving(
                    f"LeNet at {side} px",
                    *(_count(create("lenet", size=side, head=h)) for h in ("fc", "gap")),
                )
                for side in SIDES
            ]
    from torchvision import models

    rows = []
    with torch.device("meta"):
        for name, channels in (("alexnet", 256), ("vgg16", 512)):
            network = getattr(models, name)()
            gap = _count(network.features) + channels * 1000 + 1000
            rows.append(_saving({"alexnet": "AlexNet", "vgg16": "VGG-16"}[name], _count(network), gap))
    return rows


def intervals(pictures: Pictures, out: Path, plan: BuildingBlocks) -> Iterable[dict]:
    """Accuracy and balanced accuracy of each network over all seeds' out-of-fold predictions, and their
    paired difference to the reference, with 95 % intervals bootstrapped over groups and seeds.
    """
    rng = np.random.default_rng(1)
    predicted = {name: _predictions(out, pictures.name, name, plan) for name in NETWORKS}

    def scores(*columns: NDArray, weights: NDArray | None = None) -> dict[tuple[str, str], NDArray]:
        labels, *guesses = columns
        seeds = np.moveaxis(np.stack(guesses, 1), 2, 0)  # (S, N, networks)
        shares, values = run_shares(len(seeds), weights, rng), {}
        for k, name in enumerate(predicted):
            matrices = [confusion_matrix(labels, s[:, k], len(pictures.classes), weights) for s in seeds]
            for metric, score in (("accuracy", accuracy), ("balanced_accuracy", balanced_accuracy)):
                values[name, metric] = (np.array([score(m) for m in matrices]) * shares).sum(0)
        for name in predicted:
            for metric in ("accuracy", "balanced_accuracy"):
                values[name, f"{metric}_minus_reference"] = values[name, metric] - values[REFERENCE, metric]
        return values

    of = len(np.unique(pictures.groups))
    shares = {(name, "accuracy"): of for name in predicted}
    columns = (pictures.labels, *predicted.values())
    by_score = bootstrap(scores, *columns, groups=pictures.groups, shares=shares)
    majority = np.bincount(pictures.labels).max() / len(pictures.labels)
    for (name, metric), interval in by_score.items():
        if name == REFERENCE and metric.endswith("reference"):
            continue
        yield {
            "dataset": pictures.name,
            "network": name,
            "metric": metric,
            **interval._asdict(),
            "chance": 1 / len(pictures.classes) if metric == "balanced_accuracy" else majority,
            "pictures": len(pictures.labels),
            "groups": len(np.unique(pictures.groups)),
            "seeds": plan.seeds,
            "folds": plan.folds,
        }


def _saving(name: str, fc: int, gap: int) -> dict:
    return {"network": name, "fc_parameters": fc, "gap_parameters": gap, "saved": 1 - gap / fc}


def _count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def _stored(out: Path, dataset: str, network: str, seed: int, fold: int) -> Path:
    stem = f"{dataset}_{network}_{seed}_{fold}".replace(":", "-").replace(" ", "-")
    return out / "predictions" / f"{stem}.csv"


def _store(out: Path, key: tuple, predictions: NDArray) -> None:
    write_whole(("\n".join(map(str, predictions)) + "\n").encode(), _stored(out, *key))


def _predictions(out: Path, dataset: str, network: str, plan: BuildingBlocks) -> NDArray[np.int64]:
    """(N, seeds) predicted classes, each by the fold that had not seen the picture."""
    seeds = []
    for seed in range(plan.seeds):
        folds = [np.loadtxt(_stored(out, dataset, network, seed, f), dtype=int) for f in range(plan.folds)]
        seeds.append(np.max(folds, axis=0))
    return np.stack(seeds, 1)
