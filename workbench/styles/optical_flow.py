"""Dense optical flow between the frames of a film.

Source: Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016 (OpenCV's DIS).
"""

from __future__ import annotations

from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

_FLOW_SIDE = 384  # longer side at which flow is computed: it is smooth, and its cost falls with the square
_REFINEMENTS = 10  # of the flow at each scale; with OpenCV's fastest preset moving hands were smeared
_SMOOTHNESS = 40.0  # weight of smooth flow in refinement; at OpenCV's 20 known motion was missed by more


class Flow:
    """Dense optical flow between frames of one size, by DIS."""

    def __init__(self, side: int | None = _FLOW_SIDE):
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._dis.setVariationalRefinementIterations(_REFINEMENTS)
        self._dis.setVariationalRefinementAlpha(_SMOOTHNESS)
        self._side = side

    def grey(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Brightness at the size that the flow is computed at."""
        grey: Any = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        scale = self._side / max(grey.shape) if self._side is not None else 1
        if scale >= 1:
            return grey
        size = tuple(max(16, round(side * scale)) for side in grey.shape[::-1])
        return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)

    def between(self, start: NDArray[np.uint8], end: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W, 2): where each pixel of grey ``start`` lies in grey ``end``, as x and y displacement."""
        if min(start.shape) < 16:  # DIS works on patches; smaller clips have no motion to speak of
            return np.zeros((*start.shape, 2), np.float32)
        return cast(Any, self._dis).calc(start, end, None)
