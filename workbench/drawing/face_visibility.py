"""Which features of a face a photo shows: eyes behind dark lenses, closed or blurred; covered mouths."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.drawing.face_shapes import Shape, disc, polygon, round_kernel
from workbench.drawing.faces import EYE_CONTOURS, IRISES
from workbench.drawing.flow import Array
from workbench.drawing.lines import ramp

_BORDERS = 1.0, 1.3  # how far borders within an eye stand out where no iris is seen, and where one surely is
_SUREST = 2.0  # borders beyond which an eye says no more for the other
_CLEAR = 0.42, 0.5  # lightness of eye and lids relative to the cheeks' behind a dark lens, and without one
_LIKE = 0.2, 0.35  # correlation with the typical eye, of a lid, hair or a hand and of an eye
_WINK = 0.45, 0.6  # opening of an eye relative to the other's, of a wink and of a pair that looks
_PROFILE = 0.3, 0.45  # width of an eye relative to the other's, of a profile and of a face from before
# lightness of lids, iris and white, standardised, from the outer corner (left) to the inner one: the mean of
# 328 eyes of portraits
_TYPICAL_EYE = np.array(
    (
        (0.2, 0.1, -0.2, -0.6, -0.7, -0.6, -0.3, -0.1, 0.1),
        (-0.4, -0.9, -1.4, -1.7, -1.6, -1.1, -0.6, -0.3, 0.0),
        (-1.2, -1.2, -1.5, -2.1, -1.8, -0.6, -0.1, -0.4, 0.1),
        (-1.3, -0.5, -0.7, -1.6, -1.4, 0.1, 0.5, 0.0, 0.4),
        (-0.3, 0.3, 0.3, -0.1, 0.1, 0.7, 0.8, 0.7, 0.9),
        (0.6, 0.9, 1.0, 1.0, 1.1, 1.1, 1.0, 1.0, 1.1),
        (1.1, 1.2, 1.3, 1.4, 1.3, 1.2, 1.2, 1.2, 1.2),
    ),
    np.float32,
)
_MOUTH_ROWS = (  # landmarks from corner to corner: the edges of the upper lip, then those of the lower lip
    (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
    (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
    (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291),
)
_LIPS = 0.6, 1.0  # how far lips stand out, relative to what is needed, where none are seen and where they are
_ON_SKIN, _ELSEWHERE = 0.0135, 0.06  # what is needed of lips on skin, and within a beard or on cloth
_REDNESS = 0.003  # how far redder lips count for each unit of CIELAB's a


@dataclasses.dataclass(frozen=True)
class Eye:
    """Outlines of an eye; masks cover a shape's window.

    Attributes:
        lower, upper: lids (9, 2) in pixels, from the outer to the inner corner.
        inside, iris: (h, w) in [0, 1].
        centre, radius: of the iris in pixels.
    """

    lower: NDArray
    upper: NDArray
    inside: Array
    iris: Array
    centre: NDArray
    radius: float

    @property
    def across(self) -> NDArray:
        """Vector (2,) from the outer to the inner corner in pixels."""
        return np.asarray(self.lower[-1] - self.lower[0])

    @property
    def width(self) -> float:
        """Distance of the corners in pixels."""
        return float(np.linalg.norm(self.across))

    @property
    def opening(self) -> NDArray:
        """Vector (2,) from the upper to the lower lid in pixels."""
        return np.asarray(self.lower[3:6].mean(0) - self.upper[3:6].mean(0))

    @property
    def openness(self) -> float:
        """Height relative to the width."""
        return float(np.linalg.norm(self.opening)) / max(self.width, 1e-6)


def eye(shape: Shape, side: int) -> Eye:
    """The viewer's left (0) or right (1) eye of a face."""
    contour = shape.points[list(EYE_CONTOURS[side])]
    lower, upper = contour[:9], np.concatenate([contour[:1], contour[9:], contour[8:9]])
    inside = polygon(shape.size, np.concatenate([lower, upper[::-1]]))
    rim = shape.points[list(IRISES[side])]
    width = float(np.linalg.norm(lower[-1] - lower[0]))
    radius = min(float(np.linalg.norm(rim[1:] - rim[0], axis=1).mean()), 0.36 * width)
    return Eye(lower, upper, inside, disc(shape.size, rim[0], radius) * inside, rim[0], radius)


