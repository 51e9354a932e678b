"""Labelled paintings: a folder with one sub-folder per class, or a table that also gives painters and votes.

The table is a CSV in UTF-8. Its columns are found by name: ``path`` (relative to the folder of pictures),
``label``, a group column (``painter``, ``group`` or ``artist``: pictures that share it never lie on both
sides of a split) and, optionally, ``votes_CLASS`` for every class: the raters who chose it, as a share,
percentage or count. Rows whose picture is missing are left out and logged, since parts of a collection may
be stored elsewhere. Paths are found in any case, Unicode form and with backslashes; classes that differ in
case, width, spaces or Unicode form are one.
"""

from __future__ import annotations

import abc
import dataclasses
import logging
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from workbench.core.errors import DatasetError, ImageError
from workbench.data import painters
from workbench.data.images import SYSTEM_FOLDERS, check_folder, list_images, pass_over, read_image
from workbench.data.painting_tables import raw_votes, read_table

log = logging.getLogger(__name__)

GROUP_COLUMNS = ("painter", "group", "artist")
PAINTER_COLUMNS = ("painter", "artist")  # in which several names may be one painter's
NEAR_DUPLICATES = "near-duplicates"
_PARTS = frozenset(("train", "training", "val", "valid", "validation", "test", "testing", "dev"))


class PictureList(abc.ABC):
    """N pictures of a folder, in groups that no split divides."""

    root: Path  # folder the paths are relative to
    paths: tuple[str, ...]  # POSIX paths, N
    groups: NDArray[np.str_]  # (N,) painter, or the picture's own path if unknown
    grouped_by: str  # the table's column, "near-duplicates", both joined by " and ", or empty

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int) -> Image.Image:
        """The picture at ``index``, RGB."""
        return read_image(self.root / self.paths[index])

    @property
    @abc.abstractmethod
    def truth(self) -> NDArray:
        """(N,) what an estimator learns to predict: classes or ratings."""

    @property
    def strata(self) -> NDArray[np.int64]:
        """(N,) the strata of stratified folds."""
        return np.zeros(len(self), dtype=np.int64)

    @abc.abstractmethod
    def contents(self) -> dict[str, object]:
        """Input of :func:`workbench.core.cache.key`: everything that a fit depends on, files by content."""


@dataclasses.dataclass(frozen=True)
class Paintings(PictureList):
    """N labelled pictures of C classes. Arrays are aligned with ``paths``."""

    root: Path  # folder the paths are relative to
    paths: tuple[str, ...]  # POSIX paths, N
    classes: tuple[str, ...]  # sorted class names, C
    labels: NDArray[np.int64]  # (N,) index into `classes`
    groups: NDArray[np.str_]  # (N,) painter, or the picture's own path if unknown
    votes: NDArray[np.float64] | None  # (N, C) vote shares that sum to 1, or None
    grouped: bool  # whether `groups` came with the data
    grouped_by: str = ""  # the table's column, "near-duplicates", both joined by " and ", or empty
    unreadable: tuple[str, ...] = ()  # files left out because they cannot be read

    @property
    def truth(self) -> NDArray[np.int64]:
        return self.labels

    @property
    def strata(self) -> NDArray[np.int64]:
        return self.labels

    def contents(self) -> dict[str, object]:
        """Files by content, labels, groups and votes."""
        labels = [self.classes[label] for label in self.labels]
        files = [self.root / path for path in self.paths]
        return {"pictures": files, "labels": labels, "votes": self.votes, "groups": self.groups}

    def subset(self, indices: ArrayLike) -> Paintings:
        """The pictures at ``indices``, in that order, with all classes."""
        indices = np.asarray(indices, dtype=np.int64)
        return dataclasses.replace(
            self,
            paths=tuple(self.paths[i] for i in indices),
            labels=self.labels[indices],
            groups=self.groups[indices],
            votes=None if self.votes is None else self.votes[indices],
        )

    @property
    def onehot(self) -> NDArray[np.float64]:
        """(N, C) one-hot labels."""
        return np.eye(len(self.classes))[self.labels]


