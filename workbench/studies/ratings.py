"""What a table of ratings knows beyond labels: how many raters named each mood, and what they felt."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import DatasetError
from workbench.data.painting_tables import raw_votes, read_table
from workbench.data.paintings import Paintings
from workbench.metrics import agreement
from workbench.studies.study import collection_name

log = logging.getLogger(__name__)

FEELINGS = ("pleasure", "arousal", "dominance")


class Ratings(NamedTuple):
    """A data set with what its table knows beyond :class:`Paintings`. Arrays are aligned with ``data``."""

    name: str
    data: Paintings
    counts: NDArray | None  # (N, C) raters who named the mood, or None if their number is unknown
    raters: int | None  # asked for each picture; None if unknown or not the same for all
    feelings: dict[str, NDArray]  # those of FEELINGS that the table has, (N,) each; nan where one is missing


def read_ratings(source: str, ratings: str | Path | None = None, data: Paintings | None = None) -> Ratings:
    """Open a data set (see :func:`workbench.data.atelier.open_dataset`) with its raw votes and feelings.

    Args:
        source: folder of labelled pictures, or ``atelier:N``.
        ratings: its table, if it is not its ``ratings.csv``.
        data: the pictures, if they are open already.

    Raises:
        DatasetError: a column of feelings that is not numbers.
    """
    from workbench.data.atelier import open_dataset

    data = data or open_dataset(source, ratings)
    table = Path(ratings) if ratings else data.root / "ratings.csv"
    columns: list[str] = []
    rows: dict[str, dict[str, str]] = {}
    if table.is_file():
        columns, found, _ = read_table(data.root, table)
        rows = {row["path"]: row for row in found}
    own = [rows.get(path, {}) for path in data.paths]
    counts = raters = None
    raw = raw_votes(own, columns, data.classes, table)
    if raw is not None:
        counts, raters = _counted(raw)
        if counts is None:
            log.warning("The votes of %s are no shares of up to 60 raters: kappa is left out.", table.name)
    feelings = {f: _numbers(own, [f], table)[:, 0] for f in FEELINGS if own and f in own[0]}
    return Ratings(collection_name(source), data, counts, raters, feelings)


def _counted(raw: NDArray) -> tuple[NDArray | None, int | None]:
    """Raters who named each class, and how many were asked if that is known and the same for all pictures.

    Whole numbers are counts unless all rows sum to 100, which makes them percentages as fractions do.
    """
    total = raw.sum(1)
    if total.max() > 1.5 and not np.allclose(total, 100, atol=0.5):
        whole = bool(np.allclose(raw, np.rint(raw), atol=1e-9))
        return (np.rint(raw).astype(np.int64), _common(total)) if whole else (None, None)
    shares = raw / 100 if total.max() > 1.5 else raw
    raters = agreement.number_of_raters(shares)
    return (None, None) if raters is None else (agreement.vote_counts(shares, raters), raters)


def _common(totals: NDArray) -> int | None:
    return round(float(totals[0])) if np.ptp(totals) < 1e-9 else None


def _numbers(rows: Sequence[dict], columns: Sequence[str], table: Path) -> NDArray:
    try:
        values = np.array([[float(row[c] or "nan") for c in columns] for row in rows])
    except ValueError as error:
        raise DatasetError(
            f"Expected numbers in {', '.join(columns)} of {table.name} but got another ({error}). Correct it."
        ) from error
    return values
