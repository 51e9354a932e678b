"""A table of runs that grows row by row and survives interruption.

A study is a plan of runs, each named by a few key columns (model, seed, fold, …). :class:`Runs` writes every
finished run at once, with where it comes from (commit, device, versions, date, seconds), and says which
runs are already there, so an interrupted study goes on where it stopped.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tqdm import tqdm

from workbench.core.cells import guarded, unguarded
from workbench.core.errors import DatasetError
from workbench.core.files import write_whole
from workbench.core.provenance import provenance

_LAST = ("seconds", "commit", "device", "versions", "date")


class Runs:
    """Rows of one study in a CSV file.

    Args:
        path: the CSV; its folder is made if need be. Rows already there are kept.
        keys: the columns that name a run. They come first, then the measured columns, then the provenance.
        device: for the provenance.

    Raises:
        DatasetError: the file has other key columns: it belongs to another study.
    """

    def __init__(self, path: str | Path, keys: Iterable[str], device: str = "cpu"):
        self.path, self.keys, self.device = Path(path), tuple(keys), device
        self.rows: list[dict[str, str]] = []
        if self.path.is_file():
            with self.path.open(encoding="utf-8", newline="") as file:
                self.rows = [
                    {name: unguarded(text or "") for name, text in row.items()}
                    for row in csv.DictReader(file)
                ]
            missing = [k for k in self.keys if self.rows and k not in self.rows[0]]
            if missing:
                raise DatasetError(
                    f"Expected columns {', '.join(self.keys)} in {self.path.name} but {', '.join(missing)} "
                    "is missing. Write this study into another folder."
                )
        self._done = {self._key(row) for row in self.rows}

    def _key(self, row: Mapping) -> tuple[str, ...]:
        return tuple(str(row[k]) for k in self.keys)

    def __contains__(self, key: Mapping) -> bool:
        """Whether the run named by the key columns of ``key`` is finished."""
        return self._key(key) in self._done

    def add(self, key: Mapping, *measured: Mapping, seconds: float, stamp: bool = True) -> None:
        """Write the rows of one finished run: one a mapping of ``measured``, each under the same key.

        ``stamp=False`` leaves seconds and provenance out: for tables of details beside one that has them.
        """
        origin = {"seconds": round(seconds, 1), **provenance(self.device)} if stamp else {}
        for values in measured:
            row = {**{k: key[k] for k in self.keys}, **values, **origin}
            self.rows.append({k: f"{v:.6g}" if isinstance(v, float) else str(v) for k, v in row.items()})
        self._done.add(self._key(key))
        columns = list(dict.fromkeys(column for row in self.rows for column in row))
        columns = [c for c in columns if c not in _LAST] + [c for c in _LAST if c in columns]
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, fieldnames=columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: guarded(text) for name, text in row.items()} for row in self.rows)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(text.getvalue().encode(), self.path)

    def do(
        self, plan: Iterable[Mapping], run: Callable[..., Mapping | list[Mapping]], desc: str = "runs"
    ) -> Path:
        """Do every run of ``plan`` that is not there yet; return the CSV's path.

        Args:
            plan: one mapping a run with exactly the key columns.
            run: called with those as keyword arguments; returns one row of measurements, or several.
            desc: of the progress bar.
        """
        plan = list(plan)
        todo = [key for key in plan if key not in self]
        for key in tqdm(todo, desc=desc, unit="run", disable=None):
            start = time.perf_counter()
            measured = run(**key)
            rows = [measured] if isinstance(measured, Mapping) else list(measured)
            self.add(key, *rows, seconds=time.perf_counter() - start)
        return self.path
