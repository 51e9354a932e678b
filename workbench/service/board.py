"""Progress of running jobs, with notification of those who wait for a change."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterator


@dataclasses.dataclass(frozen=True)
class JobProgress:
    """Progress of a running job."""

    share: float  # in [0, 1]
    note: str
    since: float  # monotonic time of the attempt's start


class ProgressBoard:
    """The last progress of running jobs, and an event for each subscriber to a job."""

    def __init__(self) -> None:
        self._live: dict[str, JobProgress] = {}
        self._subscribers: dict[str, list[threading.Event]] = {}
        self._lock = threading.Lock()

    def put(self, job: str, live: JobProgress) -> None:
        """Set the progress of a job."""
        with self._lock:
            self._live[job] = live
        self.notify(job)

    def drop(self, job: str) -> None:
        """Remove a job that no longer runs."""
        with self._lock:
            self._live.pop(job, None)
        self.notify(job)

    def get(self, job: str) -> JobProgress | None:
        """Progress of a running job, else None."""
        with self._lock:
            return self._live.get(job)

    def notify(self, job: str) -> None:
        """Notify the subscribers of a change of the job."""
        with self._lock:
            for event in self._subscribers.get(job, ()):
                event.set()

    @contextlib.contextmanager
    def subscribe(self, job: str) -> Iterator[threading.Event]:
        """An event that is set whenever the job changes; the subscriber clears it before reading the job."""
        event = threading.Event()
        with self._lock:
            self._subscribers.setdefault(job, []).append(event)
        try:
            yield event
        finally:
            with self._lock:
                self._subscribers[job].remove(event)
                if not self._subscribers[job]:
                    del self._subscribers[job]