@dataclasses.dataclass(frozen=True)
class Listing:
    """The pictures that a folder or its table lists, not yet checked or read."""

    paintings: Paintings
    missing: tuple[str, ...] = ()  # rows of the table whose picture does not exist
    loose: tuple[str, ...] = ()  # pictures beside the class folders
    empty: tuple[str, ...] = ()  # class folders without pictures
    merged: tuple[painters.Replacement, ...] = ()  # names of painters and classes that were replaced
    notes: tuple[str, ...] = ()  # how the folder or its table was understood, where it was not plain
    titles: tuple[str, ...] = ()  # of each picture where they may name its painter, else none


def read_paintings(
    root: str | os.PathLike,
    ratings: str | os.PathLike | None = None,
    *,
    skip_unreadable: bool = False,
    group_by: str | None = None,
) -> Paintings:
    """Read the list of pictures, and open each file once to check that it can be read; no pixels are kept.

    Equal files of one class always share a group, whatever the table says: a split between them would leak.

    Args:
        root: folder of the pictures. Without ``ratings``, its ``ratings.csv`` is used if there is one,
            else the names of its sub-folders are the classes.
        ratings: the table described above.
        skip_unreadable: leave out files that cannot be read (they are logged and named in ``unreadable``)
            instead of refusing the folder.
        group_by: the table's group column (equal values stay on one side of a split); by default the first of
            ``painter``, ``group`` and ``artist`` that it has, else every picture is its own group.
            Painters' names are brought together by :func:`workbench.data.painters.merge`.
            ``"near-duplicates"`` adds to that: pictures that look alike share a group
            (:func:`workbench.data.duplicates.group_near_duplicates`).

    Raises:
        DatasetError: no folder, no pictures, a column missing, fewer than two classes, a class with fewer
            than two pictures, one file in two classes, votes that are not shares, or files that cannot be
            read (the first ones are named).
    """
    near = group_by == NEAR_DUPLICATES
    listing = list_paintings(root, ratings, None if near else group_by)
    found = listing.paintings
    if listing.loose:
        raise DatasetError(
            f"Expected one sub-folder per class in {root} but {len(listing.loose)} pictures lie beside them, "
            f"e.g. {listing.loose[0]}. Move them into the folder of their class."
        )
    if listing.empty:
        raise DatasetError(
            f"Expected pictures in every class folder but these have none: {', '.join(listing.empty)}."
        )
    if not found.grouped and not near:
        log.warning(
            "No painters are known: every picture of %s is its own group, so the scores may be too good. "
            'Give a table with a painter column, or group by "near-duplicates".',
            root,
        )
    _check_names(found)
    found = _readable(found, skip_unreadable)
    _check_classes(found)
    found = _join_equal_files(found)
    if near:
        from workbench.data.duplicates import group_near_duplicates

        found = group_near_duplicates(found)
    return found


def list_paintings(
    root: str | os.PathLike, ratings: str | os.PathLike | None = None, group_by: str | None = None
) -> Listing:
    """The pictures that a folder or its table names, unread and unchecked (see :func:`read_paintings`).

    Raises:
        DatasetError: no folder, a table that cannot be read or lacks a column, a row without a label, or
            votes that are not shares.
    """
    root = check_folder(root, "paintings", DatasetError)
    table = Path(ratings) if ratings is not None else root / "ratings.csv"
    if ratings is not None or table.is_file():
        return _from_table(root, table, group_by)
    if group_by is not None:
        raise DatasetError(
            f"Expected a table with the column {group_by} to group by but {root} has class folders only. "
            f'Give a table, or group by "{NEAR_DUPLICATES}".'
        )
    return _from_folders(root)


