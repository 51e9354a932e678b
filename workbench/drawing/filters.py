"""Classical stylizers by name: colour matrices, convolutions and affine maps.

Three families, as in image editors and mobile frameworks: a matrix on each pixel's colours, a kernel over its
neighbourhood, a map of its position. All take uint8 pictures and keep their size. They are the untrained
baselines of the networks.

Source: R. C. Gonzalez, R. E. Woods, "Digital image processing", 4th ed. (2018), chapters 2.6 (affine maps),
3.4-3.6 (kernels) and 6 (colour). Luma weights: ITU-R BT.709.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import cv2
import numpy as np

from workbench.core.errors import UnknownNameError

LUMA = np.array([0.2126, 0.7152, 0.0722])  # BT.709, of R, G and B


@dataclasses.dataclass(frozen=True)
class Filter:
    """A named filter: ``apply`` maps (H, W, 3) uint8 RGB to the same shape, not in place."""

    name: str
    title: str
    description: str
    apply: Callable[[np.ndarray], np.ndarray]


def color_matrix(pixels: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Each pixel's (R, G, B, 1) times a 3×4 matrix.

    Args:
        pixels: (H, W, 3) uint8.
        matrix: (3, 4); the last column is an offset in 0..255 units.

    Returns:
        (H, W, 3) uint8, rounded and clamped.
    """
    return cv2.transform(_checked(pixels), np.asarray(matrix, np.float64))


def saturation(amount: float) -> np.ndarray:
    """3×4 matrix that moves colours away from their luma: 0 gray, 1 unchanged, above 1 more vivid."""
    return np.hstack([amount * np.eye(3) + (1 - amount) * np.tile(LUMA, (3, 1)), np.zeros((3, 1))])


def convolution(pixels: np.ndarray, kernel: np.ndarray, offset: float = 0.0) -> np.ndarray:
    """Correlate channels with ``kernel`` (odd sides), add ``offset`` (0..255 units); reflected border."""
    return cv2.filter2D(
        _checked(pixels), -1, np.asarray(kernel, np.float64), delta=offset, borderType=cv2.BORDER_REFLECT_101
    )


