"""Ink: position and strength of the lines of a drawing.

A line is the dark side of a *step* in luma, followed along the edge. Soft ramps (clouds, blur, shading) get
none; texture, in which every edge has many others around it, gets few. Weak stretches are kept if they
continue a strong one, and short ones are removed. A look may also remove whole lines by their
:func:`salience`: dashes on water, clouds, grass and fur go, contours of objects stay.

Sources: :mod:`workbench.drawing.flow`; surround suppression after Grigorescu, Petkov and Westenberg, "Contour
detection based on nonclassical receptive field inhibition", IEEE TIP 2003; hysteresis, Canny 1986.
"""

from __future__ import annotations

import cv2
import numpy as np

from workbench.drawing.flow import Array, Flow, difference_of_gaussians, sample
from workbench.drawing.look import Look

_BESIDE = 5.0  # pixels from a line to what it separates
_AROUND = 31  # side in pixels of the square whose median gradient is usual


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


def salience(luma: Array, strength: Array, flow: Flow, weak: float = 0.12) -> Array:
    """How much the line through each pixel stands out, (H, W) from 0; 0 outside lines.

    All pixels of a connected line have one value, the product of three:

    - how high the step is, as a mean over the line: the difference in luma of the two sides, 5 pixels from
      the line, or the depth of a thin dark line below both; divided by 0.06 plus ten times the gradient per
      pixel that is usual there, the median of a square of 31 pixels, to which a lone contour adds nothing;
    - its length: summed strength, in hundreds of pixels and at most 2;
    - how sharp it is, in [0, 1]: see :func:`stepness`. A line with light on both sides, as those of clouds
      and snow, must be sharper.

    Args:
        luma: (H, W) in [0, 1].
        strength: (H, W) of the lines, in [0, 1].
        flow: of the luma.
        weak: strength above which pixels belong to a line.
    """
    smooth, fine = (cv2.GaussianBlur(luma, (0, 0), sigma) for sigma in (2.0, 1.0))
    one, other = (sample(smooth, place) for place in flow.beside(_BESIDE))
    height = np.maximum(np.abs(one - other), np.minimum(one, other) - fine)
    x, y = (cv2.Sobel(fine, cv2.CV_32F, *order, ksize=3, scale=1 / 8) for order in ((1, 0), (0, 1)))
    slope = np.clip(8 * 255 * cv2.magnitude(x, y), 0, 255).astype(np.uint8)
    usual = cv2.medianBlur(slope, _AROUND).astype(np.float32) / (8 * 255)
    light = ramp(np.minimum(one, other), 0.5, 0.7)
    sharp = ramp(stepness(luma) - 0.8 * light, 1.6, 2.4)
    count, labels = cv2.connectedComponents((strength > weak).astype(np.uint8), connectivity=8)
    line = np.asarray(labels, np.int64).ravel()
    total = np.bincount(line, strength.ravel(), count)

    def mean(values: Array) -> Array:
        """Of every line."""
        return np.asarray(np.bincount(line, (strength * values).ravel(), count) / np.maximum(total, 1e-6))

    stands_out = mean(height) / (10 * mean(usual) + 0.06)
    score = stands_out * np.minimum(total, 200) / 100 * mean(sharp)
    score[0] = 0
    return score.astype(np.float32)[labels]


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
    heavy = ramp(total, 120, 300)
    if look.salience:
        score = salience(luma, strength, flow) / look.salience
        strength = strength * ramp(score, 0.8, 1.2)
        heavy = np.maximum(heavy, ramp(score, 2, 4))
    outlines = cv2.dilate(strength * heavy, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))
    return np.maximum(strength, look.outline * outlines)
