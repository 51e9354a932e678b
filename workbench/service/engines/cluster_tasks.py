"""Tasks in the workers of a Ray cluster, and the actor that connects them with the server.

``ray.cancel`` is not used: as of Ray 2.60, with ``force`` it aborts the caller, here the server, if the task
ends at the same moment. Instead, a thread beside every task polls the switchboard for stop requests and ends
its own process if asked to.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.service.engines import Outcome
from workbench.service.engines.worker import Context, find, run_task

STOP, KILL = "stop", "kill"
_POLL_SECONDS = 0.2  # between questions to the switchboard
_MAX_STOP_REQUESTS = 10_000  # kept, since an attempt may still be in Ray's queue when it is given up
Files = dict[str, NDArray[np.uint8]]  # names and bytes of a folder


class Switchboard:
    """An asynchronous Ray actor: progress of tasks, and requests to stop attempts."""

    def __init__(self) -> None:
        self._progress: dict[str, dict[int, tuple[float, str]]] = {}
        self._stop_requests: dict[str, str] = {}
        self._news = asyncio.Event()

    async def tell(self, attempt: str, part: int, share: float, note: str) -> None:
        self._progress.setdefault(attempt, {})[part] = (share, note)
        self._news.set()

    async def stop_request(self, attempt: str) -> str:
        """STOP, KILL, or nothing."""
        return self._stop_requests.get(attempt, "")

    async def end(self, attempt: str, how: str) -> None:
        """Request that the attempt's tasks end."""
        self._stop_requests[attempt] = how
        while len(self._stop_requests) > _MAX_STOP_REQUESTS:
            del self._stop_requests[next(iter(self._stop_requests))]

    async def listen(self, seconds: float) -> dict[str, dict[int, tuple[float, str]]]:
        """Progress since the last call, by attempt and part, after at most ``seconds``."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)
        self._news.clear()
        progress, self._progress = self._progress, {}
        return progress


def run_remote(
    board: Any, work: dict[str, Any], part: int, names: list[str], *files: NDArray[np.uint8]
) -> tuple[Outcome, str, float, Files]:
    """In a Ray worker: one task, or one piece of it. (outcome, reason, seconds, result files)"""
    with _task_environment(board, work["attempt"], part, names, files) as (inputs, context):
        return _timed(work["run"], inputs, work["options"], context)


def split_remote(
    board: Any, work: dict[str, Any], names: list[str], *files: NDArray[np.uint8]
) -> tuple[Outcome, str, list[Any]]:
    """In a Ray worker: (outcome, reason, options of each piece)"""
    pieces: list[Any] = []

    def collect(inputs, options, context) -> None:
        pieces.extend(find(work["split"])(inputs, options))

    with _task_environment(board, work["attempt"], 0, names, files) as (inputs, context):
        outcome, reason = run_task(collect, inputs, work["options"], context)
    return outcome, reason, pieces


def join_remote(
    board: Any, work: dict[str, Any], pieces: list[Any], names: list[str], *files: Any
) -> tuple[Outcome, str, float, Files]:
    """In a Ray worker: join the results of the pieces in order.

    ``files`` are the inputs, then each piece's answer, as Ray passes references by value.
    """
    answers = files[len(names) :]

    def join(inputs, options, context) -> None:
        parts = []
        for number, (_, _, _, made) in enumerate(answers):
            parts.append(context.out.parent / f"part-{number:05d}")
            parts[-1].mkdir()
            write(parts[-1], made)
        find(work["join"])(inputs, pieces, parts, context)

    with _task_environment(board, work["attempt"], len(pieces), names, files[: len(names)]) as (
        inputs,
        context,
    ):
        return _timed(join, inputs, None, context)


@contextlib.contextmanager
def _task_environment(
    board: Any, attempt: str, part: int, names: list[str], files: Sequence[NDArray[np.uint8]]
) -> Iterator[tuple[tuple[Path, ...], Context]]:
    """The inputs as files and an empty folder for the result, connected to the switchboard."""
    ray: Any = importlib.import_module("ray")
    stop_request, over = "", threading.Event()

    def look() -> None:
        nonlocal stop_request
        with contextlib.suppress(ray.exceptions.RayError):  # it is being restarted: ask again later
            stop_request = ray.get(board.stop_request.remote(attempt))
        if stop_request == KILL:
            os._exit(1)

    def watch() -> None:
        while not over.wait(_POLL_SECONDS):
            look()

    look()
    watcher = threading.Thread(target=watch, name="watcher", daemon=True)
    watcher.start()
    try:
        with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
            given, out = Path(folder, "input"), Path(folder, "out")
            given.mkdir()
            out.mkdir()
            write(given, dict(zip(names, files, strict=True)))
            inputs = tuple(given / name for name in names)
            tell = lambda share, note: board.tell.remote(attempt, part, share, note)  # noqa: E731
            yield inputs, Context(out, tell, lambda: stop_request == STOP)
    finally:
        over.set()
        watcher.join()


def _timed(
    run: Any, inputs: tuple[Path, ...], options: Any, context: Context
) -> tuple[Outcome, str, float, Files]:
    start = time.perf_counter()
    outcome, reason = run_task(run, inputs, options, context)
    return outcome, reason, time.perf_counter() - start, _read(context.out) if outcome == "done" else {}


def write(folder: Path, files: Files) -> None:
    """Write files by name, without a copy of their bytes in memory."""
    for name, data in files.items():
        with (folder / name).open("wb") as file:
            file.write(data.data)


def _read(folder: Path) -> Files:
    return {path.name: np.fromfile(path, np.uint8) for path in sorted(folder.iterdir()) if path.is_file()}
