"""Measurements shipped with the package: class averages of descriptors, and faithfulness of explanations.

The folder ``measured`` has two small tables: class averages of the expression descriptors over a collection
of real paintings, and the faithfulness of every attribution method on the shipped classifiers. They have
means over many pictures and no values of single ones.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

from workbench.core.runs import read_rows

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


def faithfulness_of(sha256: str, folder: Path = FOLDER) -> list[dict]:
    """Faithfulness measured on the classifier with exactly these weights, for ``faithfulness.verdict``.

    Args:
        sha256: of the weights file, as on its card.
        folder: of ``faithfulness.csv``.

    Returns:
        Rows of :func:`~workbench.interpret.faithfulness.summarise`; empty if this model was not measured.
    """
    rows = _table("faithfulness", folder)
    return [dict(row) for row in rows if sha256 and sha256.startswith(row["weights"])]


def reliance(sha256: str, method: str, usual_layer: bool = True) -> str:
    """One or two sentences on how far a method's maps of one model can be trusted.

    Args:
        sha256: of the model's weights, as on its card.
        method: a name in :data:`~workbench.interpret.methods.METHODS`.
        usual_layer: whether a layered method uses the layer that it was measured on.
    """
    from workbench.interpret.faithfulness import verdict  # brings torch; the tables need none

    rows = faithfulness_of(sha256)
    text = verdict(rows, method)
    if not rows:
        return text
    if not usual_layer:
        return text + " This holds for the usual layer; the chosen one was not measured."
    pictures, size = (max(int(row[key]) for row in rows) for key in ("pictures", "size"))
    return text + f" Measured on {pictures} real paintings at {size} × {size} pixels."


def _number(value: str) -> str | float:
    try:
        return float(value)
    except ValueError:
        return value
