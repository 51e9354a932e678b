"""The SQLite file of a study's raters and answers, synced to disk before the next trial is shown.

``synchronous=FULL`` syncs the file at every commit, so that neither a killed process nor a power
cut loses an acknowledged answer. Source: https://www.sqlite.org/pragma.html#pragma_synchronous
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from workbench.core.errors import WorkbenchError

_BUSY_SECONDS = 30.0  # to wait for another process such as `workbench rate --export`
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS raters (
    number INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, place TEXT NOT NULL, trials TEXT NOT NULL,
    began REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS answers (
    rater INTEGER NOT NULL REFERENCES raters (number), trial INTEGER NOT NULL, given TEXT NOT NULL,
    saved REAL NOT NULL, PRIMARY KEY (rater, trial)
);
"""


class RaterRow(NamedTuple):
    """A rater."""

    number: int
    place: Any  # in the design
    trials: list[dict[str, Any]]
    began: float  # seconds since 1970, UTC
    answered: int  # trials
    last: float  # when the last answer was saved, or `began`


class AnswerRow(NamedTuple):
    """The answers to one trial."""

    rater: int
    trial: int
    given: dict[str, Any]
    saved: float


class Store:
    """Safe to share between threads, and between processes.

    Args:
        path: of the file; created if missing, readable by this user only.

    Raises:
        WorkbenchError: it cannot be opened.
    """

    def __init__(self, path: Path):
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
                self._connection.execute(f"PRAGMA {pragma}")
            self._connection.executescript(_TABLES)
        except (OSError, sqlite3.Error) as error:
            raise WorkbenchError(f"{path} cannot be opened as a study's answers ({error}).") from error

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Cursor]:
        """One transaction: on disk when the block ends, or rolled back."""
        with self._lock:
            cursor = self._connection.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
                cursor.execute("COMMIT")
            finally:
                if self._connection.in_transaction:  # SQLite may have ended it: the disk was full
                    cursor.execute("ROLLBACK")

    def _read(self, query: str, *values: Any) -> list[tuple]:
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    def meta(self, name: str, default: str) -> str:
        """A fact about the study; ``default`` is written if there is none."""
        with self.write() as cursor:
            cursor.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (name, default))
            return str(cursor.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()[0])

    def set_meta(self, name: str, value: str) -> None:
        """Change a fact."""
        with self.write() as cursor:
            cursor.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def raters(self, code: str | None = None) -> list[RaterRow]:
        """All raters, or the one whose code has this digest."""
        wanted, values = ("", ()) if code is None else ("WHERE code = ?", (code,))
        rows = self._read(
            "SELECT number, place, trials, began, count(trial), coalesce(max(saved), began) FROM raters "
            f"LEFT JOIN answers ON rater = number {wanted} GROUP BY number ORDER BY number",
            *values,
        )
        return [RaterRow(n, json.loads(place), json.loads(t), *rest) for n, place, t, *rest in rows]

    def answers(self) -> list[AnswerRow]:
        """All answers, rater by rater in the order of their trials."""
        rows = self._read("SELECT rater, trial, given, saved FROM answers ORDER BY rater, trial")
        return [AnswerRow(rater, trial, json.loads(given), saved) for rater, trial, given, saved in rows]

    def add_rater(
        self, number: int, code: str, place: Any, trials: list[dict[str, Any]], began: float
    ) -> None:
        """Store a new rater, identified by the digest of a code."""
        row = (number, code, json.dumps(place), json.dumps(trials, ensure_ascii=False), began)
        with self.write() as cursor:
            cursor.execute("INSERT INTO raters VALUES (?, ?, ?, ?, ?)", row)

    def add_answer(self, rater: int, trial: int, given: dict[str, Any]) -> int:
        """Store the answers to a trial, unless it was answered before.

        Returns:
            Number of trials that the rater has answered.

        Raises:
            IndexError: an earlier trial of the rater is unanswered.
        """
        with self.write() as cursor:
            count = cursor.execute("SELECT count(*) FROM answers WHERE rater = ?", (rater,)).fetchone()[0]
            if trial > count:
                raise IndexError(trial)
            if trial < count:
                return int(count)
            text = json.dumps(given, ensure_ascii=False)
            cursor.execute("INSERT INTO answers VALUES (?, ?, ?, ?)", (rater, trial, text, time.time()))
            return int(count) + 1

    def remove(self, rater: int) -> bool:
        """Delete a rater with all answers; return whether there was one."""
        with self.write() as cursor:
            cursor.execute("DELETE FROM answers WHERE rater = ?", (rater,))
            return cursor.execute("DELETE FROM raters WHERE number = ?", (rater,)).rowcount > 0

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