def lightness(photo: Array) -> Array:
    """L* (h, w) of RGB (h, w, 3) in [0, 1]."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(photo, np.float32), cv2.COLOR_RGB2LAB)[..., 0])


def eyes_seen(photo: Array, shape: Shape, eyes: tuple[Eye, Eye]) -> list[tuple[float, float]]:
    """How clear the photo is before each eye, 0 behind a dark lens, and how far it shows the iris; in [0, 1].

    What does not look like an eye, as a lid, hair or a hand before it, is none. Two that do say one thing
    together: light from one side, a reflection or a soft photo hides a single eye no more than the pair. An
    eye speaks for itself alone beside one that is covered; beside one that is much less open, as in a wink;
    and beside one that is much narrower, as in a profile. All of this changes gradually, so that films do not
    flicker.

    Args:
        photo: (h, w, 3) of the face's window.
        shape: of the face.
        eyes: the viewer's left and right eye.
    """
    light = lightness(photo)
    shades, borders = np.array([_evidence(light, shape, one) for one in eyes]).T
    alike = ramp(
        np.array([_likeness(light, one, side) for one, side in zip(eyes, (1, -1), strict=True)]), *_LIKE
    )
    share = alike.min() * _looking_together(eyes)
    pair = np.minimum(borders, _SUREST).mean()
    shades += share * (shades.mean() - shades)
    borders += share * (pair - borders)
    clear = ramp(shades, *_CLEAR)
    iris = clear * ramp(borders, *_BORDERS) * alike
    return [(float(c), float(i)) for c, i in zip(clear, iris, strict=True)]


def _evidence(light: Array, shape: Shape, one: Eye) -> tuple[float, float]:
    """Lightness of eye and lids relative to the cheeks', and how far borders within the eye stand out.

    An iris and the white beside it have borders across the line from corner to corner; closed lids have them
    along it, and blur and lenses have hardly any. As contrast counts relative to the light on the eye, an eye
    in the shade or of a dark face is seen as well.
    """
    within = one.inside > 0.5
    if not within.any() or not one.width:
        return 1.0, 0.0
    smooth = cv2.GaussianBlur(light, (0, 0), max(0.5, 0.03 * one.width))
    x, y = (cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3, scale=1 / 8) for order in ((1, 0), (0, 1)))
    borders = np.percentile(np.abs(x * one.across[0] + y * one.across[1])[within], 80)
    brightest = max(float(np.percentile(smooth[within], 90)), 0.0)
    white = np.clip(one.inside - cv2.dilate(one.iris, np.ones((3, 3))), 0, 1)
    contrast = _mean(light, white) - _mean(light, one.iris) if white.sum() > 1 else 0.0
    near, far = (cv2.dilate(one.inside, round_kernel(reach * one.width)) for reach in (0.1, 0.3))
    lids = far - near > 0.5
    around = np.percentile(light[lids], 75) if lids.any() else 0.0
    shade = np.sqrt(max(float(around), 0.0) * brightest) / max(float(shape.tone[0]), 1.0)
    return float(shade), float(borders + 1.5 * contrast) / (brightest + 10)


def _looking_together(eyes: tuple[Eye, Eye]) -> float:
    """How far both eyes are open and turned to the viewer, in [0, 1]."""
    widths, opened = np.array([(one.width, one.openness) for one in eyes]).T
    return float(
        ramp(opened.min() / max(opened.max(), 1e-6), *_WINK)
        * ramp(widths.min() / max(widths.max(), 1e-6), *_PROFILE)
    )


def _likeness(light: Array, one: Eye, side: int) -> float:
    """Correlation of the lightness in and around an eye with the typical eye's; the right one is side -1."""
    across = one.across
    down = side * np.array([-across[1], across[0]])
    rows, columns = 13, 25
    x, y = np.meshgrid(np.linspace(-0.1, 1.1, columns), np.linspace(-0.3, 0.3, rows))
    smooth = cv2.GaussianBlur(light, (0, 0), max(0.5, 0.05 * one.width))
    patch = at(smooth, one.lower[0] + x[..., None] * across + y[..., None] * down)
    typical = cv2.resize(_TYPICAL_EYE, (columns, rows), interpolation=cv2.INTER_CUBIC)
    if patch.std() < 0.1:  # L*
        return 0.0
    return float(np.corrcoef([patch.ravel(), typical.ravel()])[0, 1])


def mouth_seen(photo: Array, shape: Shape) -> float:
    """How far the photo shows the mouth of a face, 0 where a hand, a mask or a scarf covers it; in [0, 1].

    Lips and teeth are bands of other lightness, along the whole mouth and not straight in tone across it, and
    lips are redder than the skin around. Where there is no skin around, as in a beard, more of it is needed.

    Args:
        photo: (h, w, 3) of the face's window.
        shape: of the face.
    """
    lab = cv2.cvtColor(np.ascontiguousarray(photo, np.float32), cv2.COLOR_RGB2LAB)
    smooth = cv2.GaussianBlur(lab, (0, 0), max(0.5, 0.02 * shape.unit))
    top, under, over, bottom = (shape.points[list(row)][2:9] for row in _MOUTH_ROWS)
    down = bottom - top
    step = 0.14 * shape.unit / 3 * down / np.maximum(np.linalg.norm(down, axis=1, keepdims=True), 1e-6)
    skin = (top - 3 * step, top - 2 * step, bottom + 2 * step, bottom + 3 * step)
    lips = (top - step, top, (top + under) / 2, under, (under + over) / 2, over, (over + bottom) / 2, bottom)
    band, around = (at(smooth, np.stack(places)) for places in ((*lips, bottom + step), skin))
    light = band[..., 0]  # 9 rows from nose to chin, 7 columns
    line = np.stack([np.linspace(-1, 1, len(light)), np.ones(len(light))], 1)
    light = light - line @ np.linalg.lstsq(line, light, rcond=None)[0]  # without the shading of the face
    along = light.mean(1)  # of the mouth; what is no mouth has other bands at each column
    bands = along.std() * along.var() / max(float((light**2).mean()), 1e-6)
    bands /= max(float(np.percentile(band[..., 0].mean(1), 90)), 0.0) + 10
    redder = float(band[[2, 6], :, 1].mean() - around[..., 1].mean())
    bare = float(shape.like_skin(around).mean())
    needed = bare * _ON_SKIN + (1 - bare) * _ELSEWHERE
    return float(ramp(np.asarray((bands + _REDNESS * np.clip(redder, 0, 10)) / needed), *_LIPS))


def at(picture: Array, places: NDArray) -> Array:
    """A picture (h, w) or (h, w, 3) at positions (..., 2); its border goes on outside."""
    x, y = np.moveaxis(places.astype(np.float32), -1, 0)
    return np.asarray(cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _mean(values: Array, weights: Array) -> float:
    return float((values * weights).sum() / max(float(weights.sum()), 1e-6))
