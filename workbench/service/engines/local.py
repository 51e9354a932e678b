"""The default engine: worker processes on this machine, each supervised by a Pykka actor.

Pykka has no supervision of its own, so it is built from three parts: the process's sentinel notifies its
supervisor of any death, however sudden; the supervisor ends the attempt as crashed and starts a new process;
and a process that keeps dying at start is restarted with exponential backoff.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import logging
import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.connection import wait
from typing import Any

import pykka

from workbench.service.engines import Ended, Outcome, Progress, Report, Work
from workbench.service.engines.worker import CANCEL, main

log = logging.getLogger(__name__)

_SPAWN = multiprocessing.get_context("spawn")  # a forked copy of a threaded server may hang
_STABLE_SECONDS = 5.0  # seconds; a process that dies sooner counts as a failed start
_MAX_BACKOFF = 30.0  # seconds between starts, at most


@dataclasses.dataclass(frozen=True)
class _Run:
    work: Work
    report: Report


@dataclasses.dataclass(frozen=True)
class _Cancel:
    attempt: str


@dataclasses.dataclass(frozen=True)
class _Kill:
    attempt: str


@dataclasses.dataclass(frozen=True)
class _FromProcess:
    """A message from the process; None when it has died."""

    generation: int
    message: Progress | Ended | None


class WorkerSupervisor(pykka.ThreadingActor):
    """Keeps one worker process alive and tracks its current attempt.

    Args:
        freed: called with this actor's reference whenever its worker can take the next attempt.
        threads: compute threads of the process.
        nice: niceness of the process.
    """

    use_daemon_thread = True

    def __init__(self, freed, threads: int, nice: int):
        super().__init__()
        self._freed, self._arguments = freed, (threads, nice)
        self._current: _Run | None = None
        self._generation = 0
        self._early_deaths = 0
        self.pid: int | None = None

    def on_start(self) -> None:
        self._spawn()

    def on_stop(self) -> None:
        self._generation += 1
        with contextlib.suppress(OSError):
            self._pipe.send(None)
        self._process.join(0.5 if self._current is None else 0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._pipe.close()

    def on_receive(self, message: Any) -> None:
        match message:
            case _Run():
                self._current = message
                self._send(message.work)
            case _Cancel(attempt) if self._current and self._current.work.attempt == attempt:
                self._send((CANCEL, attempt))
            case _Kill(attempt) if self._current and self._current.work.attempt == attempt:
                self._process.kill()  # its sentinel reports the death
            case _FromProcess(generation, heard) if generation == self._generation:
                if heard is None:
                    self._handle_death()
                elif self._current and heard.attempt == self._current.work.attempt:
                    self._on_message(heard, self._current.report)

    def _on_message(self, heard: Progress | Ended, report: Report) -> None:
        if isinstance(heard, Ended):
            self._current = None
        report(heard)
        if isinstance(heard, Ended):
            self._freed(self.actor_ref)

    def _handle_death(self) -> None:
        """The process has died: end its attempt as crashed and start a new process."""
        self._process.join()
        code = self._process.exitcode
        how = f"signal {signal.Signals(-code).name}" if code and code < 0 else f"exit code {code}"
        log.warning("worker %s died (%s)", self.pid, how)
        lived = time.monotonic() - self._born
        run, self._current = self._current, None
        is_early = lived <= _STABLE_SECONDS and run is None  # a death during an attempt is the task's fault
        self._early_deaths = self._early_deaths + 1 if is_early else 0
        self._pipe.close()
        if run is not None:
            run.report(Ended(run.work.attempt, "crashed", f"its worker died ({how})", lived))
        if self._early_deaths > 2:
            time.sleep(min(_MAX_BACKOFF, 0.5 * 2**self._early_deaths))
        self._spawn()
        if run is not None:
            self._freed(self.actor_ref)

    def _send(self, message: Any) -> None:
        with contextlib.suppress(OSError):  # the process is dead: its sentinel reports it
            self._pipe.send(message)

    def _spawn(self) -> None:
        """Start a process; retry with exponential backoff where that fails."""
        self._generation += 1
        for failures in itertools.count(1):
            self._pipe, theirs = _SPAWN.Pipe()
            self._process = _SPAWN.Process(target=main, args=(theirs, *self._arguments), daemon=True)
            try:
                self._process.start()
                break
            except Exception:  # killed before it could read what to do, no room for a process, or a bug:
                log.exception("a worker did not start")  # without its supervisor it never would
                self._pipe.close()
                time.sleep(min(_MAX_BACKOFF, 0.05 * 2**failures))
            finally:
                theirs.close()
        self.pid, self._born = self._process.pid, time.monotonic()
        threading.Thread(
            target=_listen,
            args=(self.actor_ref, self._generation, self._pipe, self._process.sentinel),
            name=f"listener-{self.pid}",
            daemon=True,
        ).start()


def _listen(actor: pykka.ActorRef, generation: int, pipe, sentinel: int) -> None:
    """Forward a process's messages until it dies, including those sent just before."""
    with contextlib.suppress(pykka.ActorDeadError, OSError, EOFError):
        while True:
            ready = wait([pipe, sentinel])
            if pipe in ready:
                try:
                    actor.tell(_FromProcess(generation, pipe.recv()))
                    continue
                except (EOFError, OSError):
                    wait([sentinel])
            actor.tell(_FromProcess(generation, None))
            return


