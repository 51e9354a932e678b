"""The parts of the full report on the folder itself: measures, raters, the map of its pictures."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.classify.features import EmbeddedFeatures
from workbench.core.cells import guarded
from workbench.core.extras import MissingExtraError
from workbench.data.rating_tables import RatingColumn, read_cells, read_ratings, reliability
from workbench.interpret.collection_map import layout, map_collection
from workbench.interpret.descriptors import DESCRIPTORS, class_averages
from workbench.interpret.embedding import Embeddings
from workbench.interpret.measuring import IMAGE_PROPERTIES, MEASURES
from workbench.metrics.checks import weighted_mean
from workbench.studies.data_and_moods import TopicRows, agreement_of_raters, ceiling
from workbench.studies.ratings import FEELINGS
from workbench.studies.ratings import read_ratings as read_votes
from workbench.studies.report_rows import UNRATED, Descriptor, Place, Remark, Scale, ScaleMean, VoteAgreement
from workbench.studies.report_scores import ReportRun

MAP = "map.html"  # beside the table, if plotly is installed
BACKBONE = "lite0"  # by which pictures look alike


def expression(report: ReportRun) -> list[Descriptor]:
    """Mean of every expression descriptor in every class, with intervals over groups."""
    return _class_means(report, DESCRIPTORS)


def properties(report: ReportRun) -> list[Descriptor]:
    """Mean of every image property in every class; all measures of every picture lie in ``measures.csv``."""
    table = pd.DataFrame(report.measured).map(guarded)
    table.to_csv(report.out / "measures.csv", index=False, float_format="%.6g")
    return _class_means(report, IMAGE_PROPERTIES)


def _class_means(report: ReportRun, names: Collection[str]) -> list[Descriptor]:
    chosen = {k: v for k, v in report.measured.items() if k in names or k in ("path", "label", "group")}
    columns = ("descriptor", "class", "mean", "low", "high", "spread", "pictures")
    rows = class_averages(chosen, samples=report.study.samples)
    return [Descriptor(*(row[column] for column in columns)) for row in rows]


def raters(report: ReportRun) -> list:
    """How far raters agree, by their votes and on numeric scales, and the ceiling that this sets."""
    rows: list = [*_votes(report), *_scales(report)]
    return rows or [Remark(UNRATED, "The folder's table has neither votes nor numeric ratings.")]


def _votes(report: ReportRun) -> list[VoteAgreement]:
    study, data = report.study, report.data
    if data.votes is None:
        return []
    known = read_votes(str(study.root), study.ratings or None, data)
    topic = TopicRows(data.groups, study.samples, study.seed)
    agreement_of_raters(known, topic)
    ceiling(known, topic)
    return [VoteAgreement(*_estimate(row)) for row in topic.rows]


def _estimate(row: dict) -> tuple:
    """(name, other, estimate, low, high, pictures); a bound is nan where there is none."""
    low, high = (float("nan") if row[end] == "" else float(row[end]) for end in ("low", "high"))
    return row["name"], row["other"], row["estimate"], low, high, row["pictures"]


def _scales(report: ReportRun) -> list:
    study, data = report.study, report.data
    rows: list = []
    for column in _columns(report):
        facts = reliability(column, study.samples, study.seed)
        rows.append(Scale(**{name: facts[name] for name in Scale._fields}))  # type: ignore[arg-type]
        given = (~np.isnan(column.values)).sum(1)
        means = np.nansum(column.values, axis=1) / np.where(given > 0, given, np.nan)
        known = dict(zip(column.pictures, means, strict=True))
        values = np.array([known.get(path, np.nan) for path in data.paths])
        topic = TopicRows(data.groups, study.samples, study.seed)
        for number, label in enumerate(data.classes):
            own = (data.labels == number) & ~np.isnan(values)
            if own.any():
                topic.interval(column.name, weighted_mean, values, other=label, of=own)
        rows += [ScaleMean(*_estimate(row)) for row in topic.rows]
    return rows


def _columns(report: ReportRun) -> list[RatingColumn]:
    """Numeric scales: all of the table of ratings, or the feelings in the folder's own table."""
    study = report.study
    if study.scales:
        found = read_ratings(study.scales)
        return [column for name, column in found.items() if not name.casefold().startswith("votes_")]
    table = Path(study.ratings) if study.ratings else study.root / "ratings.csv"
    if not table.is_file():
        return []
    felt = [name for name in read_cells(table)[0][0] if name.casefold() in FEELINGS]
    return list(read_ratings(table, felt).values()) if felt else []


def places(report: ReportRun) -> list[Place]:
    """Where every picture lies on a map by likeness; the map to zoom and search lies beside the table."""
    data, measured = report.data, report.measured
    labels = measured["label"].tolist()
    vectors = EmbeddedFeatures(BACKBONE).table32(data, report.cache)
    found = None
    with contextlib.suppress(MissingExtraError):
        columns = {
            "class": labels,
            "group": measured["group"].tolist(),
            "read as": [data.classes[i] for i in report.answers.argmax(1)],
            **{name: measured[name].tolist() for name in MEASURES},
        }
        embeddings = Embeddings(data.paths, vectors, BACKBONE, {})
        page = map_collection(data.root, embeddings, columns, title=report.name, seed=report.study.seed)
        page.save(report.out / MAP)
        found = page.places
    if found is None:
        found = layout(vectors, report.study.seed)
    return [
        Place(path, label, float(x), float(y))
        for path, label, (x, y) in zip(data.paths, labels, found, strict=True)
    ]
