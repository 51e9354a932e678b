"""Tables of numeric ratings, one row per rater and picture or per picture, and how far raters agree.

    report = reliability(read_ratings("ratings.csv")["pleasure"])

Columns are found by their names: the picture (path, picture, stimulus, image or item), the rater (rater,
participant, subject or observer; without one a row is a picture), and every other column that holds numbers.
The separator is a comma, a semicolon or a tab; unless it is the comma, a comma may be the decimal sign. Empty
cells and NaN are missing.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import DatasetError
from workbench.data.painting_tables import csv_rows
from workbench.metrics.bootstrap import resample
from workbench.metrics.reliability import ceiling, icc, krippendorff_alpha, split_half

if TYPE_CHECKING:
    import pandas

PICTURE_COLUMNS = ("path", "picture", "stimulus", "image", "item")
RATER_COLUMNS = ("rater", "participant", "subject", "observer")
_MISSING = ("", "na", "nan", "none", "null", "-")


@dataclasses.dataclass(frozen=True)
class RatingColumn:
    """Ratings on one scale."""

    name: str
    pictures: tuple[str, ...]  # N
    raters: tuple[str, ...]  # K; () if each row is a picture and K is 1
    values: NDArray[np.float64]  # (N, K); nan where a rater did not rate a picture
    repeated: int = 0  # ratings of a picture by a rater who had rated it already; their mean counts


def read_ratings(table: str | os.PathLike, only: Collection[str] | None = None) -> dict[str, RatingColumn]:
    """The numeric columns of a table, by name.

    Args:
        table: CSV.
        only: names of the columns to read; None reads all.

    Raises:
        DatasetError: the table cannot be read, lacks a column of pictures or of numbers, names a picture
            twice without saying by whom, or a cell of a column of numbers holds something else.
    """
    path = Path(table)
    rows, comma = read_cells(path)
    columns = list(rows[0])
    picture = picture_column(columns, path)
    rater = find_column(columns, RATER_COLUMNS)
    pictures = {name: i for i, name in enumerate(dict.fromkeys(row[picture] for row in rows))}
    if rater is None and len(pictures) < len(rows):
        raise DatasetError(
            f"Expected every picture once in {path.name}, or a column of raters called "
            f"{' or '.join(RATER_COLUMNS)}, but it has: {', '.join(columns)}. Rename one."
        )
    raters = {name: i for i, name in enumerate(dict.fromkeys(row[rater] for row in rows))} if rater else {}
    at = [(pictures[row[picture]], raters[row[rater]] if rater else 0) for row in rows]
    found = {}
    for name in columns:
        if name in (picture, rater) or (only is not None and name not in only):
            continue
        numbers = [_number(row[name], comma) for row in rows]
        words = [row[name] for row, n in zip(rows, numbers, strict=True) if n is None]
        if words and all(n is None or math.isnan(n) for n in numbers):
            continue  # a column of words
        if words:
            raise DatasetError(
                f"Expected numbers in the column {name} of {path.name} but got {words[0]!r:.40}. Correct it, "
                "or leave the cell empty."
            )
        sums, counts = (np.zeros((len(pictures), max(1, len(raters)))) for _ in range(2))
        for place, number in zip(at, numbers, strict=True):
            if number is not None and not math.isnan(number):
                sums[place] += number
                counts[place] += 1
        with np.errstate(invalid="ignore"):
            values = sums / np.where(counts > 0, counts, np.nan)
        if counts.any():
            repeated = int((counts - 1).clip(0).sum())
            found[name] = RatingColumn(name, tuple(pictures), tuple(raters), values, repeated)
    if not found:
        raise DatasetError(f"Expected a column of numbers in {path.name} but it has: {', '.join(columns)}.")
    return found


def rating_frame(table: str | os.PathLike, joined: Sequence[str | os.PathLike] = ()) -> pandas.DataFrame:
    """A table of ratings for a model, one row per rating: words as words, numbers as numbers.

    Args:
        table: of ratings; its columns of pictures and raters are called "picture" and "rater" in the result.
        joined: tables with a row per picture, such as measures; their columns are added. A column that is
            there already stays as it is.

    Raises:
        DatasetError: a table that cannot be read, lacks a column of pictures, or holds a picture twice where
            it is to be joined, or no picture is in both.
    """
    frame = _frame(Path(table))
    for other in map(Path, joined):
        more = _frame(other)
        more = more[["picture", *(c for c in more if c not in frame)]]
        if more["picture"].duplicated().any():
            twice = more["picture"][more["picture"].duplicated()].iloc[0]
            raise DatasetError(f"Expected every picture once in {other.name} but {twice} is there twice.")
        if not set(more["picture"]) & set(frame["picture"]):
            raise DatasetError(
                f"Expected pictures of {Path(table).name} in {other.name} but it has none of them, e.g. "
                f"{frame['picture'].iloc[0]}. Paths must be written alike."
            )
        frame = frame.merge(more, how="left", on="picture")
    return frame


def _frame(path: Path) -> pandas.DataFrame:
    import pandas

    rows, comma = read_cells(path)
    columns = list(rows[0])
    names = {picture_column(columns, path): "picture"}
    if rater := find_column(columns, RATER_COLUMNS):
        names[rater] = "rater"
    frame = {}
    for column in columns:
        cells = [row[column] for row in rows]
        numbers = [_number(cell, comma) for cell in cells]
        words = column in names or any(n is None for n in numbers)
        missing = [None if cell.casefold() in _MISSING else cell for cell in cells]
        frame[names.get(column, column)] = missing if words else numbers
    return pandas.DataFrame(frame)


def reliability(column: RatingColumn, samples: int = 1000, seed: int = 0) -> dict[str, float | str]:
    """Agreement of the raters of a column, and the ceiling that it sets for predictors of the mean rating.

    Args:
        column: the ratings.
        samples, seed: of the bootstrap over pictures, and of the split halves.

    Returns:
        column, pictures (with a rating), raters, ratings, mean, sd, alpha (Krippendorff's, interval data)
        with alpha_low and alpha_high, split_half (reliability of the mean, Spearman-Brown), icc_2k of the
        pictures that all raters rated, complete (their number), ceiling (square root of split_half) and note.
    """
    x = column.values
    rated = (~np.isnan(x)).sum(1)
    notes = [f"{column.repeated} ratings repeated, their mean counts"] if column.repeated else []
    once = int(((~np.isnan(x)).sum(0) == 1).sum())
    if once and column.raters:
        notes.append(f"{once} of the raters rated one picture only")
    known = x[~np.isnan(x)]
    row: dict[str, float | str] = {
        "column": column.name, "pictures": int((rated > 0).sum()), "raters": len(column.raters),
        "ratings": len(known), "mean": float(known.mean()), "sd": float(known.std()),
    }  # fmt: skip
    pairs = x[rated > 1]
    alpha = low = high = half = consistency = math.nan
    complete = x[rated == x.shape[1]]
    if not column.raters:
        notes.append("one row per picture: agreement is not known")
    elif known.std() == 0:
        notes.append("all ratings are equal: agreement is not defined")
    elif len(pairs) < 2 or x.shape[1] < 2:
        notes.append("too few pictures with two raters for agreement")
    else:
        alpha = krippendorff_alpha(pairs)
        rows = np.arange(len(pairs))
        resamples = resample(
            lambda chosen: krippendorff_alpha(pairs[chosen]), rows, samples=samples, seed=seed
        )
        _, low, high = resamples.interval()
        half = split_half(x, seed=seed)
        consistency = icc(complete)["ICC(2,k)"] if len(complete) > 1 else math.nan
    return row | {
        "alpha": alpha, "alpha_low": low, "alpha_high": high, "split_half": half, "icc_2k": consistency,
        "complete": len(complete), "ceiling": math.nan if math.isnan(half) else ceiling(half),
        "note": "; ".join(notes),
    }  # fmt: skip


def read_cells(path: Path) -> tuple[list[dict[str, str]], bool]:
    """The rows of a table, one or more, and whether a comma may be the decimal sign.

    Raises:
        DatasetError: it cannot be read, or has no row.
    """
    _, rows, separator = csv_rows(path)
    if not rows:
        raise DatasetError(f"Expected rows of ratings in {path.name} but there is none.")
    return [{k.strip(): v.strip() for k, v in row.items()} for row in rows], separator != ","


def picture_column(columns: list[str], path: Path) -> str:
    """The column that names pictures.

    Raises:
        DatasetError: there is none.
    """
    column = find_column(columns, PICTURE_COLUMNS)
    if column is None:
        raise DatasetError(
            f"Expected a column of pictures, called {' or '.join(PICTURE_COLUMNS)}, in {path.name} but it "
            f"has: {', '.join(columns)}. Rename one."
        )
    return column


def find_column(columns: list[str], names: tuple[str, ...]) -> str | None:
    """The first of some names that is a column, whatever its case."""
    return next((column for name in names for column in columns if column.casefold() == name), None)


def _number(cell: str, comma: bool) -> float | None:
    """The number in a cell; nan if it is missing, None if it holds something else."""
    if cell.casefold() in _MISSING:
        return math.nan
    try:
        number = float(cell.replace(",", ".") if comma else cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
