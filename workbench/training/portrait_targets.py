"""The teacher's drawings of all portraits, made once and cached."""

from __future__ import annotations

import dataclasses
import json
import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from workbench.data.faces import Portrait
from workbench.training.portrait_teacher import PortraitTeacherConfig, draw


def cache_key(portraits: dict[str, Portrait], config: PortraitTeacherConfig) -> str:
    """Changes with the teacher's settings, the photos and their annotations."""
    contents = {
        n: zlib.crc32(p.photo, zlib.crc32(p.mask, zlib.crc32(p.landmarks))) for n, p in portraits.items()
    }
    return json.dumps([dataclasses.asdict(config), contents], sort_keys=True)


def prepare(
    portraits: dict[str, Portrait], config: PortraitTeacherConfig, cache: Path
) -> dict[str, Portrait]:
    """The portraits with their drawings: from ``cache`` if it fits, else drawn and written there."""
    key = cache_key(portraits, config)
    if cache.is_file():
        with np.load(cache) as stored:
            if str(stored["key"]) == key:
                return {n: dataclasses.replace(p, drawing=stored[n]) for n, p in portraits.items()}

    def one(portrait: Portrait) -> np.ndarray:
        return draw(portrait.photo, portrait.landmarks, portrait.mask, config)

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # the work is OpenCV's and releases the interpreter
        results = pool.map(one, portraits.values())
        drawings = list(tqdm(results, total=len(portraits), desc="drawing targets", mininterval=2))
    made = dict(zip(portraits, drawings, strict=True))
    cache.parent.mkdir(parents=True, exist_ok=True)
    np.savez(cache, key=np.array(key), **made)
    return {n: dataclasses.replace(p, drawing=made[n]) for n, p in portraits.items()}
