"""Study 05: where transfer helps and where it hurts: scratch, western styles, ImageNet; frozen, partial,
full.

The source domains are nothing (random weights), western paintings labelled by style (a network trained here
first, from random weights or on top of ImageNet), and ImageNet. Each is then fitted to the moods with the
same budget.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from workbench import models
from workbench.classify.configs import FinetuneConfig
from workbench.classify.finetune import FinetuneEstimator
from workbench.classify.summary import compare
from workbench.core.cache import Cache
from workbench.core.provenance import provenance
from workbench.core.runs import Runs
from workbench.data.paintings import Paintings

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

    One fifth of the source's groups are held out once, so that the card says how well the source was learnt.
    A finished one in ``out`` is used again.
    """
    path = Path(out) / f"{name}.safetensors"
    if path.is_file():
        return path
    start = time.perf_counter()
    rng = np.random.default_rng(seed)
    held = np.sort(rng.permutation(len(source))[: len(source) // 5])
    train = np.setdiff1d(np.arange(len(source)), held)
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
    runs = Runs(Path(out) / "transfer_sources.csv", ("source", "seed"))
    if {"source": name, "seed": seed} not in runs:
        measured = {
            "pictures": len(train),
            "held_out": len(held),
            "accuracy": accuracy,
            "epochs": config.epochs,
        }
        runs.add({"source": name, "seed": seed}, measured, seconds=time.perf_counter() - start)
    return path


def run(
    data: Paintings,
    out: str | Path,
    source: Paintings | None = None,
    config: FinetuneConfig = CONFIG,
    pretraining: FinetuneConfig | None = None,
    split_seeds: Sequence[int] = (0,),
    weights: str | Path | None = None,
    samples: int = 2000,
) -> Path:
    """Cross-validate every kind of transfer; ``transfer.csv`` and predictions in ``out``.

    Args:
        data: the paintings whose moods are learnt.
        out: folder.
        source: western paintings by style; without them those variants are left out.
        config: the training on the moods, from ImageNet with everything trained.
        pretraining: the training on the source; by default ``config`` from random weights.
        split_seeds: one grouped cross-validation each.
        weights: folder for the sources' networks; by default ``out``. They are not part of the results.
        samples: of the bootstrap.
    """
    scratch = {"pretrained": False, "layer_decay": 1.0}
    variants = {
        BASELINE: dataclasses.replace(config, **scratch),
        "imagenet frozen": dataclasses.replace(config, transfer="frozen"),
        "imagenet partial": dataclasses.replace(config, transfer="partial"),
        "imagenet full": config,
    }
    if source is not None:
        pretraining = pretraining or dataclasses.replace(config, **scratch)
        folder = Path(weights or out)
        western = str(pretrain(source, folder, "source_western", pretraining))
        both = dataclasses.replace(pretraining, pretrained=True, layer_decay=config.layer_decay)
        chained = str(pretrain(source, folder, "source_imagenet_western", both))
        variants |= {
            "western full": dataclasses.replace(config, initial=western),
            "imagenet, western, full": dataclasses.replace(config, initial=chained),
        }
    estimators = {label: FinetuneEstimator(variant) for label, variant in variants.items()}
    sizes = {"folds": config.folds, "split_seeds": split_seeds, "samples": samples}
    return compare("transfer", out, data, estimators, BASELINE, **sizes)
