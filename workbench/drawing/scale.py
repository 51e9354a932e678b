"""Drawing at a working scale: a large photo is drawn small and the drawing is enlarged with hard borders.

So lines and regions grow with the picture, and a photo of twelve megapixels seen whole looks like the same
photo of half a megapixel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 512  # short side in pixels of a working picture at detail 1
_TILE = 1024  # side in pixels of an enlarged tile; bounds memory, and OpenCV is limited to 32,766
_STEEPEST = 3.0  # largest steepening of borders: above it, staircases of the working picture show
Array = NDArray[np.float32]


def working_picture(
    pixels: NDArray[np.uint8], side: float, most: float = np.inf, longest: float = np.inf
) -> NDArray[np.uint8]:
    """``pixels`` (H, W, 3) scaled down to a short side of ``side``, and themselves if that is not smaller.

    Args:
        pixels: any H and W ≥ 1.
        side: in pixels.
        most: pixels of the result.
        longest: longer side of the result in pixels.
    """
    height, width = pixels.shape[:2]
    scale = min(side / min(height, width), (most / (height * width)) ** 0.5, longest / max(height, width))
    if scale >= 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def enlarged(
    drawing: NDArray[np.uint8], height: int, width: int, progress: Callable[[float], None] | None = None
) -> NDArray[np.uint8]:
    """A drawing (h, w, 3) at a larger size, its borders and lines as hard as before, in their pixels.

    Args:
        drawing: with lines and flat areas.
        height, width: of the result.
        progress: called with the share done, in (0, 1]; what it raises stops the work.

    Returns:
        (height, width, 3) uint8; no float copy of it is ever made.
    """
    picture = np.empty((height, width, 3), np.uint8)
    windows = Windows(drawing.shape[:2], (height, width))
    low, high = around(drawing)
    done = 0
    for rows, columns in windows:
        part = windows.hard(drawing, low, high, rows, columns)
        picture[rows, columns] = np.clip(part + 0.5, 0, 255)
        if progress is not None:
            done += (rows.stop - rows.start) * (columns.stop - columns.start)
            progress(done / (height * width))
    return picture


def around(image: NDArray) -> tuple[NDArray, NDArray]:
    """Least and largest values of each pixel (H, W, C) and its eight neighbours, channel by channel."""
    square = np.ones((3, 3), np.uint8)
    return cv2.erode(image, square), cv2.dilate(image, square)


class Windows:
    """Tiles of an enlargement, whose pixels do not depend on how it is tiled.

    Args:
        small: (height, width) of what is enlarged.
        large: (height, width) of the result.
    """

    def __init__(self, small: tuple[int, ...], large: tuple[int, int], tile: int = _TILE):
        self.large, self.tile = large, tile
        # where each row and column lies in the small picture, pixel centres at .5, in cv2.remap's own steps
        self._places = tuple(
            np.round(((np.arange(n) + 0.5) * (m / n) - 0.5) * 32) / 32
            for m, n in zip(small, large, strict=True)
        )
        self.factor = max(n / m for m, n in zip(small, large, strict=True))

    def __iter__(self) -> Iterator[tuple[slice, slice]]:
        """Rows and columns of each tile."""
        height, width = self.large
        for top in range(0, height, self.tile):
            for left in range(0, width, self.tile):
                yield slice(top, min(top + self.tile, height)), slice(left, min(left + self.tile, width))

    def smooth(self, image: NDArray, rows: slice, columns: slice, method: int = cv2.INTER_CUBIC) -> Array:
        """A tile of ``image`` (h, w[, C]), interpolated, float32."""
        cuts, maps = [], []
        for places, length in zip(
            (self._places[0][rows], self._places[1][columns]), image.shape, strict=False
        ):
            first, last = max(int(places[0]) - 3, 0), min(int(places[-1]) + 5, length)
            cuts.append(slice(first, last))
            maps.append((places - first).astype(np.float32))
        y, x = np.meshgrid(*maps, indexing="ij")
        part = np.ascontiguousarray(image[tuple(cuts)], np.float32)
        return np.asarray(cv2.remap(part, x, y, method, borderMode=cv2.BORDER_REPLICATE), np.float32)

    def hard(self, image: NDArray, low: NDArray, high: NDArray, rows: slice, columns: slice) -> Array:
        """A tile of ``image``, whose borders between ``low`` and ``high`` (see :func:`around`) stay hard.

        Half-way values, as in a gradient, are kept.
        """
        value = self.smooth(image, rows, columns)
        low, high = (self.smooth(x, rows, columns, cv2.INTER_LINEAR) for x in (low, high))
        place = (value - low) / np.maximum(high - low, 1e-6)
        steep = min(self.factor, _STEEPEST)
        return np.asarray(low + (high - low) * np.clip((place - 0.5) * steep + 0.5, 0, 1), np.float32)
