"""Temporal blending along optical flow: the previous drawing is warped along the motion.

The flow between the photographs (not the drawings, whose flicker would mislead it) tells where each point
was one frame ago. Where it is found again on the way back, and the photographs agree there, the drawing is
mixed with the stabilised drawing of the frame before; what appears is drawn as it is. The past is sampled
bicubically: bilinear sampling, frame after frame, cost a fifth of the sharpness of a panning clip.

Source: Ruder, Dosovitskiy and Brox, "Artistic Style Transfer for Videos", GCPR 2016 (consistency along flow,
with occlusion, inside an optimisation; here it is a filter after a network that knows nothing of it).
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import WorkbenchError
from workbench.metrics.flicker import visible, warp
from workbench.styles.optical_flow import Flow

_TRUST = 35.0  # levels of 255: how far apart two photographs of one point may be before trust falls to 1/e
_BLUR = 1.0  # pixels, standard deviation: sensor noise is no reason for distrust


class TemporalBlend:
    """Stabilises drawings frame by frame; make one for each clip.

    Args:
        weight: in [0, 1): share of the past where it is trusted fully. 0 changes nothing.
    """

    def __init__(self, weight: float):
        self.weight = checked_weight(weight)
        self._flow = Flow()
        self._past: tuple[NDArray[Any], NDArray[Any], NDArray[np.float32]] | None = None

    def __call__(self, photo: NDArray[np.uint8], drawing: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The stabilised drawing of the next frame; both (H, W, 3). An undrawn frame stays as it is."""
        if self.weight == 0:
            return drawing
        if drawing is photo:
            self._past = None
            return drawing
        grey, smooth = self._flow.grey(photo), cv2.GaussianBlur(photo, (0, 0), _BLUR)
        steady = drawing.astype(np.float32)
        if self._past is not None and self._past[1].shape == photo.shape:
            share, back = self._share(self._past, grey, smooth)
            steady += share[..., None] * (warp(self._past[2], back, cv2.INTER_CUBIC) - steady)
        self._past = grey, smooth, steady
        return np.clip(np.rint(steady), 0, 255).astype(np.uint8)

    def _share(
        self,
        past: tuple[NDArray[Any], NDArray[Any], NDArray[np.float32]],
        grey: NDArray[Any],
        smooth: NDArray[Any],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(H, W): how much of the past to take; (H, W, 2): where each point was."""
        before, photo, _ = past
        back = self._flow.between(grey, before)
        in_view = visible(back, self._flow.between(before, grey)).astype(np.float32)
        height, width = smooth.shape[:2]
        stretch = np.array([width / back.shape[1], height / back.shape[0]], np.float32)
        back = np.asarray(cv2.resize(back, (width, height)) * stretch, np.float32)
        in_view = np.asarray(cv2.resize(in_view, (width, height)), np.float32)
        gap = cv2.absdiff(smooth, warp(photo, back)).astype(np.float32).max(-1)
        return self.weight * in_view * np.exp(-np.square(gap / _TRUST)), back


def checked_weight(weight: float) -> float:
    """``weight`` as a number.

    Raises:
        WorkbenchError: outside [0, 1), where 1 would never show anything new.
    """
    if not 0 <= weight < 1:
        raise WorkbenchError(
            f"Expected a temporal weight from 0 (off) to below 1 but got {weight!r}. Choose one within."
        )
    return float(weight)
