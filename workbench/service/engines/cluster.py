"""The engine for a cluster: Ray runs each attempt as a task, and a video as many, wherever a CPU is free.

Ray schedules, moves files between machines and notices dead processes and nodes; nothing of that is written
here. Ray keeps its worker processes between tasks, so models are loaded once a process. A small actor, the
switchboard, carries words of progress one way and wishes to stop the other. Uploads and results travel
through Ray's object store: the nodes share no folder, and no upload is opened in the server.

Source: https://docs.ray.io/en/latest/ray-core/patterns/index.html
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.service.engines import Ended, Progress, Report, Work
from workbench.service.engines.worker import Context, find, run_task
from workbench.service.errors import EngineError

log = logging.getLogger(__name__)

_ASK = 0.1  # seconds between questions to the switchboard whether to stop
_PART_RETRIES = 2  # of a piece of a video whose node is lost; the other pieces stay
Files = dict[str, NDArray[np.uint8]]  # names and bytes of a folder


class Switchboard:
    """An asynchronous Ray actor: what tasks say, and which attempts shall stop."""

    def __init__(self) -> None:
        self._words: dict[str, dict[int, tuple[float, str]]] = {}
        self._stopped: set[str] = set()
        self._news = asyncio.Event()

    async def tell(self, attempt: str, part: int, share: float, note: str) -> None:
        self._words.setdefault(attempt, {})[part] = (share, note)
        self._news.set()

    async def stopped(self, attempt: str) -> bool:
        return attempt in self._stopped

    async def stop(self, attempt: str) -> None:
        self._stopped.add(attempt)

    async def forget(self, attempt: str) -> None:
        self._stopped.discard(attempt)
        self._words.pop(attempt, None)

    async def listen(self, seconds: float) -> dict[str, dict[int, tuple[float, str]]]:
        """What was said since the last call, by attempt and part, after at most ``seconds``."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)
        self._news.clear()
        words, self._words = self._words, {}
        return words


def run_remote(
    board: Any, work: dict[str, Any], part: int, names: list[str], *files: NDArray[np.uint8]
) -> tuple[str, str, float, Files]:
    """In a Ray worker: one task, or one piece of it. (outcome, reason, seconds, result files)"""
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        inputs, out = _unpack(Path(folder), names, files)
        context = _context(board, work["attempt"], part, out)
        start = time.perf_counter()
        outcome, reason = run_task(work["run"], inputs, work["options"], context)
        return outcome, reason, time.perf_counter() - start, _read(out) if outcome == "done" else {}


def split_remote(split: str, options: dict[str, Any], names: list[str], *files: NDArray[np.uint8]):
    """In a Ray worker: (outcome, reason, options of each piece)"""
    pieces: list[dict[str, Any]] = []

    def collect(inputs, options, context) -> None:
        pieces.extend(find(split)(inputs, options))

    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        inputs, out = _unpack(Path(folder), names, files)
        return *run_task(collect, inputs, options, Context(out, lambda *_: None, lambda: False)), pieces


def join_remote(
    board: Any,
    work: dict[str, Any],
    pieces: list[dict[str, Any]],
    names: list[str],
    inputs_count: int,
    *files: Any,
) -> tuple[str, str, float, Files]:
    """In a Ray worker: what `run_remote` made of the pieces, put together in order.

    ``files`` are the inputs, then each piece's answer, as Ray hands over what its references stood for.
    """
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        inputs, out = _unpack(Path(folder), names, files[:inputs_count])
        context = _context(board, work["attempt"], len(pieces), out)
        parts = []
        for number, (_, _, _, made) in enumerate(files[inputs_count:]):
            parts.append(Path(folder) / f"part-{number:05d}")
            parts[-1].mkdir()
            write(parts[-1], made)

        def join(inputs, options, context) -> None:
            find(work["join"])(inputs, pieces, parts, context)

        start = time.perf_counter()
        outcome, reason = run_task(join, inputs, {}, context)
        return outcome, reason, time.perf_counter() - start, _read(out) if outcome == "done" else {}


