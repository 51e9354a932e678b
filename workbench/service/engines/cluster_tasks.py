"""What runs in the workers of a Ray cluster, and the actor that connects them with the server.

Nobody calls ``ray.cancel``: as of Ray 2.60, with ``force`` it aborts the caller, here the server, when the
task happens to end at the same moment. Beside every task a thread asks the switchboard for wishes instead,
and ends its own process if that is what is wished.
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
_ASK = 0.2  # seconds between questions to the switchboard
_REMEMBERED = 10_000  # wishes: an attempt may still be in Ray's queue when it is given up
Files = dict[str, NDArray[np.uint8]]  # names and bytes of a folder


class Switchboard:
    """An asynchronous Ray actor: what tasks say, and which attempts shall end."""

    def __init__(self) -> None:
        self._words: dict[str, dict[int, tuple[float, str]]] = {}
        self._wishes: dict[str, str] = {}
        self._news = asyncio.Event()

    async def tell(self, attempt: str, part: int, share: float, note: str) -> None:
        self._words.setdefault(attempt, {})[part] = (share, note)
        self._news.set()

    async def wish(self, attempt: str) -> str:
        """STOP, KILL, or nothing."""
        return self._wishes.get(attempt, "")

    async def end(self, attempt: str, how: str) -> None:
        """Wish that the attempt's tasks end."""
        self._wishes[attempt] = how
        while len(self._wishes) > _REMEMBERED:
            del self._wishes[next(iter(self._wishes))]

    async def listen(self, seconds: float) -> dict[str, dict[int, tuple[float, str]]]:
        """What was said since the last call, by attempt and part, after at most ``seconds``."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)
        self._news.clear()
        words, self._words = self._words, {}
        return words


def run_remote(
    board: Any, work: dict[str, Any], part: int, names: list[str], *files: NDArray[np.uint8]
) -> tuple[Outcome, str, float, Files]:
    """In a Ray worker: one task, or one piece of it. (outcome, reason, seconds, result files)"""
    with _at_work(board, work["attempt"], part, names, files) as (inputs, context):
        return _timed(work["run"], inputs, work["options"], context)


def split_remote(
    board: Any, work: dict[str, Any], names: list[str], *files: NDArray[np.uint8]
) -> tuple[Outcome, str, list[Any]]:
    """In a Ray worker: (outcome, reason, options of each piece)"""
    pieces: list[Any] = []

    def collect(inputs, options, context) -> None:
        pieces.extend(find(work["split"])(inputs, options))

    with _at_work(board, work["attempt"], 0, names, files) as (inputs, context):
        outcome, reason = run_task(collect, inputs, work["options"], context)
    return outcome, reason, pieces


def join_remote(
    board: Any,
    work: dict[str, Any],
    pieces: list[Any],
    names: list[str],
    *files: Any,
) -> tuple[Outcome, str, float, Files]:
    """In a Ray worker: what `run_remote` made of the pieces, put together in order.

    ``files`` are the inputs, then each piece's answer, as Ray hands over what its references stood for.
    """
    answers = files[len(names) :]

    def join(inputs, options, context) -> None:
        parts = []
        for number, (_, _, _, made) in enumerate(answers):
            parts.append(context.out.parent / f"part-{number:05d}")
            parts[-1].mkdir()
            write(parts[-1], made)
        find(work["join"])(inputs, pieces, parts, context)

    with _at_work(board, work["attempt"], len(pieces), names, files[: len(names)]) as (inputs, context):
        return _timed(join, inputs, None, context)


@contextlib.contextmanager
def _at_work(
    board: Any, attempt: str, part: int, names: list[str], files: Sequence[NDArray[np.uint8]]
) -> Iterator[tuple[tuple[Path, ...], Context]]:
    """The inputs as files and an empty folder for the result, connected to the switchboard."""
    ray: Any = importlib.import_module("ray")
    wish, over = "", threading.Event()

    def look() -> None:
        nonlocal wish
        with contextlib.suppress(ray.exceptions.RayError):  # it is being restarted: ask again later
            wish = ray.get(board.wish.remote(attempt))
        if wish == KILL:
            os._exit(1)

    def watch() -> None:
        while not over.wait(_ASK):
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
            yield inputs, Context(out, tell, lambda: wish == STOP)
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
