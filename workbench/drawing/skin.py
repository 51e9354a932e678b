"""Skin tone: a correction of a network's drawing.

A network trained on mostly fair faces lightens every face. Skin-coloured pixels of its drawing are therefore
shifted to the tone of the photo's cheeks.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_ALIKE = 18.0  # Lab distance within which a drawn colour counts as the cheeks' colour


def to_lab(rgb: NDArray) -> NDArray[np.float32]:
    """RGB (H, W, 3) in [0, 255] to CIELAB."""
    return np.asarray(cv2.cvtColor(np.asarray(rgb, np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def keep_tone(
    drawing: NDArray[np.uint8], photo: NDArray[np.uint8], x: float, y: float, interocular_px: float
) -> NDArray[np.uint8]:
    """The drawing with its skin shifted to the photo's tone.

    Args:
        drawing: (H, W, 3).
        photo: the same shape.
        x, y: point midway between the eyes, in pixels.
        interocular_px: distance between the eyes.
    """
    rows, columns = np.ogrid[: drawing.shape[0], : drawing.shape[1]]
    dx, dy = (columns - x) / interocular_px, (rows - y) / interocular_px
    cheeks = np.minimum(np.hypot(dx - 0.45, dy - 0.6), np.hypot(dx + 0.45, dy - 0.6)) < 0.22
    if not cheeks.any():
        return drawing
    wanted = np.median(to_lab(photo)[cheeks], 0)
    lab = to_lab(drawing)
    drawn = np.median(lab[cheeks], 0)
    # shaded skin is skin too, so lightness has less weight
    distance = np.linalg.norm((lab - drawn) * np.array([0.6, 1, 1], np.float32), axis=-1)
    near = np.clip((2.6 - np.hypot(dx, dy - 0.5)) / 0.6, 0, 1)
    weight = np.exp(-((distance / _ALIKE) ** 2)) * near
    moved = lab + weight[..., None].astype(np.float32) * (wanted - drawn)
    rgb = cv2.cvtColor(moved.astype(np.float32), cv2.COLOR_LAB2RGB)
    return np.rint(255 * np.clip(rgb, 0, 1)).astype(np.uint8)
