"""Training data of a portrait stylizer: portraits with landmarks and masks, composited on scenes.

A portrait on a plain backdrop can be cut out and placed on another scene, where its mask is known exactly.
Landmarks and masks come from a file made once (``ANNOTATIONS.npz`` with ``landmarks/NAME`` (478, 2) float,
the points of MediaPipe's face mesh in pixels, and ``mask/NAME`` (H, W) uint8, 255 on the person), so that
training needs no face detector.
"""

from __future__ import annotations

import dataclasses
import re
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import DatasetError
from workbench.data.images import check_folder, read_each

_EYES = ((33, 133), (263, 362))  # corners of the viewer's left and right eye in the face mesh
_MOUTH = (61, 291, 13, 14)
LEAST = 8  # portraits of a folder


@dataclasses.dataclass(frozen=True)
class Portrait:
    """One annotated portrait, optionally with the teacher's drawing in the size of ``photo``."""

    photo: NDArray[np.uint8]  # (H, W, 3) RGB
    landmarks: NDArray[np.float32]  # (478, 2) x, y in pixels
    mask: NDArray[np.uint8]  # (H, W), 255 on the person
    drawing: NDArray[np.uint8] | None = None  # (H, W, 3)

    @property
    def eyes(self) -> NDArray[np.float32]:
        """Centres of the viewer's left and right eye, (2, 2)."""
        return np.stack([self.landmarks[list(pair)].mean(0) for pair in _EYES])

    @property
    def interocular_px(self) -> float:
        """Distance between the eyes in pixels."""
        return float(np.linalg.norm(self.eyes[1] - self.eyes[0]))


def load_portraits(
    folder: str | Path, annotations: str | Path, *, skipped: dict[str, str] | None = None
) -> dict[str, Portrait]:
    """The annotated portraits of ``folder``, by path in it; those that cannot be read are passed over.

    Args:
        folder: of the portraits.
        annotations: file with their landmarks and masks, see above.
        skipped: the paths of those that are passed over are added to it, with the reason.

    Raises:
        DatasetError: no such folder; the annotations are missing or do not fit a picture; or fewer than
            :data:`LEAST` portraits are left.
    """
    folder, annotations = check_folder(folder, "portraits", DatasetError), Path(annotations)
    if not annotations.is_file():
        raise DatasetError(
            f"Expected annotations at {annotations} but there is no such file. Check the path."
        )
    portraits = {}
    with np.load(annotations) as stored:
        names = sorted(key.removeprefix("mask/") for key in stored.files if key.startswith("mask/"))
        files = {folder / name: name for name in names if (folder / name).is_file()}
        for path, image in read_each(files, skipped):
            name, photo = files[path], np.asarray(image)
            mask, landmarks = stored[f"mask/{name}"], stored[f"landmarks/{name}"].astype(np.float32)
            if mask.shape != photo.shape[:2] or landmarks.shape != (478, 2):
                raise DatasetError(
                    f"Expected a mask {photo.shape[:2]} and landmarks (478, 2) for {name} but got "
                    f"{mask.shape} and {landmarks.shape}. Annotate the pictures again."
                )
            portraits[name] = Portrait(photo, landmarks, mask)
    if len(portraits) < LEAST:
        raise DatasetError(
            f"Expected at least {LEAST} annotated portraits that can be read in {folder} but found "
            f"{len(portraits)}. Add more."
        )
    return portraits


def person_of(name: str, pattern: str = "") -> str:
    """Who is shown in the file ``name``.

    Args:
        name: of the file; its suffix is ignored.
        pattern: regular expression whose groups together identify the person. If it is empty or does not
            match, the file counts as a person of its own. ``"^(.+?)_"`` gives ``anna_01.jpg`` and
            ``anna_02.jpg`` the same person.

    Raises:
        DatasetError: ``pattern`` is not a valid regular expression, or has no group.
    """
    try:
        rule = re.compile(pattern)
    except re.error as error:
        raise DatasetError(
            f"Expected a regular expression that names the person but got {pattern!r}: {error}."
        ) from error
    if pattern and not rule.groups:
        raise DatasetError(
            f"Expected a group, such as ^(.+?)_, in the pattern of persons but got {pattern!r}."
        )
    stem = Path(name).stem
    match = rule.search(stem)
    return "".join(part or "" for part in match.groups()) or stem if match else stem


