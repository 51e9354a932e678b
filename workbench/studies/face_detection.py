"""Recall and false alarms of two face detectors: the networks in use, and the cascade used before them.

Portraits are rotated, shrunk, darkened, partly covered or placed side by side on photos of scenes, so that
the positions of the eyes are known; scenes without people give the false alarms. The eyes in a portrait are
located by :func:`workbench.drawing.faces.find_faces` on the portrait enlarged three times; people it does not
find count as missed in the row ``portrait``.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.core.pixels import resized
from workbench.data.images import list_images, read_each, read_image
from workbench.drawing import faces
from workbench.studies.study import Rows, TableStudy, register

Picture = NDArray[np.uint8]
Places = NDArray[np.floating]  # (people, 3): x and y of the point midway between the eyes, their distance

CONDITIONS = ("portrait", "dark skin", "turned", "small", "covered", "dim", "group", "nobody")
# of the cascade: rotation in degrees, side in pixels, hits needed
_PASSES = ((0, 480, 3), (0, 300, 2), (15, 300, 2), (-15, 300, 2))
_HEAD = (1.7, 1.9, 1.7, 2.6)  # left, up, right, down of a head, in distances of the eyes


@functools.cache
def _cascade():
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    return Cascade(lbp_frontal_face_cascade_filename())


def cascade(pixels: Picture) -> list[tuple[float, float, float]]:
    """Faces by scikit-image's cascade of local binary patterns, as the first portrait style searched."""
    for degrees, longest, hits in _PASSES:
        scale = min(1.0, longest / max(pixels.shape[:2]))
        size = [max(1, round(side * scale)) for side in pixels.shape[1::-1]]
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        if min(size) < 30:
            return []
        turn = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), degrees, 1.0)
        small = cv2.warpAffine(small, turn, size, borderMode=cv2.BORDER_REPLICATE) if degrees else small
        boxes = _cascade().detect_multi_scale(
            img=np.ascontiguousarray(small),
            scale_factor=1.2,
            step_ratio=1.2,
            min_size=(30, 30),
            max_size=(min(size),) * 2,
            min_neighbor_number=hits,
        )
        back = cv2.invertAffineTransform(turn)
        rectangles = [
            (*(back @ (b["c"] + 0.505 * b["width"], b["r"] + 0.4 * b["height"], 1.0)), b["width"] / 2.6)
            for b in boxes
        ]
        if rectangles:
            return [tuple(float(v) / scale for v in face) for face in rectangles]
    return []


def networks(pixels: Picture) -> list[tuple[float, float, float]]:
    """Faces by the detector in use."""
    return [(*face.middle.tolist(), face.interocular_px) for face in faces.find_faces(pixels)]


DETECTORS = {"networks": networks, "cascade": cascade}


@dataclasses.dataclass(frozen=True)
class Head:
    """A portrait and the position of its eyes."""

    pixels: Picture
    place: tuple[float, float, float]
    lightness: float  # L* of the cheeks


def paste_head(scene: Picture, head: Head, middle: NDArray, unit: float, degrees: float = 0.0) -> Picture:
    """The scene with a head whose eyes are ``unit`` pixels apart around ``middle``, with soft edges."""
    x, y, own = head.place
    matrix = cv2.getRotationMatrix2D((x, y), degrees, unit / own)
    matrix = np.asarray(matrix, float) + [[0, 0, v] for v in middle - (x, y)]
    size = scene.shape[1::-1]
    rows, columns = np.mgrid[: head.pixels.shape[0], : head.pixels.shape[1]]
    sides = (
        columns - x + _HEAD[0] * own,
        rows - y + _HEAD[1] * own,
        x - columns + _HEAD[2] * own,
        y - rows + _HEAD[3] * own,
    )
    alpha = np.clip(np.min(sides, axis=0) / (0.3 * own), 0, 1).astype(np.float32)
    shrink = min(1.0, unit / own)
    soft = cv2.GaussianBlur(head.pixels, (0, 0), 0.4 / shrink) if shrink < 0.7 else head.pixels
    drawn = cv2.warpAffine(soft, matrix, size, flags=cv2.INTER_LINEAR).astype(np.float32)
    share = cv2.warpAffine(alpha, matrix, size)[..., None]
    return np.rint(scene + share * (drawn - scene)).astype(np.uint8)


