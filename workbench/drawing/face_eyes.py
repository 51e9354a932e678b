"""Eyes of a drawn face: lids, irises in the person's own colour and glints, alike in both."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.drawing import scene
from workbench.drawing.face_shapes import Shape, disc, round_kernel, stroke
from workbench.drawing.face_visibility import Eye, at, eye, eyes_seen, lightness
from workbench.drawing.flow import Array
from workbench.drawing.lines import ramp
from workbench.drawing.look import Look

_SQUINT = 0.14, 0.17  # height of an eye relative to its width where it is a line, and where it has an iris
_SMALL = 9.0, 11.0  # width in pixels of an eye that is too small for an iris, and of one that is not
_BLACK = 8.0, 18.0  # L* at which nothing can be seen behind a lens, and at which something can
_LASHES = 0.5, 0.95  # strength of the line of an upper lid, least and most
_LASH_AND_CREASE = 0.9  # most strength of the lines beside an eye, relative to that of its lid
_LASHES_GAIN = 1.3  # that strength relative to the contrast of the photo's lid
_LID_WIDTH = 0.014, 0.026  # width of that line in distances between the eyes: always, and by its strength
_IRIS = 17.0, 62.0  # L* of an iris, darkest and lightest
_PUPIL = 10.0  # L*
_RING = 0.45, 0.9  # part of an iris that shows its colour, in its radii
_BLUER = 2.0, 6.0  # how much lower an iris' b is than the white's, from where on and where surely it is blue
_NOT_DARK = 20.0, 30.0  # L* of an iris whose colour cannot be told from its shade, and of one where it can
_WHITE = 8.0  # most chroma of an eye's white: what has more is a lid, or its shade
_GRAY = 8.0, 14.0  # chroma of an iris that counts as gray, and of one that has a colour of its own
_ONE_COLOR = 8.0, 16.0  # distance of the irises' a and b where they have one colour, and where each its own
_GLINT = 0.22  # radius of a glint, relative to the iris
_GLINT_AT = np.array([-0.32, -0.36])  # its place in radii of the iris, to the right and down of its middle
_GLINT_LEAST = 1.0  # radius in pixels of the smallest spot; what is smaller is fainter instead


def draw_eyes(part: Array, ink: Array, photo: Array, shape: Shape, look: Look) -> tuple[Array, Array]:
    """Colours (h, w, 3) and line strength (h, w) with both eyes of a face drawn.

    Of an eye that is closed, small or blurred, the lid alone is drawn, and no line behind a dark lens; what
    the photo shows there stays.

    Args:
        part, ink: of the drawing so far, in the face's window.
        photo: (h, w, 3) that it is drawn from.
        shape: of the face.
        look: of the drawing.
    """
    eyes = eye(shape, 0), eye(shape, 1)
    clear, seen = np.array(eyes_seen(photo, shape, eyes)).T
    opened, widths = np.array([(one.openness, one.width) for one in eyes]).T
    seen = seen * ramp(opened, *_SQUINT) * ramp(widths, *_SMALL)
    colors = iris_colors(photo, shape, eyes, seen, look)
    for one, color, lid, share in zip(eyes, colors, clear, seen, strict=True):
        part = _as_in_photo(part, photo, shape, one, 1 - share)
        part = _iris_and_white(part, shape, one, color, share) if share else part
        strength = lash_strength(photo, shape, one)
        ink = np.minimum(ink, 1 - share * (1 - _LASH_AND_CREASE * strength) * _grown(one, 0.14 * shape.unit))
        # an eye has its own lines instead of those that were found in the photo
        ink = ink * (1 - share * cv2.dilate(one.inside, round_kernel(0.04 * shape.unit)))
        ink = np.maximum(
            ink, np.maximum(lid * _upper_lid(shape, one, strength), share * _lower_lid(shape, one))
        )
    for one, spot in zip(eyes, glints(shape, eyes, seen), strict=True):
        part, ink = _with_glint(part, shape, one, spot), ink * (1 - spot)
    return part, ink


def _upper_lid(shape: Shape, one: Eye, strength: float) -> Array:
    width = (_LID_WIDTH[0] + _LID_WIDTH[1] * strength) * shape.unit
    return strength * stroke(shape.size, one.upper, max(1.0, width), 0.35)


def _lower_lid(shape: Shape, one: Eye) -> Array:
    return 0.4 * stroke(shape.size, one.lower[1:-1], max(0.8, 0.014 * shape.unit))


def lash_strength(photo: Array, shape: Shape, one: Eye) -> float:
    """Strength of the line of an upper lid, in [0.5, 0.95]: how much darker its edge is in the photo.

    Args:
        photo: (h, w, 3) of the face's window.
        shape: of the face.
        one: eye of it.
    """
    light = cv2.GaussianBlur(lightness(photo), (0, 0), max(0.5, 0.01 * shape.unit))
    down = shape.unit * one.opening / max(float(np.linalg.norm(one.opening)), 1e-6)
    edge, lid = (
        at(light, one.upper[1:-1] + np.linspace(first, last, 9)[:, None, None] * down)
        for first, last in ((-0.05, 0.05), (-0.18, -0.06))  # distances between the eyes from the lid's edge
    )
    contrast = 1 - edge.min(0).mean() / max(float(lid.max(0).mean()), 1e-6)
    return float(np.clip(_LASHES_GAIN * contrast, *_LASHES))


def iris_colors(
    photo: Array, shape: Shape, eyes: tuple[Eye, Eye], seen: Sequence[float] | NDArray, look: Look
) -> list[NDArray[np.float64]]:
    """Lab colours (3,) of both irises: the photo's, graded as the rest of the drawing.

    They are looked for where neither pupils, lashes and their shade nor most reflections are. A blue iris is
    often gray in numbers, in the warm light of a room and of the skin around it, and is seen as blue beside
    the white of its eye: it gets that colour. Eyes that are about alike have one hue, each in its own light;
    those of two colours keep them.

    Args:
        photo: (h, w, 3) of the face's window.
        shape: of the face.
        eyes: the viewer's left and right eye.
        seen: how far each is drawn, in [0, 1]; one that is not drawn says nothing about the other.
        look: of the drawing.
    """
    lab = cv2.cvtColor(np.ascontiguousarray(photo, np.float32), cv2.COLOR_RGB2LAB)
    own = np.stack([_in_photo(lab, shape, one) for one in eyes])
    apart = float(np.linalg.norm(own[0, 1:] - own[1, 1:]))
    together = min(seen) * (1 - ramp(np.asarray(apart), *_ONE_COLOR))
    own[:, 1:] += together * (own[:, 1:].mean(0) - own[:, 1:])
    whites = np.stack([_white(lab, one) for one in eyes])
    whites += together * (whites.mean(0) - whites)
    gray = 1 - ramp(np.hypot(*own[:, 1:].T), *_GRAY)
    blue = gray * ramp(whites[:, 1] - own[:, 2], *_BLUER) * ramp(own[:, 0], *_NOT_DARK)
    blue += together * (blue.mean() - blue)
    own[:, 1:] -= blue[:, None] * whites
    graded = scene.grade(own[None].astype(np.float32), look)
    if look.paper:
        graded = cv2.cvtColor(np.clip(scene.wash(graded, look), 0, 1), cv2.COLOR_RGB2LAB)
    return [_lightened(color, float(np.clip(color[0], *_IRIS))) for color in graded[0]]


def _in_photo(lab: Array, shape: Shape, one: Eye) -> NDArray[np.float64]:
    """Lab colour (3,) of an iris in Lab (h, w, 3)."""
    pupil, whole = (disc(shape.size, one.centre, share * one.radius) for share in _RING)
    rows = np.arange(shape.size[0])[:, None]
    ring = (whole * one.iris > 0.5) & (pupil < 0.5) & (rows > one.centre[1] - 0.3 * one.radius)
    ring = ring if ring.sum() > 3 else one.iris > 0.5
    return np.asarray(np.median(lab[ring], 0) if ring.any() else (25.0, 0.0, 0.0), np.float64)


def _white(lab: Array, one: Eye) -> NDArray[np.float64]:
    """a and b (2,) of the white of an eye in Lab (h, w, 3), no more coloured than a white can be."""
    pixels = lab[one.inside * (1 - one.iris) > 0.6]
    if len(pixels) < 6:
        return np.zeros(2)
    found = np.median(pixels[pixels[:, 0] >= np.median(pixels[:, 0])], 0)[1:]
    return np.asarray(found * min(1.0, _WHITE / max(float(np.hypot(*found)), 1e-6)), np.float64)


def _lightened(color: NDArray, lightness: float) -> NDArray[np.float64]:
    """A Lab colour (3,) of that L*, as saturated as before; one that is nearly black gains little chroma."""
    factor = min(lightness / max(float(color[0]), 1.0), 1.5)
    return np.array([lightness, *factor * np.asarray(color[1:])])


def glints(shape: Shape, eyes: tuple[Eye, Eye], seen: Sequence[float] | NDArray) -> list[Array]:
    """(h, w) in [0, 1] for each eye: its reflection of the light.

    Both have one size and one place in the iris, up and to the viewer's left, and as much lower as the upper
    lid of either eye needs.

    Args:
        shape: of the face.
        eyes: the viewer's left and right eye.
        seen: how far each is drawn, in [0, 1]; one that is not drawn says nothing about the other.
    """
    shares = np.asarray(seen, np.float64)
    radius = float((shares * [one.radius for one in eyes]).sum() / max(float(shares.sum()), 1e-6))
    size = _GLINT * radius
    drawn = max(size, _GLINT_LEAST)
    right = np.subtract(shape.eyes[1], shape.eyes[0]) / max(shape.unit, 1e-6)
    frame = np.array([right, (-right[1], right[0])])  # the face's right and down in the picture
    place = radius * _GLINT_AT
    depths = np.array([_below_lid(one, frame, place) for one in eyes])
    lower = min(float((shares * np.maximum(drawn + 0.02 * shape.unit - depths, 0)).max()), 0.5 * radius)
    place[1] += lower
    room = ramp(depths + lower, 0, max(drawn, 1e-6))  # less of a glint under a lid, in both eyes
    strength = min(1.0, size / drawn) ** 2 * float(np.min(1 - shares * (1 - room)))
    rows, columns = np.indices(shape.size)
    spots = []
    for one, share in zip(eyes, shares, strict=True):
        x, y = one.centre + place @ frame
        far = np.hypot(columns - x, rows - y)
        spots.append(np.asarray(share * strength * np.clip(drawn + 0.5 - far, 0, 1), np.float32))
    return spots


def _below_lid(one: Eye, frame: NDArray, place: NDArray) -> float:
    """How far below the upper lid a place of the iris is, in pixels of the face's frame."""
    x, y = ((one.upper - one.centre) @ frame.T).T
    order = np.argsort(x)
    return float(place[1] - np.interp(place[0], x[order], y[order]))


