"""How much a clip flickers: warping error along optical flow, and temporal spectra.

A stylized clip is steady if the pixels of a scene point do not change while it moves. The warping error
follows each point from one frame to the next along the flow of the *input* and compares the pixels there,
where the point is visible in both. Noise and lighting make it positive for the input, too, so the ratio of
the two is what the style adds. The spectrum shows at which rates a pixel changes: flicker from frame to frame
is at its upper end.

Sources: Lai et al., "Learning Blind Video Temporal Consistency", ECCV 2018, section 4.2 (warping error);
Sundaram, Brox and Keutzer, "Dense Point Trajectories by GPU-accelerated Large Displacement Optical Flow",
ECCV 2010, eq. 5 (forward-backward check); Welch's periodogram with one segment.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.core.pixels import luma

_NO_MAP: Any = None  # x and y come in one map, which OpenCV's type stubs do not know of


def warp(picture: NDArray, flow: NDArray[np.float32], interpolation: int = cv2.INTER_LINEAR) -> NDArray:
    """``picture`` as seen from the frame that ``flow`` starts at: result(p) = picture(p + flow(p)).

    Args:
        picture: (H, W) or (H, W, C); beyond its border the nearest pixel is taken.
        flow: (H, W, 2) in pixels, x then y, from the wanted frame to that of ``picture``.
        interpolation: of OpenCV.
    """
    height, width = flow.shape[:2]
    if picture.shape[:2] != (height, width) or flow.ndim != 3 or flow.shape[2] != 2:
        raise ValueError(f"Expected a flow {(*picture.shape[:2], 2)} but got {flow.shape}.")
    places = _grid(height, width) + flow
    return cv2.remap(picture, places, _NO_MAP, interpolation, borderMode=cv2.BORDER_REPLICATE)


@functools.lru_cache(maxsize=2)  # that of a film's frames and that of their flow
def _grid(height: int, width: int) -> NDArray[np.float32]:
    """(height, width, 2): each pixel's x and y, not to be written to."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    grid = np.stack([x, y], -1)
    grid.flags.writeable = False
    return grid


def visible(forward: NDArray[np.float32], backward: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where a point of the first frame is visible in the second: inside it, and the backward flow leads back.

    |f(p) + b(p + f(p))|² < 0.01 (|f(p)|² + |b(p + f(p))|²) + 0.5

    Args:
        forward: (H, W, 2) pixels from the first frame to the second.
        backward: the same from the second to the first.

    Returns:
        (H, W).
    """
    there = warp(backward, forward)
    gap = np.square(forward + there).sum(-1)
    near = gap < 0.01 * (np.square(forward).sum(-1) + np.square(there).sum(-1)) + 0.5
    height, width = forward.shape[:2]
    x, y = cv2.split(_grid(height, width) + forward)
    return near & (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)


def warping_error(
    frames: Sequence[NDArray], flows: Sequence[NDArray[np.float32]], masks: Sequence[NDArray[np.bool_]]
) -> float:
    """Root mean square difference of a point's pixels in consecutive frames, in levels of 255.

    Args:
        frames: T frames (H, W, 3) of uint8.
        flows: T - 1 flows, the i-th from frame i + 1 back to frame i.
        masks: T - 1 masks (H, W), True where the point of frame i + 1 is visible in frame i.

    Raises:
        ValueError: the counts do not fit, or nothing is visible.
    """
    if len(frames) < 2 or not len(flows) == len(masks) == len(frames) - 1:
        raise ValueError(
            f"Expected T ≥ 2 frames with T - 1 flows and masks but got {len(frames)}, "
            f"{len(flows)} and {len(masks)}."
        )
    total, count = 0.0, 0
    for before, after, flow, mask in zip(frames[:-1], frames[1:], flows, masks, strict=True):
        gap = after.astype(np.float32) - warp(before.astype(np.float32), flow)
        total += float(np.square(gap[mask], dtype=np.float64).sum())
        count += gap[mask].size
    if not count:
        raise ValueError("Expected points that are visible in consecutive frames but the masks are empty.")
    return float(np.sqrt(total / count))


def temporal_spectrum(frames: Sequence[NDArray], rate: float) -> tuple[NDArray, NDArray]:
    """One-sided power spectral density of the pixels' brightness over time, averaged over the pixels.

    Args:
        frames: T ≥ 4 frames, (H, W, 3) RGB (brightness is Rec. 601's) or (H, W).
        rate: frames per second.

    Returns:
        frequencies (T // 2,) in Hz, without 0; densities (T // 2,) in levels² / Hz. Their sum times the
        frequency step is the mean variance over time (Hann window, mean removed).
    """
    clip = np.stack([luma(f) if f.ndim == 3 else f for f in frames]).astype(np.float32)
    count = len(clip)
    if count < 4 or rate <= 0:
        raise ValueError(f"Expected at least 4 frames and a positive rate but got {count} at {rate}.")
    clip = clip.reshape(count, -1)
    window = np.hanning(count + 1)[:count].astype(np.float32)  # periodic
    transformed = np.fft.rfft((clip - clip.mean(0)) * window[:, None], axis=0)
    power = np.square(np.abs(transformed)).mean(1) / (rate * np.square(window).sum())
    power[1 : (count + 1) // 2] *= 2  # negative frequencies; of an even count the highest has none
    return np.fft.rfftfreq(count, 1 / rate)[1:], power[1:]


def flicker_power(frequencies: NDArray, density: NDArray, above: float) -> float:
    """Variance of the pixels at ``above`` Hz or faster, in levels²: the area under the density."""
    step = frequencies[1] - frequencies[0]
    return float(density[frequencies >= above].sum() * step)
