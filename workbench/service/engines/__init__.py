"""The interface of an engine, which runs one attempt of a task at a time in each of its workers.

An engine knows nothing of owners, database or retries. It receives :class:`Work`, reports through the
``report`` function, and ends every attempt with exactly one :class:`Ended`, whatever happens to the worker.
Two engines pass the same contract tests: :mod:`.local` and :mod:`.cluster`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol

from workbench.core.errors import UnknownNameError

Outcome = Literal["done", "failed", "cancelled", "crashed", "deferred"]
NAMES = ("local", "ray")
BACKGROUND = 5  # niceness of the workers for background jobs


@dataclasses.dataclass(frozen=True)
class Work:
    """One attempt at one task."""

    attempt: str  # unique; never used again
    run: str  # "module:function", from the server's own list of tasks
    inputs: tuple[Path, ...]
    options: Any  # the task's config dataclass
    out: Path  # an empty folder: whatever lies in it at the end is the result
    quick: bool = False  # whether this worker is for quick tasks only, and slow ones are deferred
    split: str = ""  # "module:function" that cuts the input into parts, and
    join: str = ""  # "module:function" that puts their results together, in order


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far an attempt is."""

    attempt: str
    share: float  # in [0, 1]
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Ended:
    """How an attempt ended."""

    attempt: str
    outcome: Outcome
    reason: str = ""  # one line for the owner: why there is no result, or notes about it
    seconds: float = 0.0  # that workers spent on it


Report = Callable[[Progress | Ended], None]


class Engine(Protocol):
    """Runs attempts on a fixed number of long-lived workers, which keep their models."""

    capacity: int  # attempts at a time

    def start(self, work: Work, report: Report) -> None:
        """Begin an attempt and return at once. ``report`` is called from a thread of the engine's."""

    def cancel(self, attempt: str) -> None:
        """Ask the attempt's task to stop at its next progress report. Unknown attempts are ignored."""

    def kill(self, attempt: str) -> None:
        """Stop the attempt by force: it ends as crashed, and its worker is replaced if it must go too."""

    def close(self) -> None:
        """Stop every worker and wait for it."""


def create(name: str, workers: int, *, address: str | None = None) -> Engine:
    """An engine by name: "local", or "ray" with the ``address`` of a cluster (None starts one here).

    Raises:
        UnknownNameError: no such engine. EngineError: it cannot be started.
    """
    if name == "local":
        from workbench.service.engines.local import LocalEngine

        return LocalEngine(workers, nice=BACKGROUND)
    if name == "ray":
        from workbench.service.engines.cluster import RayEngine

        return RayEngine(workers, address)
    raise UnknownNameError("engine", name, NAMES)
