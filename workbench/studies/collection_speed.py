"""How do measuring, embedding, neighbours and the map grow with the number of pictures?

Pictures are painted, and each step is timed once, in one process, on one after the other. Vectors for the
neighbours are those of the pictures. The memory is the peak of the process up to the end of the step.
"""

from __future__ import annotations

import dataclasses
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from workbench.data.atelier import MOODS, paint
from workbench.data.neighbours import alike_pairs, nearest
from workbench.interpret.collection_map import map_collection
from workbench.interpret.embedding import embed
from workbench.interpret.measuring import measure_folder
from workbench.studies.study import TableStudy, register


def speeds(pictures: int, size: int) -> list[dict]:
    """Rows (step, pictures_per_second, peak_mb) of a folder of so many painted pictures.

    Args:
        pictures: how many, 2 or more.
        size: side in pixels.
    """
    with tempfile.TemporaryDirectory(prefix="workbench-collection-") as name:
        root = Path(name)
        for seed in range(pictures):
            paint(MOODS[seed % len(MOODS)], seed=seed, size=size).image.save(root / f"{seed:05}.png")
        rows = []
        start = time.perf_counter()

        def done(step: str) -> None:
            nonlocal start
            unit = 1e6 if sys.platform == "darwin" else 1e3
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
            rate = pictures / (time.perf_counter() - start)
            rows.append({"step": step, "pictures_per_second": rate, "peak_mb": round(peak)})
            start = time.perf_counter()

        measure_folder(root)
        done("measure")
        embedded = embed(root)
        done("embed")
        nearest(embedded.vectors)
        alike_pairs(embedded.vectors)
        done("neighbours")
        map_collection(root, embedded)
        done("map")
    return rows


@register
@dataclasses.dataclass(frozen=True)
class CollectionSpeed(TableStudy):
    """How do measuring, embedding, neighbours and the map grow with the number of pictures?

    One row per number of pictures and step: pictures, size, step, pictures_per_second, peak_mb.
    """

    keys = ("pictures", "size")
    selection = ("counts",)  # more pictures add runs and change none

    counts: tuple[int, ...] = (100, 1000)  # painted pictures
    size: int = 512  # side in pixels

    def plan(self) -> list[dict]:
        """One run per number of pictures."""
        return [{"pictures": count, "size": self.size} for count in self.counts]

    def prepare(self, out: Path) -> Callable[..., list[dict]]:
        """Nothing is shared."""
        return speeds
