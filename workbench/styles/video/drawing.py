"""Batches of frames through a style, on PyTorch or ONNX Runtime."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from workbench.drawing import filters
from workbench.styles import portrait_styles, tiling
from workbench.styles import stylize as stylizer
from workbench.styles.stylize import RUNTIMES
from workbench.styles.video.faces import FaceTracker

__all__ = ["RUNTIMES", "Drawer", "draw_together", "drawer"]

Drawer = Callable[[Sequence[NDArray[np.uint8]]], list[NDArray[np.uint8]]]


def drawer(style: str, strength: float = 1.0, runtime: str = "torch") -> Drawer:
    """The function that draws the frames of one film, each (H, W, 3) uint8, in ``style``.

    Portrait styles follow faces from frame to frame: give them in order, and make a drawer for each film.
    Whatever is wrong with the style shows here, before the work. Networks are loaded once for all callers.

    Args:
        style: as in :func:`workbench.styles.stylize.stylize`.
        strength: 1 is the drawing, 0 the photo.
        runtime: "torch", or "onnx" for ONNX Runtime (:mod:`workbench.styles.runtimes`).

    Raises:
        UnknownNameError: no such style or runtime.
        WeightsError: the user's weights cannot be used.
        WorkbenchError: ``strength`` outside [0, 1], or "onnx" for a filter or without its packages.
    """
    style, strength = str(style), stylizer._checked_strength(strength)
    draw = stylizer._drawer(style, runtime)
    if style in filters.FILTERS:

        def one_by_one(frames):
            return [draw(frame, None) for frame in frames]

        drawn = one_by_one
    elif portrait_styles.is_portrait(style):  # a frame that shows nobody stays as it is
        drawn = portrait_styles.frame_by_frame(draw, FaceTracker())
    else:
        network = stylizer.network_of(style, runtime)
        drawn = functools.partial(draw_together, network)
    if strength == 0:
        return list
    if strength == 1:
        return drawn

    def blended(frames):
        pairs = zip(drawn(frames), frames, strict=True)
        return [cv2.addWeighted(drawing, strength, photo, 1 - strength, 0) for drawing, photo in pairs]

    return blended


@torch.inference_mode()
def draw_together(network: nn.Module, frames: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Draw frames of one size: small ones in one pass, as many as a tile has pixels; large ones in tiles.

    The pixels equal those of :func:`workbench.styles.tiling.run_tiled` but for the rounding of a batch.

    Args:
        network: generator in eval mode with ``stride`` and ``halo``.
        frames: each (H, W, 3) uint8.

    Returns:
        As many frames of the same shape.
    """
    height, width = frames[0].shape[:2]
    rows = tiling.mirrored(height, tiling.MARGIN, network.stride)
    columns = tiling.mirrored(width, tiling.MARGIN, network.stride)
    together = tiling.TILE**2 // (len(rows) * len(columns))
    if together < 2:
        return [tiling.run_tiled(network, frame) for frame in frames]
    drawings = []
    for start in range(0, len(frames), together):
        batch = np.stack(frames[start : start + together])
        window = np.take(np.take(batch, rows, axis=1), columns, axis=2)
        x = torch.from_numpy(window).float().mul_(2 / 255).sub_(1).permute(0, 3, 1, 2)
        y = network(x).permute(0, 2, 3, 1).add_(1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8).numpy()
        margin = tiling.MARGIN
        drawings += list(y[:, margin : margin + height, margin : margin + width])
    return drawings