class RayEngine:
    """Attempts as tasks on a Ray cluster.

    Args:
        workers: attempts at a time; of a cluster started here also its CPUs.
        address: of a running cluster ("auto", "host:port", "ray://…"); None starts one on this machine.

    Raises:
        EngineError: Ray is not installed, or the cluster does not answer.
    """

    def __init__(self, workers: int, address: str | None = None):
        try:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
            ray: Any = importlib.import_module("ray")  # an extra
        except ImportError as error:
            raise EngineError(
                "Expected Ray to be installed. Run: pip install 'painter-psychology-workbench[cluster]'"
            ) from error
        self._ray, self.capacity = ray, workers
        options: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
        if address is None:
            path = os.pathsep.join(entry for entry in sys.path if entry)
            options |= {"num_cpus": workers, "include_dashboard": False, "address": "local"}
            options |= {"runtime_env": {"env_vars": {"PYTHONPATH": path}}}
        else:
            options |= {"address": address}
        try:
            ray.init(**options)
        except Exception as error:  # a plain one, if the node is not up within 30 s
            ray.shutdown()
            raise EngineError(f"The Ray cluster {address or 'here'} does not start ({error}).") from error
        self._board = ray.remote(Switchboard).options(num_cpus=0, max_concurrency=1000).remote()
        self._run = ray.remote(run_remote).options(max_retries=0)
        self._run_part = ray.remote(run_remote).options(max_retries=_PART_RETRIES)
        self._split = ray.remote(split_remote).options(max_retries=0)
        self._join = ray.remote(join_remote).options(max_retries=0)
        self._lock = threading.Lock()
        self._reports: dict[str, Report] = {}
        self._refs: dict[str, list[Any]] = {}  # of the attempt's tasks
        self._parts: dict[str, dict[int, float]] = {}  # share done of each part
        self._closed = threading.Event()
        self._listener = threading.Thread(target=self._listen, name="ray-listener", daemon=True)
        self._listener.start()

    def start(self, work: Work, report: Report) -> None:
        """Begin an attempt; a thread of its own waits for Ray's answer."""
        with self._lock:
            self._reports[work.attempt] = report
            self._refs[work.attempt] = []
            self._parts[work.attempt] = {0: 0.0}
        threading.Thread(
            target=self._see_through, args=(work, report), name=work.attempt, daemon=True
        ).start()

    def cancel(self, attempt: str) -> None:
        """Ask the attempt's tasks to stop."""
        if attempt in self._reports:
            self._board.stop.remote(attempt)

    def kill(self, attempt: str) -> None:
        """Kill the processes that run the attempt's tasks."""
        with self._lock:
            refs = self._refs.pop(attempt, [])  # and no further task is begun
        for ref in refs:
            self._ray.cancel(ref, force=True)

    def close(self) -> None:
        """Leave the cluster; stop it if it was started here."""
        self._closed.set()
        self._listener.join(5)
        self._ray.shutdown()

    def _see_through(self, work: Work, report: Report) -> None:
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
            ended = Ended(work.attempt, "failed", reason, time.perf_counter() - start)
        except Exception as error:
            log.exception("an attempt failed in the engine")
            ended = Ended(work.attempt, "crashed", type(error).__name__, time.perf_counter() - start)
        with self._lock:
            refs = self._refs.pop(work.attempt, [])
            self._reports.pop(work.attempt, None)
            self._parts.pop(work.attempt, None)
        if self._closed.is_set():
            return
        if ended.outcome != "done":
            for ref in refs:  # the other pieces
                with contextlib.suppress(errors.RayError):
                    self._ray.cancel(ref, force=True)
        self._board.forget.remote(work.attempt)
        report(ended)

    def _attempt(self, work: Work) -> Ended:
        names = [path.name for path in work.inputs]
        files = [self._ray.put(_bytes(path)) for path in work.inputs]
        plain = {"attempt": work.attempt, "run": work.run, "join": work.join, "options": work.options}
        pieces = [work.options]
        if work.split:
            outcome, reason, pieces = self._get(work, self._split, work.split, work.options, names, *files)
            if outcome != "done":
                return Ended(work.attempt, outcome, reason)
        if len(pieces) == 1:
            answer = self._get(work, self._run, self._board, plain, 0, names, *files)
            return self._finished(work, answer)
        with self._lock:
            self._parts[work.attempt] = dict.fromkeys(range(len(pieces)), 0.0)
        refs = [
            self._begin(work, self._run_part, self._board, plain | {"options": piece}, number, names, *files)
            for number, piece in enumerate(pieces)
        ]
        seconds, waiting = 0.0, list(refs)
        while waiting:
            ready, waiting = self._ray.wait(waiting)
            outcome, reason, spent, _ = self._ray.get(ready[0])
            seconds += spent
            if outcome != "done":
                return Ended(work.attempt, outcome, reason, seconds)
        answer = self._get(work, self._join, self._board, plain, pieces, names, len(files), *files, *refs)
        return self._finished(work, answer, seconds)

    def _finished(self, work: Work, answer: tuple[str, str, float, Files], seconds: float = 0.0) -> Ended:
        outcome, reason, spent, made = answer
        if outcome == "done":
            write(work.out, made)
        return Ended(work.attempt, outcome, reason, seconds + spent)

    def _begin(self, work: Work, function: Any, *arguments: Any) -> Any:
        with self._lock:
            if work.attempt not in self._refs:
                raise _Killed
            ref = function.remote(*arguments)
            self._refs[work.attempt].append(ref)
            return ref

    def _get(self, work: Work, function: Any, *arguments: Any) -> Any:
        return self._ray.get(self._begin(work, function, *arguments))

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                words = self._ray.get(self._board.listen.remote(1.0), timeout=30)
            except Exception:
                if not self._closed.wait(1.0):
                    log.exception("the switchboard does not answer")
                continue
            for attempt, parts in words.items():
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
            note = f"{len(shares)} pieces at once"
        report(Progress(attempt, share, note))


class _Killed(Exception):
    """The attempt was killed between two of its tasks."""


def _context(board: Any, attempt: str, part: int, out: Path) -> Context:
    ray: Any = importlib.import_module("ray")

    asked, stop = 0.0, False

    def stopped() -> bool:
        nonlocal asked, stop
        if not stop and time.monotonic() - asked >= _ASK:
            stop = ray.get(board.stopped.remote(attempt))
            asked = time.monotonic()
        return stop

    return Context(out, lambda share, note: board.tell.remote(attempt, part, share, note), stopped)


def _unpack(folder: Path, names: list[str], files: tuple) -> tuple[tuple[Path, ...], Path]:
    """(paths of the inputs, empty folder for the result)"""
    (folder / "input").mkdir()
    (folder / "out").mkdir()
    write(folder / "input", dict(zip(names, files, strict=True)))
    return tuple(folder / "input" / name for name in names), folder / "out"


def write(folder: Path, files: Files) -> None:
    """Write files by name, without a copy of their bytes in memory."""
    for name, data in files.items():
        with (folder / name).open("wb") as file:
            file.write(memoryview(data))


def _bytes(path: Path) -> NDArray[np.uint8]:
    """A file as an array that Ray copies straight from the file into its store."""
    if path.stat().st_size == 0:
        return np.zeros(0, np.uint8)
    return np.asarray(np.memmap(path, np.uint8, mode="r"))


def _read(folder: Path) -> Files:
    return {path.name: np.fromfile(path, np.uint8) for path in sorted(folder.iterdir()) if path.is_file()}
