"""The engine for a cluster: Ray runs each attempt as a task, and a video as several, wherever a CPU is free.

Ray schedules, moves files between machines, and detects dead processes and nodes. It keeps its worker
processes between tasks, so models are loaded once per process. A small actor, the switchboard, passes
progress one way and stop requests the other. Uploads and results are sent through Ray's object store: the
nodes share no folder, and the server opens no upload.

A video has at most as many pieces in Ray's queue as the cluster has CPUs, so that later work waits for some
pieces and not for a whole film.

Source: https://docs.ray.io/en/latest/ray-core/patterns/index.html (limit the number of pending tasks)
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import importlib
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import extras
from workbench.service.engines import Ended, Outcome, Progress, Report, Work
from workbench.service.engines.cluster_tasks import (
    KILL,
    STOP,
    Files,
    Switchboard,
    join_remote,
    run_remote,
    split_remote,
    write,
)
from workbench.service.engines.worker import DISK_FULL
from workbench.service.errors import EngineError

log = logging.getLogger(__name__)

_PART_RETRIES = 2  # of a piece of a video whose node is lost; the other pieces stay
_STARTS = 3  # Ray gives its own processes 15 s to start, which a busy machine may miss
_KILL_GRACE = 10.0  # seconds in which a killed attempt should end; one in Ray's queue cannot


class RayEngine:
    """Attempts as tasks on a Ray cluster.

    Args:
        workers: attempts at a time; of a cluster started here also its CPUs.
        address: of a running cluster, of which this machine is a node ("auto" or "host:port"); None starts
            one here.

    Raises:
        MissingExtraError: Ray is not installed. EngineError: the cluster does not answer.
    """

    def __init__(self, workers: int, address: str | None = None):
        extras.require("cluster")
        ray: Any = importlib.import_module("ray")
        self._ray, self.capacity = ray, workers
        _join_cluster(ray, workers, address)
        self._board = (
            ray.remote(Switchboard)
            .options(num_cpus=0, max_concurrency=1000, max_restarts=-1, max_task_retries=-1)
            .remote()
        )
        self._run = ray.remote(run_remote).options(max_retries=0)
        self._run_part = ray.remote(run_remote).options(max_retries=_PART_RETRIES)
        self._split = ray.remote(split_remote).options(max_retries=0)
        self._join = ray.remote(join_remote).options(max_retries=0)
        self._lock = threading.Lock()
        self._reports: dict[str, Report] = {}
        self._killed: dict[str, float] = {}  # attempt: since when
        self._parts: dict[str, dict[int, float]] = {}  # share done of each part
        self._closed = threading.Event()
        self._listener = threading.Thread(target=self._listen, name="ray-listener", daemon=True)
        self._listener.start()

    def start(self, work: Work, report: Report) -> None:
        """Begin an attempt; a thread of its own waits for Ray's answer."""
        with self._lock:
            self._reports[work.attempt] = report
            self._parts[work.attempt] = {0: 0.0}
        threading.Thread(
            target=self._run_attempt, args=(work, report), name=work.attempt, daemon=True
        ).start()

    def cancel(self, attempt: str) -> None:
        """Ask the attempt's tasks to stop."""
        if attempt in self._reports:
            self._board.end.remote(attempt, STOP)

    def kill(self, attempt: str) -> None:
        """End the processes that run the attempt's tasks."""
        with self._lock:
            if attempt not in self._reports:
                return
            self._killed[attempt] = time.monotonic()  # no further task of it is started
        self._board.end.remote(attempt, KILL)

    def close(self) -> None:
        """Leave the cluster; stop it if it was started here."""
        self._closed.set()
        self._listener.join(5)
        self._ray.shutdown()

    def _run_attempt(self, work: Work, report: Report) -> None:
        errors = self._ray.exceptions
        start = time.perf_counter()
        try:
            ended = self._attempt(work)
        except (errors.RayError, _Killed) as error:
            reason = f"its worker died ({type(error).__name__})"
            ended = Ended(work.attempt, "crashed", reason, time.perf_counter() - start)
        except OSError as error:
            log.exception("an attempt's files failed")
            reason = f"The server's disk failed ({error.strerror}). Come back later."
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                reason = DISK_FULL
            ended = Ended(work.attempt, "failed", reason, time.perf_counter() - start)
        except Exception as error:
            if not self._closed.is_set():
                log.exception("an attempt failed in the engine")
            ended = Ended(work.attempt, "crashed", type(error).__name__, time.perf_counter() - start)
        with self._lock:
            self._reports.pop(work.attempt, None)
            self._parts.pop(work.attempt, None)
            killed = self._killed.pop(work.attempt, None)
        if self._closed.is_set():
            return
        if killed is not None:
            ended = dataclasses.replace(ended, outcome="crashed")
        elif ended.outcome != "done":
            self._board.end.remote(work.attempt, STOP)  # its other pieces
        report(ended)

    def _attempt(self, work: Work) -> Ended:
        names = [path.name for path in work.inputs]
        files = [self._ray.put(_bytes(path)) for path in work.inputs]
        plain = {name: getattr(work, name) for name in ("attempt", "run", "split", "join", "options")}
        pieces = [work.options]
        if work.split:
            outcome, reason, pieces = self._get(work, self._split, self._board, plain, names, *files)
            if outcome != "done":
                return Ended(work.attempt, outcome, reason)
        if len(pieces) == 1:
            answer = self._get(work, self._run, self._board, plain, 0, names, *files)
            return self._finished(work, answer)
        with self._lock:
            self._parts[work.attempt] = dict.fromkeys(range(len(pieces)), 0.0)
        refs: list[Any] = []
        waiting: list[Any] = []
        seconds, remarks = 0.0, dict[str, None]()
        most = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        for number, piece in enumerate(pieces):
            if len(waiting) == most:
                waiting, outcome, reason, spent = self._one_of(work, waiting)
                seconds, remarks = seconds + spent, remarks | {reason: None}
                if outcome != "done":
                    return Ended(work.attempt, outcome, reason, seconds)
            options = plain | {"options": piece}
            refs.append(self._begin(work, self._run_part, self._board, options, number, names, *files))
            waiting.append(refs[-1])
        while waiting:
            waiting, outcome, reason, spent = self._one_of(work, waiting)
            seconds, remarks = seconds + spent, remarks | {reason: None}
            if outcome != "done":
                return Ended(work.attempt, outcome, reason, seconds)
        answer = self._get(work, self._join, self._board, plain, pieces, names, *files, *refs)
        ended = self._finished(work, answer, seconds)
        if ended.outcome != "done":
            return ended
        return dataclasses.replace(ended, reason=" ".join(filter(None, (*remarks, ended.reason))))

    def _one_of(self, work: Work, waiting: Sequence[Any]) -> tuple[list[Any], Outcome, str, float]:
        """Wait for the first piece to end: (remaining pieces, outcome, reason, seconds)"""
        ready, left = self._first(work, waiting)
        outcome, reason, spent, _ = self._ray.get(ready)
        return left, outcome, reason, spent

    def _first(self, work: Work, waiting: Sequence[Any]) -> tuple[Any, list[Any]]:
        while True:
            ready, left = self._ray.wait(list(waiting), timeout=1.0)
            if ready:
                return ready[0], left
            with self._lock:
                killed = self._killed.get(work.attempt)
            if killed is not None and time.monotonic() - killed > _KILL_GRACE:
                raise _Killed

    def _finished(self, work: Work, answer: tuple[Outcome, str, float, Files], seconds: float = 0.0) -> Ended:
        outcome, reason, spent, made = answer
        if outcome == "done":
            write(work.out, made)
        return Ended(work.attempt, outcome, reason, seconds + spent)

    def _begin(self, work: Work, function: Any, *arguments: Any) -> Any:
        with self._lock:
            if work.attempt in self._killed:
                raise _Killed
        return function.remote(*arguments)

    def _get(self, work: Work, function: Any, *arguments: Any) -> Any:
        return self._ray.get(self._first(work, [self._begin(work, function, *arguments)])[0])

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                progress = self._ray.get(self._board.listen.remote(1.0), timeout=30)
            except Exception:
                if not self._closed.wait(1.0):
                    log.exception("the switchboard does not answer")
                continue
            for attempt, parts in progress.items():
                self._pass_on(attempt, parts)

    def _pass_on(self, attempt: str, parts: dict[int, tuple[float, str]]) -> None:
        with self._lock:
            report, shares = self._reports.get(attempt), self._parts.get(attempt)
            if report is None or shares is None:
                return
            shares |= {part: share for part, (share, _) in parts.items() if part in shares}
            share = sum(shares.values()) / len(shares)
        note = next(reversed(parts.values()))[1]
        if len(shares) > 1:
            note = f"Drawn in {len(shares)} pieces"
        report(Progress(attempt, share, note))


