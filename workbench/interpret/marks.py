"""Segmentation of a painting for measurement: ground, marks and their centre lines (spines).

Everything is measured at one size (short side :data:`SIDE` pixels), so that lengths in per cent of the
short side are comparable between a photograph of 400 pixels and a scan of 4,000. Lightness and colour are
CIELAB (D65).

* the **ground** is the most frequent colour of the smooth area: bare paper or silk, sky, a wall;
* **blank** area is smooth and of the ground's colour;
* **marks** are dark and thin: darker by :data:`CONTRAST` L* than their surroundings, and narrower than
  :data:`WIDEST` of the short side. They are ink strokes, or the dark lines of other paintings;
* **segments** are the pieces of the marks' spines between crossings and ends.
"""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench.core.errors import ImageError
from workbench.core.pixels import resized
from workbench.data.images import as_rgb

SIDE = 256  # pixels of the short side at the measuring size
LONGEST = 8  # longer scrolls are scaled to a long side of this many times SIDE
CONTRAST = 8.0  # L* by which a mark is darker than its surroundings
EDGE = 0.2  # share of a mark's depth at which it ends
WIDEST = 0.07  # of the short side: a wider dark area is a wash or an object, not a stroke
SHORTEST = 0.08  # of the short side: straightness of shorter segments is undefined
BLANK_COLOUR = 10.0  # ΔE (CIE 1976) from the ground
BLANK_TEXTURE = 3.0  # standard deviation of L* within 3 % of the short side


