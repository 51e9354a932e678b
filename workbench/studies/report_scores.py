"""The parts of the full report on data and scores: from pictures to rows of its table."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from workbench.classify.classifier import DEFAULT_CLASSIFIER, Classifier
from workbench.classify.configs import Publication, StatisticsConfig
from workbench.classify.features import MeasureFeatures, StatisticsFeatures
from workbench.classify.publish import train_classifier
from workbench.classify.statistics import StatisticsEstimator
from workbench.core.cache import Cache
from workbench.core.cells import unguarded
from workbench.data.atelier import is_atelier
from workbench.data.check import check_dataset
from workbench.data.paintings import Paintings
from workbench.interpret.measuring import MEASURES
from workbench.metrics.bootstrap import bootstrap
from workbench.metrics.calibration import apply_temperature, reliability_bins
from workbench.metrics.classification import classification_report, confusion_matrix, per_class
from workbench.studies.report_rows import (
    LEFT_OUT,
    MAY_KNOW,
    NOTE,
    PROBLEM,
    Answer,
    Bin,
    Class,
    ClassScore,
    Collection,
    Confusion,
    Gain,
    Remark,
    Score,
    Side,
    Suspect,
)

if TYPE_CHECKING:
    from workbench.studies.full_report import FullReport

READER = "reader"  # the name, in tables and files, of the classifier trained on the folder
BASELINE = "linear_probe_views"  # the linear probe on the same views
MAJORITY = "majority_class"  # always predicts the largest class


@dataclasses.dataclass(frozen=True)
class ReportRun:
    """What the parts of a report share."""

    study: FullReport  # its options
    out: Path  # folder of the table
    data: Paintings

    @property
    def name(self) -> str:
        """Of the folder, without the places above it, or ``atelier:N``."""
        source = self.study.data
        return source if is_atelier(source) else Path(source).resolve().name

    @property
    def folds(self) -> int:
        """As many as asked for, or as the class in the fewest groups has groups: each is tested in each."""
        data = self.data
        groups = [len(set(data.groups[data.labels == c].tolist())) for c in range(len(data.classes))]
        return max(2, min(self.study.folds, *groups))

    @property
    def config(self) -> StatisticsConfig:
        """Settings of the classifier that is trained on the folder."""
        size, seeds = self.study.size, self.study.split_seeds
        crops = ((size, 3), (size * 3 // 2, 3))
        return StatisticsConfig(size=size, eval_crops=crops, folds=self.folds, split_seeds=seeds)

    @property
    def cache(self) -> Cache:
        """Of what is computed of single pictures."""
        return Cache(self.out / READER / "cache")

    @property
    def estimator(self) -> StatisticsEstimator:
        """How the folder's classifier is made; the statistics of every picture are kept."""
        return StatisticsEstimator(self.config, cache=self.cache)

    @property
    def classifier(self) -> Classifier:
        """The classifier that was trained on all pictures."""
        return Classifier.load(self.out / READER / f"{READER}.safetensors")

    @functools.cached_property
    def answers(self) -> NDArray[np.float64]:
        """(N, C) calibrated out-of-fold probabilities, averaged over the split seeds, in the data's order."""
        table = pd.read_csv(self.out / READER / f"{READER}_predictions.csv", dtype={"path": str})
        table["path"] = table["path"].map(unguarded)
        table = table[table["model"] == READER]
        columns = [f"p_{c}" for c in self.data.classes]
        mean = table.groupby("path")[columns].mean().loc[list(self.data.paths)].to_numpy()
        return mean / mean.sum(1, keepdims=True)

    @functools.cached_property
    def measured(self) -> dict[str, NDArray]:
        """Path, class, group and all measures of every picture, (N,) each."""
        data = self.data
        head = {
            "path": np.array(data.paths),
            "label": np.array(data.classes)[data.labels],
            "group": np.array(data.groups),
        }
        return head | dict(zip(MEASURES, MeasureFeatures().table(data, self.cache).T, strict=True))

    def sample(self, indices, count: int) -> NDArray[np.int64]:
        """At most ``count`` of ``indices``, always the same, in their order."""
        return np.sort(np.random.default_rng(self.study.seed).permutation(np.asarray(indices))[:count])


def description(report: ReportRun) -> list:
    """Counts, groups, sizes, duplicates, problems and notes of the folder."""
    study, data = report.study, report.data
    card = check_dataset(study.source.data, study.source.ratings, progress=True)
    _, sizes = np.unique(data.groups, return_counts=True)
    collection = Collection(
        name=report.name,
        grouped_by=data.grouped_by,
        voted=card.voted,
        pictures=len(data),
        groups=len(sizes),
        largest_group=int(sizes.max()),
        folds=report.folds,
        unreadable_files=len(card.unreadable),
        rows_without_picture=len(card.missing),
        equal_files=len(card.equal),
        same_pictures=len(card.same),
        alike_pictures=len(card.alike),
        groups_if_joined=card.groups_if_joined,
        long_scrolls=len(card.scrolls),
        small_pictures=card.small,
    )
    classes = [
        Class(name, int(own.sum()), len(set(data.groups[own].tolist())))
        for name, own in ((c, data.labels == i) for i, c in enumerate(data.classes))
    ]
    sides = [
        Side(name, middle, low, high)
        for name, (low, middle, high) in (("width", card.width), ("height", card.height))
    ]
    remarks = [Remark(PROBLEM, line) for line in card.problems]
    return [collection, *classes, *sides, *remarks, *(Remark(NOTE, line) for line in card.notes)]


