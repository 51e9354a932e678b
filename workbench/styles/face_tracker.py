"""Faces followed through a film: found in some frames, carried along the motion in the others.

A detector alone loses a face for a frame here and there, so that the drawing would flicker,
and places it a little differently each time, so that it would tremble. Here a face moves with the
optical flow of its pixels, each detection only corrects it a little, and a face that is no longer found
stays for a moment, as long as its pixels look the same and are not plain, as those of a blank frame are.
"""

from __future__ import annotations

import dataclasses
import itertools

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.drawing.faces import Face, find_faces
from workbench.styles.optical_flow import Flow

_PATIENCE = 4  # frames for which a face stays that is no longer found, for each time that it was found
_LONGEST = 25  # and at most
_PLACE, _SHAPE = 0.2, 0.6  # shares of a correction of position and of shape that are applied at once
_NEAR = 1.0  # distances of the smaller face's eyes: a detection nearer than this may be the face followed
_ALIKE = 0.6  # correlation of a face's pixels from frame to frame, below which the face is lost
_PLAIN = 1.0  # levels of standard deviation, below which nothing can be recognised: it correlates with all
_RADIUS = 1.2  # of the disc whose motion is the face's, in distances of the eyes


@dataclasses.dataclass
class _Track:
    face: Face
    found: int = 1  # times
    missed: int = -1  # frames since then

    def correct(self, found: Face) -> None:
        """Go a part of the way to ``found``."""
        offset = found.middle - self.face.middle
        shape, own = (one.landmarks - one.middle for one in (found, self.face))
        landmarks = self.face.middle + _PLACE * offset + own + _SHAPE * (shape - own)
        self.face = Face(landmarks.astype(np.float32), found.score)
        self.found, self.missed = self.found + 1, -1


class FaceTracker:
    """Faces of one film, frame by frame; made anew for each."""

    def __init__(self) -> None:
        self._flow = Flow()
        self._before: NDArray[np.uint8] | None = None
        self._size: tuple[int, ...] = ()  # of the frame before
        self._tracks: list[_Track] = []

    def __call__(self, frame: NDArray[np.uint8]) -> list[Face]:
        """Faces in the next frame (H, W, 3), the largest first."""
        grey = self._flow.grey(frame)
        if frame.shape != self._size:
            self._tracks, self._size = [], frame.shape
        self._carry(grey, frame.shape[1] / grey.shape[1])
        self._before = grey
        self._correct(find_faces(frame))
        for track in self._tracks:
            track.missed += 1
        self._tracks = [t for t in self._tracks if t.missed <= min(_LONGEST, _PATIENCE * t.found)]
        return sorted((t.face for t in self._tracks), key=lambda face: -face.interocular_px)

    def _carry(self, grey: NDArray[np.uint8], scale: float) -> None:
        """Move each face with its pixels; forget those whose pixels changed."""
        before = self._before
        if not self._tracks:
            return
        assert before is not None  # tracks are of a frame before, of this size
        forth = self._flow.between(before, grey)
        kept = []
        for track in self._tracks:
            moved = _moved(track.face, forth, before, grey, scale)
            if moved is not None:
                track.face = moved
                kept.append(track)
        self._tracks = kept

    def _correct(self, faces: list[Face]) -> None:
        """Each detection corrects the track nearest to it, and each track is corrected once, so that two
        people side by side stay two; a detection near no other track is somebody new.
        """
        tracks, new = dict(enumerate(self._tracks)), dict(enumerate(faces))
        near = sorted(
            (distance, i, j)
            for (i, track), (j, face) in itertools.product(tracks.items(), new.items())
            if (distance := _distance(track.face, face)) < _NEAR
        )
        for _, i, j in near:
            if i in tracks and j in new:
                tracks.pop(i).correct(new.pop(j))
        self._tracks += [_Track(face) for face in new.values()]


def _distance(a: Face, b: Face) -> float:
    """Between the faces' middles, in distances of the eyes of the smaller one."""
    return float(np.linalg.norm(a.middle - b.middle)) / min(a.interocular_px, b.interocular_px)


def _moved(
    face: Face, forth: NDArray[np.float32], before: NDArray, after: NDArray, scale: float
) -> Face | None:
    """The face where its pixels went, or None if they are no longer there."""
    (x, y), unit = face.middle / scale, face.interocular_px / scale
    rows, columns = np.mgrid[: before.shape[0], : before.shape[1]]
    disc = np.hypot(columns - x, rows - y - 0.5 * unit) < _RADIUS * unit
    if disc.sum() < 16:
        return None
    right, down = np.median(forth[disc], axis=0)
    patch = _patch(before, x, y, unit), _patch(after, x + right, y + down, unit)
    if patch[1].std() < _PLAIN:
        return None
    likeness = cv2.matchTemplate(*patch, cv2.TM_CCOEFF_NORMED)[0, 0]
    inside = 0 <= x + right < before.shape[1] and 0 <= y + down < before.shape[0]
    if likeness < _ALIKE or not inside:
        return None
    return face.moved(right * scale, down * scale)


def _patch(grey: NDArray[np.uint8], x: float, y: float, unit: float) -> NDArray[np.uint8]:
    side = max(8, round(2.4 * unit))
    return np.asarray(cv2.getRectSubPix(grey, (side, side), (float(x), float(y + 0.5 * unit))), np.uint8)
