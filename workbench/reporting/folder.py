"""The user's folder of pictures, checked once and kept in a form that every notebook reads.

Notebooks take one parameter for the pictures, ``data``. Where the user's labels are in a table elsewhere, or
pictures shall be grouped or left out, a *view* of the folder is written into the run's folder: a link to the
pictures and a ``ratings.csv`` with the groups that were found. The pictures themselves are never copied.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from pathlib import Path

from workbench.core.cache import digest
from workbench.core.errors import WorkbenchError
from workbench.core.files import write_whole
from workbench.data.atelier import open_dataset
from workbench.data.duplicates import group_near_duplicates
from workbench.data.paintings import GROUP_COLUMNS, NEAR_DUPLICATES, Paintings, read_paintings


def is_atelier(data: str | os.PathLike) -> bool:
    """Whether ``data`` asks for painted pictures (``atelier:N``) and not for a folder."""
    return str(data).split(":")[0] == "atelier" and not Path(data).is_dir()


def called(data: str | os.PathLike) -> str:
    """The name of a folder without the places above it: what a report that is passed on may say."""
    return str(data) if is_atelier(data) else Path(data).resolve().name


def open_folder(
    data: str | os.PathLike,
    ratings: str | os.PathLike | None = None,
    group_by: str | None = None,
    skip_unreadable: bool = False,
    features: Path | None = None,
) -> Paintings:
    """The labelled pictures, with the same checks and options as ``workbench train classifier``.

    Args:
        data: a folder, or ``atelier:N``.
        ratings: its table, if it is not ``ratings.csv`` in it.
        group_by: column whose pictures stay together, or ``near-duplicates``.
        skip_unreadable: leave out files that cannot be read instead of refusing the folder.
        features: cache for the features that near-duplicates are found by.

    Raises:
        DatasetError: what :func:`~workbench.data.paintings.read_paintings` refuses.
    """
    if is_atelier(data):
        found = open_dataset(data)
        return group_near_duplicates(found, cache=features) if group_by == NEAR_DUPLICATES else found
    near = group_by == NEAR_DUPLICATES
    found = read_paintings(
        data, ratings, skip_unreadable=skip_unreadable, group_by=None if near else group_by
    )
    return group_near_duplicates(found, cache=features) if near else found


def fingerprint(data: Paintings) -> str:
    """16 digits that change with any picture, label, group or vote."""
    pictures = {path: data.root / path for path in data.paths}
    labels = [data.classes[label] for label in data.labels]
    return digest((pictures, labels, data.groups.tolist(), data.votes))[:16]


def view(data: Paintings, out: Path, name: str, ratings: str | os.PathLike | None = None) -> Path:
    """Write a folder ``out/name`` that reads as ``data``: the same pictures, labels, groups and votes.

    Args:
        data: as opened by :func:`open_folder`.
        out: folder of the run.
        name: of the view; notebooks show it.
        ratings: the table that ``data`` came with, whose other columns are kept.

    Returns:
        The folder. What it held of an earlier view is replaced.

    Raises:
        WorkbenchError: links cannot be made there.
    """
    target = out / name
    target.mkdir(parents=True, exist_ok=True)
    link = target / "pictures"
    try:
        if link.is_symlink():
            link.unlink()
        link.symlink_to(data.root.resolve(), target_is_directory=True)
    except OSError as error:
        raise WorkbenchError(f"{link} cannot be made ({error.strerror}). Choose another --work.") from error
    known = _rows(Path(ratings) if ratings else data.root / "ratings.csv")
    rows = []
    for path, label, group in zip(data.paths, data.labels, data.groups, strict=True):
        kept = {k: v for k, v in known.get(path, {}).items() if k not in ("path", "label", *GROUP_COLUMNS)}
        rows.append(
            {"path": f"pictures/{path}", "label": data.classes[label]}
            | ({"painter": group} if data.grouped_by else {})
            | kept
        )
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(text.getvalue().encode(), target / "ratings.csv")
    return target


def _rows(table: Path) -> dict[str, dict[str, str]]:
    if not table.is_file():
        return {}
    with table.open(encoding="utf-8-sig", newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def features_cache(data: str | os.PathLike) -> Path:
    """Where the features that near-duplicates are found by are kept for a folder."""
    from platformdirs import user_cache_path

    name = str(data) if is_atelier(data) else str(Path(data).resolve())
    key = hashlib.sha256(name.encode()).hexdigest()[:12]
    cache = user_cache_path("painter-psychology-workbench", appauthor=False)
    return cache / "reports" / f"features-{key}"
