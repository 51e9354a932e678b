"""Ink on paper as optical density: strokes made of bristle marks, and washes.

A :class:`Layer` holds three densities (ink and two pigments). A density ``d`` of a colour with absorbance
``a`` transmits ``exp(-a d)`` of the light (Beer-Lambert), so that layers add and never clip, as with thin
ink. Lengths are in units of the picture's side (0..1, x to the right, y down), so a picture looks the same at
every size.

A stroke is a spine through a few points and a width along it. It is sampled on a grid (along × across);
each sample adds its share of the ink to the four nearest pixels. A fixed bristle texture, elongated along the
stroke, determines where a dry brush leaves the paper bare. Many strokes are drawn at once.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter

INK, ACCENT, TINT = 0, 1, 2  # channels of a layer

# Width along a stroke, u in 0..1
PROFILES = {
    "even": lambda u: np.minimum(1, 12 * np.minimum(u, 1 - u)) ** 0.5,
    "taper": lambda u: np.minimum(1, 14 * u) ** 0.5 * (1 - u) ** 0.6,
    "leaf": lambda u: np.clip(np.sin(np.pi * u**0.62), 0, 1) ** 1.15,
    "blade": lambda u: np.minimum(1, 3 * u + 0.25) * (1 - u**2.2) ** 0.8,
    "dot": lambda u: np.sqrt(np.clip(4 * u * (1 - u), 0, 1)),
    "nail": lambda u: np.minimum(1, 9 * u + 0.3) * (1 - 0.92 * u),
}


class Layer:
    """Densities of ink and two pigments, and how much they cover the layers below.

    Attributes:
        density: (3, size, size) float32, 0 or more.
        cover: (size, size) float32 in 0..1: the share of the layers below that is not seen.
        strokes: number of strokes drawn.
    """

    def __init__(self, size: int):
        self.size = size
        self.density = np.zeros((3, size, size), np.float32)
        self.cover = np.zeros((size, size), np.float32)
        self.strokes = 0
        centres = (np.arange(size, dtype=np.float32) + 0.5) / size
        self.x, self.y = centres[None, :], centres[:, None]

    def lay(
        self,
        spines: ArrayLike,
        width: ArrayLike,
        ink: ArrayLike,
        rng: np.random.Generator,
        *,
        profile: str = "taper",
        dryness: ArrayLike = 0.0,
        pressure: float = 0.0,
        channel: int = INK,
        edge: float = 0.35,
    ) -> None:
        """Draw S strokes.

        Args:
            spines: (S, K, 2) points (x, y) that the strokes pass through, K ≥ 2.
            width: full width at the widest point, scalar or (S,).
            ink: density in the middle of the stroke, scalar or (S,).
            rng: of the bristles and the pressure.
            profile: width along the stroke, a key of ``PROFILES``.
            dryness: share of the stroke that the brush leaves bare, 0..1, rising along the stroke.
            pressure: how much the width varies along the stroke, 0..1.
            channel: INK, ACCENT or TINT.
            edge: how much darker a stroke is at its edges, as wet ink dries.
        """
        spines = np.asarray(spines, np.float32)
        if not len(spines):
            return
        count, knots = spines.shape[:2]
        self.strokes += count
        half = np.broadcast_to(np.asarray(width, np.float32) / 2, count)[:, None]
        ink = np.broadcast_to(np.asarray(ink, np.float32), count)[:, None, None]
        dry = np.broadcast_to(np.asarray(dryness, np.float32), count)[:, None]
        chords = np.linalg.norm(np.diff(spines, axis=1), axis=2).sum(1)
        along = int(np.clip(chords.max() * self.size * 1.35, 6, 900))
        across = int(np.clip(2 * half.max() * self.size * 1.4, 3, 90))

        u = np.linspace(0, 1, along, dtype=np.float32)
        points = np.einsum("nk,skd->snd", _spline(knots, along), spines)
        step = np.gradient(points, axis=1)
        speed = np.maximum(np.hypot(step[..., 0], step[..., 1]), 1e-7)
        normal = np.stack([-step[..., 1], step[..., 0]], -1) / speed[..., None]
        swell = 1 + pressure * _waves(rng, count, u)
        half = np.maximum(half * PROFILES[profile](u) * swell, 0.25 / self.size)
        v = (np.arange(across, dtype=np.float32) + 0.5) / across * 2 - 1
        position = points[:, :, None] + (normal * half[..., None])[:, :, None] * v[:, None]  # (S, n, m, 2)

        bank = _bristles()
        rows, columns = bank.shape
        travelled = np.cumsum(speed, axis=1) * 700 + rng.uniform(0, rows, (count, 1))
        bristle = (half[..., None] * v) * 1600 + rng.uniform(0, columns, (count, 1, 1))
        grain = bank[travelled.astype(np.int32)[..., None] % rows, bristle.astype(np.int32) % columns]
        missing = dry * (0.35 + 1.0 * u)  # (S, n): the brush dries along the stroke
        kept = np.clip((grain - missing[..., None]) * 5 + 0.5, 0, 1)
        load = 1 + edge * (v**4 - 0.25) + 0.35 * (grain - 0.5)
        area = (speed * half * (2 * self.size**2 / across))[..., None]
        self._splat(position, kept * load * ink * area, channel)

    def _splat(self, position: NDArray, weight: NDArray, channel: int) -> None:
        size = self.size
        x = (position[..., 0] * size - 0.5).ravel()
        y = (position[..., 1] * size - 0.5).ravel()
        weight = weight.ravel()
        inside = np.flatnonzero((x >= 0) & (y >= 0) & (x < size - 1) & (y < size - 1) & (weight > 0))
        if not len(inside):
            return
        x, y, weight = x[inside], y[inside], weight[inside]
        left, top = x.astype(np.int32), y.astype(np.int32)
        right, bottom = x - left, y - top
        first, rows = int(top.min()), int(top.max()) - int(top.min()) + 2
        index = (top - first) * size + left
        low, n = weight * bottom, rows * size
        high = weight - low
        total = np.bincount(index, high - high * right, minlength=n)
        total += np.bincount(index + 1, high * right, minlength=n)
        total += np.bincount(index + size, low - low * right, minlength=n)
        total += np.bincount(index + (size + 1), low * right, minlength=n)
        self.density[channel, first : first + rows] += total.reshape(rows, size).astype(np.float32)

    def wash(self, field: NDArray, channel: int = INK) -> None:
        """Add a density field that broadcasts to (size, size)."""
        self.density[channel] += np.maximum(field, 0)

    def hide(self, mask: NDArray) -> None:
        """Cover this layer and those below where ``mask`` (0..1) is set."""
        self.density *= 1 - mask
        self.cover = np.maximum(self.cover, mask)

    def blot(self, x: float, y: float, rx: float, ry: float, rng, soft: float = 0.35, rough: float = 0.25):
        """(size, size) field in 0..1: an ellipse with an uneven edge, ``soft`` of its radius wide."""
        radius = np.sqrt(((self.x - x) / rx) ** 2 + ((self.y - y) / ry) ** 2)
        radius = radius + rough * (fbm(rng, self.size, 5, 3) - 0.5)
        return np.clip((1 - radius) / soft + 0.5, 0, 1)

    def bleed(self, amount: float, radius: float) -> None:
        """Spread wet ink: mix in ``amount`` of the layer blurred by ``radius`` (in units of the side)."""
        if amount > 0:
            sigma = radius * self.size
            for channel in self.density:
                if not channel.any():
                    continue
                channel += amount * (cv2.GaussianBlur(channel, (0, 0), sigma) - channel)


def fbm(rng: np.random.Generator, size: int, cells: int, octaves: int = 4, stretch: float = 1.0) -> NDArray:
    """Fractal noise, (size, size) float32 about 0.5: ``cells`` bumps per side in the first octave.

    ``stretch`` > 1 makes the bumps wider than high.
    """
    total = np.zeros((size, size), np.float32)
    for octave in range(octaves):
        rows = cells * 2**octave
        columns = max(2, round(rows / stretch))
        if rows > size:
            break
        grid = rng.random((rows + 1, columns + 1), np.float32) - 0.5
        total += cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC) * 0.5**octave
    return total + 0.5


def curve_noise(
    rng: np.random.Generator, n: int, cells: int, octaves: int = 4, decay: float = 0.5
) -> NDArray:
    """One-dimensional fractal noise, (n,) about 0."""
    total, u = np.zeros(n, np.float32), np.linspace(0, 1, n)
    for octave in range(octaves):
        knots = cells * 2**octave + 1
        values = rng.random(knots) - 0.5
        total += (np.interp(u, np.linspace(0, 1, knots), values) * decay**octave).astype(np.float32)
    return total


def _waves(rng: np.random.Generator, count: int, u: NDArray) -> NDArray:
    """(S, n) pressure of the hand in -1..1: two slow waves per stroke."""
    phase = rng.uniform(0, 2 * np.pi, (2, count, 1)).astype(np.float32)
    rate = rng.uniform(2, 9, (2, count, 1)).astype(np.float32)
    return 0.6 * np.sin(rate[0] * u + phase[0]) + 0.4 * np.sin(2.3 * rate[1] * u + phase[1])


@lru_cache(maxsize=256)
def _spline(knots: int, n: int) -> NDArray:
    """(n, knots) weights of the natural cubic spline through ``knots`` points at n equal steps."""
    at = np.linspace(0, 1, n)
    if knots == 2:
        return np.stack([1 - at, at], 1).astype(np.float32)
    spline = CubicSpline(np.linspace(0, 1, knots), np.eye(knots), bc_type="natural")
    return spline(at).astype(np.float32)


@lru_cache(maxsize=1)
def _bristles() -> NDArray:
    """(1024, 128) bristle texture: uniform in 0..1, elongated along the stroke."""
    rng = np.random.default_rng(20)
    hairs = gaussian_filter(rng.standard_normal((1024, 128)), (40, 0.9), mode="wrap")
    grain = gaussian_filter(rng.standard_normal((1024, 128)), (5, 0.9), mode="wrap")
    field = hairs / hairs.std() + 0.75 * grain / grain.std()
    rank = field.ravel().argsort().argsort().reshape(field.shape)
    return ((rank + 0.5) / field.size).astype(np.float32)