def scores(report: ReportRun) -> list:
    """Train and test a classifier on the folder; its scores, confusion matrix, calibration and predictions.

    Classifier, card, folds and predictions lie in ``out/reader``.
    """
    data, study, out = report.data, report.study, report.out / READER
    about = Publication(
        name=READER,
        samples=study.samples,
        title=f"Classifier of {report.name}",
        data_source=report.name,
        licence="as the pictures that it was trained on allow",
        limitations="Trained and tested on one folder only: not suited to pictures unlike these.",
    )
    train_classifier(study.source, out, report.config, about)
    summary = pd.read_csv(out / f"{READER}_summary.csv")
    rows: list = [Score(r.model, r.metric, r.estimate, r.low, r.high) for r in summary.itertuples()]
    rows += [
        Gain(READER, BASELINE, r.metric, r.difference, r.difference_low, r.difference_high)
        for r in summary[summary["model"] == READER].itertuples()
    ]
    share = np.bincount(data.labels) / len(data)
    for metric, value in (("accuracy", share.max()), ("balanced_accuracy", 1 / len(share))):
        rows.append(Score(MAJORITY, metric, float(value)))
    return [*rows, *_by_class(report), *_confusions(report), *_calibration(report)]


def _by_class(report: ReportRun) -> list[ClassScore]:
    data, count = report.data, len(report.data.classes)

    def metric(top, labels, weights=None):
        found = per_class(confusion_matrix(labels, top, count, weights))
        return {
            (name, c): found[name][..., i]
            for name in ("precision", "recall")
            for i, c in enumerate(data.classes)
        }

    top = report.answers.argmax(1)
    shares = {
        (name, c): len(np.unique(data.groups[of == i]))
        for name, of in (("precision", top), ("recall", data.labels))
        for i, c in enumerate(data.classes)
    }
    found = bootstrap(
        metric, top, data.labels, groups=data.groups, samples=report.study.samples, shares=shares
    )
    return [ClassScore(c, name, i.estimate, i.low, i.high) for (name, c), i in found.items()]


def _confusions(report: ReportRun) -> list:
    """Counts of every pair of classes, and the answer for every picture, the surest first."""
    data, p = report.data, report.answers
    top = p.argmax(1)
    matrix = confusion_matrix(data.labels, top, len(data.classes))
    pairs = [
        Confusion(a, b, int(matrix[i, j]))
        for i, a in enumerate(data.classes)
        for j, b in enumerate(data.classes)
    ]
    names, labels = data.classes, data.labels
    return pairs + [
        Answer(data.paths[i], names[labels[i]], names[top[i]], float(p[i, top[i]]), float(p[i, labels[i]]))
        for i in np.argsort(-p.max(1), kind="stable")
    ]


def _calibration(report: ReportRun) -> list[Bin]:
    edges, count, confidence, right = reliability_bins(report.answers, report.data.labels)
    return [
        Bin(lo, hi, int(n), c, a)
        for lo, hi, n, c, a in zip(edges[:-1], edges[1:], count, confidence, right, strict=True)
    ]


def shipped(report: ReportRun) -> list:
    """Scores of the shipped mood classifier, if the classes of the pictures are its moods."""
    data = report.data
    classifier = Classifier.load(DEFAULT_CLASSIFIER)
    moods = classifier.card.class_names
    if not set(data.classes) <= set(moods):
        return [Remark(LEFT_OUT, f"the classes differ from {', '.join(moods)}")]
    columns = [moods.index(c) for c in data.classes]
    table = torch.from_numpy(StatisticsFeatures.of(report.config).table32(data, report.estimator.cache))
    with torch.inference_mode():
        network: Any = classifier.network
        logits = network.classifier(table.to(classifier.device)).cpu().double().numpy()
    p = apply_temperature(logits[:, columns], classifier.temperature)
    names = ("accuracy", "balanced_accuracy", "macro_f1", "ece", "log_loss")

    def metric(p, labels, weights=None):
        found = classification_report(p, labels, weights=weights)
        return {name: found[name] for name in names}

    shares = {"accuracy": len(np.unique(data.groups))}
    found = bootstrap(metric, p, data.labels, groups=data.groups, samples=report.study.samples, shares=shares)
    rows: list = [Score(DEFAULT_CLASSIFIER, name, i.estimate, i.low, i.high) for name, i in found.items()]
    counts = dict(zip(data.classes, np.bincount(data.labels).tolist(), strict=True))
    if classifier.card.training.get("classes") == counts:
        rows.append(Remark(MAY_KNOW, "same counts as its own training pictures"))
    return rows


def suspects(report: ReportRun) -> list[Suspect]:
    """Pictures whose label the out-of-fold answers contradict."""
    return contradicted(report.data, report.answers)


def contradicted(data: Paintings, p: NDArray[np.float64]) -> list[Suspect]:
    """Pictures whose label is contradicted by probabilities (N, C), the likeliest errors first (cleanlab).

    Source: Northcutt, Jiang and Chuang, "Confident Learning", JAIR 2021, arXiv:1911.00068.
    """
    from cleanlab.filter import find_label_issues

    found = find_label_issues(
        data.labels, p, return_indices_ranked_by="normalized_margin", n_jobs=1, verbose=False
    )
    rows = []
    for i in found:
        label, top = data.labels[i], int(p[i].argmax())
        votes = () if data.votes is None else (float(data.votes[i, top]), float(data.votes[i, label]))
        names = data.paths[i], data.classes[label], data.classes[top]
        rows.append(Suspect(*names, float(p[i, top]), float(p[i, label]), *votes))
    return rows
