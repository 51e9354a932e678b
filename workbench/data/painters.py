"""Who painted a picture, under one name: a painter under two names would lie on both sides of a split.

Names are compared in one Unicode form, width, case and spacing. ``painters.csv`` lists the names of one
painter, with the reason; where the painter is unknown, a name of that table in the title says who it was,
unless the title says "in the manner of", "copy after" or the like.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from workbench.core.runs import read_rows
from workbench.data.painter_names import TitleFinder, is_unknown, normalise

_TABLE = Path(__file__).with_name("painters.csv")


class Replacement(NamedTuple):
    """A name that was replaced."""

    name: str  # in the collection's table
    painter: str  # in its place
    reason: str


@functools.cache
def aliases() -> dict[str, Replacement]:
    """The table of names by their normalised form in lower case."""
    return {
        canonical(r["alias"]): Replacement(r["alias"], normalise(r["painter"]), r["reason"])
        for r in read_rows(_TABLE)
    }


def merge(names: Sequence[str], titles: Sequence[str] | None = None) -> tuple[list[str], list[Replacement]]:
    """Each picture's painter under one name, and the names that were replaced, each once.

    Args:
        names: N painters; those that begin with "unknown" or "anonymous", or are empty, are unknown.
        titles: N titles, in which unknown painters are looked for.
    """
    spelling: dict[str, str] = {}  # the first spelling of a name that differs in case only
    merged: list[str] = []
    replaced: dict[str, Replacement] = {}
    for name, title in zip(names, titles or [""] * len(names), strict=True):
        painter, reason = normalise(name), "spelling"
        if is_unknown(painter):
            found = _table_finder().painter(title)
            painter, reason = (found, f"named in the title {title.strip()}") if found else (painter, "")
        elif canonical(name) in aliases():
            _, painter, reason = aliases()[canonical(name)]
        painter = spelling.setdefault(painter.casefold(), painter)
        merged.append(painter)
        if painter != name:
            replaced.setdefault(name, Replacement(name, painter, reason))
    return merged, list(replaced.values())


def canonical(name: str) -> str:
    """A form that names which differ only in case, width, spaces or Unicode form share."""
    return normalise(name).casefold()


@functools.cache
def _table_finder() -> TitleFinder:
    """Finds the names of the table, and the painters they stand for, in titles."""
    names = {name: merge.painter for name, merge in aliases().items()}
    return TitleFinder(names | {painter: painter for painter in names.values()})
