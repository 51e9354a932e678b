"""A norm-free, fully convolutional generator over pictures of any size: tiles of bounded memory, no seams.

Every output pixel of such a generator depends on a bounded window of its input, ``network.halo`` pixels on
each side. So a tile that is computed with that much context around it, and starts on the network's grid
(``network.stride``), holds the numbers that the whole picture would give. All windows of one picture have the
same shape, so that the backend chooses the same kernels for each.

At the picture's own border the network pads with zeros, which draws a frame. So the picture is first extended
by its mirror image (``margin``), and the extension is cut off again; at 32 pixels what is left of the frame
is at most one of 255 levels. The extension exists only as row and column numbers: neither a padded nor a
float copy of the whole picture is ever made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from workbench.core.devices import in_batches
from workbench.core.pixels import to_pixels, to_tensor

TILE = 768  # side of a tile's core: 16 channels of float32 are 46 MiB with the context around it
MARGIN = 32  # mirrored pixels around the picture
_TILES_AT_ONCE = 4  # on an accelerator; a CPU is as fast one by one, and then equal to the last bit


def reach(network: Any) -> tuple[int, int]:
    """``stride`` and ``halo`` of a generator that can be drawn in tiles."""
    return network.stride, network.halo


def mirrored(length: int, margin: int, stride: int) -> np.ndarray:
    """Source index of each row (or column) of the extended picture.

    Mirrored about the border pixels by ``margin`` on both sides, and on the far side further up to a multiple
    of ``stride``. A picture too short to be mirrored is repeated at its edge instead.
    """
    before, after = margin, margin + -(length + 2 * margin) % stride
    places = np.arange(length)
    if length > max(before, after):
        return np.pad(places, (before, after), "reflect")
    return np.pad(places, (before, after), "edge")


def spans(length: int, tile: int, halo: int, stride: int) -> list[tuple[int, int, int, int]]:
    """Cut ``length`` (a multiple of ``stride``) into nearly equal tiles with windows of one size around them.

    Returns:
        ``(start, stop, window_start, window_stop)`` for each tile, all multiples of ``stride``.
    """
    count = -(-length // tile)
    core = -(-length // (count * stride)) * stride
    window = min(length, core + 2 * halo)
    cuts = []
    for start in range(0, length, core):
        left = min(max(start - halo, 0), length - window)
        cuts.append((start, min(start + core, length), left, left + window))
    return cuts


@torch.inference_mode()
def run_tiled(
    network: nn.Module,
    pixels: np.ndarray,
    tile: int = TILE,
    margin: int = MARGIN,
    progress: Callable[[float], None] | None = None,
) -> np.ndarray:
    """Redraw a whole picture.

    Args:
        network: generator in eval mode with attributes ``stride`` and ``halo``; (1, 3, H, W) to the same
            shape, [-1, 1].
        pixels: (H, W, 3) uint8, any H and W ≥ 1.
        tile: largest side of a tile, at least ``stride``; memory grows with its square, and small tiles cost
            time, as each is computed with ``halo`` pixels around it.
        margin: mirrored pixels around the picture, a multiple of ``stride``.
        progress: called with the share done, in (0, 1], after each tile; an exception that it raises stops
            the work.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: for other shapes or settings, or a network in training mode.
    """
    stride, halo = reach(network)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
        raise ValueError(f"Expected pixels (H, W, 3) of uint8 but got {pixels.shape} of {pixels.dtype}.")
    if network.training:
        raise ValueError("Expected a network in eval mode but it is in training mode. Call `network.eval()`.")
    if tile < stride or margin < 0 or margin % stride:
        raise ValueError(
            f"Expected a tile of at least {stride} and a margin in multiples of {stride} "
            f"but got {tile} and {margin}."
        )
    height, width = pixels.shape[:2]
    rows, columns = mirrored(height, margin, stride), mirrored(width, margin, stride)
    plan = [
        (y, x)
        for y in spans(len(rows), tile // stride * stride, halo, stride)
        for x in spans(len(columns), tile // stride * stride, halo, stride)
    ]
    output = np.empty_like(pixels)

    def draw(tiles: Sequence) -> list[None]:
        windows = [
            np.take(np.take(pixels, rows[y[2] : y[3]], axis=0), columns[x[2] : x[3]], axis=1)
            for y, x in tiles
        ]
        for (y, x), drawn in zip(tiles, _redraw(network, np.stack(windows)), strict=True):
            _paste(output, drawn, y, x, margin)
        return [None] * len(tiles)

    at_once = 1 if _place(network)[0].type == "cpu" else _TILES_AT_ONCE
    shown = None if progress is None else lambda done: progress(done / len(plan))
    in_batches(draw, plan, at_once, shown)
    return output


@torch.inference_mode()
def run_together(network: nn.Module, frames: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Redraw frames of one size: small ones in one pass, as many as a tile has pixels; large ones in tiles.

    The pixels equal those of :func:`run_tiled` but for the rounding of a batch.

    Args:
        network: as for :func:`run_tiled`.
        frames: each (H, W, 3) uint8.

    Returns:
        As many frames of the same shape.
    """
    height, width = frames[0].shape[:2]
    stride, _ = reach(network)
    rows, columns = mirrored(height, MARGIN, stride), mirrored(width, MARGIN, stride)
    together = TILE**2 // (len(rows) * len(columns))
    if together < 2:
        return [run_tiled(network, frame) for frame in frames]

    def draw(batch: Sequence[np.ndarray]) -> list[np.ndarray]:
        window = np.take(np.take(np.stack(batch), rows, axis=1), columns, axis=2)
        return list(_redraw(network, window)[:, MARGIN : MARGIN + height, MARGIN : MARGIN + width])

    return in_batches(draw, frames, together)


def _place(network: nn.Module) -> tuple[torch.device, torch.dtype]:
    parameter = next(network.parameters(), torch.empty(0))
    return parameter.device, parameter.dtype


def _redraw(network: nn.Module, windows: np.ndarray) -> np.ndarray:
    """uint8 (n, h, w, 3) through the network and back to uint8."""
    device, dtype = _place(network)
    return to_pixels(network(to_tensor(windows, device).to(dtype)))


def _paste(output: np.ndarray, drawn: np.ndarray, y, x, margin: int) -> None:
    """Copy the part of a tile's core that lies within the picture."""
    height, width = output.shape[:2]
    top, bottom = max(y[0] - margin, 0), min(y[1] - margin, height)
    left, right = max(x[0] - margin, 0), min(x[1] - margin, width)
    if top >= bottom or left >= right:
        return
    dy, dx = margin - y[2], margin - x[2]
    output[top:bottom, left:right] = drawn[top + dy : bottom + dy, left + dx : right + dx]
