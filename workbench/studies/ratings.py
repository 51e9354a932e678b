"""What a table of ratings knows beyond labels: how many raters named each mood, and what they felt."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import DatasetError
from workbench.core.runs import read_rows
from workbench.data.paintings import VOTES, Paintings
from workbench.metrics import agreement
from workbench.studies.study import collection_name

log = logging.getLogger(__name__)

FEELINGS = ("pleasure", "arousal", "dominance")


class Ratings(NamedTuple):
    """A data set with what its table knows beyond :class:`Paintings`. Arrays are aligned with ``data``."""

    name: str
    data: Paintings
    counts: NDArray | None  # (N, C) raters who named the mood, or None if their number is unknown
    raters: int | None  # asked for each picture
    feelings: dict[str, NDArray]  # those of FEELINGS that the table has, (N,) each


def read_ratings(source: str, ratings: str | Path | None = None) -> Ratings:
    """Open a data set (see :func:`workbench.data.atelier.open_dataset`) with its raw votes and feelings.

    Raises:
        DatasetError: a column of feelings that is not numbers.
    """
    from workbench.data.atelier import open_dataset

    data = open_dataset(source, ratings)
    table = Path(ratings) if ratings else data.root / "ratings.csv"
    rows = {row["path"]: row for row in read_rows(table)}
    own = [rows.get(path, {}) for path in data.paths]
    counts = raters = None
    if data.votes is not None:
        shares = _numbers(own, [VOTES + c for c in data.classes], table)
        raters = agreement.number_of_raters(shares)
        if raters is None:
            log.warning("The votes of %s are no shares of up to 60 raters: kappa is left out.", table.name)
        else:
            counts = agreement.vote_counts(shares, raters)
    feelings = {f: _numbers(own, [f], table)[:, 0] for f in FEELINGS if own and f in own[0]}
    return Ratings(collection_name(source), data, counts, raters, feelings)


def _numbers(rows: Sequence[dict], columns: Sequence[str], table: Path) -> NDArray:
    try:
        values = np.array([[float(row[c] or 0) for c in columns] for row in rows])
    except ValueError as error:
        raise DatasetError(
            f"Expected numbers in {', '.join(columns)} of {table.name} but got another ({error}). Correct it."
        ) from error
    return values
