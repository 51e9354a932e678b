"""Measures of the lines and areas of a drawing relative to its photo, after criteria that judges named.

Judges prefer unbroken dark lines on real edges and flat areas, and reject lines where the photo is smooth. A
study compares these measures with the judges' ranks (:mod:`workbench.studies.yardsticks`).
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.core.pixels import luma, region_labels, region_means

_LINE = 0.06  # least depth in luma of a line


@dataclasses.dataclass(frozen=True)
class Drawnness:
    """How much a picture looks drawn; shares and lumas in [0, 1]."""

    line_share: float  # of all pixels: pixels on lines
    line_depth: float  # how much darker than its surroundings a line is, mean in luma; nan without lines
    line_continuity: float  # share of line pixels on lines at least a twelfth of the short side long; nan too
    line_thinness: float  # pixels of the lines' skeletons per line pixel: 1 is one pixel wide; nan too
    false_lines: float  # share of line pixels where the photo is smooth; nan without lines
    variation: float  # mean absolute deviation of luma from its mean within the photo's regions
    sharpness: float  # share of the total change of luma that happens in steps of more than 0.1


def drawnness(photo: NDArray[np.uint8], drawing: NDArray[np.uint8]) -> Drawnness:
    """Measures of ``drawing`` beside its ``photo``, both RGB (H, W, 3).

    Raises:
        ValueError: pictures of different sizes.
    """
    from skimage.morphology import skeletonize

    if photo.shape != drawing.shape or photo.ndim != 3:
        raise ValueError(f"Expected pictures of one size but got {photo.shape} and {drawing.shape}.")
    before, after = luma(photo) / 255, luma(drawing) / 255
    depth = _depth(after)
    lines = depth > _LINE
    smooth = cv2.dilate(_slope(cv2.GaussianBlur(before, (0, 0), 1.0)), np.ones((5, 5), np.uint8)) < 0.02
    labels = region_labels(photo)
    steps = np.concatenate([np.abs(np.diff(after, axis=axis)).ravel() for axis in (0, 1)])
    count = lines.sum()
    return Drawnness(
        line_share=float(lines.mean()),
        line_depth=float(depth[lines].mean()) if count else np.nan,
        line_continuity=float((_lengths(lines)[lines] >= min(lines.shape) / 12).mean()) if count else np.nan,
        line_thinness=float(skeletonize(lines).sum() / count) if count else np.nan,
        false_lines=float(smooth[lines].mean()) if count else np.nan,
        variation=float(np.abs(after - region_means(after[..., None], labels)[labels][..., 0]).mean()),
        sharpness=float(steps[steps > 0.1].sum() / max(steps.sum(), 1e-9)),
    )


def line_pixels(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(H, W): pixels of an RGB picture that are darker than the square of seven pixels around them by more
    than 0.06 in luma, as those of thin dark lines are. Those of a photo count, too."""
    return np.asarray(_depth(luma(picture) / 255) > _LINE)


def _depth(light: NDArray) -> NDArray:
    """How much darker in luma than its surroundings each pixel is."""
    return np.asarray(cv2.blur(light, (7, 7), borderType=cv2.BORDER_REPLICATE) - light)


def _slope(image: NDArray) -> NDArray[np.float32]:
    """Gradient magnitude per pixel."""
    x, y = (cv2.Sobel(image, cv2.CV_32F, *order, ksize=3, scale=1 / 8) for order in ((1, 0), (0, 1)))
    return np.asarray(cv2.magnitude(x, y), np.float32)


def _lengths(lines: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(H, W): longer side in pixels of the bounding box of the connected line that holds each pixel."""
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(lines.astype(np.uint8), connectivity=8)
    sides = boxes[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(1).astype(float)
    return np.asarray(sides[labels], np.float64)
