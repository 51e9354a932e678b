"""Finds faces and their landmarks: MediaPipe's networks, run by OpenCV.

Three small networks: a detector of faces, run on the whole picture and on overlapping tiles, so that small
faces in large photos are found as well; a mesh of 468 landmarks, which also tells whether the crop shows a
face at all; and the contours of each eye with its iris.

Sources: BlazeFace, Bazarevsky et al., 2019 (the full-range model); Kartynnik et al., "Real-time facial
surface geometry from monocular video on mobile GPUs", 2019; Ablavatski et al., "Real-time pupil tracking from
monocular video for digital puppetry", 2020. Weights: Google, Apache-2.0 (``weights/NOTICE.md``).
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
Points = NDArray[np.float32]

EYE_CORNERS = ((33, 133), (263, 362))  # outer and inner corner of the viewer's left and right eye
EYE_CONTOURS = (  # lower lid from the outer to the inner corner, then the upper lid without the corners
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398),
)
IRISES = ((468, 469, 470, 471, 472), (473, 474, 475, 476, 477))  # centre, then four points of the rim

_SIDE, _CELLS = 192, 48  # of the detector's input in pixels, and of its grid
_TILE = 640  # side in pixels of the smallest tile: eyes 24 pixels apart are 7 apart in the detector's input
_OVERLAP = 0.25  # of neighbouring tiles, as a share of their side
_FOUND = 0.4  # least score of a detection
_SURE = 0.3  # least probability of the mesh that it lies on a face
_SAME = 0.3  # intersection over union of boxes above which they are one face
_MESH_SIDE, _MESH_REACH = 192, 1.5  # input of the mesh in pixels; side of its crop, in sides of the box
_EYE_SIDE, _EYE_REACH = 64, 2.3  # input of the eye network in pixels; side of its crop, in widths of the eye


@dataclasses.dataclass(frozen=True)
class Face:
    """A face in a picture."""

    landmarks: Points  # (478, 2) x, y in pixels: the face mesh, then five points of each iris
    score: float  # probability that this is a face

    @property
    def eyes(self) -> Points:
        """Centres of the viewer's left and right eye, (2, 2)."""
        return np.stack([self.landmarks[list(pair)].mean(0) for pair in EYE_CORNERS])

    @property
    def middle(self) -> Points:
        """The point midway between the eyes, (2,)."""
        return np.asarray(self.eyes.mean(0), np.float32)

    @property
    def interocular_px(self) -> float:
        """Distance between the eyes in pixels."""
        return float(np.linalg.norm(self.eyes[1] - self.eyes[0]))

    def moved(self, right: float, down: float) -> Face:
        """The face so many pixels further."""
        return dataclasses.replace(self, landmarks=self.landmarks + np.array([right, down], np.float32))


@dataclasses.dataclass(frozen=True)
class _Box:
    points: Points  # (6, 2): the eyes, nose, mouth and ears, in pixels
    corners: tuple[float, float, float, float]  # left, top, right, bottom
    score: float


class _Networks(threading.local):
    """The networks, loaded once in each thread: OpenCV's keep their state between calls."""

    def __getattr__(self, name: str) -> Any:
        # the new engine of OpenCV 5 gives one output only
        network = cv2.dnn.readNetFromTFLite(str(WEIGHTS / f"face_{name}.tflite"), cv2.dnn.ENGINE_CLASSIC)
        setattr(self, name, network)
        return network


_networks = _Networks()


def _run(network: Any, blob: Any) -> list[NDArray[np.float32]]:
    """All outputs of a network, the largest first: OpenCV's versions name layers differently."""
    network.setInput(blob)
    return sorted(network.forward(network.getUnconnectedOutLayersNames()), key=lambda output: -output.size)


