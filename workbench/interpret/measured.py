"""Measurements shipped with the package: class averages, faithfulness of explanations, readings of examples.

The folder ``measured`` has three small tables: class averages of the expression descriptors over a collection
of real paintings, the faithfulness of every attribution method on the shipped classifiers, and how these read
the page's example paintings. Of real paintings they have means over many and no values of single ones.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

from workbench.core.runs import read_rows

_WORDS = {"sensitivity": "the change under noise"}  # of a measure whose verdict does not name it
FOLDER = Path(__file__).resolve().parent / "measured"


@functools.cache
def _table(name: str, folder: Path) -> tuple[dict[str, str], ...]:
    return tuple(read_rows(folder / f"{name}.csv"))


def averages_of(classes: Iterable[str]) -> list[dict]:
    """Class averages of a collection with exactly these classes.

    Returns:
        Rows of :func:`~workbench.interpret.descriptors.class_averages`, numbers as numbers, with ``data``,
        ``paintings`` and ``painters`` of the whole collection. Empty without such a collection.
    """
    by_data: dict[str, list[dict]] = {}
    for row in _table("class_averages", FOLDER):
        by_data.setdefault(row["data"], []).append(row)
    for rows in by_data.values():
        if {row["class"] for row in rows} == set(classes):
            return [{key: _number(value) for key, value in row.items()} for row in rows]
    return []


def faithfulness_of(digest: str, folder: Path = FOLDER) -> list[dict]:
    """Faithfulness measured on the classifier with exactly this network, for ``faithfulness.verdict``.

    Args:
        digest: of the network, ``Card.network_digest``.
        folder: of ``faithfulness.csv``.

    Returns:
        Rows of :func:`~workbench.interpret.faithfulness.summarise`; empty if this model was not measured.
    """
    rows = _table("faithfulness", folder)
    return [dict(row) for row in rows if digest and digest.startswith(row["weights"])]


def reliance(digest: str, method: str, usual_layer: bool = True, folder: Path = FOLDER) -> str:
    """Some sentences on how far a method's maps of one model can be trusted.

    Args:
        digest: of the model's network, ``Card.network_digest``.
        method: a name in :data:`~workbench.interpret.methods.METHODS`.
        usual_layer: whether a layered method uses the layer that it was measured on.
        folder: of ``faithfulness.csv``.
    """
    from workbench.interpret.faithfulness import (
        MEASURES,
        cited,
        verdict,
    )  # brings torch; the tables need none

    rows = faithfulness_of(digest, folder)
    text = verdict(rows, method)
    if not rows:
        return text
    if not usual_layer:
        return text + " This holds for the usual layer; the chosen one was not measured."
    counts, size = cited(rows, method), max(int(row["size"]) for row in rows)
    if not counts:
        return text
    most = max(counts.values())
    text += f" Measured on {most} real paintings at {size} × {size} pixels."
    for name, count in counts.items():
        if count < most:
            text += f" Of these, {count} for {_WORDS.get(name, MEASURES[name].title)}."
    return text


def examples_of(digest: str) -> dict[str, str]:
    """How the classifier with exactly this network reads the page's example paintings.

    Returns:
        The mood that each was painted for -> the likeliest by the model; empty if it did not read them.
    """
    rows = _table("examples", FOLDER)
    return {row["meant"]: row["top"] for row in rows if digest and digest.startswith(row["weights"])}


def _number(value: str) -> str | float:
    try:
        return float(value)
    except ValueError:
        return value
