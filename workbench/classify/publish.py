"""``workbench train classifier``: cross-validate, compare, calibrate, train on everything, write a card."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from workbench import models
from workbench.classify import summary as report
from workbench.classify.bank import ClassifierConfig
from workbench.classify.recipes import BASELINES, Config, recipe
from workbench.core.errors import DatasetError
from workbench.core.provenance import provenance, write_rows
from workbench.data.moods import describe_classes
from workbench.data.paintings import Paintings, read_paintings
from workbench.data.splits import grouped_folds

log = logging.getLogger(__name__)


def main(
    data: Path,
    out: Path,
    ratings: Path | None = None,
    name: str = "classifier",
    config: Config | None = None,
    licence: str = "unstated: see the licence of the training pictures",
    title: str | None = None,
    description: str | None = None,
    limitations: str | None = None,
    data_name: str | None = None,
    data_licence: str = "unstated",
    samples: int = 2000,
    group_by: str | None = None,
    skip_unreadable: bool = False,
) -> Path:
    """Train ``name`` on the paintings under ``data``; write weights, card, config and CSV files into ``out``.

    An interrupted run resumes: the view bank and finished folds in ``out`` are used again if pictures and
    settings are the same.

    Args:
        data: folder of pictures, see :func:`workbench.data.paintings.read_paintings`.
        out: folder for the results.
        ratings: table of labels, painters and votes.
        name: of the model; a file stem.
        config: settings.
        licence: of the weights.
        title: one line for menus.
        description: a paragraph for people.
        limitations: what the model must not be used for.
        data_name: how the card calls the pictures; by default the folder's name.
        data_licence: licence of the pictures, for the card.
        samples: bootstrap samples of the intervals.
        group_by: what keeps pictures on one side of a split, see
            :func:`workbench.data.paintings.read_paintings`.
        skip_unreadable: leave out files that cannot be read; the card says how many.

    Returns:
        Path of the weights.

    Raises:
        DatasetError: pictures or table cannot be used, see :mod:`workbench.data.paintings`.
    """
    if not name or Path(name).name != name:
        raise DatasetError(
            f"Expected a plain model name but got {name!r}. Use letters, digits and underscores."
        )
    config = config or ClassifierConfig()
    paintings = read_paintings(data, ratings, skip_unreadable=skip_unreadable, group_by=group_by)
    for seed in config.split_seeds:  # refuse impossible folds before any long work
        grouped_folds(paintings.labels, paintings.groups, config.folds, seed)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}_config.json").write_text(json.dumps(dataclasses.asdict(config), indent=2) + "\n")

    made = recipe(paintings, config, out)
    runs = {name: made.cross_validate()} | made.baselines()

    stamp = provenance()
    classes = len(paintings.classes)
    write_rows(
        [r for m, folds in runs.items() for r in report.fold_rows(m, folds, paintings, stamp)],
        out / f"{name}_folds.csv",
    )
    write_rows(
        [r for m, folds in runs.items() for r in report.prediction_rows(m, folds, paintings)],
        out / f"{name}_predictions.csv",
    )
    tables = {m: report.out_of_fold(folds, paintings.labels, classes) for m, folds in runs.items()}
    summary = report.summarise(tables, paintings, samples)
    write_rows([r | stamp for r in summary], out / f"{name}_summary.csv")
    for row in summary:
        log.info("%(model)s %(metric)s %(estimate).3f (%(low).3f to %(high).3f)", row)

    log.info("Training on all %d pictures", len(paintings))
    start = time.perf_counter()
    network = made.fit()
    views = config.views
    card = models.Card(
        name=name,
        kind="classifier",
        title=title or name,
        description=description
        or f"A classifier of {', '.join(paintings.classes)}, trained on {len(paintings)} pictures.",
        architecture=made.architecture,
        arguments=made.arguments,
        preprocessing={"size": config.size, **views.to_card()},
        training={
            "data": data_name or Path(data).name,
            "data_licence": data_licence,
            "pictures": len(paintings),
            "painters" if paintings.grouped else "groups": len(np.unique(paintings.groups)),
            "classes": {
                c: int(n) for c, n in zip(paintings.classes, np.bincount(paintings.labels), strict=True)
            },
            **_agreement(paintings),
            "initial_weights": made.initial,
            "config": dataclasses.asdict(config),
            "seconds": round(time.perf_counter() - start + sum(f["seconds"] for f in runs[name])),
            "device": stamp["device"],
            "versions": stamp["versions"],
        },
        metrics=_metrics(summary, name, paintings, config),
        limitations=limitations
        or "Measured by cross-validation on the training pictures' own collection only.",
        licence=licence,
        commit=stamp["commit"],
        date=stamp["date"],
        classes=describe_classes(paintings.classes),
        calibration={
            "method": "temperature scaling on out-of-fold logits",
            "temperature": round(report.shipped_temperature(runs[name], paintings.labels), 4),
        },
    )
    return models.save(network, card, out)


def _agreement(data: Paintings) -> dict[str, str]:
    """How far the raters agree among themselves: the ceiling that any model of their votes is under."""
    if data.votes is None:
        return {}
    share = float(data.votes.max(1).mean())
    return {"agreement": f"the most named class has {share:.2f} of a picture's votes on average"}


def _metrics(
    summary: Sequence[Mapping], name: str, data: Paintings, config: Config
) -> dict[str, str | dict | list]:
    """The card's metrics: estimate and interval of each, of the model and its baselines, and on what."""
    groups = "painter-grouped" if data.grouped else "ungrouped"
    own: dict[str, dict] = {}
    baselines: dict[str, dict] = {}
    for row in summary:
        if row["model"] == name:
            own[row["metric"]] = {k: round(float(row[k]), 4) for k in ("estimate", "low", "high")}
        elif row["model"] in BASELINES:
            words = "{estimate:.3f} ({low:.3f} to {high:.3f})".format(**row)
            baselines.setdefault(row["model"], {"model": row["model"]})[row["metric"]] = words
    split = (
        f"{groups} {config.folds}-fold cross-validation, {len(config.split_seeds)} split seed(s), "
        f"{len(data)} pictures; 95 % intervals bootstrapped over {len(np.unique(data.groups))} groups, which "
        "raises ECE, so its interval lies high"
    )
    return {"split": split, **own, "baselines": list(baselines.values())}
