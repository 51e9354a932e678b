"""Redraw the people in a picture as anime portraits, alone or within a redrawn scene.

The portrait network normalises over its whole input, so it is not run in tiles: each face is found, a square
around head and shoulders is drawn at the scale that the network was trained for, and the drawing is laid
over the picture with the network's own mask, fading out where the square ends within the picture. Pixels
outside the masks keep their values exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from workbench.core.errors import ImageError
from workbench.core.pixels import resized, to_pixels, to_tensor
from workbench.drawing.faces import Face, find_faces
from workbench.drawing.skin import keep_tone

if TYPE_CHECKING:
    from torch import nn

INTEROCULAR_PX = 40.0  # pixels between the eyes that faces are drawn at
REACH = (3.4, 3.0, 3.4, 4.6)  # of the crop: left, up, right and down of the middle between the eyes, in units
_FADE = 0.9  # width of the border in which a crop fades out, in units
_SURE = 0.6  # share of a found face that the network's mask must cover


def draw(
    network: nn.Module,
    photo: np.ndarray,
    base: np.ndarray | None = None,
    progress: Callable[[float], None] | None = None,
    faces: Sequence[Face] | None = None,
) -> np.ndarray:
    """People redrawn, everything else as in ``base``.

    Args:
        network: portrait generator in eval mode with a method ``portray``.
        photo: (H, W, 3) uint8.
        base: what surrounds the people, same shape; by default the photo.
        progress: called with the share done after each face; an exception that it raises stops the work.
        faces: where they are; by default :func:`find_faces` looks for them.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ImageError: if nobody is found and there is no ``base`` to fall back on.
    """
    crops = []
    for face in find_faces(photo) if faces is None else faces:
        box = crop_box(face, photo.shape)
        drawing, mask = _portray(network, photo[box[1] : box[3], box[0] : box[2]], face, box)
        if _covers(mask, face, box):
            crops.append((face, box, drawing, mask))
    if not crops and base is None:
        raise ImageError(
            "Expected a picture with a face that looks at the viewer but found none. "
            "Choose a style for scenes, or a picture in which the face is larger."
        )
    output = (photo if base is None else base).copy()
    surround = output.copy() if len(crops) > 1 else output
    for done, (face, box, drawing, mask) in enumerate(crops, start=1):
        others = [other for other, *_ in crops if other is not face]
        _lay_over(output, surround, face, box, drawing, mask, others)
        if progress is not None:
            progress(done / len(crops))
    return output


def crop_box(face: Face, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of head and shoulders within the picture."""
    left, up, right, down = (face.interocular_px * reach for reach in REACH)
    return (
        max(0, round(face.middle[0] - left)),
        max(0, round(face.middle[1] - up)),
        min(shape[1], round(face.middle[0] + right)),
        min(shape[0], round(face.middle[1] + down)),
    )


def _portray(
    network: nn.Module, crop: np.ndarray, face: Face, box: tuple[int, int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Drawing (H, W, 3) and mask (H, W), uint8, of a crop, drawn with the eyes :data:`INTEROCULAR_PX` pixels
    apart.
    """
    import torch

    scale = INTEROCULAR_PX / face.interocular_px
    height, width = crop.shape[:2]
    size = [max(16, round(side * scale)) for side in (width, height)]
    small = resized(crop, size)
    parameter = next(network.parameters())
    with torch.inference_mode():
        answer = cast(Any, network).portray(to_tensor(small, parameter.device).to(parameter.dtype))
    drawing = to_pixels(answer.drawing)[0]
    mask = (answer.mask[0, 0].float() * 255).round().byte().cpu().numpy()
    drawing = keep_tone(
        drawing, small, (face.middle[0] - box[0]) * scale, (face.middle[1] - box[1]) * scale, INTEROCULAR_PX
    )
    return resized(drawing, (width, height)), resized(mask, (width, height))


def _covers(mask: np.ndarray, face: Face, box: tuple[int, int, int, int]) -> bool:
    """Whether the mask lies on the found face: leaves and clouds that look like faces are not drawn."""
    x, y, half = (
        face.middle[0] - box[0],
        face.middle[1] - box[1] + 0.4 * face.interocular_px,
        0.6 * face.interocular_px,
    )
    part = mask[max(0, int(y - half)) : int(y + half) + 1, max(0, int(x - half)) : int(x + half) + 1]
    return part.size > 0 and float(part.mean()) > 255 * _SURE


def _fade(start: int, stop: int, length: int, width: float) -> np.ndarray:
    """Weight of each row (or column) of a crop: falls to 0 at ends that lie within the picture."""
    position = np.arange(stop - start, dtype=np.float32) + 0.5
    weight = np.ones(stop - start, np.float32)
    if start > 0:
        weight = np.minimum(weight, position / width)
    if stop < length:
        weight = np.minimum(weight, (stop - start - position) / width)
    weight = np.clip(weight, 0, 1)
    return weight * weight * (3 - 2 * weight)


def _lay_over(output, surround, face, box, drawing, mask, others) -> None:
    """Blend one drawing into ``output``, a band of rows at a time: large pictures need little memory."""
    left, top, right, bottom = box
    columns = _fade(left, right, output.shape[1], _FADE * face.interocular_px)
    rows = _fade(top, bottom, output.shape[0], _FADE * face.interocular_px)
    x = np.arange(left, right, dtype=np.float32)
    step = max(1, 500_000 // max(1, right - left))
    for first in range(0, bottom - top, step):
        part = slice(first, min(first + step, bottom - top))
        y = np.arange(top, bottom, dtype=np.float32)[part, None]
        alpha = mask[part].astype(np.float32) / 255 * rows[part, None] * columns
        alpha *= _share(x, y, face, others)
        target = output[top:bottom, left:right][part]
        ground = surround[top:bottom, left:right][part].astype(np.float32)
        change = alpha[..., None] * (drawing[part] - ground)
        target[...] = np.clip(np.rint(target + change), 0, 255)


def _share(x, y, face: Face, others: list[Face]) -> np.ndarray | float:
    """How much of a pixel belongs to this face rather than to its neighbours: each draws its own."""

    def nearness(one: Face) -> np.ndarray:
        square = (
            (x - one.middle[0]) ** 2 + (y - one.middle[1] - 0.6 * one.interocular_px) ** 2
        ) / one.interocular_px**2
        return 1 / (0.2 + square) ** 3

    if not others:
        return 1.0
    own = nearness(face)
    return own / (own + sum(nearness(other) for other in others))
