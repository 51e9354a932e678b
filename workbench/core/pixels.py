"""Pixels: uint8 arrays to tensors and back, luma, pictures without colour, and regions of like colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

GRAY = 6  # of 255 levels: most that R, G and B differ by in a part of a gray picture; see :func:`is_gray`
LIT = 64.0  # of 255 levels of luma, that some part of a gray frame must reach to say anything
_PARTS = 64  # along the shorter side
LUMA = (0.299, 0.587, 0.114)  # BT.601, of R, G and B


def luma(pixels: NDArray) -> NDArray[np.float32]:
    """BT.601 luma (…) float32 of RGB (…, 3), in the range of the input."""
    return np.asarray(pixels, np.float32) @ np.array(LUMA, np.float32)


def is_gray(pixels: NDArray[np.uint8], most: int = GRAY) -> bool:
    """Whether a picture has no colour anywhere, but for noise.

    It is reduced by means of areas to a shorter side of 64, which averages the noise of sensors and of JPEG's
    chroma. It is gray if the means of R, G and B of no such part differ by more than ``most`` levels: one
    small red thing makes a picture coloured, as does an even tint.

    The limit was chosen on 233 photos of scenes: those with the least colour reach 12, 34 and 37. Copies of
    20 of them in gray reach 0, and at most 6 with noise of 4 levels in each channel, JPEG at qualities 30 to
    95. Of 464 other photos it finds the two without colour, the next reaches 26; of 396 paintings the five
    without, the next reaches 11.

    Args:
        pixels: (H, W, 3) uint8.
        most: levels of 255.
    """
    return color_spread(parts(pixels)) <= most


def parts(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Means of the parts of a picture (H, W, 3): reduced to a shorter side of 64; a smaller one as it is."""
    height, width = pixels.shape[:2]
    share = _PARTS / min(height, width)
    if share >= 1:
        return pixels
    return resized(pixels, (max(1, round(share * width)), max(1, round(share * height))))


def color_spread(pixels: NDArray[np.uint8]) -> int:
    """Most that R, G and B differ by in a pixel of (H, W, 3), 0 to 255."""
    return int((pixels.max(axis=2) - pixels.min(axis=2)).max())


def as_gray(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture (H, W, 3) with its BT.601 luma in all three channels; gray pixels keep their values."""
    import cv2

    return np.asarray(cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)


def resized(pixels: NDArray, size: Sequence[int]) -> NDArray:
    """Pixels (H, W, …) at another ``size`` (width, height): means of areas if smaller, cubic if larger."""
    import cv2

    method = cv2.INTER_AREA if size[0] < pixels.shape[1] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=method), pixels.dtype)


def to_tensor(pixels: NDArray[np.uint8], device: torch.device | str | None = None) -> torch.Tensor:
    """RGB (H, W, 3) or (N, H, W, 3) uint8 as (N, 3, H, W) float32 in [-1, 1], channels_last in memory.

    Raises:
        ValueError: another shape or type.
    """
    import torch

    if pixels.dtype != np.uint8 or pixels.ndim not in (3, 4) or pixels.shape[-1] != 3:
        raise ValueError(f"Expected pixels (H, W, 3) of uint8 but got {pixels.shape} of {pixels.dtype}.")
    batch = pixels if pixels.ndim == 4 else pixels[np.newaxis]
    copy = np.array(batch)  # pictures of Pillow are read-only
    tensor = torch.from_numpy(copy).to(device, torch.float32)
    return tensor.div_(127.5).sub_(1).permute(0, 3, 1, 2)


def to_pixels(tensor: torch.Tensor) -> NDArray[np.uint8]:
    """(N, 3, H, W) in [-1, 1] as RGB (N, H, W, 3) uint8, rounded; values outside are clamped."""
    import torch

    levels = tensor.detach().permute(0, 2, 3, 1).float().add(1).mul_(127.5).round_().clamp_(0, 255)
    return levels.to(torch.uint8).cpu().numpy()


def region_labels(
    rgb: NDArray, scale: float = 80.0, sigma: float = 0.8, min_size: int = 40
) -> NDArray[np.int64]:
    """Labels (H, W) of regions of like colour, 0 to the number of regions less one.

    Args:
        rgb: (H, W, 3), uint8 or floats in [0, 1].
        scale: larger ones make larger regions.
        sigma: of the Gaussian before, in pixels.
        min_size: of a region, in pixels.

    Source: Felzenszwalb and Huttenlocher, "Efficient graph-based image segmentation", IJCV 2004.
    """
    from skimage.segmentation import felzenszwalb

    return felzenszwalb(rgb, scale=scale, sigma=sigma, min_size=min_size)


def region_means(values: NDArray, labels: NDArray) -> NDArray[np.float64]:
    """Mean (regions, C) of values (H, W, C) in every region of labels (H, W)."""
    flat = labels.ravel()
    counts = np.maximum(np.bincount(flat), 1)
    channels = values.reshape(len(flat), -1)
    return np.stack([np.bincount(flat, channels[:, c]) / counts for c in range(channels.shape[1])], axis=1)
