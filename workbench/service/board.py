"""How far running jobs are, for those who wait for news of them."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterator


@dataclasses.dataclass(frozen=True)
class Live:
    """How far a running job is."""

    share: float  # in [0, 1]
    note: str
    since: float  # monotonic time of the attempt's start


class Board:
    """What running jobs said last, and a bell for each of those who wait for news of one job."""

    def __init__(self) -> None:
        self._live: dict[str, Live] = {}
        self._bells: dict[str, list[threading.Event]] = {}
        self._lock = threading.Lock()

    def put(self, job: str, live: Live) -> None:
        """A word of progress."""
        with self._lock:
            self._live[job] = live
        self.ring(job)

    def drop(self, job: str) -> None:
        """The job no longer runs."""
        with self._lock:
            self._live.pop(job, None)
        self.ring(job)

    def get(self, job: str) -> Live | None:
        """How far a running job is."""
        with self._lock:
            return self._live.get(job)

    def ring(self, job: str) -> None:
        """Something about the job has changed."""
        with self._lock:
            for bell in self._bells.get(job, ()):
                bell.set()

    @contextlib.contextmanager
    def listening(self, job: str) -> Iterator[threading.Event]:
        """An event that is set whenever the job changes; the listener clears it before it looks."""
        bell = threading.Event()
        with self._lock:
            self._bells.setdefault(job, []).append(bell)
        try:
            yield bell
        finally:
            with self._lock:
                self._bells[job].remove(bell)
                if not self._bells[job]:
                    del self._bells[job]
