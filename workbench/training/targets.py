"""What a stylizer learns from in its first phase and holds on to in the second: drawings and regions."""

from __future__ import annotations

import dataclasses
import json
import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from skimage.segmentation import felzenszwalb
from tqdm import tqdm

from workbench.drawing import teacher
from workbench.training.stylizer_config import StylizerConfig


def _draw_and_segment(image: np.ndarray, config: teacher.TeacherConfig) -> tuple[np.ndarray, np.ndarray]:
    return teacher.draw(image, config), felzenszwalb(image, scale=80, sigma=0.8, min_size=40).astype(np.int16)


def prepare(
    photos: dict[str, np.ndarray], config: StylizerConfig, cache: Path
) -> list[tuple[np.ndarray, ...]]:
    """(photo, drawing, regions) of every photo; drawings and regions are computed once and cached."""
    contents = {name: zlib.crc32(photo) for name, photo in photos.items()}  # a changed photo is drawn anew
    key = json.dumps([dataclasses.asdict(config.drawing), contents], sort_keys=True)
    if cache.is_file():
        stored = np.load(cache)
        if str(stored["key"]) == key:
            return [(p, stored[f"drawing/{n}"], stored[f"regions/{n}"]) for n, p in photos.items()]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # the work is OpenCV's and releases the interpreter
        results = pool.map(partial(_draw_and_segment, config=config.drawing), photos.values())
        prepared = list(tqdm(results, total=len(photos), desc="drawing targets", mininterval=2))
    drawings = {f"drawing/{n}": d for n, (d, _) in zip(photos, prepared, strict=True)}
    regions = {f"regions/{n}": r for n, (_, r) in zip(photos, prepared, strict=True)}
    np.savez(cache, key=np.array(key), **drawings, **regions)
    return [(p, d, r) for p, (d, r) in zip(photos.values(), prepared, strict=True)]
