"""A first look at a folder of labelled pictures: their number, groups, and measures per class."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from workbench.data.atelier import open_dataset
from workbench.data.paintings import Paintings
from workbench.interpret.descriptors import class_averages, describe_folder
from workbench.studies.study import TableStudy

SHOWN = ("ink_depth", "blank_share", "line_density", "saturation", "texture_fine", "composition_balance")


@dataclasses.dataclass(frozen=True)
class FirstSteps(TableStudy):
    """What is in a folder of labelled pictures?

    Step ``counts`` has class, pictures, groups; step ``expression`` has descriptor, class, mean, low, high,
    spread.
    """

    name = "start_here"
    keys = ("step",)
    sources = ("data",)

    data: str = "atelier:60"  # folder of labelled pictures, or atelier:N
    most: int = 60  # at most so many pictures to measure, equally many of each class if possible
    samples: int = 500  # of the bootstrap over groups

    def plan(self) -> list[dict]:
        return [{"step": "counts"}, {"step": "expression"}]

    def prepare(self, out: Path) -> Callable[..., list[dict]]:
        pictures = open_dataset(self.data)
        steps = {
            "counts": lambda: _counts(pictures),
            "expression": lambda: _expression(pictures, self.most, self.samples),
        }
        return lambda step: steps[step]()


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
    return [row for row in class_averages(table, samples=samples) if row["descriptor"] in SHOWN]


def first_of_each_class(data: Paintings) -> list[int]:
    """The first picture of every class."""
    return [int(np.flatnonzero(data.labels == c)[0]) for c in range(len(data.classes))]
