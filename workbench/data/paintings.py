"""Labelled paintings: a folder with one sub-folder a class, or a table that also knows painters and votes.

The table is a CSV in UTF-8. Its columns are found by name: ``path`` (relative to the folder of pictures),
``label``, a group column (``painter``, ``group`` or ``artist``: pictures that share it never lie on both
sides of a split) and, optionally, ``votes_CLASS`` for every class: the share of raters who named it. Rows
whose picture is not there are left out and logged, since parts of a collection may be kept elsewhere.
"""

from __future__ import annotations

import csv
import dataclasses
import logging
import os
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench.data.images import list_images, read_image
from workbench.errors import DatasetError, ImageError

log = logging.getLogger(__name__)

GROUP_COLUMNS = ("painter", "group", "artist")
VOTES = "votes_"


@dataclasses.dataclass(frozen=True)
class Paintings:
    """N labelled pictures of C classes. Arrays are aligned with ``paths``."""

    root: Path  # folder the paths are relative to
    paths: tuple[str, ...]  # POSIX paths, N
    classes: tuple[str, ...]  # sorted class names, C
    labels: NDArray[np.int64]  # (N,) index into `classes`
    groups: NDArray[np.str_]  # (N,) painter, or the picture's own path where nothing is known
    votes: NDArray[np.float64] | None  # (N, C) vote shares that sum to 1, or None
    grouped: bool  # whether `groups` came with the data

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int) -> Image.Image:
        """The picture at ``index``, RGB."""
        return read_image(self.root / self.paths[index])

    @property
    def onehot(self) -> NDArray[np.float64]:
        """(N, C) labels as distributions."""
        return np.eye(len(self.classes))[self.labels]


def read_paintings(root: str | os.PathLike, ratings: str | os.PathLike | None = None) -> Paintings:
    """Read the list of pictures, not the pixels, and open each file once to be sure that it can be read.

    Args:
        root: folder of the pictures. Without ``ratings``, the table ``ratings.csv`` in it is used if there is
            one, else the names of its sub-folders are the classes.
        ratings: the table described above.

    Raises:
        DatasetError: no folder, no pictures, a column missing, fewer than two classes, a class with fewer
            than two pictures, votes that are not shares, or files that cannot be read (the first ones are
            named).
    """
    root = Path(root)
    if not root.is_dir():
        raise DatasetError(f"Expected a folder of paintings at {root} but there is none. Check the path.")
    table = Path(ratings) if ratings is not None else root / "ratings.csv"
    tabled = ratings is not None or table.is_file()
    found = _from_table(root, table) if tabled else _from_folders(root)
    _check(found)
    return found


def _from_folders(root: Path) -> Paintings:
    names = [p.relative_to(root).as_posix() for p in list_images(root)]
    loose = [name for name in names if "/" not in name]
    if loose:
        raise DatasetError(
            f"Expected one sub-folder a class in {root} but {len(loose)} pictures lie beside them, "
            f"e.g. {loose[0]}. Move them into the folder of their class."
        )
    empty = sorted(
        p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith(".") and not list_images(p)
    )
    if empty:
        raise DatasetError(
            f"Expected pictures in every class folder but these have none: {', '.join(empty)}."
        )
    log.warning(
        "No painters are known: every picture of %s is its own group, so the scores may be too good. "
        "Give a table with a painter column.",
        root,
    )
    return _build(root, names, [n.split("/")[0] for n in names], names, None, grouped=False)


def _from_table(root: Path, table: Path) -> Paintings:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
            columns = list(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(
            f"Expected a CSV table in UTF-8 at {table} but it cannot be read ({error})."
        ) from error
    missing = [c for c in ("path", "label") if c not in columns]
    if missing:
        raise DatasetError(
            f"Expected columns path and label in {table.name} but {' and '.join(missing)} is missing. "
            f"It has: {', '.join(columns) or 'nothing'}."
        )
    present = [r for r in rows if r["path"] and (root / r["path"]).is_file()]
    if len(present) < len(rows):
        log.warning(
            "%d of the %d pictures in %s are not there.", len(rows) - len(present), len(rows), table.name
        )
    names, labels = [r["path"] for r in present], [(r["label"] or "").strip() for r in present]
    unlabelled = [n for n, label in zip(names, labels, strict=True) if not label]
    if unlabelled:
        raise DatasetError(
            f"Expected a label on every row of {table.name} but {len(unlabelled)} have none, "
            f"e.g. {unlabelled[0]}."
        )
    group = next((c for c in GROUP_COLUMNS if c in columns), None)
    if group is None:
        log.warning(
            "%s has no column of %s: every picture is its own group.", table.name, "/".join(GROUP_COLUMNS)
        )
    groups = [(r[group] or "").strip() if group else "" for r in present]
    groups = [g or n for g, n in zip(groups, names, strict=True)]  # an unknown painter is his own
    return _build(
        root, names, labels, groups, _votes(present, columns, sorted(set(labels)), table), group is not None
    )


def _votes(rows: list[dict], columns: list[str], classes: list[str], table: Path) -> NDArray | None:
    """(N, C) vote shares, scaled to sum to 1, or None if the table has no votes."""
    have = [c for c in columns if c.startswith(VOTES)]
    if not have or not rows:
        return None
    missing = [c for c in classes if VOTES + c not in columns]
    if missing:
        raise DatasetError(
            f"Expected a column {VOTES}CLASS for every class in {table.name} but {missing} have none."
        )
    try:
        shares = np.array([[float(r[VOTES + c] or 0) for c in classes] for r in rows])
    except ValueError as error:
        raise DatasetError(
            f"Expected numbers in the votes columns of {table.name} but got another ({error})."
        ) from error
    total = shares.sum(1, keepdims=True)
    if not np.isfinite(shares).all() or shares.min() < 0 or total.min() <= 0:
        bad = rows[int(np.argmax(~(np.isfinite(shares).all(1) & (shares.min(1) >= 0) & (total[:, 0] > 0))))][
            "path"
        ]
        raise DatasetError(
            f"Expected votes of 0 or more with at least one above 0 but {bad} has others. Correct the row."
        )
    return shares / total


def _build(root, names, labels, groups, votes, grouped) -> Paintings:
    classes = sorted(set(labels))
    index = np.array([classes.index(label) for label in labels], dtype=np.int64)
    return Paintings(
        root, tuple(names), tuple(classes), index, np.array(groups, dtype=np.str_), votes, grouped
    )


def _check(data: Paintings) -> None:
    if not len(data):
        raise DatasetError(
            f"Expected pictures under {data.root} but found none. Check the folder and the table."
        )
    if len(data.classes) < 2:
        raise DatasetError(
            f"Expected at least 2 classes but got one ({data.classes[0]}). Add pictures of another."
        )
    small = [c for c, n in Counter(data.labels.tolist()).items() if n < 2]
    if small:
        names = ", ".join(data.classes[c] for c in small)
        raise DatasetError(
            f"Expected at least 2 pictures of every class but {names} has one. Add some, or leave it out."
        )
    twice = [name for name, n in Counter(data.paths).items() if n > 1]
    if twice:
        raise DatasetError(
            f"Expected each picture once but {len(twice)} are listed twice, e.g. {twice[0]}. Keep one row."
        )
    broken = []
    for name in data.paths:
        try:
            read_image(data.root / name)
        except ImageError:
            broken.append(name)
    if broken:
        raise DatasetError(
            f"Expected pictures that can be read but {len(broken)} cannot: {', '.join(broken[:5])}"
            f"{', …' if len(broken) > 5 else ''}. Replace or remove them."
        )
