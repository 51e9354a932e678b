"""Checkerboards: the regular grid that upsampling can leave in a drawn picture, seen in a spectrum.

A network that doubles the size twice treats the pixels of every 4 × 4 square in 16 different ways. Where that
shows, sharpness changes with a period of four pixels: the second derivative of the picture is larger on some
rows and columns than on others, and the spectrum of its magnitude has peaks at the frequencies k/4, l/4. (The
spectrum of the picture itself need not: after nearest-neighbour upsampling it is *zero* there.)

Sources: Odena, Dumoulin and Olah, "Deconvolution and checkerboard artifacts", Distill 2016 (the artefact);
    Gallagher, "Detection of linear and cubic interpolation in JPEG compressed images", CRV 2005 (the
    measure).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.core.pixels import LUMA

_NEAR, _FAR = 2, 7  # frequencies nearer than _NEAR belong to the peak, those up to _FAR are its surroundings


def grid_excess(picture: NDArray[np.uint8], period: int = 4) -> float:
    """How far a grid of ``period`` pixels stands out of a picture, decibels: about 0 if there is none.

    The :func:`harmonic_excess` of the absolute Laplacian of luma. JPEG leaves a grid of 8 pixels, whose
    harmonics are among these: compare a drawing with its photo.

    Args:
        picture: (H, W, 3) RGB, sides of at least 16 · ``period``.
        period: in pixels.

    Raises:
        ValueError: a smaller picture, or a period below 2.
    """
    if picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"Expected (H, W, 3) but got {picture.shape}.")
    return harmonic_excess(np.abs(cv2.Laplacian(picture @ LUMA, cv2.CV_64F)), period)


def harmonic_excess(signal: NDArray[np.floating], period: int) -> float:
    """Mean power at the harmonics (k/period, l/period) but the zero one, each against the typical power of
    the frequencies around it, in decibels. White noise has 0 on average.

    Args:
        signal: (H, W), sides of at least 16 · ``period``.
        period: in samples, at least 2.
    """
    if period < 2 or min(signal.shape) < 16 * period:
        raise ValueError(
            f"Expected a period of at least 2 and sides of at least 16 periods but got {period} and "
            f"{signal.shape}."
        )
    height, width = (side - side % period for side in signal.shape)  # harmonics fall on frequencies
    signal = signal[:height, :width]
    window = np.outer(*(np.hanning(side + 1)[:-1] for side in (height, width)))
    power = np.square(np.abs(np.fft.fft2((signal - signal.mean()) * window)))
    offsets = np.arange(-_FAR, _FAR + 1)
    around = np.maximum(np.abs(offsets)[:, None], np.abs(offsets)[None]) > _NEAR
    ratios = []
    for k in range(period):
        for m in range(period):
            if k or m:
                y, x = k * height // period, m * width // period
                patch = power[np.ix_((y + offsets) % height, (x + offsets) % width)]
                typical = np.median(patch[around]) / np.log(2)  # mean of exponentially distributed power
                ratios.append((power[y, x] + 1e-9) / (typical + 1e-9))
    return float(10 * np.log10(np.mean(ratios)))
