"""The parts of the full report with pictures: heat maps, redrawn pictures, and the effect of redrawing."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from workbench.classify.features import StatisticsFeatures
from workbench.core.cache import Cache, key
from workbench.core.cards import SHIPPED
from workbench.core.files import write_image
from workbench.data.images import read_image
from workbench.data.splits import grouped_folds
from workbench.interpret.faithfulness import MEASURES, Settings, faithfulness, verdict
from workbench.metrics.bootstrap import bootstrap
from workbench.metrics.calibration import apply_temperature
from workbench.metrics.stylization import color_drift
from workbench.studies.report_rows import (
    Changed,
    Drawing,
    Faithfulness,
    HeatMap,
    Move,
    Redrawn,
    Shift,
    Verdict,
)
from workbench.studies.report_scores import ReportRun
from workbench.styles.stylize import DEFAULT_STYLE, stylize

METHOD = "grad_cam"
CONTROLS = ("random", "edges")
SIDE = 512  # pixels of the longer side of redrawn pictures
WEIGHTS = SHIPPED / f"{DEFAULT_STYLE}.safetensors"
CHANGED = object()  # key of the share of changed predictions, besides the classes


def explanations(report: ReportRun) -> list:
    """Heat maps of a few pictures, and the faithfulness of the method on this classifier.

    The maps are saved in ``out/explained``; faithfulness is measured on ``judged`` pictures, each explained
    for the predicted class.
    """
    data, study, classifier, p = report.data, report.study, report.classifier, report.answers
    rows: list = []
    for place, i in enumerate(tqdm(chosen(report, p), desc="heat maps", unit="picture", disable=None)):
        picture = small(data.read(i))
        named = data.classes[int(p[i].argmax())]
        found = classifier.explain(picture, named, METHOD)
        file = f"explained/{place:02d}.png"
        write_image(found.overlay, report.out / file)
        rows.append(HeatMap(data.paths[i], data.classes[data.labels[i]], named, float(p[i].max()), file))
    judged = report.sample(np.arange(len(data)), study.judged)
    squares = [
        data.read(i).resize((study.size, study.size), Image.Resampling.BICUBIC, reducing_gap=3.0)
        for i in judged
    ]
    x = classifier.views.normalise(squares).to(classifier.device)
    with torch.no_grad():  # not inference mode: the maps need gradients of these tensors
        target = classifier.network(x).argmax(1)
    settings = Settings(methods=(METHOD, *CONTROLS), costly=min(4, study.judged), batch=4)
    table = faithfulness(classifier.network, x, target, groups=data.groups[judged], settings=settings)
    rows.append(Verdict(len(judged), verdict(table, METHOD)))
    return rows + [
        Faithfulness(row["method"], row["measure"], row["estimate"], row["low"], row["high"])
        for row in table
        if row["measure"] in MEASURES and not row["part"]
    ]


def chosen(report: ReportRun, p: NDArray) -> list[int]:
    """Pictures to explain: the most confident correct prediction of each class, then confident errors."""
    data, top = report.data, p.argmax(1)
    order = np.argsort(-p.max(1), kind="stable")
    sure = [[int(i) for i in order if top[i] == c == data.labels[i]] for c in range(len(data.classes))]
    right = [own[0] for own in sure if own]
    wrong = [int(i) for i in order if top[i] != data.labels[i]]
    half = max(1, report.study.explained // 2)
    kept = right[: max(half, report.study.explained - len(wrong))]
    return (kept + wrong)[: report.study.explained]


def small(picture: Image.Image) -> Image.Image:
    """A copy whose longer side is at most :data:`SIDE` pixels; the shorter keeps 16 at least."""
    scale = min(1.0, SIDE / max(picture.size))
    width, height = (max(16, round(s * scale)) for s in picture.size)
    size = width, height
    return picture if size == picture.size else picture.resize(size, Image.Resampling.LANCZOS)


def redrawn(report: ReportRun) -> list[Drawing]:
    """A few pictures redrawn by the shipped style, saved in ``out/redrawn``."""
    data, rows = report.data, []
    first = [np.flatnonzero(data.labels == c) for c in range(len(data.classes))]
    spread = [int(report.sample(own, 1)[0]) for own in first]
    for place, i in enumerate(tqdm(spread[: report.study.redrawn], desc="redrawing", disable=None)):
        picture = small(data.read(i))
        drawing = stylize(picture, DEFAULT_STYLE)
        file = f"redrawn/{place:02d}.png"
        write_image(drawing, report.out / file)
        drift = color_drift(np.asarray(picture), np.asarray(drawing))
        rows.append(Drawing(data.paths[i], data.classes[data.labels[i]], DEFAULT_STYLE, drift, file))
    return rows


def shift(report: ReportRun) -> list:
    """How predictions change when pictures are redrawn.

    Each picture is classified, before and after, by the classifier of the fold in which it was held out, so
    that no classifier sees a picture that it was trained on.
    """
    data, study = report.data, report.study
    keep = report.sample(np.arange(len(data)), study.shifted)
    before = report.estimator.features(data)[keep]
    after = _statistics_redrawn(report, keep)
    logits = np.zeros((2, len(keep), len(data.classes)))
    for train, test in grouped_folds(data.labels, data.groups, report.folds, study.split_seeds[0]):
        own = np.isin(keep, test)
        if not own.any():
            continue
        estimator = report.estimator.fit(data, train)
        for when, table in enumerate((before, after)):
            logits[when, own] = estimator.logits(table[own])
    p = apply_temperature(logits, report.classifier.temperature)
    named = p.argmax(2)

    def metric(first, second, weights=None):
        w = np.ones(len(first)) if weights is None else weights
        found = {c: _mean(second[:, i] - first[:, i], w) for i, c in enumerate(data.classes)}
        return found | {CHANGED: _mean(first.argmax(1) != second.argmax(1), w)}

    groups = data.groups[keep]
    rows: list = [Redrawn(len(keep), len(set(groups.tolist())))]
    if len(set(groups.tolist())) > 1:
        shares = {CHANGED: len(set(groups.tolist()))}
        found = bootstrap(metric, p[0], p[1], groups=groups, samples=study.samples, shares=shares)
        for name, i in found.items():
            values = i.estimate, i.low, i.high
            rows.append(Changed(*values) if name is CHANGED else Shift(name, *values))
    return rows + [
        Move(before, after, int(((named[0] == a) & (named[1] == b)).sum()))
        for a, before in enumerate(data.classes)
        for b, after in enumerate(data.classes)
    ]


def _mean(values, weights):
    total = np.asarray(weights).sum(-1)
    found = (np.asarray(weights) @ np.asarray(values, dtype=float)) / total
    return float(found) if np.ndim(found) == 0 else found


def _statistics_redrawn(report: ReportRun, keep: NDArray) -> torch.Tensor:
    """(len(keep), D) statistics of the redrawn pictures; drawings are cached one by one."""
    features, cache, rows = StatisticsFeatures.of(report.config), Cache(report.out / "shift"), []
    for i in tqdm(keep, desc="classifying redrawn pictures", unit="picture", disable=None):
        name = key("redrawn", 2, SIDE, picture=report.data.root / report.data.paths[i], weights=WEIGHTS)
        drawing = cache.get(name, ".png", functools.partial(_draw, report, i), read_image, _write)
        rows.append(features.measure(drawing))
    return torch.from_numpy(np.stack(rows))


def _draw(report: ReportRun, i: int) -> Image.Image:
    return stylize(small(report.data.read(i)), DEFAULT_STYLE)


def _write(path: Path, drawing: Image.Image) -> None:
    write_image(drawing, path)