def _join_cluster(ray: Any, workers: int, address: str | None) -> None:
    """Connect this process to a running cluster, or start one here with ``workers`` CPUs.

    Raises:
        EngineError: it does not answer, or does not start.
    """
    if address:
        _check_address(address)
    options: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    here = {"address": "local", "num_cpus": workers, "_node_ip_address": "127.0.0.1"}
    options |= {"address": address} if address else here
    for left in reversed(range(1 if address else _STARTS)):
        try:
            with _same_modules(), _without_dashboard(ray):
                ray.init(include_dashboard=None if address else False, **options)
            return
        except Exception as error:  # a plain Exception, if the node is not up in time
            ray.shutdown()
            if not left:
                reason = " ".join(str(error).split())[:200]
                what = f"at {address} does not answer" if address else "does not start here"
                raise EngineError(
                    f"The Ray cluster {what} ({reason}). Look at it with `ray status`."
                ) from error
            log.warning("Ray did not start in time; trying again")


def _check_address(address: str) -> None:
    """Ray itself would try for minutes to reach an address at which nobody listens."""
    host, _, port = address.rpartition(":")
    if port.isdigit():
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except (OSError, OverflowError) as error:
            raise EngineError(
                f"No Ray cluster answers at {address} ({error}). Check the address, or start one: "
                "ray start --head"
            ) from error


@contextlib.contextmanager
def _same_modules() -> Iterator[None]:
    """Processes started meanwhile find the same modules as this one."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


@contextlib.contextmanager
def _without_dashboard(ray: Any) -> Iterator[None]:
    """Ray started meanwhile has no dashboard process.

    Even where dashboard and reports are switched off, that process asks the network which cloud it is in.
    """
    services = ray._private.services
    start = services.start_api_server
    services.start_api_server = lambda *_, **__: (None, None)
    try:
        yield
    finally:
        services.start_api_server = start


class _Killed(Exception):
    """The attempt was killed between two of its tasks, or before Ray began one."""


def _bytes(path: Path) -> NDArray[np.uint8]:
    """A file as an array that Ray copies straight from the file into its store."""
    if path.stat().st_size == 0:
        return np.zeros(0, np.uint8)
    return np.asarray(np.memmap(path, np.uint8, mode="r"))
