"""``workbench train classifier``: cross-validate, compare, calibrate, train on everything, write a card."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from workbench import models
from workbench.classify.configs import Config, Publication, Source, ViewsConfig
from workbench.classify.estimators import NetworkEstimator, estimator_for
from workbench.classify.summary import sureness, write_tables
from workbench.classify.validation import cross_validate
from workbench.core import options
from workbench.core.cache import Cache, key
from workbench.core.cards import Card
from workbench.core.errors import WeightsError
from workbench.core.files import write_whole
from workbench.core.provenance import provenance
from workbench.data.moods import describe_classes
from workbench.data.paintings import Paintings
from workbench.data.splits import grouped_folds

log = logging.getLogger(__name__)


def train_classifier(
    source: Source, out: str | os.PathLike, config: Config | None = None, about: Publication | None = None
) -> Path:
    """Train a classifier; write weights, card, config and the tables of its cross-validation into ``out``.

    Finished steps are cached in ``out/cache`` under a key of everything they depend on: an interrupted run
    resumes, and a change of labels, votes, painters, pictures or settings repeats the steps that it affects.

    Args:
        source: the labelled pictures.
        out: folder for the results.
        config: settings.
        about: name, licence and texts of the card, and bootstrap samples of its intervals.

    Returns:
        Path of the weights.

    Raises:
        DatasetError: unusable pictures, table or settings.
    """
    config, about, out = config or ViewsConfig(), about or Publication(), Path(out)
    paintings = source.read()
    for seed in config.split_seeds:  # raises for impossible folds before any long work
        grouped_folds(paintings.labels, paintings.groups, config.folds, seed)
    estimator = estimator_for(config, Cache(out / "cache"))
    estimator.arguments(len(paintings.classes))  # likewise for unknown arguments
    text = json.dumps(dataclasses.asdict(config), indent=2) + "\n"
    write_whole(text.encode(), out / f"{about.name}_config.json")
    validations = {
        name: cross_validate(
            tested,
            paintings,
            folds=config.folds,
            split_seeds=config.split_seeds,
            calibrate_to=config.calibrate_to,
            out=out / "cache",
            desc=name,
        )
        for name, tested in {about.name: estimator, **estimator.baselines()}.items()
    }
    *_, baseline = validations
    summary = write_tables(
        about.name, out, validations, baseline, samples=about.samples, suffix="_folds", stamp=provenance()
    )
    for row in summary.to_dict("records"):
        log.info("%(model)s %(metric)s %(estimate).3f (%(low).3f to %(high).3f)", row)
    run = key("classifier", 2, estimator.identity, **paintings.contents())  # 2: all have a novelty score
    tested = sum(fold.seconds for fold in validations[about.name].folds)
    network, seconds = _fitted(estimator, paintings, out / f"{about.name}.safetensors", run, tested)
    training = {
        **_data_facts(paintings, about.data_source or Path(source.data).name, about.data_licence),
        "initial_weights": estimator.initial_weights,
        "config": dataclasses.asdict(config),
        "command": _command(estimator, source, about),
        "seconds": round(seconds),
        "run": run,
    }
    metrics = _metrics(summary, about.name, paintings, config)
    for score, row in sureness(validations[about.name], about.samples).items():
        metrics[score] = {end: round(value, 4) for end, value in row.items()}
    card = _card(about, estimator, paintings, training, metrics)
    temperature = round(validations[about.name].temperature, 4)
    calibration = {
        "method": "temperature scaling on out-of-fold logits",
        "matches": "the raters' votes"
        if config.calibrate_to == "votes" and paintings.votes is not None
        else "the label",
        "temperature": temperature,
    }
    return models.save(network, dataclasses.replace(card, calibration=calibration), out)


def _fitted(
    estimator: NetworkEstimator, paintings: Paintings, path: Path, run: str, tested: float
) -> tuple[nn.Module, float]:
    """The network trained on all pictures, and the seconds including ``tested``; cached."""
    if path.is_file():
        with contextlib.suppress(WeightsError):  # damaged
            network, card = models.load(path)
            if card.training.get("run") == run:
                return network, card.training["seconds"]
    log.info("Training on all %d pictures", len(paintings))
    start = time.perf_counter()
    rows = np.arange(len(paintings))
    network = estimator.fit(paintings, rows).published(paintings, rows)
    return network, tested + time.perf_counter() - start


def _command(estimator: NetworkEstimator, source: Source, about: Publication) -> str:
    """The command line that trains this classifier, without local paths."""
    return options.command(
        f"workbench train classifier --out OUT --model {estimator.architecture}",
        source,
        estimator.config,
        about,
        shown={"data": "DATA", "ratings": "RATINGS", "weights": "WEIGHTS"},
        leave_out=("model", "title", "description", "data_source", "data_licence", "licence", "limitations"),
    )


def _data_facts(data: Paintings, name: str, licence: str) -> dict[str, object]:
    count = zip(data.classes, np.bincount(data.labels), strict=True)
    facts: dict[str, object] = {
        "data": name,
        "data_licence": licence,
        "pictures": len(data),
        "painters" if data.grouped else "groups": len(np.unique(data.groups)),
        "classes": {c: int(n) for c, n in count},
    }
    if data.unreadable:
        facts["unreadable files left out"] = len(data.unreadable)
    if data.votes is not None:  # the upper bound for any model of the raters' votes
        share = float(data.votes.max(1).mean())
        facts["agreement"] = f"the most named class has {share:.2f} of a picture's votes on average"
    return facts


def _card(
    about: Publication, estimator: NetworkEstimator, data: Paintings, training: dict, metrics: dict
) -> Card:
    stamp, config = provenance(estimator.device), estimator.config
    classes = ", ".join(data.classes)
    return Card(
        name=about.name,
        kind="classifier",
        title=about.title or about.name,
        description=about.description or f"A classifier of {classes}, trained on {len(data)} pictures.",
        architecture=estimator.architecture,
        arguments={
            **estimator.arguments(len(data.classes)),
            "novelty_components": estimator.novelty_components,
        },
        preprocessing={"size": config.views.kinds[0].size, **config.views.to_card()},
        training=training | {"device": stamp["device"], "versions": stamp["versions"]},
        metrics=metrics,
        limitations=about.limitations,
        licence=about.licence,
        commit=stamp["commit"],
        date=stamp["date"],
        classes=describe_classes(data.classes),
    )


def _metrics(summary: pd.DataFrame, name: str, data: Paintings, config: Config) -> dict[str, object]:
    """The card's metrics of the model and its baselines: estimates, intervals and data."""
    groups = "painter-grouped" if data.grouped else "ungrouped"
    own: dict[str, dict] = {}
    baselines: dict[str, dict] = {}
    for row in summary.to_dict("records"):
        if row["model"] == name:
            own[row["metric"]] = {k: round(float(row[k]), 4) for k in ("estimate", "low", "high")}
        else:
            words = "{estimate:.3f} ({low:.3f} to {high:.3f})".format(**row)
            baselines.setdefault(row["model"], {"model": row["model"]})[row["metric"]] = words
    several = " and the split seeds" if len(config.split_seeds) > 1 else ""  # as `summarise` resamples
    split = (
        f"{groups} {config.folds}-fold cross-validation, {len(config.split_seeds)} split seed(s), "
        f"{len(data)} pictures; 95 % intervals bootstrapped over {len(np.unique(data.groups))} "
        f"groups{several}; "
        "what noise adds to ECE is taken out"
    )
    return {"split": split, **own, "baselines": list(baselines.values())}
