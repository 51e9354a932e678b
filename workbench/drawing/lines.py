"""Ink: position and strength of the lines of a drawing.

A line is the dark side of a *step* in luma, followed along the edge. Soft ramps (clouds, blur, shading) get
none; texture, in which every edge has many others around it, gets few. Weak stretches are kept if they
continue a strong one, and short ones are removed.

Sources: :mod:`workbench.drawing.flow`; surround suppression after Grigorescu, Petkov and Westenberg, "Contour
detection based on nonclassical receptive field inhibition", IEEE TIP 2003; hysteresis, Canny 1986.
"""

from __future__ import annotations

import cv2
import numpy as np

from workbench.drawing.flow import Array, Flow, difference_of_gaussians
from workbench.drawing.look import Look


def stepness(luma: Array) -> Array:
    """(H, W) ratio of the gradients at 0.7 px and 2.8 px: about 3.3 on a step edge, 1 on a soft ramp."""

    def gradient(sigma: float) -> Array:
        smooth = cv2.GaussianBlur(luma, (0, 0), sigma)
        x, y = (cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3) for order in ((1, 0), (0, 1)))
        return cv2.dilate(cv2.magnitude(x, y), np.ones((3, 3), np.uint8))

    return gradient(0.7) / (gradient(2.8) + 2e-3)


def ramp(x: Array, low: float, high: float) -> Array:
    """0 up to ``low``, 1 from ``high``, linear between."""
    return np.clip((x - low) / (high - low), 0, 1)


def stretches(strength: Array, strong: float, weak: float) -> Array:
    """Summed strength, in pixels, of the connected stretch of at least ``weak`` that contains each pixel.

    0 outside all stretches, and in those without a ``strong`` pixel. Both are (H, W).
    """
    count, labels = cv2.connectedComponents((strength > weak).astype(np.uint8), connectivity=8)
    flat = np.asarray(labels, np.int64).ravel()
    total = np.bincount(flat, strength.ravel(), count)
    peak = np.zeros(count, np.float32)
    np.maximum.at(peak, flat, strength.ravel())
    total[peak < strong] = 0
    total[0] = 0
    return total.astype(np.float32)[labels]


def _surround(sigma: float) -> Array:
    """Ring-shaped kernel of sum 1: the positive part of a wide Gaussian minus a narrow one."""
    radius = int(2.5 * sigma)
    gaussians = (cv2.getGaussianKernel(2 * radius + 1, s, cv2.CV_32F) for s in (sigma, sigma / 3))
    wide, narrow = (kernel @ kernel.T for kernel in gaussians)
    ring = np.maximum(wide - narrow, 0)
    return ring / ring.sum()


def ink(luma: Array, look: Look) -> Array:
    """Line strength in [0, 1] (H, W) of a denoised luma (H, W) in [0, 1]."""
    flow = Flow(luma, 2.0, int(np.ceil(2 * look.line_length)))
    dogs = np.dstack([-difference_of_gaussians(luma, look.line_sigma * k) for k in (1.0, 1.7)])
    dogs = flow.along(dogs, look.line_length)
    coherent = ramp(flow.anisotropy, 0.15, 0.45) * ramp(stepness(luma), look.step, look.step + 0.6)
    fine = (dogs[..., 0] - look.line_threshold) * coherent
    bold = (dogs[..., 1] - look.contour_threshold) * coherent * look.contour
    response = np.maximum(np.maximum(fine, bold), 0) * (1 + look.nib * flow.doubled[..., 1])
    response = np.maximum(response - look.texture * cv2.filter2D(response, -1, _surround(9.0)), 0)
    strength = np.clip(response * look.line_gain, 0, 1)
    total = stretches(strength, 0.55, 0.12)
    strength = strength * ramp(total, 0.6 * look.line_shortest, 1.2 * look.line_shortest)
    outlines = cv2.dilate(
        strength * ramp(total, 120, 300), cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    )
    return np.maximum(strength, look.outline * outlines)