def _with_glint(part: Array, shape: Shape, one: Eye, spot: Array) -> Array:
    """Colours with a reflection as light as the face allows and as coloured as the white of the eye."""
    white = one.inside * (1 - one.iris)
    light, pale = spot > 0, white > 0
    if not light.any():
        return part
    tint = (_lab(part[pale])[:, 1:] * white[pale, None]).sum(0) / max(float(white.sum()), 1.0)
    lab = _mix(_lab(part[light]), np.array([min(98.0, shape.tone[0] + 40), *tint]), 0.9 * spot[light])
    result = part.copy()
    result[light] = np.clip(cv2.cvtColor(lab[None].astype(np.float32), cv2.COLOR_LAB2RGB)[0], 0, 1)
    return result


def _lab(colors: Array) -> Array:
    """Lab (N, 3) of RGB (N, 3) in [0, 1]."""
    if not len(colors):
        return np.zeros((0, 3), np.float32)
    return np.asarray(cv2.cvtColor(np.asarray(colors, np.float32)[None], cv2.COLOR_RGB2LAB)[0])


def _iris_and_white(part: Array, shape: Shape, one: Eye, color: NDArray, seen: float) -> Array:
    """Colours with the white, the iris of a Lab colour, the pupil of an eye, and the shade of its lid."""
    inside, iris, centre, radius = one.inside, one.iris, one.centre, one.radius
    lab = cv2.cvtColor(np.ascontiguousarray(part, np.float32), cv2.COLOR_RGB2LAB)
    # the white a little lighter and without colour, in its own shade
    light = lab[..., 0] + 0.35 * np.maximum(86 - lab[..., 0], 0)
    lab = _mix(lab, np.dstack([light, lab[..., 1:] * 0.5]), seen * 0.8 * inside * (1 - iris))
    dark = _lightened(color, _PUPIL)
    down = (np.arange(shape.size[0])[:, None, None] - centre[1] + radius) / max(2 * radius, 1e-6)
    lab = _mix(lab, color * np.clip(0.75 + 0.45 * down, 0.7, 1.25), seen * 0.9 * iris)  # darker at its top
    edge = np.clip(iris - disc(shape.size, centre, 0.84 * radius), 0, 1)
    lab = _mix(lab, dark, seen * 0.5 * edge)
    lab = _mix(lab, dark, seen * 0.9 * disc(shape.size, centre, 0.42 * radius) * inside)
    shadow = stroke(shape.size, one.upper + 0.1 * one.opening, 0.05 * shape.unit)
    lab = _mix(lab, dark, seen * 0.3 * shadow * inside)
    return np.clip(cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB), 0, 1)


