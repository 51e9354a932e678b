"""The whole study of a folder: what does it hold, and how well can its classes be told apart?

What ``workbench report full`` and notebook 13 show. The pictures that are made (heat maps, drawings) lie in
files next to the table; the table alone is enough to draw every figure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.classify.configs import Source
from workbench.classify.results import DEFAULT_CLASSIFIER
from workbench.core.cards import SHIPPED
from workbench.data.atelier import is_atelier, open_dataset
from workbench.data.splits import grouped_folds
from workbench.studies import report_folder, report_pictures, report_scores
from workbench.studies.report_rows import to_rows
from workbench.studies.report_scores import ReportRun
from workbench.studies.study import TableStudy, register
from workbench.styles.stylize import DEFAULT_STYLE

PARTS = {  # in the order in which they are measured: the later ones use the classifier of "scores"
    "data": report_scores.description,
    "raters": report_folder.raters,
    "scores": report_scores.scores,
    "suspects": report_scores.suspects,
    "shipped": report_scores.shipped,
    "expression": report_folder.expression,
    "properties": report_folder.properties,
    "map": report_folder.places,
    "explanations": report_pictures.explanations,
    "redrawn": report_pictures.redrawn,
    "shift": report_pictures.shift,
}
_DRAWING = 2  # version of the parts that draw: pictures without colour are drawn without
WEIGHTS = {"shipped": DEFAULT_CLASSIFIER, "redrawn": DEFAULT_STYLE, "shift": DEFAULT_STYLE}


@register
@dataclasses.dataclass(frozen=True)
class FullReport(TableStudy):
    """What does a folder of labelled pictures hold, and how well can its classes be told apart?

    One run per part; its rows are those of :mod:`workbench.studies.report_rows`.
    """

    keys = ("part",)
    sources = ("data", "ratings", "scales")

    data: str = "atelier:40"  # folder of labelled pictures, or atelier:N
    ratings: str = ""  # the folder's table, if it is not its ratings.csv
    # table of numeric ratings, a row per rater and picture; by default pleasure … in the folder's table
    scales: str = ""
    group_by: str = ""  # column whose pictures stay together, or near-duplicates
    skip_unreadable: bool = False  # leave out files that cannot be read instead of refusing the folder
    size: int = 224  # pixels of a view of the classifier
    folds: int = 5  # of the cross-validation; fewer if a class lies in fewer groups
    split_seeds: tuple[int, ...] = (0, 1, 2)  # one cross-validation each
    samples: int = 1000  # bootstrap samples over groups
    explained: int = 6  # pictures with a heat map
    judged: int = 12  # pictures that the heat maps are judged on
    redrawn: int = 4  # pictures shown redrawn
    shifted: int = 40  # pictures classified before and after they are redrawn
    seed: int = 0  # of the choice of pictures

    @property
    def root(self) -> Path:
        """The folder that the paths of the table are relative to."""
        return open_dataset(self.data).root if is_atelier(self.data) else Path(self.data)

    @property
    def source(self) -> Source:
        """The labelled pictures."""
        ratings = Path(self.ratings) if self.ratings else None
        return Source(self.root, ratings, self.group_by or None, self.skip_unreadable)

    def plan(self) -> list[dict]:
        return [{"part": name} for name in PARTS]

    def depends_on(self, **run: str) -> Any:
        if (part := run["part"]) not in WEIGHTS:
            return None
        weights = SHIPPED / f"{WEIGHTS[part]}.safetensors"
        return (weights, _DRAWING) if WEIGHTS[part] == DEFAULT_STYLE else weights

    def prepare(self, out: Path) -> Callable[..., list[dict]]:
        """The folder is opened; impossible folds are refused before any long work."""
        report = ReportRun(self, out, self.source.read())
        for seed in self.split_seeds:
            grouped_folds(report.data.labels, report.data.groups, report.folds, seed)
        return lambda part: to_rows(PARTS[part](report))
