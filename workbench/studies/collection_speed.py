"""How do measuring, embedding, neighbours and the map grow with the number of pictures?

Each step runs once, in a process of its own, on copies of 100 painted pictures; as nothing is cached between
them, a copy costs as much as a new picture. Neighbours and the map use random vectors of lite0's length,
since their cost does not depend on the values. Growth is of processor time, which does not depend on other
load. Memory is the peak of the process, including libraries.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from workbench.core.runs import read_rows, write_rows
from workbench.data.atelier import MOODS, paint
from workbench.data.neighbours import alike_pairs, nearest
from workbench.interpret.collection_map import map_collection
from workbench.interpret.embedding import Embeddings, embed
from workbench.interpret.measuring import measure_folder
from workbench.studies.study import TableStudy, register

PAINTED = 100  # different pictures
DIMENSIONS = 1280  # of lite0's vectors


def _random(root: Path) -> Embeddings:
    names = sorted(path.name for path in root.iterdir())
    vectors = np.random.default_rng(0).normal(size=(len(names), DIMENSIONS)).astype(np.float32)
    return Embeddings(tuple(names), vectors, "random", {})


def _neighbours(root: Path) -> None:
    vectors = _random(root).vectors
    nearest(vectors)
    alike_pairs(vectors)


STEPS: Mapping[str, Callable[[Path], object]] = {
    "measure": measure_folder,
    "embed": embed,
    "neighbours": _neighbours,
    "map": lambda root: map_collection(root, _random(root)),
}


def _measure_step(step: str, root: Path) -> dict[str, float]:
    """Cost of one step on a folder; the peak memory is that of this process, in MB."""
    start, cpu = time.perf_counter(), time.process_time()
    STEPS[step](root)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    unit = 1e6 if sys.platform == "darwin" else 1e3
    peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)
    pictures = len(os.listdir(root))
    return {
        "pictures_per_second": pictures / seconds,
        "pictures_per_core_second": pictures / cpu,
        "peak_mb": peak,
    }


@functools.cache
def _painted_pictures(size: int, count: int) -> tempfile.TemporaryDirectory:
    """A folder of ``count`` different pictures, which exists until the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="workbench-collection-")
    for seed in range(count):
        image = paint(MOODS[seed % len(MOODS)], seed=seed, size=size).image
        image.save(Path(folder.name) / f"{seed:03}.png")
    return folder


def speed(pictures: int, size: int, step: str) -> dict[str, float]:
    """Cost of one step.

    Args:
        pictures: how many, 2 or more.
        size: side in pixels.
        step: of :data:`STEPS`.
    """
    own = Path(_painted_pictures(size, min(pictures, PAINTED)).name)
    sources = sorted(own.iterdir())
    with tempfile.TemporaryDirectory(prefix="workbench-collection-") as name:
        for number in range(pictures):
            source = sources[number % len(sources)]
            shutil.copyfile(source, Path(name) / f"{number:05}.png")
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(1, context) as process:
            return process.submit(_measure_step, step, Path(name)).result()


def growth(rows: list[dict[str, str]]) -> list[dict]:
    """Growth of the time of every step, from its two largest numbers of pictures of one size.

    Args:
        rows: of the table.

    Returns:
        Rows size, step, fewest, most, exponent (of the time: 1 is proportional to the number), growth in
        words, and pictures_per_core_second and peak_mb at the greatest number.
    """
    found = []
    for size, step in dict.fromkeys((row["size"], row["step"]) for row in rows):
        own = sorted(
            (row for row in rows if (row["size"], row["step"]) == (size, step)),
            key=lambda row: int(row["pictures"]),
        )
        if len(own) < 2:
            continue
        fewest, most = (int(row["pictures"]) for row in own[-2:])
        seconds = [int(row["pictures"]) / float(row["pictures_per_core_second"]) for row in own[-2:]]
        exponent = float(np.log(seconds[1] / seconds[0]) / np.log(most / fewest))
        rate, peak = float(own[-1]["pictures_per_core_second"]), int(own[-1]["peak_mb"])
        found.append(
            {
                "size": size, "step": step, "fewest": fewest, "most": most, "exponent": exponent,
                "growth": _growth_in_words(exponent), "pictures_per_core_second": rate, "peak_mb": peak,
            }
        )  # fmt: skip
    return found


def _growth_in_words(exponent: float) -> str:
    if exponent < 0.9:
        return "slower than the number of pictures: a start-up cost is shared"
    if exponent <= 1.1:
        return "in proportion to the number of pictures"
    if exponent < 1.9:
        return "faster than the number of pictures, slower than its square"
    return "as the square of the number of pictures or faster"


@register
@dataclasses.dataclass(frozen=True)
class CollectionSpeed(TableStudy):
    """How do measuring, embedding, neighbours and the map grow with the number of pictures?

    One row per number of pictures, size and step: pictures_per_second, pictures_per_core_second (of the
    processor's time) and peak_mb.
    ``collection_speed_growth.csv`` names the growth of each step.
    """

    version = 2
    keys = ("pictures", "size", "step")
    selection = ("counts", "steps", "size")  # more runs change none

    counts: tuple[int, ...] = (100, 1000)  # painted pictures
    size: int = 512  # side in pixels
    steps: tuple[str, ...] = ("measure", "embed", "neighbours", "map")  # what is measured

    def plan(self) -> list[dict]:
        return [
            {"pictures": count, "size": self.size, "step": step}
            for count in self.counts
            for step in self.steps
        ]

    def prepare(self, out: Path) -> Callable[..., dict]:
        return speed

    def summarise(self, out: Path) -> None:
        """The growth of every step with at least two measured numbers of pictures."""
        rows = growth(read_rows(out / f"{self.name}.csv"))
        if rows:
            write_rows(rows, out / f"{self.name}_growth.csv")
