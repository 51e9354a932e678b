"""Who painted a picture, under one name: a painter under two names would lie on both sides of a split.

Names are compared in one Unicode form, width, case and spacing. ``painters.csv`` lists the names of one
painter, with the reason; where the painter is unknown, a name of that table in the title says who it was.
"""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from workbench.core.runs import read_rows

_TABLE = Path(__file__).with_name("painters.csv")
_UNKNOWN = ("unknown", "anonymous")  # prefixes of unknown painters' names


class Replacement(NamedTuple):
    """A name that was replaced."""

    name: str  # in the collection's table
    painter: str  # in its place
    reason: str


def normalise(name: str) -> str:
    """One Unicode form (NFKC, which makes full-width letters narrow), no surplus spaces."""
    return " ".join(unicodedata.normalize("NFKC", name).split())


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
        if not painter or painter.casefold().startswith(_UNKNOWN):
            found = _in_title(title)
            painter, reason = (
                (found.painter, f"named in the title {title.strip()}") if found else (painter, "")
            )
        elif canonical(name) in aliases():
            _, painter, reason = aliases()[canonical(name)]
        painter = spelling.setdefault(painter.casefold(), painter)
        merged.append(painter)
        if painter != name:
            replaced.setdefault(name, Replacement(name, painter, reason))
    return merged, list(replaced.values())


def near_names(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of names that may be one painter's: of three characters or more, they differ in one of them.

    They are for a person to decide; nothing is merged. Names that differ in a number are two.
    """
    known = sorted({normalise(name) for name in names if len(normalise(name)) > 2})
    known = [name for name in known if not name.casefold().startswith(_UNKNOWN)]
    return [
        (a, b) for a, b in itertools.combinations(known, 2) if _one_edit_apart(a, b) and not _numbered(a, b)
    ]


def canonical(name: str) -> str:
    """A form that names which differ only in case, width, spaces or Unicode form share."""
    return normalise(name).casefold()


def _in_title(title: str) -> Replacement | None:
    """The known painter whose name stands first in a title."""
    title = canonical(title)
    matches = [(title.index(alias), merge) for alias, merge in aliases().items() if alias in title]
    return min(matches)[1] if matches else None


def _numbered(a: str, b: str) -> bool:
    """Whether names differ in their digits only, as "Painter 1" and "Painter 2"."""
    return re.sub(r"\d", "", a) == re.sub(r"\d", "", b)


def _one_edit_apart(a: str, b: str) -> bool:
    """Whether one character replaced, added or left out makes one name the other."""
    short, long = sorted((a.casefold(), b.casefold()), key=len)
    if len(long) - len(short) > 1:
        return False
    start = next((i for i, (x, y) in enumerate(zip(short, long, strict=False)) if x != y), len(short))
    return short[start + (len(short) == len(long)) :] == long[start + 1 :]
