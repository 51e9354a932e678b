"""The first look at a folder of labelled pictures: how many, by whom, and what the classes look like."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from workbench.core.runs import Runs
from workbench.data.paintings import Paintings
from workbench.interpret.descriptors import class_averages, describe_folder

SEEN = ("ink_depth", "blank_share", "line_density", "saturation", "texture_fine", "composition_balance")


def run(data: Paintings, out: str | Path, most: int = 60, samples: int = 500) -> Path:
    """Count the classes and measure a few means of expression; what is done is not done again.

    Args:
        data: labelled pictures.
        out: folder of the table ``start_here.csv``.
        most: pictures to measure, as many of each class as of any other as far as there are.
        samples: of the bootstrap over groups.

    Returns:
        Path of the table: step ``counts`` has class, pictures, groups; step ``expression`` has descriptor,
        class, mean, low, high, spread.
    """
    runs = Runs(Path(out) / "start_here.csv", ("step",))
    steps = {"counts": lambda: _counts(data), "expression": lambda: _expression(data, most, samples)}
    return runs.do([{"step": name} for name in steps], lambda step: steps[step](), desc="first steps")


def _counts(data: Paintings) -> list[dict]:
    rows = []
    for index, name in enumerate(data.classes):
        own = data.labels == index
        rows.append(
            {"class": name, "pictures": int(own.sum()), "groups": len(set(data.groups[own].tolist()))}
        )
    return rows


def _expression(data: Paintings, most: int, samples: int) -> list[dict]:
    each = max(2, most // len(data.classes))
    kept = np.concatenate([np.flatnonzero(data.labels == c)[:each] for c in range(len(data.classes))])
    table = describe_folder(data.subset(kept))
    return [row for row in class_averages(table, samples=samples) if row["descriptor"] in SEEN]


def one_of_each(data: Paintings) -> list[int]:
    """The first picture of every class."""
    return [int(np.flatnonzero(data.labels == c)[0]) for c in range(len(data.classes))]