def _from_folders(root: Path) -> Listing:
    names = [p.relative_to(root).as_posix() for p in list_images(root)]
    folders = {p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")} - SYSTEM_FOLDERS
    notes: list[str] = []
    depth = 0
    if folders and all(name.casefold() in _PARTS for name in folders):
        depth = 1
        folders = {sub.name for f in folders for sub in (root / f).iterdir() if sub.is_dir()} - SYSTEM_FOLDERS
        notes = ["train, val and test are taken as parts of one collection, and what is in them as classes"]
        log.warning("%s: %s.", root, notes[0])
    inside = [name.count("/") > depth or (root / name).is_dir() for name in names]
    loose = tuple(name for name, is_in in zip(names, inside, strict=True) if not is_in)
    names = [name for name, is_in in zip(names, inside, strict=True) if is_in]
    given = [[*n.split("/"), ""][depth] or n for n in names]
    labels, merged = _one_spelling(given)
    paintings = _build(root, names, labels, names, None, "")
    empty = tuple(sorted(folders - set(given)))
    return Listing(paintings, loose=loose, empty=empty, merged=tuple(merged), notes=tuple(notes))


def _one_spelling(names: list[str]) -> tuple[list[str], list[painters.Replacement]]:
    """Names of classes, each in the commonest of the spellings that differ in form only, and what changed."""
    count = Counter(names)
    chosen: dict[str, str] = {}
    for name, _ in sorted(count.items(), key=lambda item: (-item[1], item[0])):
        chosen.setdefault(painters.canonical(name), painters.normalise(name))
    spelled = [chosen[painters.canonical(name)] for name in names]
    changed = dict(zip(names, spelled, strict=True))
    return spelled, [painters.Replacement(a, b, "spelling of a class") for a, b in changed.items() if a != b]


def _from_table(root: Path, table: Path, group_by: str | None) -> Listing:
    columns, rows, respelled = read_table(root, table)
    lacking = [c for c in ("path", "label") if c not in columns]
    if lacking:
        raise DatasetError(
            f"Expected columns path and label in {table.name} but {' and '.join(lacking)} is missing. "
            f"It has: {', '.join(columns) or 'nothing'}."
        )
    if group_by is not None and group_by not in columns:
        raise DatasetError(
            f"Expected a column {group_by} in {table.name} to group by but it has: {', '.join(columns)}."
        )
    there = [bool(r["path"]) and os.path.isfile(root / r["path"]) for r in rows]
    present = [row for row, is_there in zip(rows, there, strict=True) if is_there]
    missing = tuple(row["path"] for row, is_there in zip(rows, there, strict=True) if not is_there)
    if len(present) < len(rows):
        log.warning(
            "%d of the %d pictures in %s are not there.", len(rows) - len(present), len(rows), table.name
        )
    names, labels = [r["path"] for r in present], [r["label"].strip() for r in present]
    unlabelled = [n for n, label in zip(names, labels, strict=True) if not label]
    if unlabelled:
        raise DatasetError(
            f"Expected a label on every row of {table.name} but {len(unlabelled)} have none, "
            f"e.g. {unlabelled[0]}."
        )
    labels, merged = _one_spelling(labels)
    group = group_by or next((c for c in GROUP_COLUMNS if c in columns), "")
    groups, replaced = groups_of(present, names, group)
    merged += replaced
    votes = _votes(present, columns, sorted(set(labels)), table)
    paintings = _build(root, names, labels, groups, votes, group)
    notes = [f"{len(respelled)} paths are written otherwise than their files: {', '.join(respelled[:3])}"]
    notes = notes[: len(respelled)]
    titles = tuple(r.get("title") or "" for r in present) if group in PAINTER_COLUMNS else ()
    return Listing(paintings, missing=missing, merged=tuple(merged), notes=tuple(notes), titles=titles)


def groups_of(
    rows: list[dict], names: list[str], column: str
) -> tuple[list[str], list[painters.Replacement]]:
    """The group of each row, and painters' names that were replaced; without one it is the row's own name."""
    groups = [(r.get(column) or "").strip() for r in rows]
    merged: list[painters.Replacement] = []
    if column in PAINTER_COLUMNS:
        groups, merged = painters.merge(groups, [r.get("title") or "" for r in rows])
    return [g or n for g, n in zip(groups, names, strict=True)], merged


def _votes(rows: list[dict], columns: list[str], classes: list[str], table: Path) -> NDArray | None:
    """(N, C) vote shares, scaled to sum to 1, or None if the table has no votes."""
    raw = raw_votes(rows, columns, classes, table)
    if raw is None:
        return None
    total = raw.sum(1, keepdims=True)
    good = np.isfinite(raw).all(1) & (raw.min(1, initial=0) >= 0) & (total[:, 0] > 0)
    if not good.all():
        bad = rows[int(np.argmin(good))]["path"]
        raise DatasetError(
            f"Expected votes of 0 or more with at least one above 0 but {bad} has others. Correct the row."
        )
    return raw / total


def _build(root, names, labels, groups, votes, grouped_by: str) -> Paintings:
    classes = sorted(set(labels))
    index = np.array([classes.index(label) for label in labels], dtype=np.int64)
    groups = np.array(groups, dtype=np.str_)
    return Paintings(
        root, tuple(names), tuple(classes), index, groups, votes, bool(grouped_by), grouped_by=grouped_by
    )


def _check_names(data: Paintings) -> None:
    if not len(data):
        raise DatasetError(
            f"Expected pictures under {data.root} but found none. Check the folder and the table."
        )
    twice = [name for name, n in Counter(data.paths).items() if n > 1]
    if twice:
        raise DatasetError(
            f"Expected each picture once but {len(twice)} are listed twice, e.g. {twice[0]}. Keep one row."
        )


def unreadable_files(root: Path, names: Iterable[str]) -> dict[str, str]:
    """Those of ``names`` that cannot be read as pictures, with the reason."""
    broken = {}
    for name in names:
        try:
            read_image(root / name)
        except ImageError as error:
            broken[name] = str(error)
    return broken


def _readable(data: Paintings, skip: bool) -> Paintings:
    """Drop unreadable files if ``skip``, else raise."""
    broken = unreadable_files(data.root, data.paths)
    if not broken:
        return data
    some = f"{', '.join(list(broken)[:5])}{', …' if len(broken) > 5 else ''}"
    if not skip:
        raise DatasetError(
            f"Expected pictures that can be read but {len(broken)} cannot: {some}. "
            "Replace or remove them, or ask to skip them."
        )
    for name, reason in broken.items():
        pass_over(data.root / name, reason)
    kept = data.subset([i for i, name in enumerate(data.paths) if name not in broken])
    return dataclasses.replace(kept, unreadable=tuple(broken))


def _check_classes(data: Paintings) -> None:
    count = np.bincount(data.labels, minlength=len(data.classes))
    empty = [c for c, n in zip(data.classes, count, strict=True) if not n]
    if empty:
        raise DatasetError(
            f"Expected pictures that can be read in every class but {', '.join(empty)} has none. "
            "Replace them, or leave the class out."
        )
    if len(data.classes) < 2:
        raise DatasetError(
            f"Expected at least 2 classes but got one ({data.classes[0]}). Add pictures of another."
        )
    small = [c for c, n in zip(data.classes, count, strict=True) if n < 2]
    if small:
        raise DatasetError(
            f"Expected at least 2 pictures of every class but {', '.join(small)} has one. "
            "Add some, or leave it out."
        )


def _join_equal_files(data: Paintings) -> Paintings:
    """Put equal files into one group; raise if their labels differ."""
    from workbench.data.duplicates import equal_files, merge_groups

    equal = equal_files(data.root / path for path in data.paths)
    torn = [members for members in equal if len(set(data.labels[list(members)])) > 1]
    if torn:
        other = next(i for i in torn[0] if data.labels[i] != data.labels[torn[0][0]])
        first, second = data.paths[torn[0][0]], data.paths[other]
        raise DatasetError(
            f"Expected one class a picture but {len(torn)} lie in two or more, e.g. {first} is the same file "
            f"as {second}. Keep one copy."
        )
    if not equal:
        return data
    if data.grouped:
        apart = sum(len(set(data.groups[list(members)])) > 1 for members in equal)
        if apart:
            log.warning("%d pictures are there under two groups: these groups are united.", apart)
    log.warning(
        "%d pictures are there more than once, e.g. %s: equal files stay on one side of every split.",
        len(equal),
        data.paths[equal[0][0]],
    )
    return dataclasses.replace(data, groups=merge_groups(data.groups, equal))
