"""Limits per owner, per address and in total."""

from __future__ import annotations

import collections
import dataclasses
import ipaddress
import shutil
import threading
import time
from pathlib import Path

from workbench.service.errors import LimitError, StorageError
from workbench.styles.options import VideoLimits


@dataclasses.dataclass(frozen=True)
class Limits:
    """The platform's limits."""

    active_jobs: int = 20  # of one owner, waiting or running
    active_jobs_per_address: int = 200  # whatever the number of cookies
    queued_jobs: int = 1000  # of all owners
    previews: int = 8  # that one owner may wait for at a time: pictures, readings, frames
    previews_per_address: int = 64
    previews_in_total: int = 200
    jobs_per_minute: int = 30  # of one owner
    jobs_per_minute_per_address: int = 120  # whatever the number of cookies
    owner_bytes: int = 2_000_000_000  # inputs and results of one owner
    upload_bytes: int = 2_000_000_000  # of one owner's uploads that are not submitted yet
    upload_bytes_per_address: int = 10_000_000_000
    upload_bytes_in_total: int = 20_000_000_000
    result_bytes: int = 1_000_000_000  # of one owner's results outside jobs; beyond it the oldest are removed
    result_bytes_in_total: int = 10_000_000_000
    free_bytes: int = 200_000_000  # kept free on the disk, for the database
    keep_days: float = 7.0  # finished jobs of accounts
    keep_days_anonymous: float = 1.0
    attempts: int = 3  # of a job whose worker dies
    film: VideoLimits = dataclasses.field(default_factory=VideoLimits)  # that is opened: size and length
    stall_seconds: float = 300.0  # without any progress, before an attempt is stopped
    cancel_seconds: float = 5.0  # between asking a task to stop and stopping its worker

    def check_disk(self, folder: Path) -> int:
        """Bytes that may be written below ``folder``.

        Raises:
            StorageError: none, for the disk is nearly full.
        """
        free = shutil.disk_usage(folder).free - self.free_bytes
        if free <= 0:
            raise StorageError("The server's disk is nearly full. Come back later.")
        return free


class Rate:
    """At most ``most`` events in any ``seconds`` for each key, in constant memory a key.

    Keys without events for ``seconds`` are dropped. Safe to share between threads.
    """

    def __init__(self, most: int, seconds: float = 60.0, clock=time.monotonic):
        self.most, self.seconds, self._clock = most, seconds, clock
        self._events: dict[str, collections.deque[float]] = {}
        self._lock = threading.Lock()
        self._swept = clock()

    def __len__(self) -> int:
        """Number of keys in memory."""
        return len(self._events)

    def take(self, key: str) -> None:
        """Count one event.

        Raises:
            LimitError: too many events; the text says how long to wait.
        """
        now = self._clock()
        with self._lock:
            if now - self._swept > self.seconds:
                self._swept = now
                for old in [k for k, e in self._events.items() if e[-1] <= now - self.seconds]:
                    del self._events[old]
            events = self._events.setdefault(key, collections.deque(maxlen=self.most))
            if len(events) == self.most and events[0] > now - self.seconds:
                wait = events[0] + self.seconds - now
                raise LimitError(
                    f"Expected at most {self.most} requests in {self.seconds:g} s. Wait {wait:.0f} s."
                )
            events.append(now)


def network(address: str) -> str:
    """The address that limits apply to: of IPv6 the 64 bits that one customer has."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))