@register
@dataclasses.dataclass(frozen=True)
class FaceDetection(TableStudy):
    """What are the recall and the false alarms of the face detector?

    A row has the recall over the people of a condition (a face found within half the interocular distance),
    ``false_alarms`` per picture, and the median of ``seconds_a_picture`` (processor time).
    """

    keys = ("detector", "condition")
    sources = ("portraits", "scenes", "groups")

    portraits: str  # folder of portraits
    scenes: str  # folder of photos without people
    groups: str = ""  # folder of photos of groups, for one more condition
    group_counts: tuple[int, ...] = ()  # people in each photo of it, by name
    people: int = 60  # portraits for each condition
    side: int = 640  # long side of a scene in pixels; of small faces it is 2000
    seed: int = 0

    def plan(self) -> list[dict]:
        conditions = [*CONDITIONS, *(["panel groups"] if self.groups else [])]
        return [{"detector": d, "condition": c} for c in conditions for d in DETECTORS]

    def prepare(self, out: Path) -> Callable[..., Rows]:
        heads, undetected = self._heads()
        scenes = [file for file, _ in read_each(list_images(self.scenes))]

        def measure(detector: str, condition: str) -> dict:
            missed = undetected if (detector, condition) == ("networks", "portrait") else 0
            counts, pictures, seconds = np.array([missed, 0, 0]), 0, []
            for picture, places, total in self._pictures(condition, heads, scenes):
                start = time.process_time()
                detections = DETECTORS[detector](picture)
                seconds.append(time.process_time() - start)
                pictures += 1
                if places is None:  # only their number is known
                    counts += total, min(total, len(detections)), max(0, len(detections) - total)
                    continue
                right = matches(detections, places)
                counts += total, right, len(detections) - right
            row = {"pictures": pictures, "people": int(counts[0]), "found": int(counts[1])}
            recall = round(counts[1] / counts[0], 3) if counts[0] else ""
            return row | {
                "recall": recall,
                "false_alarms": round(counts[2] / pictures, 4),
                "seconds_a_picture": round(float(np.median(seconds)), 3),
            }

        return measure

    def _heads(self) -> tuple[list[Head], int]:
        rng = np.random.default_rng(self.seed)
        files = list_images(self.portraits)
        chosen = rng.permutation(len(files))[: 4 * self.people]
        heads, undetected = [], 0
        for _, image in read_each(files[index] for index in chosen):
            large = cv2.resize(np.asarray(image), None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
            pixels = np.asarray(large, np.uint8)
            detected = faces.find_faces(pixels)
            if not detected:
                undetected += 1
                continue
            (x, y), unit = detected[0].middle, detected[0].interocular_px
            spots = detected[0].landmarks[[50, 280, 205, 425]].astype(int)
            rgb = np.median(
                [pixels[b - 4 : b + 5, a - 4 : a + 5].reshape(-1, 3) for a, b in spots], axis=(0, 1)
            )
            light = cv2.cvtColor((rgb / 255).astype(np.float32).reshape(1, 1, 3), cv2.COLOR_RGB2LAB)[0, 0, 0]
            heads.append(Head(pixels, (float(x), float(y), unit), float(light)))
        return heads, undetected

    def _pictures(
        self, condition: str, heads: list[Head], scenes: list[Path]
    ) -> Iterator[tuple[Picture, Places | None, int]]:
        """Pictures, the positions of the people in them (if known), and how many there are."""
        if condition == "panel groups":
            files = list_images(self.groups)
            counts = dict(zip(files, self.group_counts, strict=True))
            for file, image in read_each(files):
                yield np.asarray(image), None, counts[file]
            return
        rng = np.random.default_rng((self.seed, CONDITIONS.index(condition)))
        if condition == "nobody":
            for file in scenes:
                yield self._scene(file, self.side), np.zeros((0, 3)), 0
            return
        some = heads[: self.people]
        if condition == "dark skin":
            some = sorted(heads, key=lambda head: head.lightness)[: self.people // 2]
        step = 5 if condition == "group" else 1
        for first in range(0, len(some) - step + 1, step):
            side = 2000 if condition == "small" else self.side
            scene = self._scene(scenes[rng.integers(len(scenes))], side)
            yield *_composite(condition, scene, some[first : first + step], rng), step

    def _scene(self, file: Path, side: int) -> Picture:
        pixels = np.asarray(read_image(file))
        scale = side / max(pixels.shape[:2])
        return resized(pixels, [round(scale * length) for length in pixels.shape[1::-1]])


def _composite(
    condition: str, scene: Picture, people: list[Head], rng: np.random.Generator
) -> tuple[Picture, Places]:
    """A scene with people in it, and their positions."""
    height, width = scene.shape[:2]
    unit = {"small": 24.0, "group": 26.0}.get(condition, 0.09 * min(height, width))
    places = []
    for i, head in enumerate(people):
        across = (i + 0.5 + rng.uniform(-0.1, 0.1)) / len(people)
        size = unit * (rng.uniform(0.8, 1.3) if condition == "group" else 1)
        low, high = 2.2 * size, height - 2.8 * size
        middle = np.array([across * width, rng.uniform(low, max(high, low + 1))])
        degrees = rng.choice([-1, 1]) * rng.uniform(15, 30) if condition == "turned" else 0.0
        scene = paste_head(scene, head, middle, size, degrees)
        if condition == "covered":  # a scarf or a hand over mouth and chin
            top, left = int(middle[1] + 0.75 * size), int(middle[0] - 1.4 * size)
            patch = scene[top : top + int(1.6 * size), max(0, left) : left + int(2.8 * size)]
            patch[:] = rng.integers(40, 200, 3)
        places.append((*middle, size))
    if condition == "dim":
        scene = np.rint(255 * 0.45 * (scene / 255) ** 1.6).astype(np.uint8)
    return scene, np.array(places)


def matches(detections: list[tuple[float, float, float]], places: Places) -> int:
    """Number of people with a detection of their own, within half the interocular distance."""
    left, right = list(detections), 0
    for x, y, unit in places:
        near = [face for face in left if np.hypot(face[0] - x, face[1] - y) < 0.5 * unit]
        if near:
            left.remove(near[0])
            right += 1
    return right
