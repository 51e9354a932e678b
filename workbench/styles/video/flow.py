"""Temporal blending along optical flow: the previous drawing is warped along the motion.

The flow between the photographs (not the drawings, whose flicker would mislead it) tells where each point
was one frame ago. Where it is found again on the way back, and the photographs agree there, the drawing is
mixed with the stabilised drawing of the frame before; what appears is drawn as it is. Flow is wrong where
there is nothing to follow: what has not changed in its place stays there. A drawing that changes more from
frame to frame than the photograph under it flickers: there the past weighs more, so that the change comes
down to a share of the photograph's own. The past is sampled bicubically, within the range of the pixels
around: bilinear sampling, frame after frame, cost a fifth of the sharpness of a panning clip, and bicubic
sampling alone raises contrast a little each time, without an end.

Source: Ruder, Dosovitskiy and Brox, "Artistic Style Transfer for Videos", GCPR 2016 (consistency along flow,
with occlusion, inside an optimisation; here it is a filter after a network that knows nothing of it).
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import WorkbenchError
from workbench.metrics.flicker import visible, warp
from workbench.styles.optical_flow import Flow

_TRUST = 25.0  # levels of 255: how far apart two photographs of one point may be before trust falls to 1/e
_STAYS = 4.0  # levels: the same for a point in its place, where its motion is not trusted
_FOLLOWS = 0.5  # change of a drawing that is no flicker, as a share of its photograph's change …
_FREE = 1.0  # … and levels on top
_LONGER = 2.5  # how many times the usual weight of the past, against the present's, a flickering point gets
_SPECK = 1 / 40  # of the longer side: trusted regions narrower than this are chance
CUT = 0.2  # mean trust below which a new scene begins, which owes nothing to the past
_AROUND = np.ones((3, 3), np.uint8)  # pixels whose range a sample keeps to
_BLUR = 1.0  # pixels, standard deviation


class _Past(NamedTuple):
    grey: NDArray[Any]  # the photograph, at the size of the flow
    photo: NDArray[np.uint8]  # smoothed
    drawing: NDArray[np.uint8]  # as it was drawn
    steady: NDArray[np.float32]


class TemporalBlend:
    """Stabilises drawings frame by frame; make one for each clip.

    Args:
        weight: in [0, 1): share of the past where it is trusted fully and the drawing does not flicker,
            where it does up to ``2.5 weight / (1 + 1.5 weight)``. 0 changes nothing.
    """

    def __init__(self, weight: float):
        self.weight = checked_weight(weight)
        self._flow = Flow()
        self._past: _Past | None = None

    def __call__(self, photo: NDArray[np.uint8], drawing: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The stabilised drawing of the next frame; both (H, W, 3). An undrawn frame stays as it is."""
        if self.weight == 0:
            return drawing
        if drawing is photo:
            self._past = None
            return drawing
        past, grey, smooth = self._past, self._flow.grey(photo), smoothed(photo)
        steady = drawing.astype(np.float32)
        if past is not None and past.photo.shape == photo.shape:
            trust, gap, back = self._trust(past, grey, smooth)
            if trust.mean() >= CUT:
                change = cv2.absdiff(drawing, np.asarray(warp(past.drawing, back), np.uint8))
                share = _without_specks(trust) * self._share(gap, np.asarray(change, np.float32))
                steady += share[..., None] * (_sampled(past.steady, back) - steady)
        self._past = _Past(grey, smooth, drawing, steady)
        return np.clip(np.rint(steady), 0, 255).astype(np.uint8)

    def _share(self, gap: NDArray[Any], change: NDArray[Any]) -> NDArray[Any]:
        """(H, W): share of a trusted past where photographs are ``gap`` (H, W) and drawings, as they were
        drawn, ``change`` (H, W, 3) levels apart.
        """
        calm = 1 - (_FOLLOWS * gap + _FREE) / np.maximum(_largest(change), _FREE)
        most = _LONGER * self.weight / (1 + (_LONGER - 1) * self.weight)
        return np.clip(calm, self.weight, most)

    def _trust(
        self, past: _Past, grey: NDArray[Any], smooth: NDArray[Any]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """(H, W) in [0, 1]: whether a point was there a frame ago; (H, W): how far apart the photographs of
        it are, in levels; (H, W, 2): where it was.
        """
        back = self._flow.between(grey, past.grey)
        in_view = visible(back, self._flow.between(past.grey, grey)).astype(np.float32)
        height, width = smooth.shape[:2]
        stretch = np.array([width / back.shape[1], height / back.shape[0]], np.float32)
        back = np.asarray(cv2.resize(back, (width, height)) * stretch, np.float32)
        in_view = np.asarray(cv2.resize(in_view, (width, height)), np.float32)
        return trusted(past.photo, smooth, back, in_view)


def trusted(
    before: NDArray[np.uint8], after: NDArray[np.uint8], back: NDArray[np.float32], in_view: NDArray[Any]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """(H, W) in [0, 1]: whether a point of ``after`` was there in ``before``; (H, W): how far apart they show
    it, in levels; (H, W, 2): where it was. Where the first has a mean below :data:`CUT` another scene begins.

    Args:
        before: photograph (H, W, 3), :func:`smoothed`.
        after: the next one.
        back: (H, W, 2) pixels from a point of ``after`` to its place in ``before``.
        in_view: (H, W) in [0, 1], whether it is visible there.
    """
    gap, here = _apart(after, np.asarray(warp(before, back))), _apart(after, before)
    trust, stays = in_view * np.exp(-np.square(gap / _TRUST)), np.exp(-np.square(here / _STAYS))
    still = stays > trust
    back = np.where(still[..., None], 0, back)
    return np.maximum(trust, stays), np.where(still, here, gap), back


def _without_specks(trust: NDArray[np.float32]) -> NDArray[np.float32]:
    """``trust`` (H, W) less its islands: where a blurred hand passes, single points happen to agree with what
    was there before it, and would keep specks of that.
    """
    side = 2 * round(max(trust.shape) * _SPECK / 2) + 1
    return np.asarray(cv2.morphologyEx(trust, cv2.MORPH_OPEN, np.ones((side, side), np.uint8)), np.float32)


def smoothed(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``photo`` without its sensor noise, which is no reason for distrust."""
    return np.asarray(cv2.GaussianBlur(photo, (0, 0), _BLUR), np.uint8)


def _sampled(picture: NDArray[np.float32], flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """``picture`` (H, W, 3) warped bicubically, no pixel beyond the least and largest around its place."""
    least, most = (warp(of(picture, _AROUND), flow, cv2.INTER_NEAREST) for of in (cv2.erode, cv2.dilate))
    return np.asarray(cv2.min(cv2.max(warp(picture, flow, cv2.INTER_CUBIC), least), most), np.float32)


def _apart(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float32]:
    """(H, W): the largest difference of two pictures' channels."""
    return np.asarray(_largest(cv2.absdiff(a, b)), np.float32)


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
