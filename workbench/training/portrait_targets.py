"""The teacher's drawings of all portraits, made once and cached; twins of portraits with darker skin."""

from __future__ import annotations

import dataclasses
import json
import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from workbench.data.faces import Portrait
from workbench.drawing.portrait_regions import EYES, FACE, HAIR, LIPS_INNER, NECK, Face, regions
from workbench.drawing.portrait_teacher import PortraitTeacherConfig, draw
from workbench.drawing.skin import to_lab

DARK = (24.0, 42.0)  # lightness L* of the cheeks of twins


def cache_key(portraits: dict[str, Portrait], config: PortraitTeacherConfig) -> str:
    """Changes with the teacher's settings, the photos and their annotations."""
    contents = {
        n: zlib.crc32(p.photo, zlib.crc32(p.mask, zlib.crc32(p.landmarks))) for n, p in portraits.items()
    }
    return json.dumps([dataclasses.asdict(config), contents], sort_keys=True)


def darker_twin(portrait: Portrait, lightness: float) -> Portrait:
    """The same person with dark skin and nearly black hair, eyes, teeth, clothes and backdrop as they were.

    Where few dark-skinned people were photographed, a network learns that faces are fair and paints them so.
    Recoloured photos are no substitute for people, but skin has the right tone, light and shadow in them.

    Args:
        portrait: with fair skin; its drawing is not kept.
        lightness: L* that the cheeks get, [0, 100].
    """
    photo, face = portrait.photo, Face(portrait.landmarks, 1.0)
    labels = regions(photo, portrait.mask > 127, face)
    kept = sum(face.polygon(photo.shape, face.local[list(part)]) for part in (*EYES, LIPS_INNER)) > 0

    def soft(area: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(area.astype(np.float32), (0, 0), 0.02 * face.unit)[..., None]

    lab = to_lab(photo)
    cheeks = face.cheeks(photo.shape) & (labels == FACE)
    cheeks = np.median(lab[cheeks if cheeks.any() else labels == FACE], 0)
    factor = lightness / max(cheeks[0], 1.0)
    chroma = np.float32([11, 14]) * np.clip(lightness / 36, 0.7, 1.1)
    # highlights stay lighter than their surroundings, but never as light as on fair skin
    dark = lab * np.float32([factor, 0.6, 0.6])
    dark[..., 1:] += chroma - 0.6 * cheeks[1:]
    skin = soft(((labels == FACE) | (labels == NECK)) & ~kept)
    lab = lab + skin * (dark - lab)
    lab = lab + soft(labels == HAIR) * (lab * np.float32([0.35, 0.3, 0.3]) - lab)
    rgb = np.rint(255 * np.clip(cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB), 0, 1))
    return Portrait(rgb.astype(np.uint8), portrait.landmarks, portrait.mask)


def twins(portraits: dict[str, Portrait], share: float, seed: int) -> dict[str, Portrait]:
    """Darker twins of a ``share`` of the portraits, chosen by ``seed``; ``NAME#dark`` is that of ``NAME``."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(sorted(portraits))[: round(share * len(portraits))]
    return {f"{name}#dark": darker_twin(portraits[name], float(rng.uniform(*DARK))) for name in chosen}


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
