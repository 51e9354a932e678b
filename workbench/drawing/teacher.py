"""The scene teacher: flat colour and ink by classical image processing, the first target of a stylizer.

Adversarial training from scratch changes a photo's style slowly, so a generator first learns to imitate these
drawings. The Kuwahara filter makes brush-like patches with sharp borders, where L0 smoothing and superpixel
means either keep speckle or remove whole gradients; ink is drawn from the filtered picture, so that texture
gets no lines.

Sources: generalised Kuwahara filter, Papari, Petkov and Campisi, IEEE TIP 2007 (sectors after Kyprianidis et
al., 2009); difference-of-Gaussians ink, Winnemöller et al., SIGGRAPH 2006.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.core import pixels


@dataclasses.dataclass(frozen=True)
class TeacherConfig:
    """Settings of the teacher. Lengths are in pixels of the input picture."""

    radius: int = 4  # of the Kuwahara filter, the size of the brush
    sharpness: float = 8.0  # exponent of the sector weights: higher gives harder borders between patches
    ink_sigma: float = 1.0  # width of the lines
    ink_gain: float = 60.0  # contrast of the lines
    ink_threshold: float = 0.004  # luma step below which there is no line
    ink_opacity: float = 0.85  # 1 draws lines in pure ink colour
    ink_color: tuple[float, float, float] = (0.16, 0.09, 0.07)  # dark sepia, RGB in [0, 1]
    saturation: float = 1.3  # chroma factor around luma
    contrast: float = 1.0  # factor around mid-gray
    gamma: float = 0.87  # below 1 lifts the shadows
    paper: tuple[float, float, float] | None = None  # set: washes of ink on paper of this colour, see `wash`
    wash_steps: int = 5  # ink densities to which the washes are quantised
    bold_sigma: float = 0.0  # width of a second set of lines along strong borders; 0 is none


TEACHERS = {
    "kuwahara": TeacherConfig(),
    "ink_wash": TeacherConfig(
        radius=5,
        ink_gain=40.0,
        ink_opacity=0.8,
        ink_color=(0.11, 0.10, 0.11),
        saturation=0.3,
        gamma=0.75,
        paper=(0.945, 0.905, 0.82),
        bold_sigma=2.0,
    ),
}


def _sectors(radius: int, count: int = 8) -> list[NDArray[np.float32]]:
    """Overlapping smooth sector kernels of a disc, each with sum 1."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    angle = np.arctan2(y, x)
    disc = np.exp(-(x**2 + y**2) / (2 * (0.6 * radius) ** 2)) * (x**2 + y**2 <= radius**2 + 0.5)
    kernels = []
    for k in range(count):
        offset = (angle - 2 * np.pi * k / count + np.pi) % (2 * np.pi) - np.pi
        weight = disc * np.clip(1 - np.abs(offset) / (1.2 * 2 * np.pi / count), 0, 1)
        weight[radius, radius] = disc[radius, radius] / count
        kernels.append((weight / weight.sum()).astype(np.float32))
    return kernels


def kuwahara(image: NDArray, radius: int = 4, sharpness: float = 8.0) -> NDArray[np.float32]:
    """Generalised Kuwahara filter: each pixel takes the colour of the most uniform sectors around it.

    Args:
        image: (H, W, 3) floats in [0, 1].
        radius: of the neighbourhood in pixels, ≥ 1.
        sharpness: sector means are weighted by (standard deviation)^(-sharpness).

    Returns:
        (H, W, 3) in [0, 1].

    Raises:
        ValueError: if ``radius`` is below 1.
    """
    if radius < 1:
        raise ValueError(f"Expected `radius` of at least 1 pixel but got {radius}.")
    image = image.astype(np.float32)
    total, weights = np.zeros_like(image, np.float64), np.zeros((*image.shape[:2], 1))
    for kernel in _sectors(radius):
        mean = cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT)
        square = cv2.filter2D(image * image, -1, kernel, borderType=cv2.BORDER_REFLECT)
        deviation = np.sqrt(np.maximum(square - mean * mean, 0).sum(-1, keepdims=True, dtype=np.float64))
        weight = (1e-3 + deviation) ** -sharpness  # the constant averages all sectors where all are uniform
        total += weight * mean
        weights += weight
    return np.clip(total / weights, 0, 1).astype(np.float32)


def ink_lines(luma: NDArray, sigma: float, gain: float, threshold: float) -> NDArray[np.float32]:
    """Line strength in [0, 1] (H, W): the dark side of luma edges by a difference of Gaussians."""
    luma = luma.astype(np.float32)
    difference = cv2.GaussianBlur(luma, (0, 0), 1.6 * sigma) - cv2.GaussianBlur(luma, (0, 0), sigma)
    return np.clip((difference - threshold) * 2 * gain, 0, 1)


def draw(image: NDArray[np.uint8], config: TeacherConfig | None = None) -> NDArray[np.uint8]:
    """The teacher's drawing of an RGB picture (H, W, 3), same size and type. 432×288 takes about 0.1 s."""
    config = config or TeacherConfig()
    color = kuwahara(image.astype(np.float32) / 255, config.radius, config.sharpness)
    luma = pixels.luma(color)
    ink = np.array(config.ink_color, np.float32)
    lines = ink_lines(luma, config.ink_sigma, config.ink_gain, config.ink_threshold)
    if config.bold_sigma:
        bold = ink_lines(luma, config.bold_sigma, config.ink_gain / 2, 3 * config.ink_threshold)
        lines = np.maximum(lines, bold)
    lines = config.ink_opacity * lines[..., None]
    chroma = (color - luma[..., None]) * config.saturation
    if config.paper is None:
        graded = np.clip((luma[..., None] + chroma - 0.5) * config.contrast + 0.5, 0, 1)
        color = (graded**config.gamma).astype(np.float32)
    else:
        density = wash(luma**config.gamma, config.wash_steps)[..., None]
        color = np.clip(np.array(config.paper, np.float32) * (1 - density) + ink * density + chroma, 0, 1)
    return (255 * (color * (1 - lines) + ink * lines) + 0.5).astype(np.uint8)


def wash(luma: NDArray, steps: int) -> NDArray[np.float32]:
    """Density of ink washes for a tone: 0 where it is light, else softly quantised to ``steps`` densities.

    Even the darkest lets the paper shine through.

    Args:
        luma: (H, W) in [0, 1].
        steps: number of densities, ≥ 1.

    Returns:
        (H, W) in [0, 0.8].

    Raises:
        ValueError: if ``steps`` is below 1.
    """
    if steps < 1:
        raise ValueError(f"Expected `steps` of at least 1 but got {steps}.")
    dark = steps * np.clip((0.88 - luma) / 0.88, 0, 1)
    border = np.clip((dark % 1 - 0.35) / 0.3, 0, 1)
    gathered = np.floor(dark) + border * border * (3 - 2 * border)
    return (0.8 * ((0.35 * dark + 0.65 * gathered) / steps) ** 1.25).astype(np.float32)