def edge(pixels: np.ndarray) -> np.ndarray:
    """Dark lines on white: 255 minus half the length of the luma's Sobel gradient (3×3), clamped.

    Source: I. Sobel, G. Feldman, "A 3×3 isotropic gradient operator for image processing" (1968).
    """
    luma = cv2.cvtColor(_checked(pixels), cv2.COLOR_RGB2GRAY)
    dx, dy = cv2.Sobel(luma, cv2.CV_16S, 1, 0), cv2.Sobel(luma, cv2.CV_16S, 0, 1)
    lines = np.empty_like(luma)
    step = max(1, 1_000_000 // luma.shape[1])  # rows per block, to avoid a float copy of a large picture
    for top in range(0, len(luma), step):
        band = slice(top, top + step)
        length = cv2.magnitude(dx[band].astype(np.float32), dy[band].astype(np.float32))
        lines[band] = np.clip(255 - length / 2, 0, 255).round()
    return cv2.cvtColor(lines, cv2.COLOR_GRAY2RGB)


def affine(pixels: np.ndarray, angle: float = 0.0, scale: float = 1.0, shear: float = 0.0) -> np.ndarray:
    """Rotate, scale and shear about the centre; the size is kept and the border is reflected.

    Args:
        pixels: (H, W, 3) uint8; bilinear, or nearest neighbour with a side above OpenCV's 32,766 pixels.
        angle: degrees, counter-clockwise.
        scale: above 1 enlarges.
        shear: horizontal shift per pixel of height.
    """
    height, width = _checked(pixels).shape[:2]
    cosine, sine = scale * np.cos(np.radians(angle)), scale * np.sin(np.radians(angle))
    forward = np.array([[cosine, sine], [-sine, cosine]]) @ np.array([[1, -shear], [0, 1]])  # y points down
    inverse = np.linalg.inv(forward)
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    matrix = np.hstack([inverse, (centre - inverse @ centre)[:, None]])
    if max(height, width) < 32_767:
        return _warp(pixels, matrix)
    return _warp_numpy(pixels, matrix)


def _warp(pixels: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(pixels, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT_101)


def _warp_numpy(pixels: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Nearest-neighbour warp in blocks of rows, for sides that OpenCV cannot index."""
    height, width = pixels.shape[:2]
    output = np.empty_like(pixels)
    step = max(1, 1_000_000 // width)
    for top in range(0, height, step):
        y, x = np.mgrid[top : min(top + step, height), :width]
        source_x = np.rint(matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]).astype(np.int64)
        source_y = np.rint(matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]).astype(np.int64)
        output[top : top + step] = pixels[_reflect(source_y, height), _reflect(source_x, width)]
    return output


def _reflect(index: np.ndarray, length: int) -> np.ndarray:
    """Indices mirrored about the first and the last pixel."""
    period = max(2 * (length - 1), 1)
    index = np.abs(index) % period
    return np.minimum(index, period - index) if length > 1 else np.zeros_like(index)


def _checked(pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
        raise ValueError(f"Expected pixels (H, W, 3) of uint8 but got {pixels.shape} of {pixels.dtype}.")
    return pixels


MATRICES = {
    "warm": np.array([[1.10, 0.05, 0.0, 6], [0.0, 1.02, 0.0, 2], [0.0, 0.0, 0.85, 0]]),
    "cool": np.array([[0.88, 0.0, 0.0, 0], [0.0, 1.0, 0.02, 0], [0.0, 0.05, 1.10, 6]]),
    # W3C Filter Effects, `sepia(1)`
    "sepia": np.array([[0.393, 0.769, 0.189, 0], [0.349, 0.686, 0.168, 0], [0.272, 0.534, 0.131, 0]]),
    "vivid": saturation(1.6),
    "gray": saturation(0.0),
    "negative": np.hstack([-np.eye(3), np.full((3, 1), 255.0)]),
}
KERNELS = {
    "sharpen": (np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]), 0.0),
    "emboss": (np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]), 0.0),
    "soften": (np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256, 0.0),
}


def _matrix(name: str, title: str, description: str) -> Filter:
    return Filter(
        f"colormatrix_{name}", title, description, lambda pixels: color_matrix(pixels, MATRICES[name])
    )


def _kernel(name: str, title: str, description: str) -> Filter:
    kernel, offset = KERNELS[name]
    return Filter(
        f"convolution_{name}", title, description, lambda pixels: convolution(pixels, kernel, offset)
    )


_FILTERS = (
    _matrix("warm", "Colour matrix: warm", "Late sun: more red, less blue."),
    _matrix("cool", "Colour matrix: cool", "Blue hour: more blue, less red."),
    _matrix("sepia", "Colour matrix: sepia", "An old brown print."),
    _matrix("vivid", "Colour matrix: vivid", "Colours 1.6 times as far from gray."),
    _matrix("gray", "Colour matrix: gray", "Luma only (BT.709)."),
    _matrix("negative", "Colour matrix: negative", "Every colour turned into its opposite."),
    Filter(
        "convolution_edge", "Convolution: edge", "Dark lines on white where the luma changes (Sobel).", edge
    ),
    _kernel("emboss", "Convolution: emboss", "Relief lit from the lower right."),
    _kernel("sharpen", "Convolution: sharpen", "Identity minus the Laplacian."),
    _kernel("soften", "Convolution: soften", "A 5×5 binomial blur."),
    Filter(
        "affine_rotate", "Affine: rotate", "Turned by 12 degrees to the left.", lambda p: affine(p, angle=12)
    ),
    Filter(
        "affine_scale",
        "Affine: scale",
        "1.25 times as large, cut at the border.",
        lambda p: affine(p, scale=1.25),
    ),
    Filter("affine_tilt", "Affine: tilt", "Slanted like italic letters.", lambda p: affine(p, shear=0.2)),
)
FILTERS: dict[str, Filter] = {f.name: f for f in _FILTERS}


def apply(name: str, pixels: np.ndarray) -> np.ndarray:
    """Run the filter ``name`` on (H, W, 3) uint8 pixels.

    Raises:
        UnknownNameError: if there is no such filter.
        ValueError: for pixels of another shape or type.
    """
    if name not in FILTERS:
        raise UnknownNameError("filter", name, FILTERS)
    return FILTERS[name].apply(pixels)