def split_by_person(
    names: list[str], held_out: float, seed: int, pattern: str = ""
) -> tuple[list[str], list[str], list[str]]:
    """(training, validation, test) by person; validation and test get half of ``held_out`` each.

    A person's part depends on the person and the seed alone, so portraits added later move nobody to another
    part.

    Args:
        names: of the portraits' files.
        held_out: share of the people, in (0, 1).
        seed: of the split.
        pattern: says who is shown, see :func:`person_of`.

    Raises:
        DatasetError: a part would be empty, or the pattern is invalid.
    """
    parts: tuple[list[str], list[str], list[str]] = ([], [], [])
    for name in sorted(names):
        draw = zlib.crc32(f"{seed}/{person_of(name, pattern)}".encode()) / 2**32
        parts[1 if draw < held_out / 2 else 2 if draw < held_out else 0].append(name)
    if not all(parts):
        raise DatasetError(
            f"Cannot hold out {held_out:.0%} of {len(names)} portraits for two parts. Add portraits or hold "
            "out more."
        )
    return parts


@dataclasses.dataclass(frozen=True)
class Example:
    """A batch; every array is aligned with ``photo``."""

    photo: NDArray[np.uint8]  # (B, S, S, 3) input of the network
    target: NDArray[np.uint8]  # (B, S, S, 3) the drawing where the person is, else the photo
    mask: NDArray[np.uint8]  # (B, S, S), 255 on the person
    weight: NDArray[np.uint8]  # (B, S, S), 255 on eyes and mouth
    center: NDArray[np.float32]  # (B, 2) x, y of the point midway between the eyes
    interocular_px: NDArray[np.float32]  # (B,) distance between the eyes; 0 in a scene without a person


