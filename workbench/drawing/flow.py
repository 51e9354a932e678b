"""Edge flow of a picture: edge directions, and smoothing along them.

Sources: structure tensor flow after Kyprianidis and Döllner, "Image abstraction by structure adaptive
filtering", 2008; flow-based differences of Gaussians after Kang, Lee and Chui, "Flow-based image
abstraction", IEEE TVCG 2009; alternate smoothing and shocks after Kyprianidis and Kang, "Image and video
abstraction by coherence-enhancing filtering", Eurographics 2011.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.core.pixels import luma

Array = NDArray[Any]  # floats; OpenCV's type stubs are no more precise


class Flow:
    """Edge directions of a picture, and paths along them.

    Args:
        light: (H, W) luma or lightness, floats in [0, 1].
        sigma: of the Gaussian that averages the structure tensor, in pixels.
        length: reach of :meth:`along` to each side, in pixels.

    Attributes:
        doubled: (H, W, 2): cosine and sine of twice the tangent's angle to the x axis.
        anisotropy: (H, W) in [0, 1]: 1 if all gradients of a neighbourhood are parallel, 0 if isotropic.
    """

    def __init__(self, light: Array, sigma: float, length: int):
        gx, gy = (cv2.Sobel(light, cv2.CV_32F, *order, ksize=3) for order in ((1, 0), (0, 1)))
        xx, xy, yy = (cv2.GaussianBlur(a, (0, 0), sigma) for a in (gx * gx, gx * gy, gy * gy))
        root = np.sqrt((xx - yy) ** 2 + 4 * xy * xy)
        self.anisotropy = root / np.maximum(xx + yy, 1e-9)
        # the tangent's doubled angle: unlike the tangent, it has no sign and can be interpolated
        doubled = np.dstack([yy - xx, -2 * xy]) / np.maximum(root, 1e-9)[..., None]
        doubled[root < 1e-9] = (1, 0)
        self.doubled = doubled
        self._paths = [self._trace(doubled, sign, length) for sign in (1, -1)]

    @staticmethod
    def _trace(doubled: Array, sign: int, length: int) -> list[Array]:
        """Positions (H, W, 2) after 1, 2, … ``length`` steps of one pixel along the flow."""
        h, w = doubled.shape[:2]
        start = np.dstack(np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32)))
        position, direction, at, path = start, None, doubled, []
        for _ in range(length):
            tangent = np.dstack(
                [
                    np.sqrt(np.maximum(1 + at[..., 0], 0) / 2),
                    np.copysign(np.sqrt(np.maximum(1 - at[..., 0], 0) / 2), at[..., 1]),
                ]
            )
            forward = sign if direction is None else np.einsum("hwc,hwc->hw", tangent, direction)[..., None]
            direction = np.where(forward < 0, -tangent, tangent)
            position = position + direction
            path.append(position)
            at = sample(doubled, position)
        return path

    def beside(self, distance: float) -> tuple[Array, Array]:
        """Positions (H, W, 2) at ``distance`` pixels to either side of an edge through each pixel."""
        angle = np.arctan2(self.doubled[..., 1], self.doubled[..., 0]) / 2
        across = distance * np.dstack([-np.sin(angle), np.cos(angle)])
        height, width = angle.shape
        here = np.dstack(np.meshgrid(np.arange(width), np.arange(height)))
        return (here + across).astype(np.float32), (here - across).astype(np.float32)

    def along(self, image: Array, sigma: float) -> Array:
        """Gaussian average of (H, W) or (H, W, C ≤ 4) along the edges, ``sigma`` in pixels."""
        total, weights = image.copy(), 1.0
        for path in self._paths:
            for distance, position in enumerate(path[: int(np.ceil(2 * sigma))], 1):
                weight = float(np.exp(-(distance**2) / (2 * sigma**2)))
                total += weight * sample(image, position)
                weights += weight
        return total / weights


def sample(image: Array, position: Array) -> Array:
    """The picture at fractional (x, y) positions (H, W, 2), bilinear, reflected outside."""
    return cv2.remap(  # type: ignore[call-overload]  # the stubs lack a single map of (x, y)
        image, position, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )


def difference_of_gaussians(light: Array, sigma: float) -> Array:
    """(H, W): narrow minus wide Gaussian (1.6 times as wide): negative on the dark side of an edge."""
    return cv2.GaussianBlur(light, (0, 0), sigma) - cv2.GaussianBlur(light, (0, 0), 1.6 * sigma)


def fold(image: Array, rounds: int, shock: float = 0.5) -> Array:
    """Abstract a picture into smooth shapes with sharp borders: smooth along edges, sharpen across them.

    Args:
        image: (H, W, 3) floats.
        rounds: number of repetitions; 0 leaves the picture unchanged.
        shock: strength of the sharpening, in [0, 1].
    """
    sigma = 3.0  # of the smoothing along edges, in pixels
    for _ in range(rounds):
        flow = Flow(luma(image), 2.0, int(np.ceil(2 * sigma)))
        # not where the flow is random, as that would create swirls
        agree = np.clip((flow.anisotropy - 0.3) / 0.4, 0, 1)[..., None]
        image = image + agree * (flow.along(image, sigma) - image)
        side = flow.along(difference_of_gaussians(luma(image), 1.2), 2.0)[..., None]
        kernel = np.ones((3, 3), np.uint8)
        crisp = np.where(side < 0, cv2.erode(image, kernel), cv2.dilate(image, kernel))
        image = image + shock * np.clip(np.abs(side) / 0.01, 0, 1) * (crisp - image)
    return image
