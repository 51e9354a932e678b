"""The inside of a worker process: take an attempt, run it, tell of it, take the next.

A process lives for many attempts, so the modules that tasks import and the models that these keep are
loaded once a worker and not once a request.
"""

from __future__ import annotations

import errno
import importlib
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from workbench.core.errors import CancelledError, WorkbenchError
from workbench.service.engines import Ended, Progress, Work

log = logging.getLogger(__name__)

CANCEL = "cancel"
DISK_FULL = "The disk is full. Delete old jobs, or come back later."
MOST_REPORTS = 20.0  # a second; more would only be thrown away
Task = Callable[..., None]


class Context:
    """What a task is given besides its inputs: where to write, whom to tell, whether to stop.

    Attributes:
        out: the folder for the result's files.
    """

    def __init__(self, out: Path, tell: Callable[[float, str], None], cancelled: Callable[[], bool]):
        self.out, self._tell, self._cancelled = out, tell, cancelled
        self._last = 0.0

    def cancelled(self) -> bool:
        """Whether the owner wants the task to stop."""
        return self._cancelled()

    def progress(self, share: float, note: str = "") -> None:
        """Tell the share done, in [0, 1].

        Raises:
            CancelledError: the owner wants the task to stop; let it through.
        """
        if self._cancelled():
            raise CancelledError("Stopped, as you asked.")
        now = time.monotonic()
        if now - self._last >= 1 / MOST_REPORTS:
            self._last = now
            self._tell(min(max(float(share), 0.0), 1.0), note)


def find(dotted: str) -> Callable[..., Any]:
    """The function that "module:function" names."""
    module, _, name = dotted.partition(":")
    return getattr(importlib.import_module(module), name)


def run_task(run: str | Task, inputs: tuple[Path, ...], options: dict, context: Context) -> tuple[str, str]:
    """Run one task, given or found by its "module:function"; what it raises becomes (outcome, reason).

    A :class:`WorkbenchError` is the owner's to know word by word. Anything else is a bug: its text may name
    paths, so it goes to the log, and only its kind to the owner.
    """
    try:
        (find(run) if isinstance(run, str) else run)(inputs, options, context)
    except CancelledError as error:
        return "cancelled", _line(error)
    except WorkbenchError as error:
        return "failed", _line(error)
    except MemoryError:
        return "failed", "There is not enough memory for this. Try a smaller picture or video."
    except OSError as error:
        log.exception("a task failed")
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return "failed", DISK_FULL
        return "failed", f"The work failed ({type(error).__name__}). It was written to the server's log."
    except Exception as error:
        log.exception("a task failed")
        return "failed", f"The work failed ({type(error).__name__}). It was written to the server's log."
    return "done", ""


def main(connection: Connection, threads: int) -> None:
    """The process: :class:`Work` comes in through ``connection``, Progress and Ended go out.

    Args:
        threads: computing threads of this worker.
    """
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

    context = Context(
        work.out, lambda share, note: connection.send(Progress(work.attempt, share, note)), cancelled
    )
    start = time.perf_counter()
    outcome, reason = run_task(work.run, work.inputs, work.options, context)
    connection.send(Ended(work.attempt, outcome, reason, time.perf_counter() - start))


def _end_with_parent() -> None:
    """A worker never outlives its server: nobody would take its results."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:500]