class Picture:
    """A picture at the measuring size; its parts are computed on first use.

    Raises:
        ImageError: a side of the picture is below 16 pixels.
    """

    def __init__(self, image: Image.Image):
        if min(image.size) < 16:
            raise ImageError(
                f"Expected a picture of at least 16×16 pixels but got {image.width}×{image.height}. "
                "Give a larger copy."
            )
        scale = min(SIDE / min(image.size), LONGEST * SIDE / max(image.size))
        size = max(16, round(image.width * scale)), max(16, round(image.height * scale))
        self.rgb: NDArray = resized(np.asarray(as_rgb(image)), size)
        self.side = min(size)

    @cached_property
    def lab(self) -> NDArray:
        """(H, W, 3) L* 0..100, a*, b*."""
        from skimage.color import rgb2lab  # imported on first use

        return rgb2lab(self.rgb.astype(np.float32) / 255).astype(np.float32)

    @cached_property
    def lightness(self) -> NDArray:
        """(H, W) L*, contiguous."""
        return np.ascontiguousarray(self.lab[..., 0])

    @cached_property
    def roughness(self) -> NDArray:
        """(H, W) standard deviation of L* within a square of 3 % of the short side."""
        k = max(3, round(0.03 * self.side)) | 1
        mean = cv2.blur(self.lightness, (k, k))
        return np.sqrt(np.clip(cv2.blur(self.lightness**2, (k, k)) - mean**2, 0, None))

    @cached_property
    def ground(self) -> NDArray:
        """(3,) CIELAB of the ground: median of the fullest cell (side 10) of the smooth area."""
        smooth = self.lab[self.roughness < BLANK_TEXTURE]
        if len(smooth) < 0.02 * self.roughness.size:  # hardly any smooth area: use the whole picture
            smooth = self.lab.reshape(-1, 3)
        # two shifted grids, as a cell border may divide a tone
        soft = [np.floor((smooth + shift) / 10).astype(int) for shift in (0, 5)]
        best = max((_fullest(cells) for cells in soft), key=np.count_nonzero)
        return np.median(smooth[best], axis=0)

    @cached_property
    def departure(self) -> NDArray:
        """(H, W) ΔE (CIE 1976) from the ground."""
        return np.linalg.norm(self.lab - self.ground, axis=2)

    @cached_property
    def blank(self) -> NDArray[np.bool_]:
        """(H, W) smooth and of the ground's colour."""
        return (self.departure < BLANK_COLOUR) & (self.roughness < BLANK_TEXTURE)

    @cached_property
    def marks(self) -> NDArray[np.bool_]:
        """(H, W) strokes: black top-hat of L* above :data:`CONTRAST` and :data:`EDGE` of its depth nearby."""
        k = round(WIDEST * self.side) | 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (k, k))
        smooth = cv2.GaussianBlur(self.lightness, (0, 0), 0.003 * self.side)
        hat = cv2.morphologyEx(smooth, cv2.MORPH_BLACKHAT, kernel)
        reach = np.ones((round(0.025 * self.side) | 1,) * 2, np.uint8)
        part = EDGE * cv2.dilate(hat, reach)
        speck = max(2, round((0.012 * self.side) ** 2))
        from skimage.morphology import remove_small_objects

        return remove_small_objects(hat > np.maximum(CONTRAST, part), max_size=speck, connectivity=2)

    @cached_property
    def spines(self) -> NDArray[np.bool_]:
        """(H, W) the marks thinned to lines one pixel wide."""
        from skimage.morphology import skeletonize

        return skeletonize(self.marks)

    @cached_property
    def length(self) -> float:
        """Length of all spines in short sides: steps to a neighbour, diagonal ones √2 long."""
        s = self.spines
        steps = (s[:, 1:] & s[:, :-1]).sum() + (s[1:] & s[:-1]).sum()
        falling = s[1:, 1:] & s[:-1, :-1] & ~s[1:, :-1] & ~s[:-1, 1:]  # not at corners
        rising = s[1:, :-1] & s[:-1, 1:] & ~s[1:, 1:] & ~s[:-1, :-1]
        return float(steps + np.sqrt(2) * (falling.sum() + rising.sum())) / self.side

    @cached_property
    def neighbours(self) -> NDArray:
        """(H, W) number of spine pixels in the 3×3 neighbourhood of each pixel."""
        spines = self.spines.astype(np.float32)
        return cv2.filter2D(spines, -1, np.ones((3, 3)), borderType=cv2.BORDER_CONSTANT)

    @cached_property
    def widths(self) -> NDArray:
        """(H, W) width of the mark around each pixel, in pixels, 1 or more.

        Twice the distance to the nearest outside pixel, less 2: half a pixel per side because distances are
        between pixel centres, and half a pixel per side for the blurred edge of the resampled picture.
        """
        return np.maximum(2 * cv2.distanceTransform(self.marks.astype(np.uint8), cv2.DIST_L2, 5) - 2, 1)

    @cached_property
    def segments(self) -> list[NDArray]:
        """(n, 2) pixels of each segment of at least :data:`SHORTEST`, without crossings and their forks."""
        crossing = (self.spines & (self.neighbours > 3)).astype(np.uint8)
        pieces = self.spines & ~cv2.dilate(crossing, np.ones((3, 3), np.uint8)).astype(bool)
        from skimage.measure import label, regionprops

        regions = regionprops(label(pieces, connectivity=2))
        return [region.coords for region in regions if region.area >= SHORTEST * self.side]

    @cached_property
    def gradient(self) -> tuple[NDArray, NDArray]:
        """(H, W) magnitude, in L* per pixel, and direction (0..π) of the gradient of L*."""
        smooth = cv2.GaussianBlur(self.lightness, (0, 0), 1.0)
        dx = cv2.Scharr(smooth, cv2.CV_32F, 1, 0, scale=1 / 32)
        dy = cv2.Scharr(smooth, cv2.CV_32F, 0, 1, scale=1 / 32)
        return np.hypot(dx, dy), np.arctan2(dy, dx) % np.pi


def _fullest(cells: NDArray) -> NDArray[np.bool_]:
    """(N,) bool, rows in the cell with the most rows."""
    code = (cells * (1, 1000, 1_000_000)).sum(1)
    _, inverse, count = np.unique(code, return_inverse=True, return_counts=True)
    return inverse == count.argmax()
