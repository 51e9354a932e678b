"""Pictures with numeric ratings, from which the estimators of ratings learn.

rated = read_rated("paintings", "pleasure", ratings="study.csv")
"""

from __future__ import annotations

import dataclasses
import logging
import math
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import DatasetError, UnknownNameError
from workbench.data.duplicates import equal_files, merge_groups
from workbench.data.images import pass_over
from workbench.data.paintings import GROUP_COLUMNS, PictureList, groups_of, unreadable_files
from workbench.data.rating_tables import find_column, picture_column, read_cells, read_ratings
from workbench.metrics.reliability import split_half

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class RatedPaintings(PictureList):
    """N pictures with their mean ratings on one scale. Arrays are aligned with ``paths``."""

    root: Path  # folder the paths are relative to
    paths: tuple[str, ...]  # POSIX paths, N
    column: str  # of the table
    ratings: NDArray[np.float64]  # (N,) means over raters
    groups: NDArray[np.str_]  # (N,) painter, or the picture's own path if unknown
    grouped_by: str = ""  # the table's column, or empty
    reliability: float = math.nan  # of the means, by split halves; nan if the raters' own answers are unknown

    @property
    def truth(self) -> NDArray[np.float64]:
        return self.ratings

    def contents(self) -> dict[str, object]:
        """Files by content, ratings and groups."""
        files = [self.root / path for path in self.paths]
        return {"pictures": files, "ratings": self.ratings, "groups": self.groups}


def read_rated(
    root: str | os.PathLike,
    column: str,
    ratings: str | os.PathLike | None = None,
    *,
    group_by: str | None = None,
) -> RatedPaintings:
    """The pictures of a folder that a table rates on a scale.

    Pictures that are missing, cannot be read, or have no rating are left out and logged. Equal files share a
    group.

    Args:
        root: folder that the table's paths are relative to.
        column: of numbers, such as pleasure.
        ratings: a table for :func:`~workbench.data.rating_tables.read_ratings`; by default ``ratings.csv`` in
            the folder.
        group_by: column of the table, or of the folder's ``ratings.csv``, whose equal values stay on one side
            of a split; by default the first of painter, group and artist that there is, else every picture is
            its own group.

    Raises:
        DatasetError: fewer than two pictures are left, all ratings are equal, or the table cannot be used.
        UnknownNameError: no such column of numbers.
    """
    root = Path(root)
    table = root / "ratings.csv" if ratings is None else Path(ratings)
    columns = read_ratings(table)
    if column not in columns:
        raise UnknownNameError("column of numbers", column, columns)
    chosen = columns[column]
    rated = ~np.isnan(chosen.values).all(1)
    there = [(root / name).is_file() for name in chosen.pictures]
    broken = unreadable_files(
        root, [name for name, is_there in zip(chosen.pictures, there, strict=True) if is_there]
    )
    reasons = {"have no rating": ~rated, "are not there": ~np.array(there)}
    for name, reason in broken.items():
        pass_over(root / name, reason)
    for words, out in reasons.items():
        if out.any():
            first = chosen.pictures[int(out.argmax())]
            log.warning("%d of %d pictures %s and are left out, e.g. %s.", out.sum(), out.size, words, first)
    reasons["cannot be read"] = np.array([name in broken for name in chosen.pictures])
    keep = np.flatnonzero(~np.any(list(reasons.values()), axis=0))
    names, values = [chosen.pictures[i] for i in keep], chosen.values[keep]
    if len(names) < 2:
        raise DatasetError(
            f"Expected at least 2 pictures of {root} with a rating of {column} in {table.name} but found "
            f"{len(names)}. Its paths are relative to the folder."
        )
    means = np.nanmean(values, axis=1)
    if means.std() == 0:
        raise DatasetError(f"Expected ratings of {column} that differ but all means are {means[0]:g}.")
    painters, grouped_by = _groups(root, table, names, group_by)
    if not grouped_by:
        log.warning("No painters are known: every picture is its own group, so scores may be too good.")
    groups = merge_groups(np.array(painters, dtype=np.str_), equal_files(root / name for name in names))
    reliability = split_half(values) if values.shape[1] > 1 else math.nan
    return RatedPaintings(root, tuple(names), column, means, groups, grouped_by, reliability)


def _groups(root: Path, table: Path, names: list[str], group_by: str | None) -> tuple[list[str], str]:
    """The group of each picture, from the table or the folder's own, and the column that gave it."""
    tables = [path for path in dict.fromkeys((table, root / "ratings.csv")) if path.is_file()]
    for path in tables:
        cells, _ = read_cells(path)
        columns = list(cells[0])
        column = find_column(columns, GROUP_COLUMNS if group_by is None else (group_by.casefold(),))
        if column is not None:
            picture = picture_column(columns, path)
            rows = {row[picture]: row for row in reversed(cells)}
            return groups_of([rows.get(name, {}) for name in names], names, column)[0], column
    if group_by is not None:
        raise DatasetError(f"Expected a column {group_by} in {table.name} to group by but it has none.")
    return names, ""
