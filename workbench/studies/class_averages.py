"""Mean of every expression descriptor in every class of a collection, with intervals over painters.

The table holds means and percentiles only, nothing of a single picture. The one that comes with the package
(:mod:`workbench.interpret.measured`) was made by this study.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from workbench.data.atelier import open_dataset
from workbench.interpret.descriptors import class_averages, describe_folder
from workbench.studies.study import Rows, TableStudy, collection_name, grouped, register


@register
@dataclasses.dataclass(frozen=True)
class ClassAverages(TableStudy):
    """What is the mean of every expression descriptor in every class of a collection?"""

    version = 2  # without painters, near-duplicates share a group
    keys = ("data",)
    sources = ("data", "ratings")

    data: str = "atelier:60"  # folder of labelled paintings, or atelier:N
    ratings: str = ""  # the table of a folder, if it is not its ratings.csv
    samples: int = 2000  # of the bootstrap over painters

    def plan(self) -> list[dict]:
        return [{"data": collection_name(self.data)}]

    def prepare(self, out: Path) -> Callable[..., Rows]:
        pictures = grouped(open_dataset(self.data, self.ratings or None))

        def describe(data: str) -> list[dict]:
            count = {"paintings": len(pictures), "painters": len(np.unique(pictures.groups))}
            return [{**row, **count} for row in class_averages(describe_folder(pictures), self.samples)]

        return describe
