"""The user's folder of pictures in a form that every notebook reads.

Notebooks take one parameter for the pictures, ``data``. If the user's labels are in a table elsewhere, or
pictures are to be grouped or left out, a *view* of the folder is written into the folder of the run: a link
to the pictures and a ``ratings.csv`` with the groups. The pictures themselves are never copied.
"""

from __future__ import annotations

import os
from pathlib import Path

from workbench.core.errors import WorkbenchError
from workbench.core.runs import write_rows
from workbench.data.atelier import is_atelier
from workbench.data.painting_tables import read_table
from workbench.data.paintings import GROUP_COLUMNS, Paintings


def folder_name(data: str | os.PathLike) -> str:
    """The name of a folder without its path, which a shared report should not reveal."""
    return str(data) if is_atelier(data) else Path(data).resolve().name


def view(data: Paintings, out: Path, name: str, ratings: str | os.PathLike | None = None) -> Path:
    """Write a folder ``out/name`` that reads as ``data``: the same pictures, labels, groups and votes.

    Args:
        data: the labelled pictures.
        out: folder of the run.
        name: of the view; notebooks show it.
        ratings: the table of ``data``, whose other columns are kept.

    Returns:
        The folder; an earlier view in it is replaced.

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
    table = Path(ratings) if ratings else data.root / "ratings.csv"
    known = {row["path"]: row for row in read_table(data.root, table)[1]} if table.is_file() else {}
    rows = []
    for path, label, group in zip(data.paths, data.labels, data.groups, strict=True):
        kept = {k: v for k, v in known.get(path, {}).items() if k not in ("path", "label", *GROUP_COLUMNS)}
        rows.append(
            {"path": f"pictures/{path}", "label": data.classes[label]}
            | ({"painter": group} if data.grouped_by else {})
            | kept
        )
    write_rows(rows, target / "ratings.csv")
    return target
