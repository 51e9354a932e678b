"""The whole study of a folder, part by part: what ``workbench report full`` and notebook 13 run.

Every part writes its rows into one table, ``full_report.csv``, as soon as it is finished, with where they
come from; the pictures that it makes (heat maps, drawings) lie in files next to it. A part that is in the
table is not run again, so an interrupted report goes on where it was, and the table alone is enough to draw
every figure without the pictures.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.classify.configs import StatisticsConfig
from workbench.classify.statistics import StatisticsEstimator
from workbench.core.cache import Cache, key
from workbench.core.errors import DatasetError
from workbench.core.runs import Runs, read_rows
from workbench.data.paintings import Paintings
from workbench.data.splits import grouped_folds
from workbench.reporting import folder
from workbench.reporting.plan import ReportPlan

TABLE = "full_report.csv"
READER = "reader"  # name of the classifier that the report trains on the folder


class FullReport:
    """The parts of a report on one folder; each is a method that is done once.

    Args:
        data: folder of labelled pictures, or ``atelier:N``.
        out: folder of the table and of what lies beside it.
        plan: sizes and numbers.
        results: a table of an earlier run: nothing is run and no picture is needed.
        pictures: whether the report may show the folder's pictures.
        ratings, group_by, skip_unreadable: see :func:`~workbench.reporting.folder.open_folder`.

    Raises:
        DatasetError: the folder cannot be used, or ``out`` holds a report on other pictures.
    """

    def __init__(
        self,
        data: str | os.PathLike,
        out: str | os.PathLike,
        plan: ReportPlan | None = None,
        results: str | os.PathLike = "",
        pictures: bool = True,
        ratings: str | os.PathLike | None = None,
        group_by: str | None = None,
        skip_unreadable: bool = False,
    ):
        self.plan, self.out, self.drawn_only = plan or ReportPlan(), Path(out), bool(results)
        self.pictures = pictures and not results
        if results:
            self.runs = Runs(results, ("part",))
            return
        self.source, self.ratings, self.skip_unreadable = data, ratings or None, skip_unreadable
        found = folder.open_folder(
            data, ratings or None, group_by or None, skip_unreadable, folder.features_cache(data)
        )
        self.name = folder.called(data)
        self.mark = folder.fingerprint(found)
        self._refuse_other_pictures()
        made_from = key("full-report", 2, self.plan, pictures=self.mark)
        self.runs = Runs(self.out / TABLE, ("part",), content_key=lambda run: made_from)
        self.view = folder.view(found, self.out, "view", ratings)
        self.data: Paintings = dataclasses.replace(
            found, root=self.view, paths=tuple(f"pictures/{p}" for p in found.paths)
        )
        self.folds = folds_for(found, self.plan.folds)
        for seed in self.plan.split_seeds:  # refuse impossible folds before any long work
            grouped_folds(found.labels, found.groups, self.folds, seed)

    def _refuse_other_pictures(self) -> None:
        marks = {row["text"] for row in read_rows(self.out / TABLE) if row.get("name") == "fingerprint"}
        if marks - {self.mark}:
            raise DatasetError(
                f"Expected {self.out} to be new or to hold a report on these pictures but it holds one on "
                "others. Give another folder."
            )

    @property
    def config(self) -> StatisticsConfig:
        """Settings of the classifier that is trained on the folder."""
        plan = self.plan
        crops = ((plan.size, 3), (plan.size * 3 // 2, 3))
        return StatisticsConfig(
            size=plan.size, eval_crops=crops, folds=self.folds, split_seeds=plan.split_seeds
        )

    @property
    def estimator(self) -> StatisticsEstimator:
        """How the folder's classifier is made; the statistics of every picture are kept."""
        return StatisticsEstimator(self.config, cache=Cache(self.out / READER / "cache"))

    def part(self, name: str, run: Callable[[FullReport], Sequence[dict]]) -> pd.DataFrame:
        """The rows of a part, run now if they are not in the table yet."""
        if not self.drawn_only:
            self.runs.do([{"part": name}], lambda part: list(run(self)), desc=name)
        return self.rows(name)

    def rows(self, part: str) -> pd.DataFrame:
        """The rows of a finished part; numbers are numbers, what is not there is nan or ""."""
        rows = [row for row in self.runs.rows if row["part"] == part]
        if not rows:
            raise DatasetError(f"Expected part {part} in the table of results but it is not there.")
        table = pd.DataFrame(rows).reindex(columns=COLUMNS)
        numbers = list(NUMBERS)
        table[numbers] = table[numbers].apply(pd.to_numeric, errors="coerce")
        words = [c for c in COLUMNS if c not in NUMBERS]
        table[words] = table[words].fillna("").astype(str)
        return table

    @property
    def classes(self) -> list[str]:
        """Names of the classes, sorted."""
        rows = self.rows("data")
        return rows.loc[rows["name"] == "class", "other"].tolist()

    def picture(self, path: str):
        """A picture by the path that the tables have, RGB."""
        return self.data.read(self.data.paths.index(path))


NUMBERS = (
    *("estimate", "low", "high"),  # of a score or a mean, with its 95 % interval
    "spread",  # standard deviation over all pictures
    *("count", "groups"),
    *("p_read", "p_label"),  # probability of the class that was read, and of the label
    *("votes_read", "votes_label"),  # shares of the raters who named them
    *("bin_from", "bin_to", "confidence", "share_right"),  # of a reliability diagram
    *("median_px", "least_px", "most_px"),  # of a side
    "color_drift",  # mean ΔE2000
)
COLUMNS = ("part", "name", "other", *NUMBERS, "path", "text", "commit", "device", "versions", "date")


def folds_for(data: Paintings, most: int) -> int:
    """``most``, or as many folds as the class in the fewest groups has groups: each is tested in each."""
    groups = [len(set(data.groups[data.labels == c].tolist())) for c in range(len(data.classes))]
    return max(2, min(most, min(groups)))


def shown_path(path: str) -> str:
    """A path as the user knows it."""
    return path.removeprefix("pictures/")


def some(indices: Sequence[int], count: int, seed: int) -> np.ndarray:
    """At most ``count`` of ``indices``, the same for equal seeds, in their order."""
    indices = np.asarray(indices)
    return np.sort(np.random.default_rng(seed).permutation(indices)[:count])
