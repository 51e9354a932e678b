"""Mean of every expression descriptor in every class of a collection, with intervals over painters.

The table holds means and percentiles only, nothing of a single picture. The one that comes with the package
(:mod:`workbench.interpret.measured`) was made by this study.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from workbench.core.runs import Runs
from workbench.data.atelier import open_dataset
from workbench.interpret.descriptors import class_averages, describe_folder


def run(
    data: str | os.PathLike, out: str | os.PathLike, ratings=None, name: str = "", samples: int = 2000
) -> Path:
    """Measure a collection, if its name is not in the table yet.

    Args:
        data: what :func:`~workbench.data.atelier.open_dataset` takes.
        out: folder of the table ``class_averages.csv``.
        ratings: the table of a folder, if it is not its ``ratings.csv``.
        name: of the collection in the column ``data``; by default the folder's.
        samples: of the bootstrap.

    Returns:
        Path of the table: the rows of :func:`~workbench.interpret.descriptors.class_averages` with ``data``,
        and with the number of paintings and painters in all.
    """
    runs = Runs(Path(out) / "class_averages.csv", ("data",))
    name = name or ("atelier" if str(data).startswith("atelier") else Path(data).name)

    def measure(data: str) -> list[dict]:
        table = describe_folder(pictures)
        count = {"paintings": len(pictures), "painters": len(np.unique(pictures.groups))}
        return [{**row, **count} for row in class_averages(table, samples)]

    if {"data": name} not in runs:
        pictures = open_dataset(data, ratings)
        runs.do([{"data": name}], measure, "class averages")
    return runs.path
