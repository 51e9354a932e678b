"""Study 05: where transfer helps and where it hurts, by source domain and by trained layers.

The source domains are nothing (random weights), western paintings labelled by style (a network trained here
first, from random weights or on top of ImageNet), and ImageNet. Each is then fitted to the moods with the
same budget.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import models
from workbench.classify.configs import FinetuneConfig
from workbench.classify.finetune import FinetuneEstimator
from workbench.core.cache import Cache, key
from workbench.core.provenance import provenance
from workbench.core.runs import Runs
from workbench.data.atelier import open_dataset
from workbench.data.paintings import Paintings
from workbench.studies.study import ComparisonStudy, grouped, register

BASELINE = "scratch"
CONFIG = FinetuneConfig(
    model="mafr_efficientnet_lite0",
    arguments={"aggregated": 0},
    size=96,
    epochs=4,
    learning_rate=1e-3,
    folds=3,
)


def pretrain(source: Paintings, out: str | Path, name: str, config: FinetuneConfig, seed: int = 0) -> Path:
    """Train ``config``'s network on the source domain and save it with its card as ``name``; return the
    weights.

    Of the source's pictures one fifth is held out once, so that the card says how well it was learnt; no
    painter, or series of near-duplicates for want of painters, is on both sides.
    Finished weights in ``out`` are used again if they come from the same pictures and settings.
    """
    source = grouped(source)
    made_from = key("pretrain", 1, config, seed=seed, **source.contents())
    path = Path(out) / f"{name}.safetensors"
    if path.is_file() and models.card(path).training.get("key") == made_from:
        return path
    start = time.perf_counter()
    train, held = hold_out(source.groups, seed)
    estimator = FinetuneEstimator(config, cache=Cache(Path(out) / "cache")).fit(source, train, seed)
    accuracy = float((estimator.predict(source, held) == source.labels[held]).mean())
    stamp = provenance()
    card = models.Card(
        name=name,
        kind="classifier",
        title=f"{config.model} on {source.root.name}",
        description="A source domain of the transfer study, not meant for use.",
        architecture=config.model,
        arguments={"num_classes": len(source.classes), **config.arguments},
        preprocessing={"size": config.size, **config.views.to_card()},
        training={
            "data": source.root.name,
            "pictures": len(train),
            "config": dataclasses.asdict(config),
            "key": made_from,
            "seconds": round(time.perf_counter() - start),
            "device": stamp["device"],
            "versions": stamp["versions"],
        },
        metrics={"split": f"{len(held)} pictures held out", "accuracy": round(accuracy, 4)},
        limitations="Made for one study.",
        licence="research only",
        commit=stamp["commit"],
        date=stamp["date"],
        classes=tuple({"name": c} for c in source.classes),
    )
    models.save(estimator.network(), card, Path(out))
    measured = {"pictures": len(train), "held_out": len(held), "accuracy": accuracy, "epochs": config.epochs}
    runs = Runs(Path(out) / "transfer_sources.csv", ("source", "seed"))
    runs.rows = [row for row in runs.rows if row["source"] != name]
    runs.add({"source": name, "seed": seed}, measured, seconds=time.perf_counter() - start)
    return path


def hold_out(groups: NDArray[np.str_], seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(pictures to train on, one fifth to test: at most, but at least one group); no group is divided."""
    names, of_picture, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    count = np.searchsorted(np.cumsum(sizes[order]), len(groups) // 5, side="right")
    is_held = np.isin(of_picture, order[: max(1, count)])
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)


@register
@dataclasses.dataclass(frozen=True)
class Transfer(ComparisonStudy):
    """Where does transfer help and where does it hurt?"""

    baseline = BASELINE
    sources = ("data", "source")
    selection = ("weights",)

    data: str = "atelier:60"  # folder of labelled paintings whose moods are learnt, or atelier:N
    source: str = ""  # western paintings by style; without them those variants are left out
    config: FinetuneConfig = CONFIG  # settings of training on the moods: from ImageNet, all layers
    pretraining: FinetuneConfig | None = None  # on the source; by default the same from random weights
    split_seeds: tuple[int, ...] = (0,)  # one grouped cross-validation each
    weights: Path | None = None  # folder for the networks of the sources; by default that of the tables
    samples: int = 2000  # of the bootstrap

    def estimators(self, out: Path) -> dict[str, FinetuneEstimator]:
        """Every kind of transfer; the source domains are learnt first."""
        scratch: dict[str, Any] = {"pretrained": False, "layer_decay": 1.0}
        variants = {
            BASELINE: dataclasses.replace(self.config, **scratch),
            "imagenet frozen": dataclasses.replace(self.config, transfer="frozen"),
            "imagenet partial": dataclasses.replace(self.config, transfer="partial"),
            "imagenet full": self.config,
        }
        if self.source:
            domain, folder = open_dataset(self.source), self.weights or out
            pretraining = self.pretraining or dataclasses.replace(self.config, **scratch)
            western = str(pretrain(domain, folder, "source_western", pretraining))
            both = dataclasses.replace(pretraining, pretrained=True, layer_decay=self.config.layer_decay)
            chained = str(pretrain(domain, folder, "source_imagenet_western", both))
            variants |= {
                "western full": dataclasses.replace(self.config, initial=western),
                "imagenet, western, full": dataclasses.replace(self.config, initial=chained),
            }
        return {label: FinetuneEstimator(variant) for label, variant in variants.items()}
