"""Temporal blending along optical flow: the previous drawing is warped along the motion.

The flow between the photographs (not the drawings, whose flicker would mislead it) tells where each point
was one frame ago. Where it is found again on the way back, and the photographs agree there, the drawing is
mixed with the stabilised drawing of the frame before; what appears is drawn as it is. A drawing that changes
more than the photograph under it flickers: there the past weighs more, so that the change comes down to a
share of the photograph's own. The past is sampled bicubically: bilinear sampling, frame after frame, cost a
fifth of the sharpness of a panning clip.

Source: Ruder, Dosovitskiy and Brox, "Artistic Style Transfer for Videos", GCPR 2016 (consistency along flow,
with occlusion, inside an optimisation; here it is a filter after a network that knows nothing of it).
"""

from __future__ import annotations

import functools
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import WorkbenchError
from workbench.metrics.flicker import visible, warp
from workbench.styles.optical_flow import Flow

_TRUST = 25.0  # levels of 255: how far apart two photographs of one point may be before trust falls to 1/e
_FOLLOWS = 0.5  # change of a drawing that is no flicker, as a share of its photograph's change …
_FREE = 1.0  # … and levels on top
_LONGER = 2.5  # how many times the usual weight of the past, against the present's, a flickering point gets
_CUT = 0.2  # mean trust below which a new scene begins, which owes nothing to the past
_BLUR = 1.0  # pixels, standard deviation: sensor noise is no reason for distrust


class TemporalBlend:
    """Stabilises drawings frame by frame; make one for each clip.

    Args:
        weight: in [0, 1): share of the past where it is trusted fully and the drawing does not flicker,
            where it does up to ``2.5 weight / (1 + 1.5 weight)``. 0 changes nothing.
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
            trust, gap, back = self._trust(*self._past[:2], grey, smooth)
            if trust.mean() >= _CUT:
                past = warp(self._past[2], back, cv2.INTER_CUBIC)
                share = trust * self._share(gap, np.asarray(cv2.absdiff(steady, past)))
                steady += share[..., None] * (past - steady)
        self._past = grey, smooth, steady
        return np.clip(np.rint(steady), 0, 255).astype(np.uint8)

    def _share(self, gap: NDArray[Any], change: NDArray[Any]) -> NDArray[Any]:
        """(H, W): share of a trusted past where photographs are ``gap`` (H, W) and drawings ``change``
        (H, W, 3) levels apart.
        """
        calm = 1 - (_FOLLOWS * gap + _FREE) / np.maximum(_largest(change), _FREE)
        most = _LONGER * self.weight / (1 + (_LONGER - 1) * self.weight)
        return np.clip(calm, self.weight, most)

    def _trust(
        self, before: NDArray[Any], photo: NDArray[Any], grey: NDArray[Any], smooth: NDArray[Any]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """(H, W) in [0, 1]: whether a point was there a frame ago; (H, W): how far apart the photographs of
        it are, in levels; (H, W, 2): where it was.
        """
        back = self._flow.between(grey, before)
        in_view = visible(back, self._flow.between(before, grey)).astype(np.float32)
        height, width = smooth.shape[:2]
        stretch = np.array([width / back.shape[1], height / back.shape[0]], np.float32)
        back = np.asarray(cv2.resize(back, (width, height)) * stretch, np.float32)
        in_view = np.asarray(cv2.resize(in_view, (width, height)), np.float32)
        gap = _largest(cv2.absdiff(smooth, warp(photo, back))).astype(np.float32)
        return in_view * np.exp(-np.square(gap / _TRUST)), gap, back


def _largest(change: NDArray[Any]) -> NDArray[Any]:
    """(H, W): the largest of three channels, ten times as fast as NumPy's reduction of the last axis."""
    return functools.reduce(cv2.max, cv2.split(change))


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
