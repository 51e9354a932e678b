"""Quick looks: short tasks for somebody who is waiting, on a worker of their own.

A look is no job: its input stays where it is, nothing is recorded, nothing is kept. It has the one thing of a
job that an upload needs: whatever a hostile file does to a decoder, it does to a process that can be
replaced. A worker of their own keeps looks quick while the jobs' workers draw for hours.
"""

from __future__ import annotations

import os
import queue
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workbench.core.errors import CancelledError, WorkbenchError
from workbench.service.engines import Ended, Engine, Progress, Work

SECONDS = 60.0  # that one look may take
_PATIENCE = 0.1  # seconds between looks at the clock


class Looks:
    """Runs looks one after the other.

    Args:
        make: makes the engine that runs them; called at the first look, so that who never looks pays nothing.
    """

    def __init__(self, make: Callable[[], Engine]):
        self._make, self._lock = make, threading.Lock()
        self._engine: Engine | None = None
        self._closed = self._prepared = False

    def prepare(self, task: str) -> None:
        """Have the worker ready before the first look, with what ``task`` loads; returns at once."""
        engine = self._started()
        with self._lock:
            first, self._prepared = not self._prepared, True
        if first:
            engine.start(Work(f"look-{secrets.token_hex(8)}", task, (), {}, Path()), lambda _: None)

    def run(
        self,
        task: str,
        inputs: tuple[str | os.PathLike, ...],
        options: Mapping[str, Any],
        out: Path,
        progress: Callable[[float, str], None] | None = None,
        seconds: float = SECONDS,
    ) -> None:
        """Run ``task`` and return when its files lie in ``out``.

        Args:
            task: "module:function" as of :class:`workbench.service.tasks.Kind`.
            inputs: files, which the task only reads.
            options: as the task takes them; the caller has checked them.
            out: an empty folder.
            progress: called with the share done, in [0, 1], and what is being done; an exception that it
                raises stops the look.
            seconds: that the task may take once it has begun.

        Raises:
            WorkbenchError: what the task refused, in its words; or it took too long, or its worker died.
        """
        engine = self._started()
        heard: queue.SimpleQueue[Progress | Ended] = queue.SimpleQueue()
        attempt = f"look-{secrets.token_hex(8)}"
        engine.start(Work(attempt, task, tuple(Path(path) for path in inputs), dict(options), out), heard.put)
        begun: float | None = None
        late = False
        try:
            while True:
                try:
                    message = heard.get(timeout=_PATIENCE)
                except queue.Empty:
                    message = None
                match message:
                    case Ended():
                        break
                    case Progress():
                        begun = begun or time.monotonic()
                        if progress is not None:
                            progress(message.share, message.note)
                if begun is not None and time.monotonic() - begun > seconds and not late:
                    late = True
                    engine.kill(attempt)
        except BaseException:
            engine.cancel(attempt)
            raise
        if late:
            raise WorkbenchError(f"Looking at it took longer than {seconds:g} s. Cut or shrink it first.")
        if message.outcome == "cancelled":
            raise CancelledError(message.reason)
        if message.outcome == "crashed":
            raise WorkbenchError("The file brought its reader down. Export it again, as H.264 in MP4.")
        if message.outcome == "failed":
            raise WorkbenchError(message.reason)

    def close(self) -> None:
        """Stop the worker."""
        with self._lock:
            self._closed = True
            if self._engine is not None:
                self._engine.close()

    def _started(self) -> Engine:
        with self._lock:
            if self._closed:
                raise WorkbenchError("The server is being stopped. Come back in a minute.")
            if self._engine is None:
                self._engine = self._make()
            return self._engine
