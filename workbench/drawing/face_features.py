"""Lines and colours of a drawn face's features: lids, irises, brows and lips."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.drawing.face_shapes import BROWS, LIPS_INNER, Shape, disc, polygon, round_kernel
from workbench.drawing.faces import EYE_CONTOURS, IRISES
from workbench.drawing.flow import Array
from workbench.drawing.lines import ramp

_SQUINT = 0.16  # height of an eye relative to its width below which it is a line
_DARK = np.array([10.0, 0, 0])  # Lab
_SMALL = 10.0  # width of an eye in pixels below which its iris cannot be drawn
_BORDERS = 1.0, 1.3  # how far borders within an eye stand out where no iris is seen, and where one surely is
_CLEAR = 0.42, 0.5  # lightness of eye and lids relative to the cheeks' behind a dark lens, and without one
_MOUTH = (
    (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
)


def draw_features(color: Array, strength: Array, photo: Array, shape: Shape) -> tuple[Array, Array]:
    """Colours (H, W, 3) and line strength (H, W) with the features of one face drawn.

    Args:
        color, strength: of the drawing so far.
        photo: (H, W, 3) that it is drawn from.
        shape: of the face in it.
    """
    window = shape.window
    color, strength = color.copy(), strength.copy()
    part, ink = color[window], strength[window]
    ink *= 1 - 0.65 * shape.inner  # of wrinkles, the shade is enough
    for side in (0, 1):
        part[:], most = _brow(part, photo[window], shape, side)
        np.minimum(ink, most, out=ink)
        drawn, line = _eye(part, photo[window], shape, side)
        part[:] = drawn
        np.maximum(ink, line, out=ink)
    teeth = polygon(shape.size, shape.points[list(LIPS_INNER)])
    ink *= 1 - 0.7 * teeth
    np.maximum(ink, _mouth(shape), out=ink)
    return color, strength


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


def _eye(part: Array, photo: Array, shape: Shape, side: int) -> tuple[Array, Array]:
    """Colours with one eye drawn, and its lines.

    Of an eye that is closed, small or blurred, the lid alone is drawn; nothing behind a dark lens.
    """
    contour = shape.points[list(EYE_CONTOURS[side])]
    lower, upper = contour[:9], np.concatenate([contour[:1], contour[9:], contour[8:9]])
    opening = lower[3:6].mean(0) - upper[3:6].mean(0)
    width = float(np.linalg.norm(lower[0] - lower[-1]))
    inside = polygon(shape.size, np.concatenate([lower, upper[::-1]]))
    rim = shape.points[list(IRISES[side])]
    centre, radius = rim[0], min(float(np.linalg.norm(rim[1:] - rim[0], axis=1).mean()), 0.36 * width)
    iris = disc(shape.size, centre, radius) * inside
    clear, seen = _visible(photo, shape, inside, iris, lower[-1] - lower[0])
    line = clear * 0.95 * stroke(shape.size, upper, max(1.2, 0.042 * shape.unit), 0.35)
    if np.linalg.norm(opening) < _SQUINT * width or width < _SMALL or seen == 0:
        return part, line
    lab = cv2.cvtColor(np.ascontiguousarray(part, np.float32), cv2.COLOR_RGB2LAB)
    # the white of the eye a little lighter and without colour, in its own shade
    light = lab[..., 0] + 0.35 * np.maximum(86 - lab[..., 0], 0)
    lab = _mix(lab, np.dstack([light, lab[..., 1:] * 0.5]), seen * 0.8 * inside * (1 - iris))
    lab = _mix(lab, _iris(photo, shape, iris, centre, radius), seen * 0.9 * iris)
    edge = np.clip(iris - disc(shape.size, centre, 0.84 * radius), 0, 1)
    lab = _mix(lab, _DARK, seen * 0.5 * edge)
    lab = _mix(lab, _DARK, seen * 0.9 * disc(shape.size, centre, 0.42 * radius) * inside)  # the pupil
    shadow = stroke(shape.size, upper + 0.1 * opening, 0.05 * shape.unit)
    lab = _mix(lab, _DARK, seen * 0.3 * shadow * inside)
    spot = disc(shape.size, centre - radius * np.array([0.32, 0.36]), max(0.8, 0.22 * radius))
    glint = seen * spot * inside
    lab = _mix(lab, np.array([min(98.0, shape.tone[0] + 40), 0, 0]), 0.9 * glint)
    lashes = 0.4 * stroke(shape.size, lower[1:-1], max(0.8, 0.014 * shape.unit))
    line = np.maximum(line, seen * lashes)
    return np.clip(cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB), 0, 1), line * (1 - glint)


def _visible(photo: Array, shape: Shape, inside: Array, iris: Array, across: NDArray) -> tuple[float, float]:
    """How clear the photo is before an eye, 0 behind a dark lens, and how far it shows the iris; in [0, 1].

    An iris and the white beside it have borders across the line from corner to corner; closed lids have them
    along it, and blur and lenses have hardly any. As contrast counts relative to the light on the eye, an eye
    in the shade or of a dark face is seen as well. Both change gradually, so that films do not flicker.

    Args:
        photo: (h, w, 3) of the face's window.
        inside, iris: (h, w) in [0, 1], masks of the eye and of the iris in it.
        across: vector (2,) from corner to corner in pixels.
    """
    width = float(np.linalg.norm(across))
    if not (inside > 0.5).any() or not width:
        return 1.0, 0.0
    lightness = cv2.cvtColor(np.ascontiguousarray(photo, np.float32), cv2.COLOR_RGB2LAB)[..., 0]
    smooth = cv2.GaussianBlur(lightness, (0, 0), max(0.5, 0.03 * width))
    x, y = (cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3, scale=1 / 8) for order in ((1, 0), (0, 1)))
    borders = np.percentile(np.abs(x * across[0] + y * across[1])[inside > 0.5], 80)
    light = max(float(np.percentile(smooth[inside > 0.5], 90)), 0.0)
    white = np.clip(inside - cv2.dilate(iris, np.ones((3, 3))), 0, 1)
    contrast = _mean(lightness, white) - _mean(lightness, iris) if white.sum() > 1 else 0.0
    near, far = (cv2.dilate(inside, round_kernel(reach * width)) for reach in (0.1, 0.3))
    lids = far - near > 0.5
    around = np.percentile(lightness[lids], 75) if lids.any() else 0.0
    shade = np.sqrt(max(float(around), 0.0) * light) / max(float(shape.tone[0]), 1.0)
    clear = float(ramp(np.asarray(shade), *_CLEAR))
    return clear, clear * float(ramp(np.asarray((borders + 1.5 * contrast) / (light + 10)), *_BORDERS))


def _mean(values: Array, weights: Array) -> float:
    return float((values * weights).sum() / max(float(weights.sum()), 1e-6))


def _iris(photo: Array, shape: Shape, iris: Array, centre: NDArray, radius: float) -> Array:
    """Lab (h, w, 3) of an iris in the person's own colour, darker at its top."""
    lab = cv2.cvtColor(np.ascontiguousarray(photo, np.float32), cv2.COLOR_RGB2LAB)
    ring = (iris > 0.5) & (disc(shape.size, centre, 0.5 * radius) < 0.5)
    own = np.median(lab[ring], 0) if ring.sum() > 3 else np.array([25, 0, 0])
    rows = np.arange(shape.size[0])[:, None]
    light = np.clip(0.75 + 0.45 * (rows - centre[1] + radius) / (2 * radius), 0.7, 1.25)
    brown = np.clip((40 - own[0]) / 20, 0, 1) * np.array([4, 6])  # as dark irises are by daylight
    chroma = np.zeros(2) if shape.gray else own[1:] * 1.15 + brown
    tone = np.broadcast_to(np.clip(own[0] * 1.15 + 3, 17, 62) * light, shape.size)
    return np.dstack([tone, *(np.full(shape.size, c) for c in chroma)])


def _mix(picture: Array, other: Array, share: Array) -> Array:
    return picture + share[..., None] * (other - picture)


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
