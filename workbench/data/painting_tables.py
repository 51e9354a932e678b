"""Tables of pictures as people write them: separators, paths in other spellings, votes of any kind."""

from __future__ import annotations

import csv
import io
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import DatasetError
from workbench.data import painters
from workbench.data.images import list_images

log = logging.getLogger(__name__)

VOTES = "votes_"


def csv_rows(table: Path) -> tuple[list[str], list[dict[str, str]], str]:
    """Columns, rows and separator of a CSV table, whose separator is a comma, a semicolon or a tab.

    Raises:
        DatasetError: the table cannot be read.
    """
    try:
        text = table.read_text(encoding="utf-8-sig")
        csv.field_size_limit(max(csv.field_size_limit(), len(text)))
        separator = max(",;\t", key=text.partition("\n")[0].count)
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
        rows = [{k: v or "" for k, v in row.items() if k is not None} for row in reader]
        return list(reader.fieldnames or ()), rows, separator
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(
            f"Expected a CSV table in UTF-8 at {table} but it cannot be read ({error})."
        ) from error


def read_table(root: Path, table: Path) -> tuple[list[str], list[dict[str, str]], list[str]]:
    """Columns and rows of a table of pictures, and how paths were understood that are written otherwise.

    A path that leads nowhere is replaced by that of the only
    file whose name differs in case, Unicode form, backslashes or spaces around.

    Raises:
        DatasetError: the table cannot be read.
    """
    columns, rows, _ = csv_rows(table)
    lost = [row for row in rows if row.get("path") and not os.path.isfile(root / row["path"])]
    if not lost:
        return columns, rows, []
    files: dict[str, list[str]] = {}
    for path in list_images(root):
        name = path.relative_to(root).as_posix()
        files.setdefault(_path_key(name), []).append(name)
    found = []
    for row in lost:
        alike = files.get(_path_key(row["path"]), [])
        if len(alike) == 1:
            found.append(f"{row['path']} is {alike[0]}")
            row["path"] = alike[0]
    if found:
        log.warning(
            "%d paths of %s are written otherwise than their files, e.g. %s.",
            len(found),
            table.name,
            found[0],
        )
    return columns, rows, found


def _path_key(path: str) -> str:
    parts = [painters.canonical(part) for part in re.split(r"[/\\\\]", path.strip())]
    return "/".join(part for part in parts if part not in ("", "."))


def raw_votes(
    rows: Sequence[dict], columns: Sequence[str], classes: Sequence[str], table: Path
) -> NDArray[np.float64] | None:
    """(N, C) votes as the table has them, or None without; a cell like "40 %" is a percentage.

    Raises:
        DatasetError: a class without a column, or a cell that is no number.
    """
    have = {painters.canonical(c[len(VOTES) :]): c for c in columns if c.casefold().startswith(VOTES)}
    if not have or not rows:
        return None
    missing = [c for c in classes if painters.canonical(c) not in have]
    if missing:
        raise DatasetError(
            f"Expected a column {VOTES}CLASS for every class in {table.name} but {missing} have none."
        )
    names = [have[painters.canonical(c)] for c in classes]
    try:
        return np.array([[float(row[c].strip().removesuffix("%") or 0) for c in names] for row in rows])
    except ValueError as error:
        raise DatasetError(
            f"Expected numbers in the votes columns of {table.name} but got another ({error})."
        ) from error