@dataclasses.dataclass(frozen=True)
class Composites:
    """Draws batches of portraits with random position, rotation, size, light and background.

    A batch depends on (seed, step) alone, so that resumed training continues with the same batches.

    Args:
        portraits: with drawings.
        scenes: photos to put them on, uint8 (H, W, 3).
        size: side of the crops in pixels.
        interocular_px: smallest and largest distance between the eyes, in pixels.
        seed: of the sequence of batches.
        own_backdrop: share of pictures that keep their backdrop.
        empty: share of scenes without a person, in which nothing may be redrawn.
    """

    portraits: list[Portrait]
    scenes: list[NDArray[np.uint8]]
    size: int
    interocular_px: tuple[float, float]
    seed: int
    own_backdrop: float = 0.35
    empty: float = 0.06

    def batch(self, step: int, count: int) -> Example:
        """``count`` examples for ``step``."""
        rng = np.random.default_rng((self.seed, step))
        rows = [self._one(rng) for _ in range(count)]
        return Example(*(np.stack(column) for column in zip(*rows, strict=True)))

    def _one(self, rng: np.random.Generator) -> tuple:
        size = self.size
        if rng.random() < self.empty:
            empty = self._scene(rng)
            none = np.zeros((size, size), np.uint8)
            return empty, empty, none, none, np.full(2, size / 2, np.float32), np.float32(0)
        portrait = self.portraits[rng.integers(len(self.portraits))]
        interocular = float(np.exp(rng.uniform(*np.log(self.interocular_px))))
        place = size * np.array([rng.uniform(0.36, 0.64), rng.uniform(0.34, 0.52)], np.float32)
        below = interocular * (len(portrait.photo) - portrait.eyes[:, 1].mean()) / portrait.interocular_px
        # no gap under a portrait cut off at the neck
        place[1] = min(max(place[1], size - below), 0.62 * size)
        flip = rng.random() < 0.5
        matrix = _placement(portrait, interocular, place, rng.normal(0, 6.0), flip)

        def warp(layer: Any) -> Any:  # beyond the frame the border pixels are repeated
            return cv2.warpAffine(
                layer, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )

        mask, photo, target = (warp(layer) for layer in (portrait.mask, portrait.photo, portrait.drawing))
        scene: NDArray[np.uint8] | None = None
        if rng.random() >= self.own_backdrop:
            inside = cv2.erode(mask, np.ones((3, 3), np.uint8))
            alpha = (cv2.GaussianBlur(inside, (0, 0), 0.7).astype(np.float32) / 255)[..., None]
            mask = np.round(255 * alpha[..., 0]).astype(np.uint8)
            scene = self._scene(rng)
        photo = _relight(photo, rng)
        if scene is not None:
            photo, target = (
                np.round(p * alpha + scene * (1 - alpha)).astype(np.uint8) for p in (photo, target)
            )
        else:  # outside the mask the target is the input
            alpha = (mask.astype(np.float32) / 255)[..., None]
            target = np.round(target * alpha + photo * (1 - alpha)).astype(np.uint8)
        if rng.random() < 0.2:  # simulates an enlarged photo
            small = cv2.resize(photo, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
            photo = cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)
            outside = (mask == 0)[..., None]
            target = np.where(outside, photo, target)
        weight = _attention(portrait, matrix, size)
        return photo, target, mask, weight, place, np.float32(interocular)

    def _scene(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        scene = self.scenes[rng.integers(len(self.scenes))]
        side = min(min(scene.shape[:2]), round(self.size * rng.uniform(0.7, 1.6)))
        top, left = rng.integers(scene.shape[0] - side + 1), rng.integers(scene.shape[1] - side + 1)
        crop: NDArray = scene[top : top + side, left : left + side]
        method = cv2.INTER_AREA if side > self.size else cv2.INTER_LINEAR
        crop = cv2.resize(crop, (self.size, self.size), interpolation=method)
        if rng.random() < 0.3:  # simulates defocus
            crop = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.8, 2.5))
        return np.ascontiguousarray(crop[:, ::-1] if rng.random() < 0.5 else crop)


def _placement(
    portrait: Portrait, interocular: float, place, degrees: float, flip: bool
) -> NDArray[np.float32]:
    """2×3 matrix that moves the point between the eyes to ``place``, eyes ``interocular`` pixels apart."""
    scale, angle = interocular / portrait.interocular_px, np.deg2rad(degrees)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    if flip:
        linear = linear @ np.array([[-1, 0], [0, 1]], np.float32)
    offset = place - linear @ portrait.eyes.mean(0)
    return np.concatenate([linear, offset[:, None]], 1).astype(np.float32)


def _attention(portrait: Portrait, matrix: NDArray[np.float32], size: int) -> NDArray[np.uint8]:
    """Weight map: 255 on eyes and mouth, falling off around them."""
    points = np.concatenate([portrait.eyes, portrait.landmarks[list(_MOUTH)].mean(0)[None]])
    interocular = portrait.interocular_px * float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    y, x = np.mgrid[:size, :size].astype(np.float32)
    strength = np.zeros((size, size), np.float32)
    for px, py in points @ matrix[:, :2].T + matrix[:, 2]:
        strength = np.maximum(strength, np.exp(-((np.hypot(x - px, y - py) / (0.42 * interocular)) ** 4)))
    return np.round(255 * strength).astype(np.uint8)


def _relight(photo: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Random exposure and colour of light."""
    gains = np.exp(rng.normal(0, 0.09)) * np.exp(rng.normal(0, 0.03, 3))
    gamma = np.exp(rng.normal(0, 0.12))
    table = np.clip((np.arange(256)[:, None] / 255) ** gamma * gains, 0, 1)
    return np.asarray(cv2.LUT(photo, np.round(255 * table).astype(np.uint8)[None]), np.uint8)
