"""A CSV table of runs that is written row by row, resumes after interruption, and checks content keys.

A study is a plan of runs, each named by a few key columns (model, seed, fold, …). :class:`Runs` writes every
finished run at once, with its provenance (commit, device, versions, date, seconds), and knows which
runs are finished, so an interrupted study resumes. With a content key
(:func:`workbench.core.cache.key`) a run counts as done only if it was made from today's data and settings.
"""

from __future__ import annotations

import csv
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tqdm import tqdm

from workbench.core.cells import guarded, unguarded
from workbench.core.errors import DatasetError
from workbench.core.files import write_whole
from workbench.core.provenance import provenance

KEY = "key"  # column of the content key
_LAST = ("seconds", "commit", "device", "versions", "date", KEY)
log = logging.getLogger(__name__)


class Runs:
    """Rows of one study in a CSV file.

    Args:
        path: the CSV; its folder is made if need be. Rows already there are kept.
        keys: the columns that name a run. They come first, then the measured columns, then the provenance.
        device: for the provenance.
        content_key: of a run, from its key columns as texts. Rows that have another, or none, are of other
            data or settings: they do not count as done, and the table that has them is kept aside before this
            one is written. None takes rows as they are: to read a table, or where nothing can change.

    Raises:
        DatasetError: the file has other key columns: it belongs to another study.
    """

    def __init__(
        self,
        path: str | Path,
        keys: Iterable[str],
        device: str = "cpu",
        content_key: Callable[[Mapping[str, str]], str] | None = None,
    ):
        self.path, self.keys, self.device, self._content_key = Path(path), tuple(keys), device, content_key
        rows = read_rows(self.path)
        missing = [k for k in self.keys if rows and k not in rows[0]]
        if missing:
            raise DatasetError(
                f"Expected columns {', '.join(self.keys)} in {self.path.name} but {', '.join(missing)} "
                "is missing. Write this study into another folder."
            )
        self.rows = [
            row for row in rows if content_key is None or row.get(KEY) == content_key(self._names(row))
        ]
        self._outdated = len(rows) - len(self.rows)
        self._done = {self._key(row) for row in self.rows}

    def _names(self, row: Mapping) -> dict[str, str]:
        return {k: str(row[k]) for k in self.keys}

    def _key(self, row: Mapping) -> tuple[str, ...]:
        return tuple(self._names(row).values())

    def __contains__(self, key: Mapping) -> bool:
        """Whether the run named by the key columns of ``key`` is finished."""
        return self._key(key) in self._done

    def add(self, key: Mapping, *measured: Mapping, seconds: float, stamp: bool = True) -> None:
        """Write the rows of one finished run: one per mapping of ``measured``, each under the same key. They
        take the place of rows that the run has already.

        ``stamp=False`` leaves seconds and provenance out: for tables of details beside one that has them.
        Numbers are written with full precision.
        """
        origin: dict[str, object] = {}
        if stamp:
            origin |= {"seconds": round(seconds, 1), **provenance(self.device)}
        if self._content_key is not None:
            origin[KEY] = self._content_key(self._names(key))
        if key in self:
            self.rows = [row for row in self.rows if self._key(row) != self._key(key)]
        for values in measured:
            row = {**{k: key[k] for k in self.keys}, **values, **origin}
            self.rows.append({k: repr(float(v)) if isinstance(v, float) else str(v) for k, v in row.items()})
        self._done.add(self._key(key))
        self._write()

    def _write(self) -> None:
        if self._outdated:
            self._outdated = 0
            kept = set_aside(self.path)
            log.warning(
                "%s had rows of other data or settings: the old table is now %s, and they are measured anew.",
                self.path.name,
                kept.name,
            )
        columns = list(dict.fromkeys([*self.keys, *(column for row in self.rows for column in row)]))
        columns = [c for c in columns if c not in _LAST] + [c for c in _LAST if c in columns]
        write_rows(self.rows, self.path, columns)

    def do(
        self, plan: Iterable[Mapping], run: Callable[..., Mapping | Sequence[Mapping]], desc: str = "runs"
    ) -> Path:
        """Do every run of ``plan`` that is not there yet; return the CSV's path.

        Args:
            plan: one mapping per run with exactly the key columns.
            run: called with those as keyword arguments; returns one row of measurements, or several.
            desc: of the progress bar.
        """
        plan = list(plan)
        todo = [key for key in plan if key not in self]
        if self._outdated:
            self._write()
        for key in tqdm(todo, desc=desc, unit="run", disable=None):
            start = time.perf_counter()
            measured = run(**key)
            rows = [measured] if isinstance(measured, Mapping) else list(measured)
            self.add(key, *rows, seconds=time.perf_counter() - start)
        return self.path


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV; none if there is no such file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [
            {unguarded(k): unguarded(text or "") for k, text in row.items()} for row in csv.DictReader(file)
        ]


def write_rows(rows: Iterable[Mapping], path: Path, columns: Iterable[str] | None = None) -> Path:
    """Write rows as CSV, whole or not at all; a row without a column has an empty cell there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(csv_text(rows, columns).encode(), path)
    return path


def csv_text(rows: Iterable[Mapping], columns: Iterable[str] | None = None) -> str:
    """Rows as the text of a CSV; a row without a column has an empty cell there."""
    rows = list(rows)
    names = (
        list(dict.fromkeys(column for row in rows for column in row)) if columns is None else list(columns)
    )
    lines: list[str] = []  # csv quotes only those line ends that it writes itself: it writes "\r\n"
    file: Any = SimpleNamespace(write=lines.append)
    writer = csv.DictWriter(file, names, restval="", lineterminator="\r\n")
    writer.writerow({name: guarded(str(name)) for name in names})
    writer.writerows({k: guarded(str(value)) for k, value in row.items()} for row in rows)
    return "".join(line.removesuffix("\r\n") + "\n" for line in lines)


def set_aside(path: Path) -> Path:
    """Rename a file to ``NAME_before_1.csv``, or the next number that is free; return the new path."""
    number = 1
    while (kept := path.with_name(f"{path.stem}_before_{number}{path.suffix}")).exists():
        number += 1
    path.rename(kept)
    return kept
