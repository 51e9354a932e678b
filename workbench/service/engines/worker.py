"""The main loop of a worker process: receive an attempt, run it, report, receive the next.

A process serves many attempts, so modules and models are loaded once per worker, not once per request.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from workbench.core.devices import is_out_of_memory
from workbench.core.errors import CancelledError, WorkbenchError
from workbench.service.engines import Ended, Outcome, Progress, Work

log = logging.getLogger(__name__)

CANCEL = "cancel"
DISK_FULL = "The disk is full. Delete old jobs, or come back later."
MAX_REPORTS = 20.0  # per second; more frequent ones are dropped
Function = Callable[..., None]


class Context:
    """A task's connection to its worker: where to write, how to report progress, whether to stop.

    Attributes:
        out: the folder for the result's files.
        remarks: notes for the owner about the result.
    """

    def __init__(
        self,
        out: Path,
        tell: Callable[[float, str], None] = lambda share, note: None,
        cancelled: Callable[[], bool] = lambda: False,
        quick: bool = False,
    ):
        self.out, self._tell, self._cancelled, self._quick = out, tell, cancelled, quick
        self._last = 0.0
        self.remarks: list[str] = []

    def remark(self, text: str) -> None:
        """Add a note for the owner about the result."""
        self.remarks.append(text)

    def expect_long(self) -> None:
        """Announce, before the work, that it takes more than a second or two: a worker for quick tasks then
        ends this attempt, and another worker runs the task.
        """
        if self._quick:
            raise _Deferred

    def cancelled(self) -> bool:
        """Whether the owner wants the task to stop."""
        return self._cancelled()

    def progress(self, share: float, note: str = "") -> None:
        """Report the fraction done, in [0, 1].

        Raises:
            CancelledError: the owner wants the task to stop; let it through.
        """
        if self._cancelled():
            raise CancelledError("Stopped, as you asked.")
        now = time.monotonic()
        if now - self._last >= 1 / MAX_REPORTS:
            self._last = now
            self._tell(min(max(float(share), 0.0), 1.0), note)


class _Deferred(Exception):
    """The task takes too long for the worker of quick tasks."""


def find(dotted: str) -> Callable[..., Any]:
    """Import the function named "module:function"."""
    module, _, name = dotted.partition(":")
    return getattr(importlib.import_module(module), name)


def run_task(
    run: str | Function, inputs: tuple[Path, ...], options: Any, context: Context
) -> tuple[Outcome, str]:
    """Run one task, given or found by its "module:function"; what it raises becomes (outcome, reason).

    The text of a :class:`WorkbenchError` is shown to the owner. Any other exception is a bug: its text may
    contain paths, so it goes to the log, and the owner sees only its type.
    """
    try:
        (find(run) if isinstance(run, str) else run)(inputs, options, context)
    except _Deferred:
        return "deferred", ""
    except CancelledError as error:
        return "cancelled", _line(error)
    except WorkbenchError as error:
        return "failed", _line(error)
    except Exception as error:
        log.exception("a task failed")
        if isinstance(error, MemoryError) or ("torch" in sys.modules and is_out_of_memory(error)):
            return "failed", "There is not enough memory for this. Try a smaller picture or video."
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return "failed", DISK_FULL
        return "failed", f"The work failed ({type(error).__name__}). It was written to the server's log."
    return "done", " ".join(context.remarks)


def main(connection: Connection, threads: int, nice: int = 0) -> None:
    """The process: :class:`Work` comes in through ``connection``, Progress and Ended go out.

    Args:
        threads: compute threads of this worker.
        nice: niceness of the process, 0 to 19, where the system supports it.
    """
    if hasattr(os, "nice"):
        os.nice(nice)
    with contextlib.suppress(OSError):  # when memory runs out, Linux should kill the worker, not the server
        Path("/proc/self/oom_score_adj").write_text("500")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to handle
    threading.Thread(target=_end_with_parent, name="watchdog", daemon=True).start()
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    while True:
        try:
            message = connection.recv()
        except (EOFError, OSError):
            return
        if isinstance(message, Work):
            _attempt(connection, message)
        elif message is None:
            return


def _attempt(connection: Connection, work: Work) -> None:
    stop = False

    def cancelled() -> bool:
        nonlocal stop
        while not stop and connection.poll():
            stop = connection.recv() == (CANCEL, work.attempt)
        return stop

    def tell(share: float, note: str) -> None:
        connection.send(Progress(work.attempt, share, note))

    context = Context(work.out, tell, cancelled, work.quick)
    start = time.perf_counter()
    outcome, reason = run_task(work.run, work.inputs, work.options, context)
    connection.send(Ended(work.attempt, outcome, reason, time.perf_counter() - start))


def _end_with_parent() -> None:
    """End with the server: nobody would receive the results."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:500]
