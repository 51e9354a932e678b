"""Shapes of a face: its frame, skin and features as masks, and the warp that exaggerates them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.drawing.faces import EYE_CONTOURS, EYE_CORNERS
from workbench.drawing.flow import Array

# indices into MediaPipe's face mesh
_OVAL_RIGHT = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152)
_OVAL_LEFT = (148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)
OVAL = (*_OVAL_RIGHT, *_OVAL_LEFT)
LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
LIPS_INNER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
BROWS = (  # upper edge from the outer to the inner end, lower edge back
    (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    (300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
)
NOSTRILS = (98, 97, 2, 326, 327)
FOREHEAD, NOSE_TIP, CHIN, TEMPLES, NOSE_WINGS = 10, 4, 152, (234, 454), (129, 358)
CHEEKS = (205, 425, 50, 280, 117, 346, 151, 9)


def polygon(size: tuple[int, int], points: NDArray) -> Array:
    """(H, W) in [0, 1]: 1 inside the polygon (N, 2), with smooth edges."""
    mask = np.zeros(size, np.uint8)
    corners = np.round(np.asarray(points) * 16).astype(np.int32)
    cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def disc(size: tuple[int, int], centre: NDArray, radius: float) -> Array:
    """(H, W) in [0, 1]: 1 inside the circle, with smooth edges."""
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    return polygon(size, centre + radius * np.stack([np.cos(t), np.sin(t)], 1))


def stroke(size: tuple[int, int], points: NDArray, width: float, ends: float = 0.25) -> Array:
    """(H, W) in [0, 1]: a pen stroke along points (N, 2).

    Args:
        size: (H, W).
        width: pixels in the middle.
        ends: width at the ends, as a share of that.
    """
    steps = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    at = np.linspace(0, steps[-1], 40)
    line = np.stack([np.interp(at, steps, points[:, i]) for i in (0, 1)], 1)
    line = np.stack(
        [np.convolve(np.pad(line[:, i], 2, mode="edge"), np.ones(5) / 5, "valid") for i in (0, 1)], 1
    )
    t = np.linspace(0, 1, len(line))
    half = 0.5 * width * (ends + (1 - ends) * np.sin(np.pi * t) ** 0.6)
    along = np.gradient(line, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    across = np.stack([-along[:, 1], along[:, 0]], 1) * half[:, None]
    return polygon(size, np.concatenate([line + across, (line - across)[::-1]]))


def round_kernel(radius: float) -> NDArray[np.uint8]:
    """Structuring element of a disc, for what grows or shrinks masks; radius in pixels."""
    side = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


class Shape:
    """A face within a picture; masks cover :attr:`window` only.

    Args:
        points: (478, 2) landmarks in pixels.
        photo: (H, W, 3) floats in [0, 1].

    Attributes:
        window: rows and columns of the picture around the face.
        points: (478, 2) in pixels of the window.
        eyes: centres of the viewer's left and right eye (2, 2), in pixels of the window.
        unit: distance between the eyes in pixels.
        skin: (h, w) in [0, 1]: bare skin of face, ears and neck, without eyes, brows and lips.
        inner: (h, w) in [0, 1]: skin away from its borders, where a line is a wrinkle.
        tone: Lab colour (3,) of the cheeks.
    """

    def __init__(self, points: NDArray, photo: Array):
        eyes = np.stack([points[list(pair)].mean(0) for pair in EYE_CORNERS])
        self.unit = float(np.linalg.norm(eyes[1] - eyes[0]))
        low, high = points[:468].min(0) - 0.7 * self.unit, points[:468].max(0) + 0.9 * self.unit
        left, top = np.maximum(0, np.floor(low)).astype(int)
        right, bottom = np.minimum(photo.shape[1::-1], np.ceil(high)).astype(int)
        self.window = slice(top, max(top + 1, bottom)), slice(left, max(left + 1, right))
        self.points = (points - (left, top)).astype(np.float32)
        self.eyes = (eyes - (left, top)).astype(np.float32)
        part = photo[self.window]
        self.size = part.shape[:2]
        lab = cv2.cvtColor(np.ascontiguousarray(part, np.float32), cv2.COLOR_RGB2LAB)
        self.tone = self._tone(lab)
        self.skin = self._skin(lab)
        inner = cv2.erode(self.skin, round_kernel(0.07 * self.unit))
        for wing in self.points[list(NOSE_WINGS)]:
            inner *= 1 - disc(self.size, wing, 0.16 * self.unit)
        self.inner = cv2.GaussianBlur(inner, (0, 0), max(0.5, 0.03 * self.unit))

    def _tone(self, lab: Array) -> Array:
        height, width = self.size
        spots = np.clip(np.round(self.points[list(CHEEKS)]).astype(int), 0, (width - 1, height - 1))
        reach = max(1, round(0.05 * self.unit))
        colors = [
            lab[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1].reshape(-1, 3)
            for x, y in spots
        ]
        return np.asarray(np.median(np.concatenate(colors), 0), np.float32)

    def _skin(self, lab: Array) -> Array:
        oval = polygon(self.size, self.points[list(OVAL)])
        around = cv2.dilate(oval, round_kernel(0.55 * self.unit))
        near = np.maximum(cv2.GaussianBlur(around, (0, 0), max(0.5, 0.1 * self.unit)), oval)
        skin = self.like_skin(lab) * near
        grown = cv2.dilate(self.features(), round_kernel(0.035 * self.unit))
        skin = skin * (1 - grown)
        return cv2.GaussianBlur(skin.astype(np.float32), (0, 0), max(0.5, 0.025 * self.unit))

    def like_skin(self, lab: Array) -> Array:
        """(...) in [0, 1]: how far Lab colours (..., 3) are those of the cheeks; shade counts less."""
        difference = lab - self.tone
        far = np.sqrt((difference[..., 1:] ** 2).sum(-1) + (0.4 * difference[..., 0]) ** 2)
        return np.asarray(np.clip((24 - far) / 10, 0, 1), np.float32)

    def features(self) -> Array:
        """(h, w) in [0, 1]: eyes, brows, lips and nostrils."""
        mask = np.zeros(self.size, np.float32)
        for part in (*EYE_CONTOURS, *BROWS, LIPS, NOSTRILS):
            mask = np.maximum(mask, polygon(self.size, cv2.convexHull(self.points[list(part)])[:, 0]))
        return mask


def deformed(photo: Array, points: list[NDArray], which: int, amount: float) -> tuple[Array, list[NDArray]]:
    """The photo with one face exaggerated: eyes larger, nose and jaw smaller.

    Args:
        photo: (H, W, 3).
        points: landmarks (478, 2) of all faces in it.
        which: of them.
        amount: 0 to 1.

    Returns:
        The warped photo, and all landmarks where they are in it.
    """
    warp = _Warp(points[which], amount)
    low, high = warp.middle - 4 * warp.unit, warp.middle + 4 * warp.unit
    left, top = np.maximum(0, np.floor(low)).astype(int)
    right, bottom = np.minimum(photo.shape[1::-1], np.ceil(high)).astype(int)
    if right <= left or bottom <= top:
        return photo, points
    grid = np.dstack(np.meshgrid(np.arange(left, right), np.arange(top, bottom))).astype(np.float32)
    result = photo.copy()
    result[top:bottom, left:right] = cv2.remap(  # type: ignore[call-overload]
        photo, warp.source(grid), None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    moved = []
    for one in points:
        target = one.copy()
        for _ in range(8):  # the warp is gentle, so that this converges
            target = target + (one - warp.source(target))
        moved.append(target)
    return result, moved


class _Warp:
    """Where each pixel of an exaggerated face comes from."""

    def __init__(self, points: NDArray, amount: float):
        eyes = np.stack([points[list(pair)].mean(0) for pair in EYE_CORNERS])
        self.middle, across = eyes.mean(0), eyes[1] - eyes[0]
        self.unit = unit = float(np.linalg.norm(across))
        cosine, sine = across / max(unit, 1e-6)
        self.frame = np.array([[cosine, sine], [-sine, cosine]], np.float32)  # picture to face
        self.chin = max(float(((points[CHIN] - self.middle) @ self.frame.T)[1]), 0.5 * unit)
        sides = (points[list(TEMPLES)] - self.middle) @ self.frame.T
        self.half = float(np.abs(sides[:, 0]).mean())
        self.jaw = 0.11 * amount
        mouth = points[[13, 14]].mean(0)
        self.bumps = (  # centre, radius, magnification
            *((eye, 0.6 * unit, 1 + 0.30 * amount) for eye in eyes),
            (points[NOSE_TIP], 0.45 * unit, 1 - 0.14 * amount),
            (mouth, 0.6 * unit, 1 - 0.05 * amount),
        )

    def source(self, places: NDArray) -> NDArray[np.float32]:
        """(…, 2) positions in the photo of positions in the exaggerated picture."""
        move = np.zeros(places.shape, np.float32)
        for centre, radius, factor in self.bumps:
            v = places - centre
            weight = np.clip(1 - (v**2).sum(-1, keepdims=True) / radius**2, 0, 1) ** 1.5
            move -= v * (1 - 1 / factor) * weight
        v = (places - self.middle) @ self.frame.T
        down = np.clip(v[..., 1] / self.chin, 0, 1.6)
        grows = np.minimum(down, 1) ** 1.2 * np.clip((1.6 - down) / 0.6, 0, 1)
        fall = np.clip((1.9 - np.abs(v[..., 0]) / self.half) / 0.9, 0, 1)
        squeeze = v[..., 0] * self.jaw * grows * fall * fall * (3 - 2 * fall)
        return (
            places + move + np.dstack([squeeze, np.zeros_like(squeeze)]).reshape(places.shape) @ self.frame
        ).astype(np.float32)
