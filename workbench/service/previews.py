"""Interactive tasks, whose visitor waits for the result: pictures, readings, one frame of a film.

Their input is read in place, and nothing about them is stored. They run in two worker processes of their own,
so they never wait for a job. The first is for quick tasks. A task that turns out to be slow, such as a large
picture, defers itself before it starts and runs in the second worker, which has the lower priority.

Owners take turns; the requests of one owner are served in order. When a visitor leaves, waiting requests are
dropped, and a running one ends at its next progress report.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import itertools
import logging
import os
import secrets
import shutil
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.core.errors import CancelledError, WorkbenchError
from workbench.service.engines import BACKGROUND, Ended, Engine, Progress, Work
from workbench.service.errors import LimitError
from workbench.service.limits import Limits, network
from workbench.service.tasks import WARM_UP, Task

log = logging.getLogger(__name__)

QUICK, LARGE = "quick", "large"
QUICK_SECONDS, LARGE_SECONDS = 60.0, 600.0  # time limit of a task, from its first progress report
_LOADING_SECONDS = 300.0  # time limit until then: process start and imports are slow on a busy machine
_REMEMBERED = 10_000  # owners and addresses whose last turn is kept


class Preview:
    """A task whose visitor waits for it. Leaving its ``with`` block stops it.

    Attributes:
        share: fraction done, in [0, 1].
        note: the current step.
        lane: the worker that it waits for or runs on, :data:`QUICK` or :data:`LARGE`.
    """

    def __init__(self, runner: PreviewRunner, work: Work, task: Task, owner: str, address: str, page: str):
        self.work, self.owner, self.address, self.page = work, owner, address, page
        self.share, self.note, self.lane = 0.0, "", QUICK
        self.number = next(_numbers)
        self.is_late = False  # whether it was stopped by its time limit
        self._runner, self._task = runner, task
        self._outcome: concurrent.futures.Future[Path | WorkbenchError] = concurrent.futures.Future()
        self._outcome.set_running_or_notify_cancel()

    def __enter__(self) -> Preview:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    @property
    def ended(self) -> bool:
        """Whether the task has ended, with a result or without."""
        return self._outcome.done()

    @property
    def words(self) -> str:
        """The status to show to the visitor."""
        ahead = self._runner.ahead(self)
        if not ahead:
            return self.note or "Starting"
        return "1 picture before yours" if ahead == 1 else f"{ahead} pictures before yours"

    @property
    def seconds(self) -> float:
        """The time limit of the task."""
        return min(self._task.seconds, QUICK_SECONDS if self.lane == QUICK else LARGE_SECONDS)

    def result(self, timeout: float | None = None) -> Path:
        """Wait for the task; the folder with the files of its result.

        Raises:
            WorkbenchError: the task's own error; or it took too long, or its worker died.
            CancelledError: it was stopped.
        """
        outcome = self._outcome.result(timeout)
        if isinstance(outcome, WorkbenchError):
            raise outcome
        return outcome

    async def wait(self, seconds: float) -> bool:
        """Wait at most ``seconds``; whether the task has ended."""
        await asyncio.wait([asyncio.wrap_future(self._outcome)], timeout=seconds)
        return self.ended

    def end(self, outcome: Path | WorkbenchError) -> None:
        """Set the outcome; called once, by the runner."""
        self.share = self.share if isinstance(outcome, WorkbenchError) else 1.0
        self._outcome.set_result(outcome)

    def cancel(self) -> None:
        """Stop the task: if it waits, it is dropped; if it runs, it ends at its next progress report."""
        self._runner.stop(self)


_numbers = itertools.count()


class _Lane:
    """A worker and its queue. The engine is started with the first task."""

    def __init__(self, nice: int, threads: int):
        self.waiting: list[Preview] = []
        self.running: Preview | None = None
        self._nice, self._threads = nice, threads
        self._engine: Engine | None = None
        self._timer = threading.Timer(0, lambda: None)
        self._starting = threading.Lock()

    def engine(self) -> Engine:
        with self._starting:
            if self._engine is None:
                from workbench.service.engines.local import LocalEngine

                self._engine = LocalEngine(1, self._threads, self._nice)
            return self._engine

    def kill_after(self, seconds: float, preview: Preview, is_late: bool) -> None:
        """Kill the current attempt after ``seconds`` if it is still running."""
        attempt = preview.work.attempt

        def kill() -> None:
            if self.running is preview and preview.work.attempt == attempt:
                preview.is_late = is_late
                self.engine().kill(attempt)

        self._timer.cancel()
        self._timer = threading.Timer(seconds, kill)
        self._timer.daemon = True
        self._timer.start()

    def set_idle(self) -> None:
        """Mark the worker as idle."""
        self._timer.cancel()
        self.running = None

    def close(self) -> None:
        self._timer.cancel()
        with self._starting:
            if self._engine is not None:
                self._engine.close()


class PreviewRunner:
    """Runs interactive tasks.

    Args:
        new_folder: makes the result folder of a warm-up.
        limits: per owner, per address, and in total.
        threads: compute threads of each worker; 0 for all processors.
    """

    def __init__(self, new_folder: Callable[[], Path], limits: Limits | None = None, threads: int = 0):
        self._new_folder = new_folder
        self._limits, self._lock = limits or Limits(), threading.Lock()
        self._lanes = {QUICK: _Lane(0, threads), LARGE: _Lane(BACKGROUND, threads)}
        self._open: set[Preview] = set()
        self._served: OrderedDict[str, int] = OrderedDict()  # owner or address: the newest request begun
        self._turns = itertools.count(1)
        self._closed = False

    def start(
        self,
        task: Task,
        inputs: Sequence[str | os.PathLike],
        options: Mapping[str, Any] | None,
        out: Path,
        owner: str = "",
        address: str = "",
        page: str = "",
    ) -> Preview:
        """Queue a task and return at once.

        Args:
            task: what to do.
            inputs: files, which the task only reads; they must stay until it has ended.
            options: of the task; the rest by default.
            out: an empty folder for the result, removed if there is none.
            owner: of the request; owners take turns.
            address: the client's network address; addresses take turns, too.
            page: the visitor's page, for :meth:`stop_page`.

        Raises:
            LimitError: too many are waiting, or the file is too large. WorkbenchError: an option is wrong.
        """
        chosen, paths = task.check(options, self._limits), tuple(map(Path, inputs))
        if any(path.stat().st_size > task.input_bytes for path in paths):
            raise LimitError(f"Expected a file of at most {task.input_bytes / 1e6:g} MB. Save it smaller.")
        work = Work(f"preview-{secrets.token_hex(8)}", task.run, paths, chosen, out, quick=True)
        place = network(address)
        preview = Preview(self, work, task, owner, place, page)
        with self._lock:
            self._check(owner, place)
            self._open.add(preview)
            self._lanes[QUICK].waiting.append(preview)
        self._next(QUICK)
        return preview

    def prepare(self) -> None:
        """Have the quick worker load the models most asked for, visitors in between; returns at once."""
        for what in ("drawing", "reading"):
            out = self._new_folder()
            with contextlib.suppress(WorkbenchError):
                self.start(WARM_UP, (), {"what": what}, out)

    def ahead(self, preview: Preview) -> int | None:
        """How many tasks are served before this one; None if it is running or has ended."""
        with self._lock:
            lane = self._lanes[preview.lane]
            if preview not in lane.waiting:
                return None
            return self._order(lane).index(preview) + (lane.running is not None)

    def stop(self, preview: Preview) -> None:
        """As :meth:`Preview.cancel`."""
        with self._lock:
            if preview not in self._open:
                return
            lane = self._lanes[preview.lane]
            runs = lane.running is preview
            if runs:
                lane.kill_after(self._limits.cancel_seconds, preview, is_late=False)
            else:
                lane.waiting.remove(preview)
        if runs:
            lane.engine().cancel(preview.work.attempt)
        self._close(preview, CancelledError("Stopped, as you asked."))

    def stop_page(self, owner: str, page: str | None) -> None:
        """Stop all tasks of an owner's page: it was closed, or its visitor cancelled."""
        with self._lock:
            theirs = [p for p in self._open if page and (p.owner, p.page) == (owner, page)]
        for preview in theirs:
            preview.cancel()

    def close(self) -> None:
        """Stop the workers; waiting tasks end with an error."""
        with self._lock:
            self._closed, left = True, list(self._open)
        for preview in left:
            self._close(preview, WorkbenchError("The server is being stopped. Come back in a minute."))
        for lane in self._lanes.values():
            lane.close()

    def _check(self, owner: str, address: str) -> None:
        limits = self._limits
        if self._closed:
            raise WorkbenchError("The server is being stopped. Come back in a minute.")
        if sum(p.owner == owner for p in self._open) >= limits.previews:
            raise LimitError(
                f"You wait for {limits.previews} pictures, which is the most. Wait for one of them."
            )
        full = address and sum(p.address == address for p in self._open) >= limits.previews_per_address
        if full or len(self._open) >= limits.previews_in_total:
            raise LimitError("Too many people are waiting at the moment. Come back in a minute.")

    def _order(self, lane: _Lane) -> list[Preview]:
        """The queue in order of service: every owner's first request before anyone's second."""
        seen: Counter[str] = Counter()
        keys = {}
        for preview in sorted(lane.waiting, key=lambda p: p.number):
            served = self._served.get(preview.address, 0), self._served.get(preview.owner, 0)
            keys[preview] = seen[preview.owner], *served, preview.number
            seen[preview.owner] += 1
        return sorted(lane.waiting, key=keys.__getitem__)

    def _next(self, name: str) -> None:
        lane = self._lanes[name]
        with self._lock:
            if lane.running is not None or not lane.waiting or self._closed:
                return
            preview = self._order(lane)[0]
            lane.waiting.remove(preview)
            lane.running = preview
            turn = next(self._turns)
            for who in (preview.address, preview.owner):
                self._served[who] = turn
                self._served.move_to_end(who)
            while len(self._served) > _REMEMBERED:
                self._served.popitem(last=False)
            lane.kill_after(_LOADING_SECONDS, preview, is_late=True)
        is_loading = True

        def hear(message: Progress | Ended) -> None:
            nonlocal is_loading
            if isinstance(message, Progress):
                if is_loading and not preview.ended:
                    is_loading = False
                    lane.kill_after(preview.seconds, preview, is_late=True)
                preview.share, preview.note = message.share, message.note
            else:
                self._ended(preview, lane, message)

        lane.engine().start(preview.work, hear)

    def _ended(self, preview: Preview, lane: _Lane, ended: Ended) -> None:
        with self._lock:
            lane.set_idle()
            is_wanted = preview in self._open
            is_deferred = ended.outcome == "deferred" and is_wanted
            if is_deferred:
                attempt = f"{preview.work.attempt}-{LARGE}"
                preview.work = dataclasses.replace(preview.work, attempt=attempt, quick=False)
                preview.lane, preview.share, preview.note = LARGE, 0.0, ""
                self._lanes[LARGE].waiting.append(preview)
        if not is_wanted:
            _discard(preview)
        elif not is_deferred:
            self._close(preview, preview.work.out if ended.outcome == "done" else _problem(ended, preview))
        for name in self._lanes:
            self._next(name)

    def _close(self, preview: Preview, outcome: Path | WorkbenchError) -> None:
        with self._lock:
            if preview not in self._open:
                return
            self._open.discard(preview)
            runs = any(lane.running is preview for lane in self._lanes.values())
        if isinstance(outcome, WorkbenchError) and not runs:  # a running worker still writes there
            _discard(preview)
        preview.end(outcome)


def _problem(ended: Ended, preview: Preview) -> WorkbenchError:
    if ended.outcome == "cancelled":
        return CancelledError(ended.reason)
    if ended.outcome == "failed":
        return WorkbenchError(ended.reason)
    if preview.is_late:
        return WorkbenchError(
            f"It took longer than {preview.seconds:g} s and was stopped. Try a smaller file."
        )
    log.warning("a preview was lost: %s", ended.reason)
    return WorkbenchError(
        f"Opening this file crashed the worker ({ended.reason}). It may be damaged, or need more memory "
        "than there is. Save it again, smaller or in another format."
    )


def _discard(preview: Preview) -> None:
    shutil.rmtree(preview.work.out, ignore_errors=True)
