"""Flat colour: one colour per region, borders that follow the photo, quantised tones.

Sources: adaptive colour of a region after Wang and Yu (White-box Cartoonization), CVPR 2020; He, Sun and
Tang, "Guided image filtering", TPAMI 2013; soft quantisation of luminance after Winnemöller, Olsen and Gooch,
"Real-time video abstraction", SIGGRAPH 2006.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.core.pixels import region_means
from workbench.drawing.flow import Array


def region_colors(lab: Array, labels: NDArray) -> Array:
    """One colour per region: its mean if it is uniform, its median if it varies.

    Args:
        lab: (H, W, 3) CIE Lab.
        labels: (H, W) integers from 0.
    """
    flat = labels.ravel()
    counts = np.bincount(flat)
    mean, square = region_means(lab, labels), region_means(lab * lab, labels)
    varied = np.clip((np.sqrt(np.maximum(square - mean**2, 0)) - 3) / 9, 0, 1)
    middle = np.cumsum(counts) - counts + counts // 2  # index of each region's median among its sorted values
    channels = lab.reshape(-1, 3).T
    median = np.stack([values[np.lexsort((values, flat))][middle] for values in channels], axis=1)
    return ((1 - varied) * mean + varied * median).astype(np.float32)[labels]


def inner_radii(labels: NDArray) -> Array:
    """For every pixel, the radius of the largest disc inside its region, in pixels; both (H, W).

    It is small in strips along borders and in small features.
    """
    border = np.zeros(labels.shape, bool)
    border[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    border[1:] |= labels[1:] != labels[:-1]
    distance = cv2.distanceTransform(
        (~np.pad(border, 1, constant_values=True)).astype(np.uint8), cv2.DIST_L2, 3
    )
    radii = np.zeros(labels.max() + 1, np.float32)
    np.maximum.at(radii, labels.ravel(), distance[1:-1, 1:-1].ravel())
    return radii[labels]


def guided(guide: Array, image: Array, radius: int, eps: float) -> Array:
    """``image`` smoothed so that only the edges of ``guide`` (both (H, W)) remain.

    Args:
        radius: of the square windows, in pixels.
        eps: variance of the guide below which a window counts as flat.
    """

    def mean(x: Array) -> Array:
        return cv2.blur(x, (2 * radius + 1, 2 * radius + 1))

    mean_guide, mean_image = mean(guide), mean(image)
    slope = (mean(guide * image) - mean_guide * mean_image) / (mean(guide * guide) - mean_guide**2 + eps)
    return mean(slope) * guide + mean(mean_image - slope * mean_guide)


def gather(lightness: Array, count: int) -> Array:
    """Soft quantisation of lightness in [0, 1], any shape, to ``count`` tones; 0 leaves it unchanged."""
    if not count:
        return lightness
    position = lightness * count
    border = np.round(position)  # between two tones
    return np.clip((border + 0.5 * np.tanh(5 * (position - border)) / np.tanh(2.5)) / count, 0, 1)
