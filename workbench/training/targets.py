"""Training targets, computed once and cached by the contents of their pictures."""

from __future__ import annotations

import dataclasses
import functools
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from tqdm import tqdm

from workbench.core.cache import Arrays, Cache, key

_CHUNK = 16  # items between two writes, the most that an interrupted run loses
Item = TypeVar("Item")


@dataclasses.dataclass(frozen=True)
class Cost:
    """Seconds that computing the targets took, in this or an earlier run."""

    wall: float = 0.0
    processor: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.wall + other.wall, self.processor + other.processor)


def make_targets(
    cache: Cache,
    step: str,
    version: int,
    settings: Any,
    items: Mapping[str, Item],
    make: Callable[[Item], Mapping[str, np.ndarray]],
) -> tuple[dict[str, Arrays], Cost]:
    """The arrays that ``make`` gives for each item, from the cache if possible.

    Only new and changed items are computed.

    Args:
        cache: has one file per item.
        step: name of the targets.
        version: raise it whenever ``make`` gives another result for the same item and settings.
        settings: that ``make`` depends on.
        items: by name; all input of ``make``, in types of :func:`workbench.core.cache.digest`.
        make: called in several threads, since OpenCV releases the interpreter lock.

    Returns:
        Arrays by name, and the time that computing all of them took.
    """
    keys = {name: key(step, version, settings, item=item) for name, item in items.items()}
    missing = [name for name in items if f"{keys[name]}.npz" not in cache]
    bar = tqdm(total=len(missing), desc=f"making {step}", mininterval=2, disable=None if missing else True)
    with ThreadPoolExecutor(os.cpu_count()) as pool, bar:
        for names in (missing[i : i + _CHUNK] for i in range(0, len(missing), _CHUNK)):
            wall, processor = time.perf_counter(), time.process_time()
            arrays = list(pool.map(make, [items[name] for name in names]))
            seconds = np.array([time.perf_counter() - wall, time.process_time() - processor]) / len(names)
            for name, values in zip(names, arrays, strict=True):
                cache.arrays(keys[name], functools.partial(dict, values, seconds=seconds))
            bar.update(len(names))
    targets: dict[str, dict[str, np.ndarray]] = {}
    cost = Cost()
    for name, item in items.items():
        kept = cache.arrays(keys[name], functools.partial(_made, make, item))
        cost += Cost(*kept.pop("seconds").tolist())
        targets[name] = kept
    return targets, cost


def _made(make: Callable[[Any], Mapping[str, np.ndarray]], item: Any) -> dict[str, np.ndarray]:
    return {**make(item), "seconds": np.zeros(2)}
