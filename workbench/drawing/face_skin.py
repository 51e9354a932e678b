"""Clean skin of a drawn face: without specks of stubble and without single dashes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.drawing.face_shapes import (
    CHIN,
    FOREHEAD,
    NOSE_WINGS,
    NOSTRILS,
    OVAL,
    Shape,
    disc,
    polygon,
    round_kernel,
)
from workbench.drawing.flow import Array
from workbench.drawing.lines import ramp

# lengths relative to the size of the face
_SPECK = 0.14, 0.2  # length of a spot that goes if it is one of many, and of one that stays
_SPOT = 0.05, 0.08  # those of a single spot, as a mole
_STANDS_OUT = 2.0  # how much lighter or darker than around it a spot is, L*
_CROWD = 0.02, 0.06  # share of spots nearby where one is alone, and where it is one of many
_DASH = 0.2, 0.32  # length of a dash that goes, and of one that stays
_WEAKEST = 0.12  # line strength that belongs to a dash
_MOSTLY = 0.2, 0.4  # share of skin within a beard, and on skin with stubble
_UPRIGHT = 0.36  # distance between the eyes relative to the height of a face
_BARE = 0.5, 0.8  # share of a dash on bare skin if it is part of something else, and if not


def _size(shape: Shape) -> float:
    """Distance between the eyes in pixels, of a profile as if seen from before."""
    return max(
        shape.unit, _UPRIGHT * float(np.linalg.norm(shape.points[FOREHEAD] - shape.points[CHIN])), 1e-3
    )


def bare(shape: Shape) -> Array:
    """(h, w) in [0, 1]: skin with what is scattered on it, as stubble; no feature and no beard."""
    size = _size(shape)
    mostly = cv2.GaussianBlur(shape.skin, (0, 0), max(0.5, 0.12 * size))
    features = cv2.dilate(shape.features(), round_kernel(0.05 * size))
    return np.asarray(ramp(mostly, *_MOSTLY) * (1 - features), np.float32)


def without_specks(color: Array, shape: Shape) -> Array:
    """The colours (H, W, 3) of a drawing without small spots on the skin of a face.

    Of many small spots beside each other, as stubble leaves them, all go; of single ones, as moles, only
    those that are too small to be seen.
    """
    window, where, size = shape.window, bare(shape), _size(shape)
    if not where.any():
        return color
    lab = cv2.cvtColor(np.ascontiguousarray(color[window], np.float32), cv2.COLOR_RGB2LAB)
    tone, kernel = lab[..., 0], round_kernel(0.5 * _SPECK[0] * size)
    dark, light = (
        np.abs(cv2.morphologyEx(tone, way, kernel) - tone) for way in (cv2.MORPH_CLOSE, cv2.MORPH_OPEN)
    )
    lengths, labels = _lengths((np.maximum(dark, light) > _STANDS_OUT) & (where > 0.5), shape)
    small = (1 - ramp(lengths, *_SPECK))[labels]
    crowd = ramp(cv2.GaussianBlur(small, (0, 0), max(0.5, 0.15 * size)), *_CROWD)
    share = np.maximum(small * crowd, (1 - ramp(lengths, *_SPOT))[labels]) * where
    share = cv2.GaussianBlur(cv2.dilate(share, np.ones((3, 3))), (0, 0), 0.7)[..., None]
    calm = cv2.morphologyEx(cv2.morphologyEx(lab, cv2.MORPH_CLOSE, kernel), cv2.MORPH_OPEN, kernel)
    calm = cv2.GaussianBlur(calm, (0, 0), max(0.5, 0.05 * size))
    result = color.copy()
    result[window] = np.clip(cv2.cvtColor(lab + share * (calm - lab), cv2.COLOR_LAB2RGB), 0, 1)
    return result


def without_dashes(ink: Array, shape: Shape) -> Array:
    """Line strength (h, w) of a face's window without short lines on its skin that belong to nothing.

    Long ones, as folds, stay, and so do those beside eyes, nostrils and wings of the nose, brows and lips.
    """
    free = bare(shape) * polygon(shape.size, shape.points[list(OVAL)])
    near = [*shape.points[list(NOSE_WINGS)], shape.points[list(NOSTRILS)].mean(0)]
    for place, reach in (*((eye, 0.45) for eye in shape.eyes), *((place, 0.2) for place in near)):
        free = free * (1 - disc(shape.size, place, reach * _size(shape)))
    lengths, labels = _lengths(ink > _WEAKEST, shape)
    pixels = np.maximum(np.bincount(labels.ravel(), minlength=len(lengths)), 1)
    on_skin = np.bincount(labels.ravel(), free.ravel(), len(lengths)) / pixels
    goes = ramp(on_skin.astype(np.float32), *_BARE) * (1 - ramp(lengths, *_DASH))
    return np.asarray(ink * (1 - goes[labels]), np.float32)


def _lengths(mask: NDArray, shape: Shape) -> tuple[Array, NDArray[np.int32]]:
    """Diagonals (N,) of the connected parts of a mask (h, w) in distances between the eyes, and their labels.

    What is outside the mask has label 0 and infinite length.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    sides = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    lengths = np.asarray(np.hypot(*sides.T) / _size(shape), np.float32)
    lengths[0] = np.inf
    return lengths, np.asarray(labels, np.int32)
