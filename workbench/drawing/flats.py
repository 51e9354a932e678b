"""Flat colour: regions of one colour each, borders that follow the photo, tones gathered into a few.

Sources: Felzenszwalb and Huttenlocher, "Efficient graph-based image segmentation", IJCV 2004; adaptive colour
of a region after Wang and Yu (White-box Cartoonization), CVPR 2020; He, Sun and Tang, "Guided image
filtering", TPAMI 2013, and He and Sun, "Fast guided filter", 2015; soft quantisation of luminance after
Winnemöller, Olsen and Gooch, "Real-time video abstraction", SIGGRAPH 2006.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import felzenszwalb

from workbench.drawing.flow import Array


def region_colors(lab: Array, labels: NDArray) -> Array:
    """Every region in one colour: its mean where it is calm, its median where it is varied.

    Args:
        lab: (H, W, 3) CIE Lab.
        labels: (H, W) integers from 0.
    """
    flat = labels.ravel()
    counts = np.bincount(flat)
    starts = np.cumsum(counts) - counts
    out = np.empty_like(lab)
    for c in range(3):
        values = lab[..., c].ravel()
        mean = np.bincount(flat, values) / counts
        deviation = np.sqrt(np.maximum(np.bincount(flat, values * values) / counts - mean**2, 0))
        median = values[np.lexsort((values, flat))][starts + counts // 2]
        varied = np.clip((deviation - 3) / 9, 0, 1)
        out[..., c] = ((1 - varied) * mean + varied * median)[labels]
    return out


def region_means(values: Array, labels: NDArray) -> Array:
    """Every pixel's value replaced by the mean of its region; both (H, W)."""
    flat = labels.ravel()
    return (np.bincount(flat, values.ravel()) / np.bincount(flat))[labels].astype(np.float32)


def segment(rgb: Array, scale: float, smallest: int) -> NDArray:
    """Region labels (H, W) of an RGB picture (H, W, 3) in [0, 1]."""
    return felzenszwalb(rgb, scale=scale, sigma=0.6, min_size=smallest)


def guided_coefficients(guide: Array, image: Array, radius: int, eps: float) -> tuple[Array, Array]:
    """Local lines a·guide + b that fit ``image`` best; both (H, W) like the guide."""

    def mean(x: Array) -> Array:
        return cv2.blur(x, (2 * radius + 1, 2 * radius + 1))

    mean_guide, mean_image = mean(guide), mean(image)
    a = (mean(guide * image) - mean_guide * mean_image) / (mean(guide * guide) - mean_guide**2 + eps)
    return mean(a), mean(mean_image - a * mean_guide)


def guided(guide: Array, image: Array, radius: int, eps: float) -> Array:
    """``image`` smoothed so that only the edges of ``guide`` (both (H, W)) remain."""
    a, b = guided_coefficients(guide, image, radius, eps)
    return a * guide + b


def gather(lightness: Array, count: int) -> Array:
    """Lightness in [0, 1], any shape, moved to the nearest of ``count`` tones, with a narrow soft border between
    two; a ``count`` of 0 leaves it.
    """
    if not count:
        return lightness
    position = lightness * count
    border = np.round(position)  # between two tones
    return np.clip((border + 0.5 * np.tanh(5 * (position - border)) / np.tanh(2.5)) / count, 0, 1)