class LocalEngine:
    """Worker processes on this machine.

    Args:
        workers: how many processes.
        threads: compute threads of each; 0 shares the machine's processors among them.
        nice: niceness of the processes, 0 to 19.
    """

    def __init__(self, workers: int, threads: int = 0, nice: int = 0):
        self.capacity = workers
        threads = threads or max(1, len(processors()) // workers)
        self._lock = threading.Lock()
        self._at: dict[str, pykka.ActorRef] = {}  # attempt: its worker's supervisor
        self._waiting: list[_Run] = []
        self._closed = False
        self._workers = [WorkerSupervisor.start(self._next, threads, nice) for _ in range(workers)]
        self._free = list(self._workers)

    def start(self, work: Work, report: Report) -> None:
        """Begin an attempt on a free worker, or as soon as there is one."""
        with self._lock:
            self._waiting.append(_Run(work, report))
        self._next(None)

    def cancel(self, attempt: str) -> None:
        """Ask the attempt's task to stop."""
        self._stop(attempt, _Cancel(attempt), "cancelled")

    def kill(self, attempt: str) -> None:
        """Kill the attempt's process."""
        self._stop(attempt, _Kill(attempt), "crashed")

    def _stop(self, attempt: str, message: _Cancel | _Kill, outcome: Outcome) -> None:
        with self._lock:
            waiting = [run for run in self._waiting if run.work.attempt == attempt]
            self._waiting = [run for run in self._waiting if run.work.attempt != attempt]
            worker = self._at.get(attempt)
        for run in waiting:
            run.report(Ended(attempt, outcome, "stopped before it began"))
        if worker is not None:
            with contextlib.suppress(pykka.ActorDeadError):
                worker.tell(message)

    def close(self) -> None:
        """Stop all workers; attempts that run end unreported."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
        for worker in self._workers:
            worker.stop(block=False)
        for worker in self._workers:
            worker.actor_stopped.wait(30)

    def _next(self, freed: pykka.ActorRef | None) -> None:
        with self._lock:
            if freed is not None:
                self._at = {attempt: at for attempt, at in self._at.items() if at is not freed}
                self._free.append(freed)
            while self._waiting and self._free and not self._closed:
                run, worker = self._waiting.pop(0), self._free.pop(0)
                self._at[run.work.attempt] = worker
                worker.tell(run)


def processors() -> set[int]:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))
