"""Lines and colours of a drawn face's features: lids, irises, brows and lips."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.drawing.face_shapes import BROWS, LIPS_INNER, Shape, disc, polygon, round_kernel
from workbench.drawing.face_skin import without_dashes
from workbench.drawing.face_visibility import Eye, eye, eyes_seen, lightness, mouth_seen
from workbench.drawing.flow import Array
from workbench.drawing.lines import ramp

_SQUINT = 0.16  # height of an eye relative to its width below which it is a line
_DARK = np.array([10.0, 0, 0])  # Lab
_SMALL = 10.0  # width of an eye in pixels below which its iris cannot be drawn
_BLACK = 8.0, 18.0  # L* at which nothing can be seen behind a lens, and at which something can
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
    ink[:] = without_dashes(ink, shape)
    ink *= 1 - 0.65 * shape.inner  # of wrinkles, the shade is enough
    eyes = eye(shape, 0), eye(shape, 1)
    for side, (clear, seen) in enumerate(eyes_seen(photo[window], shape, eyes)):
        part[:], most = _brow(part, photo[window], shape, side)
        np.minimum(ink, most, out=ink)
        part[:], line = _eye(part, photo[window], shape, eyes[side], clear, seen)
        np.maximum(ink, line, out=ink)
    seen = mouth_seen(photo[window], shape)
    teeth = polygon(shape.size, shape.points[list(LIPS_INNER)])
    ink *= 1 - 0.7 * seen * teeth
    np.maximum(ink, seen * _mouth(shape), out=ink)
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


def _eye(part: Array, photo: Array, shape: Shape, one: Eye, clear: float, seen: float) -> tuple[Array, Array]:
    """Colours with one eye drawn, and its lines.

    Of an eye that is closed, small or blurred, the lid alone is drawn, and no line behind a dark lens; what
    the photo shows there stays.

    Args:
        part: colours (h, w, 3) of the drawing so far.
        photo: the same shape.
        shape: of the face.
        one: eye of it.
        clear, seen: see :func:`eyes_seen`.
    """
    line = clear * 0.95 * stroke(shape.size, one.upper, max(1.2, 0.042 * shape.unit), 0.35)
    if one.openness < _SQUINT or one.width < _SMALL:
        seen = 0.0
    part = _as_in_photo(part, photo, shape, one, 1 - seen)
    if seen == 0:
        return part, line
    inside, iris, centre, radius = one.inside, one.iris, one.centre, one.radius
    lab = cv2.cvtColor(np.ascontiguousarray(part, np.float32), cv2.COLOR_RGB2LAB)
    # the white of the eye a little lighter and without colour, in its own shade
    light = lab[..., 0] + 0.35 * np.maximum(86 - lab[..., 0], 0)
    lab = _mix(lab, np.dstack([light, lab[..., 1:] * 0.5]), seen * 0.8 * inside * (1 - iris))
    lab = _mix(lab, _iris(photo, shape, iris, centre, radius), seen * 0.9 * iris)
    edge = np.clip(iris - disc(shape.size, centre, 0.84 * radius), 0, 1)
    lab = _mix(lab, _DARK, seen * 0.5 * edge)
    lab = _mix(lab, _DARK, seen * 0.9 * disc(shape.size, centre, 0.42 * radius) * inside)  # the pupil
    shadow = stroke(shape.size, one.upper + 0.1 * one.opening, 0.05 * shape.unit)
    lab = _mix(lab, _DARK, seen * 0.3 * shadow * inside)
    spot = disc(shape.size, centre - radius * np.array([0.32, 0.36]), max(0.8, 0.22 * radius))
    glint = seen * spot * inside
    lab = _mix(lab, np.array([min(98.0, shape.tone[0] + 40), 0, 0]), 0.9 * glint)
    lashes = 0.4 * stroke(shape.size, one.lower[1:-1], max(0.8, 0.014 * shape.unit))
    line = np.maximum(line, seen * lashes)
    return np.clip(cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB), 0, 1), line * (1 - glint)


def _as_in_photo(part: Array, photo: Array, shape: Shape, one: Eye, share: float) -> Array:
    """The colours with the photo's light and dark in and around an eye, in the drawing's own tone."""
    if share == 0 or not one.width:
        return part
    area = cv2.dilate(one.inside, round_kernel(0.25 * one.width))
    area = cv2.GaussianBlur(area, (0, 0), max(0.5, 0.1 * one.width))
    calm = cv2.bilateralFilter(np.ascontiguousarray(photo, np.float32), 5, 0.06, 2)
    lab = cv2.cvtColor(np.ascontiguousarray(part, np.float32), cv2.COLOR_RGB2LAB)
    tones = lab[..., 0], lightness(calm)
    wide = [cv2.GaussianBlur(tone, (0, 0), max(1.0, 0.5 * one.width)) for tone in tones]
    change = (tones[1] - wide[1]) - (tones[0] - wide[0])
    shares = share * area * ramp(wide[1], *_BLACK)
    lab[..., 0] = np.clip(tones[0] + shares * change, 0, 100)
    return np.asarray(np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1), np.float32)


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
