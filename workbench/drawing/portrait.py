"""Draws a photo with people in a look: the drawing of a scene, with care for the faces in it.

Every face keeps its own features. A gentle warp may enlarge eyes and slim nose and jaw; wrinkles and pores
are smoothed before lines are looked for; the skin keeps its tone; eyes, brows and mouth, which are small, get
clean lines where their landmarks are. What is not a face, and a face that was not found, is drawn as in
:func:`workbench.drawing.draw`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.core.options import Range
from workbench.drawing import lines, scene
from workbench.drawing.face_features import draw_features
from workbench.drawing.face_shapes import Shape, deformed
from workbench.drawing.face_skin import without_specks
from workbench.drawing.faces import Face, find_faces
from workbench.drawing.flats import guided
from workbench.drawing.flow import Array
from workbench.drawing.look import Look

DEFORM = 0.25  # gentle: eyes 8 % larger
_EYES = 40.0, 72.0  # pixels between the eyes in the working picture, fewest and most
_LEAST_DETAIL, _MOST_DETAIL = 0.5, 1.25  # of the working picture, relative to a scene's
_LARGEST_ZOOM = 2.5  # of a small photo


@dataclasses.dataclass(frozen=True)
class PortraitSettings:
    """How people are drawn, for a training's targets."""

    look: str = "comic"
    detail: float = 1.0
    deform: Annotated[float, Range(0.0, 1.0)] = DEFORM


def draw(
    pixels: NDArray[np.uint8],
    look: Look | str = "comic",
    detail: float = 1.0,
    deform: float = DEFORM,
    faces: Sequence[Face] | None = None,
) -> NDArray[np.uint8]:
    """The drawing of an RGB picture (H, W, 3), same size and type.

    Args:
        pixels, look, detail: see :func:`workbench.drawing.draw`.
        deform: 0 leaves the faces' shapes as they are, 1 exaggerates them.
        faces: in the picture; by default :func:`find_faces` looks for them.

    Raises:
        ValueError: as :func:`workbench.drawing.draw`, or ``deform`` is not within 0 and 1.
    """
    look = scene.checked(pixels, look, detail)
    if not 0 <= deform <= 1:
        raise ValueError(f"Expected `deform` to be between 0 and 1 but got {deform}.")
    faces = find_faces(pixels) if faces is None else faces
    if not faces:
        return scene.draw(pixels, look, detail)
    look = bold(look)
    photo = _working_picture(pixels, faces, look.side * detail)
    scale = np.array([photo.shape[1] / pixels.shape[1], photo.shape[0] / pixels.shape[0]], np.float32)
    points = [(face.landmarks + 0.5) * scale - 0.5 for face in faces]
    if deform:
        for i in range(len(points)):
            photo, points = deformed(photo, points, i, deform)
    photo = np.clip(photo, 0, 1)
    shapes = [Shape(one, photo) for one in points]
    clean = photo
    for shape in shapes:
        clean = smooth_skin(clean, shape)
    color, strength = scene.paint(clean, look), lines.ink(scene.denoise(clean), look)
    for shape in shapes:
        color = without_specks(color, shape)
        color = color if look.paper else keep_tone(color, photo, shape)
        color, strength = draw_features(color, strength, photo, shape, look)
    return scene.render(color, strength, pixels.shape, look)


def bold(look: Look) -> Look:
    """The look with heavier outlines: on skin there are few lines, so more of the others are wanted."""
    return dataclasses.replace(
        look,
        line_sigma=1.2 * look.line_sigma,
        line_threshold=0.8 * look.line_threshold,
        line_shortest=1.13 * look.line_shortest,
        step=look.step - 0.25,
        contour=1.8 * look.contour,
        contour_threshold=0.77 * look.contour_threshold,
        outline=min(1.0, 1.5 * look.outline),
    )


def _working_picture(pixels: NDArray[np.uint8], faces: Sequence[Face], side: float) -> Array:
    """As for a scene, but in proportion to the faces: finer where they are small, coarser in a close-up. A
    photo smaller than that is enlarged.
    """
    height, width = pixels.shape[:2]
    apart = np.median([face.interocular_px for face in faces]) * side / min(height, width)
    side *= float(np.clip(np.clip(apart, *_EYES) / max(apart, 1e-3), _LEAST_DETAIL, _MOST_DETAIL))
    zoom = min(side / min(height, width), _LARGEST_ZOOM)
    if zoom > 1:
        size = round(width * zoom), round(height * zoom)
        if size[0] * size[1] <= scene.LARGEST:
            larger = cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC)
            pixels = np.asarray(larger, np.uint8)
    return scene.working_picture(pixels, side).astype(np.float32) / 255


def smooth_skin(photo: Array, shape: Shape) -> Array:
    """The photo without wrinkles and pores; what stands out more, as folds, glasses and beards, stays."""
    window = shape.window
    part, radius = photo[window], max(2, round(0.07 * shape.unit))
    eps = 1e-3 * float(np.clip(shape.tone[0] / 65, 0.3, 1)) ** 2  # dark skin has less contrast
    smooth = np.dstack([guided(part[..., c], part[..., c], radius, eps) for c in range(3)])
    share = 0.6 * shape.skin[..., None]
    result = photo.copy()
    result[window] = part + share * (smooth - part)
    return result


def keep_tone(color: Array, photo: Array, shape: Shape) -> Array:
    """The colours with the skin's median shifted back to the photo's: grading makes nobody orange."""
    window, skin = shape.window, shape.skin
    if (skin > 0.5).sum() < 20:
        return color
    drawn, real = (cv2.cvtColor(x[window].astype(np.float32), cv2.COLOR_RGB2LAB) for x in (color, photo))
    change = np.median(real[skin > 0.5], 0) - np.median(drawn[skin > 0.5], 0)
    moved = drawn + skin[..., None] * change * np.array([0.6, 0.9, 0.9], np.float32)
    result = color.copy()
    result[window] = np.clip(cv2.cvtColor(moved.astype(np.float32), cv2.COLOR_LAB2RGB), 0, 1)
    return result
