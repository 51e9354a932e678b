"""Lines and colours of a drawn face's features: brows and lips, and its eyes."""

from __future__ import annotations

import cv2
import numpy as np

from workbench.drawing.face_eyes import draw_eyes
from workbench.drawing.face_shapes import BROWS, LIPS_INNER, Shape, polygon, stroke
from workbench.drawing.face_skin import without_dashes
from workbench.drawing.face_visibility import mouth_seen
from workbench.drawing.flow import Array
from workbench.drawing.look import Look

_MOUTH = (
    (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
)


def draw_features(
    color: Array, strength: Array, photo: Array, shape: Shape, look: Look
) -> tuple[Array, Array]:
    """Colours (H, W, 3) and line strength (H, W) with the features of one face drawn.

    Args:
        color, strength: of the drawing so far.
        photo: (H, W, 3) that it is drawn from.
        shape: of the face in it.
        look: of the drawing.
    """
    window = shape.window
    color, strength = color.copy(), strength.copy()
    part, ink = color[window], strength[window]
    ink[:] = without_dashes(ink, shape)
    ink *= 1 - 0.65 * shape.inner  # of wrinkles, the shade is enough
    for side in (0, 1):
        part[:], most = _brow(part, photo[window], shape, side)
        np.minimum(ink, most, out=ink)
    part[:], ink[:] = draw_eyes(part, ink, photo[window], shape, look)
    seen = mouth_seen(photo[window], shape)
    teeth = polygon(shape.size, shape.points[list(LIPS_INNER)])
    ink *= 1 - 0.7 * seen * teeth
    np.maximum(ink, seen * _mouth(shape), out=ink)
    return color, strength


def _brow(part: Array, photo: Array, shape: Shape, side: int) -> tuple[Array, Array]:
    """Colours with the brow's own hair a little darker, and the most ink on it: a light brow stays light."""
    area = polygon(shape.size, shape.points[list(BROWS[side])])
    area = cv2.GaussianBlur(cv2.dilate(area, np.ones((3, 3))), (0, 0), max(0.6, 0.02 * shape.unit))
    luma = cv2.GaussianBlur(photo.mean(-1), (0, 0), max(0.8, 0.03 * shape.unit))
    around = cv2.GaussianBlur(luma, (0, 0), max(1.0, 0.14 * shape.unit))
    hair = np.clip((around - luma) / 0.10, 0, 1) * area
    return part * (1 - 0.25 * hair[..., None]), 1 - area * (1 - np.clip((around - luma) / 0.3, 0, 1))


def _mouth(shape: Shape) -> Array:
    """The line between the lips; two fine ones round an open mouth."""
    upper, lower = (shape.points[list(edge)] for edge in _MOUTH)
    opened = np.clip(float(np.linalg.norm(shape.points[13] - shape.points[14])) / shape.unit / 0.08, 0, 1)
    width = max(1.0, 0.022 * shape.unit)
    closed = 0.75 * stroke(shape.size, (upper + lower) / 2, width)
    edges = np.maximum(0.55 * stroke(shape.size, upper, width), 0.3 * stroke(shape.size, lower, 0.6 * width))
    return np.asarray(closed if opened < 0.3 else opened * edges, np.float32)
