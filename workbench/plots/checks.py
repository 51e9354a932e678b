"""Checks of the tables that plots are drawn from."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd


def check_table(table, columns: Iterable[str]) -> pd.DataFrame:
    """``table`` (a DataFrame, or rows as mappings) as a DataFrame that has ``columns`` and a row at least.

    Raises:
        ValueError: otherwise.
    """
    frame = table if isinstance(table, pd.DataFrame) else pd.DataFrame(list(table))
    missing = [c for c in columns if c not in frame.columns]
    if missing or not len(frame):
        raise ValueError(
            f"Expected a table with rows and columns {', '.join(columns)} but got {len(frame)} rows and "
            f"{', '.join(map(str, frame.columns)) or 'no columns'}."
        )
    return frame


def in_order(values: Iterable, wanted: Iterable | None = None) -> list:
    """Distinct values in order of appearance, or those of ``wanted`` that occur."""
    distinct = list(dict.fromkeys(values))
    return distinct if wanted is None else [value for value in wanted if value in distinct]