def _as_in_photo(part: Array, photo: Array, shape: Shape, one: Eye, share: float) -> Array:
    """The colours with the photo's light and dark in and around an eye, in the drawing's own tone."""
    if share == 0 or not one.width:
        return part
    area = _grown(one, 0.25 * one.width)
    calm = cv2.bilateralFilter(np.ascontiguousarray(photo, np.float32), 5, 0.06, 2)
    lab = cv2.cvtColor(np.ascontiguousarray(part, np.float32), cv2.COLOR_RGB2LAB)
    tones = lab[..., 0], lightness(calm)
    wide = [cv2.GaussianBlur(tone, (0, 0), max(1.0, 0.5 * one.width)) for tone in tones]
    change = (tones[1] - wide[1]) - (tones[0] - wide[0])
    shares = share * area * ramp(wide[1], *_BLACK)
    lab[..., 0] = np.clip(tones[0] + shares * change, 0, 100)
    return np.asarray(np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1), np.float32)


def _grown(one: Eye, reach: float) -> Array:
    """(h, w) in [0, 1]: an eye and what is around it, so many pixels far, with soft edges."""
    area = cv2.dilate(one.inside, round_kernel(reach))
    return np.asarray(cv2.GaussianBlur(area, (0, 0), max(0.5, 0.1 * one.width)), np.float32)


def _mix(picture: Array, other: Array, share: Array) -> Array:
    return picture + share[..., None] * (other - picture)
