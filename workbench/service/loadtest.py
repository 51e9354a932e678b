"""Load test of the platform: jobs per second, added time per picture, memory, time to recover.

``workbench bench platform`` writes one row per figure, with its provenance.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import psutil

from workbench.core.options import Range
from workbench.service.engines.worker import Context
from workbench.service.limits import Limits
from workbench.service.platform import JobView, Platform
from workbench.service.previews import Preview
from workbench.service.schema import DONE, QUEUED
from workbench.service.storage import new_id
from workbench.service.tasks import TASKS, NoOptions, PhotoOptions, Task

_HERE = "workbench.service.loadtest"  # also when it runs as the program
OWNERS = 20
SIZE = 512  # pixels, of the picture that is redrawn
REPEATS = 7
_WAIT = 600.0


@dataclasses.dataclass(frozen=True)
class Rest:
    """How long to wait."""

    seconds: Annotated[float, Range(0, 600)] = 1.0


def echo(inputs: tuple[Path, ...], options: NoOptions, context: Context) -> None:
    """The smallest job: copy its input."""
    (context.out / "echo.bin").write_bytes(inputs[0].read_bytes())


def rest(inputs: tuple[Path, ...], options: Rest, context: Context) -> None:
    """Wait."""
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        context.progress(0.5, "Resting")
        time.sleep(0.05)
    (context.out / "done.txt").write_text("done")


KINDS = TASKS | {
    "echo": Task("echo", "Echo", f"{_HERE}:echo"),
    "rest": Task("rest", "Rest", f"{_HERE}:rest", Rest, inputs=0),
}
LIMITS = Limits(active_jobs=10_000, queued_jobs=10_000, jobs_per_minute=100_000, free_bytes=0)


@dataclasses.dataclass(frozen=True)
class Memory:
    """Resident memory in 10⁶ bytes."""

    server: float
    workers: float  # every process below the server together

    @classmethod
    def now(cls) -> Memory:
        """Of this process and those below it."""
        own = psutil.Process()
        below = 0
        for process in own.children(recursive=True):
            try:
                below += process.memory_info().rss
            except psutil.Error:  # it has ended meanwhile
                continue
        return cls(own.memory_info().rss / 1e6, below / 1e6)


def throughput(platform: Platform, jobs: int, folder: Path) -> dict[str, float]:
    """``jobs`` copies of 1 kB by 20 owners at once, each from a thread of its own; checks every result."""
    each, problems, deadline = jobs // OWNERS, [], time.monotonic() + _WAIT
    before, peak, stop = Memory.now(), [], threading.Event()

    def watch() -> None:
        while not stop.wait(0.2):
            peak.append(Memory.now())

    def use(number: int) -> None:
        owner, upload = new_id("a"), folder / f"{number}.bin"
        upload.write_bytes(number.to_bytes(4, "big") * 256)
        ids = [platform.submit(owner, "echo", [upload]) for _ in range(each)]
        for job in ids:
            view = platform.wait(owner, job, max(0.0, deadline - time.monotonic()))
            if view.state != DONE or platform.result(owner, job).read_bytes() != upload.read_bytes():
                problems.append(view.id)
        if len(platform.jobs(owner)) != each:
            problems.append(owner)

    watcher = threading.Thread(target=watch)
    users = [threading.Thread(target=use, args=(number,)) for number in range(OWNERS)]
    watcher.start()
    start = time.perf_counter()
    for user in users:
        user.start()
    for user in users:
        user.join()
    seconds = time.perf_counter() - start
    stop.set()
    watcher.join()
    peak.append(Memory.now())
    return {
        "jobs_per_second": each * OWNERS / seconds,
        "jobs_mixed_up_or_lost": float(len(problems)),
        "server_mb_before": before.server,
        "server_mb_peak": max(memory.server for memory in peak),
        "workers_mb_peak": max(memory.workers for memory in peak),
    }


def queued_memory(platform: Platform, jobs: int) -> dict[str, float]:
    """Memory of the server before and after ``jobs`` jobs are waiting."""
    owner = new_id("a")
    blockers = [platform.submit(owner, "rest", [], {"seconds": 600}) for _ in range(platform.workers)]
    _until(lambda: all(platform.job(owner, job).share > 0 for job in blockers))
    before = Memory.now()
    waiting = [platform.submit(owner, "rest", [], {"seconds": 0}) for _ in range(jobs)]
    queued = sum(view.state == QUEUED for view in platform.jobs(owner))
    after = Memory.now()
    for job in waiting + blockers:
        platform.cancel(owner, job)
    _until(lambda: all(view.ended for view in platform.jobs(owner)))
    return {
        "queued_jobs": float(queued),
        "server_mb_queue_empty": before.server,
        "server_mb_queue_full": after.server,
        "kb_per_queued_job": 1e3 * (after.server - before.server) / jobs,
        "workers_mb_queue_full": after.workers,
    }


def overhead(platform: Platform, folder: Path) -> dict[str, float]:
    """A picture of 512² redrawn by the platform and by a plain call, in turn: medians, and their difference.

    The plain call reads the file, draws and writes the PNG, as the worker does.
    """
    import numpy as np
    from PIL import Image

    picture = folder / "picture.png"
    noise = np.random.default_rng(0).integers(0, 256, (SIZE // 8, SIZE // 8, 3), np.uint8)
    Image.fromarray(noise).resize((SIZE, SIZE), Image.Resampling.BICUBIC).save(picture)
    owner = new_id("a")

    def direct() -> None:
        from workbench.service.picture_tasks import stylize_picture

        with tempfile.TemporaryDirectory() as out:
            stylize_picture((picture,), PhotoOptions(), Context(Path(out)))

    def through() -> JobView:
        job = platform.submit(owner, "stylize_picture", [picture])
        return platform.wait(owner, job, _WAIT)

    for _ in range(2 * platform.workers):  # every worker has its model
        view = through()
        if view.state != DONE:
            raise RuntimeError(f"The picture was not redrawn: {view.reason}")
    direct()
    plain, whole, work = [], [], []
    for _ in range(REPEATS):
        plain.append(_seconds(direct))
        start = time.perf_counter()
        view = through()
        whole.append(time.perf_counter() - start)
        work.append(view.seconds)
    return {
        "direct_seconds": statistics.median(plain),
        "platform_seconds": statistics.median(whole),
        "in_worker_seconds": statistics.median(work),
        "added_seconds": statistics.median(a - b for a, b in zip(whole, work, strict=True)),
        "workers_mb_with_model": Memory.now().workers,
    }


def beside_a_large_one(platform: Platform, folder: Path) -> dict[str, float]:
    """A picture of 512² drawn for somebody who waits: alone, and while one of 24 megapixels is drawn."""
    import numpy as np
    from PIL import Image

    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8))
    for name, size in (("small", (SIZE, SIZE)), ("large", (6000, 4000))):
        noise.resize(size, Image.Resampling.BICUBIC).save(folder / f"{name}.jpg")

    def draw(name: str) -> Preview:
        out = Path(tempfile.mkdtemp(dir=folder))
        return platform.previews.start(TASKS["stylize_picture"], [folder / f"{name}.jpg"], None, out, name)

    def small() -> float:
        return _seconds(lambda: draw("small").result(_WAIT))

    small()  # the worker has its model
    alone = [small() for _ in range(REPEATS)]
    with draw("large") as large:
        _until(lambda: large.share > 0.05)
        beside = [small() for _ in range(REPEATS)]
        if large.ended:
            raise RuntimeError("The large picture was done too soon to measure beside it.")
    return {
        "alone_seconds": statistics.median(alone),
        "beside_seconds": statistics.median(beside),
        "beside_seconds_most": max(beside),
        "added_seconds": statistics.median(beside) - statistics.median(alone),
        "added_seconds_most": max(beside) - statistics.median(alone),
    }


def recovery(folder: Path, engine: str, workers: int) -> dict[str, float]:
    """Kill a busy server; seconds until a new one is up, and until it works again."""
    command = [sys.executable, "-m", _HERE, str(folder), engine, str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        owner = server.stdout.readline().strip()
        below = psutil.Process(server.pid).children(recursive=True)
        server.kill()
    psutil.wait_procs(below, timeout=60)
    start = time.perf_counter()
    with Platform(folder, engine, workers, LIMITS, kinds=KINDS) as platform:
        up = time.perf_counter() - start
        jobs = platform.jobs(owner)
        _until(lambda: any(platform.job(owner, view.id).share > 0 for view in jobs))
        working = time.perf_counter() - start
        if platform.database.integrity() != "ok" or len(jobs) != 2 * workers:
            raise RuntimeError("The killed server has left a damaged database.")
        platform.remove_owner(owner)
    return {"restart_seconds": up, "restart_to_work_seconds": working}


def measure(
    out: Path,
    engine: str,
    workers: int = 2,
    jobs: int = 200,
    others: Mapping[str, Callable[[Path], dict[str, float]]] | None = None,
) -> Path:
    """Every figure for one engine, appended to the CSV ``out``; what is in it is not measured again.

    Args:
        out: the CSV.
        engine: "local" or "ray".
        workers: attempts at a time.
        jobs: submitted at once.
        others: more figures by name, each measured in an empty folder.
    """
    from workbench.core.runs import Runs

    runs = Runs(out, ("engine", "figure", "workers", "jobs"))

    def key(figure: str) -> dict[str, Any]:
        return {"engine": engine, "figure": figure, "workers": workers, "jobs": jobs}

    with tempfile.TemporaryDirectory(prefix="workbench-load-") as name:
        folder = Path(name)

        def on_a_platform(figure: str, run: Callable[[Platform], dict[str, float]]) -> dict[str, float]:
            start = time.perf_counter()
            with Platform(folder / figure, engine, workers, LIMITS, kinds=KINDS) as platform:
                up = time.perf_counter() - start
                warm = new_id("a")
                for job in [platform.submit(warm, "rest", [], {"seconds": 0.3}) for _ in range(2 * workers)]:
                    platform.wait(warm, job, _WAIT)
                return {"start_seconds": up} | run(platform)

        figures: dict[str, Callable[[], dict[str, float]]] = {
            "throughput": lambda: on_a_platform("throughput", lambda p: throughput(p, jobs, folder)),
            "queued memory": lambda: on_a_platform("memory", lambda p: queued_memory(p, jobs)),
            "overhead": lambda: on_a_platform("overhead", lambda p: overhead(p, folder)),
            "small beside large": lambda: on_a_platform("lanes", lambda p: beside_a_large_one(p, folder)),
            "recovery": lambda: recovery(folder / "recovery", engine, workers),
        }
        for number, (figure, other) in enumerate((others or {}).items()):
            figures[figure] = functools.partial(other, folder / f"other{number}")
        for figure, run in figures.items():
            if key(figure) in runs:
                continue
            start, load = time.perf_counter(), psutil.getloadavg()[0]
            measured = {"load_average_before": load} | run()  # of the whole machine, by what else runs on it
            rows = [{"quantity": quantity, "value": value} for quantity, value in measured.items()]
            runs.add(key(figure), *rows, seconds=time.perf_counter() - start)
    return out


def load_before(out: Path) -> float:
    """The highest load average of the machine before any of a table's figures, in busy processors."""
    from workbench.core.runs import read_rows

    return max(float(r["value"]) for r in read_rows(out) if r["quantity"] == "load_average_before")


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _until(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + _WAIT
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError("Timed out while waiting for the platform.")
        time.sleep(0.02)


def _server() -> None:
    """The server that :func:`recovery` kills: as many jobs at work as workers, and as many waiting."""
    folder, engine, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    platform, owner = Platform(folder, engine, workers, LIMITS, kinds=KINDS), new_id("a")
    jobs = [platform.submit(owner, "rest", [], {"seconds": 600}) for _ in range(2 * workers)]
    _until(lambda: sum(platform.job(owner, job).share > 0 for job in jobs) == workers)
    sys.stdout.write(f"{owner}\n")
    sys.stdout.flush()
    time.sleep(_WAIT)
    os._exit(1)


if __name__ == "__main__":
    _server()