def find_faces(pixels: NDArray[np.uint8]) -> list[Face]:
    """Faces of a picture (H, W, 3) uint8 RGB, the largest first.

    How small, turned and hidden they may be: ``reports/results/face_detection.csv``. The time grows with the
    picture.

    Raises:
        ValueError: pixels of another shape or type.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ValueError(f"Expected uint8 RGB (H, W, 3) but got {pixels.dtype} of shape {pixels.shape}.")
    boxes = [box for tile in _tiles(*pixels.shape[:2]) for box in _detect(pixels, tile)]
    faces = [face for box in _apart(boxes, _SAME) if (face := _landmarks(pixels, box)) is not None]
    return sorted(_one_each(faces), key=lambda face: -face.interocular_px)


def _tiles(height: int, width: int) -> Iterator[tuple[int, int, int]]:
    """Left, top and side of the squares that are searched, from the whole picture to small tiles."""
    side = max(height, width)
    while True:
        step = side * (1 - _OVERLAP)
        rows, columns = (1 + max(0, int(np.ceil((n - side) / step))) for n in (height, width))
        for top in np.linspace(0, max(0, height - side), rows):
            for left in np.linspace(0, max(0, width - side), columns):
                yield round(left), round(top), side
        if side <= _TILE:
            return
        side = max(_TILE, round(side / 2.5)) if side > 1.4 * _TILE else _TILE


def _detect(pixels: NDArray[np.uint8], tile: tuple[int, int, int]) -> list[_Box]:
    """Faces in one square of the picture, in pixels of the picture."""
    left, top, side = tile
    part = pixels[top : top + side, left : left + side]
    scale = _SIDE / side
    size = [max(1, round(n * scale)) for n in part.shape[1::-1]]
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    square = np.zeros((_SIDE, _SIDE, 3), np.uint8)
    square[: size[1], : size[0]] = small
    blob = cv2.dnn.blobFromImage(square, 1 / 127.5, mean=(127.5, 127.5, 127.5))
    values, logits = _run(_networks.detection, blob)
    scores = 1 / (1 + np.exp(-np.clip(logits.ravel(), -50, 50)))
    cell = np.flatnonzero(scores > _FOUND)
    anchors = np.stack([cell % _CELLS + 0.5, cell // _CELLS + 0.5], 1) * (_SIDE / _CELLS)
    # of each cell: the middle, width and height of the box, and six points, relative to the cell's middle
    row = values.reshape(-1, 16)[cell]
    middle, extent = anchors + row[:, :2], row[:, 2:4]
    points = row[:, 4:].reshape(-1, 6, 2) + anchors[:, None]
    offset = np.array([left, top], np.float32)
    faces = []
    for m, e, p, score in zip(middle, extent, points, scores[cell], strict=True):
        corners = *((m - e / 2) / scale + offset), *((m + e / 2) / scale + offset)
        faces.append(_Box((p / scale + offset).astype(np.float32), corners, float(score)))
    return faces


def _overlap(a: _Box, b: _Box) -> float:
    """Intersection of two boxes over the smaller one: a part of a face lies on the whole."""
    width, height = (
        min(a.corners[i + 2], b.corners[i + 2]) - max(a.corners[i], b.corners[i]) for i in (0, 1)
    )
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a.corners, b.corners)]
    return max(0.0, width) * max(0.0, height) / max(min(areas), 1e-6)


def _apart(boxes: list[_Box], most: float) -> list[_Box]:
    """The surest boxes, each the weighted mean of those that lie on it (BlazeFace's blending)."""
    left, kept = sorted(boxes, key=lambda box: -box.score), []
    while left:
        same = [box for box in left if box is left[0] or _overlap(left[0], box) > most]
        left = [box for box in left if not any(box is one for one in same)]
        alike = [box for box in same if _alike(box, same[0])]
        weights = np.array([box.score for box in alike], np.float32)
        points = np.average([box.points for box in alike], axis=0, weights=weights)
        corners = tuple(np.average([box.corners for box in alike], axis=0, weights=weights).tolist())
        kept.append(_Box(points.astype(np.float32), corners, same[0].score))
    return kept


def _alike(a: _Box, b: _Box) -> bool:
    """Whether two boxes are of about one size."""
    sides = [box.corners[2] - box.corners[0] for box in (a, b)]
    return max(sides) < 1.4 * min(sides)


def _one_each(faces: list[Face]) -> list[Face]:
    """Without the less sure of two faces in one place."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.score):
        middle = face.eyes.mean(0)
        if all(np.linalg.norm(middle - o.eyes.mean(0)) > 0.9 * o.interocular_px for o in kept):
            kept.append(face)
    return kept


def _crop(
    pixels: NDArray[np.uint8], middle: Any, side: float, angle: float, out: int, flip: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """A turned square of the picture as input of a network, and the 2×3 matrix that leads back."""
    cosine, sine = np.cos(angle) * side / out, np.sin(angle) * side / out
    across = -1 if flip else 1
    back = np.array([[across * cosine, -sine, 0], [across * sine, cosine, 0]])
    back[:, 2] = np.asarray(middle) - back[:, :2] @ np.full(2, (out - 1) / 2)
    shrink = max(1.0, side / out / 2)
    if shrink > 1:  # no aliasing: the part is scaled down first
        reach = 0.75 * side + 2
        first = np.maximum(0, np.floor(np.asarray(middle) - reach)).astype(int)
        last = np.ceil(np.asarray(middle) + reach).astype(int)
        part = pixels[first[1] : last[1], first[0] : last[0]]
        if part.size:
            size = [max(1, round(n / shrink)) for n in part.shape[1::-1]]
            small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
            forth = np.diag([size[0] / part.shape[1], size[1] / part.shape[0]])
            matrix = np.hstack([forth @ back[:, :2], (forth @ (back[:, 2] - first))[:, None]])
            return _blob(small, matrix, out), back
    return _blob(pixels, back, out), back


def _blob(pixels: NDArray, matrix: NDArray, out: int) -> NDArray[np.float32]:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    crop = cv2.warpAffine(pixels, matrix, (out, out), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.dnn.blobFromImage(crop, 1 / 255), np.float32)


def _landmarks(pixels: NDArray[np.uint8], box: _Box) -> Face | None:
    """The mesh on a detected face, None if there is none."""
    middle = np.array([np.mean(box.corners[::2]), np.mean(box.corners[1::2])])
    side = max(box.corners[2] - box.corners[0], box.corners[3] - box.corners[1]) * _MESH_REACH
    angle = _angle(box.points[0], box.points[1])
    points, probability = np.zeros((468, 2), np.float32), 0.0
    for _ in range(2):  # once more from where the first look found it: turned heads need it
        if not np.isfinite(side) or side < 4:
            return None
        blob, back = _crop(pixels, middle, side, angle, _MESH_SIDE)
        mesh, logit = _run(_networks.mesh, blob)
        probability = float(1 / (1 + np.exp(-np.clip(logit.ravel()[0], -50, 50))))
        points = (mesh.reshape(468, 3)[:, :2] @ back[:, :2].T + back[:, 2]).astype(np.float32)
        if probability < _SURE:
            return None
        angle = _angle(*(points[list(pair)].mean(0) for pair in EYE_CORNERS))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        upright = points @ turn
        low, high = upright.min(0), upright.max(0)
        middle, side = turn @ ((low + high) / 2), float((high - low).max()) * _MESH_REACH
    return Face(np.vstack([points, *_eyes(pixels, points, angle)]), probability)


def _eyes(pixels: NDArray[np.uint8], points: Points, angle: float) -> list[Points]:
    """Five points of each iris; the contours of the eyes are refined in ``points``."""
    irises = []
    for side, (corners, contour) in enumerate(zip(EYE_CORNERS, EYE_CONTOURS, strict=True)):
        outer, inner = points[list(corners)]
        reach = float(np.linalg.norm(outer - inner)) * _EYE_REACH
        blob, back = _crop(pixels, (outer + inner) / 2, max(reach, 2.0), angle, _EYE_SIDE, flip=side == 1)
        lids, iris = (a.reshape(-1, 3)[:, :2] @ back[:, :2].T + back[:, 2] for a in _run(_networks.eye, blob))
        points[list(contour)] = lids[: len(contour)]
        irises.append(iris.astype(np.float32))
    return irises


def _angle(left: Points, right: Points) -> float:
    """Of the line from the left to the right eye, in radians."""
    return float(np.arctan2(right[1] - left[1], right[0] - left[0]))
