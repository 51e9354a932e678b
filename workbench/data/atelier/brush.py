"""Converts factors of expression into stroke widths, densities and curved lines."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.data.atelier.strokes import Layer


@dataclasses.dataclass(frozen=True)
class Box:
    """Position of a motif: centre and half extent, in units of the picture's side."""

    x: float
    y: float
    s: float

    def at(self, x: ArrayLike, y: ArrayLike) -> NDArray:
        """(..., 2) picture coordinates of points in box coordinates (-1..1 each)."""
        return np.stack([self.x + self.s * np.asarray(x), self.y + self.s * np.asarray(y)], -1)

    def inner(self, x: float, y: float, s: float) -> Box:
        """The box around a point in box coordinates, ``s`` times as large."""
        at = self.at(x, y)
        return Box(float(at[0]), float(at[1]), s * self.s)


@dataclasses.dataclass(frozen=True)
class Brush:
    """Physical settings of one group of strokes, computed from its factors (each 0..1).

    Attributes:
        width: full width of a main stroke, 0.4 to 3.2 % of the side, log scale.
        bow: sagitta of a stroke as a share of its length, 0 to 0.30.
        dryness: share of a stroke left bare, 0 to 0.8.
        ink: density of a main stroke, 0.45 to 2.2.
        wash: density of the broad washes, 0 to 0.75.
        colour: density of pigments, 0 to 1.5.
        many: multiplies the number of strokes, 0.5 to 1.9.
        swing: how far strokes and stems lean, 0.05 to 1.
    """

    factors: dict[str, float]
    width: float
    bow: float
    pressure: float
    dryness: float
    ink: float
    wash: float
    colour: float
    many: float
    swing: float

    @classmethod
    def of(cls, factors: dict[str, float]) -> Brush:
        f = factors
        return cls(
            factors=f,
            width=0.004 * 8 ** f["stroke_width"],
            bow=0.30 * (1 - f["straightness"]) ** 1.2,
            pressure=0.55 * f["pressure"],
            dryness=0.80 * f["dryness"],
            ink=0.45 * (2.2 / 0.45) ** f["ink"],
            wash=0.75 * f["wash"] ** 1.3,
            colour=1.5 * f["saturation"],
            many=0.5 * 3.8 ** f["strokes"],
            swing=0.05 + 0.95 * f["motion"],
        )

    def count(self, usual: float, least: int = 1) -> int:
        """Number of strokes, given the ``usual`` number of an average painter."""
        return max(least, round(usual * self.many))

    def bent(self, start: ArrayLike, end: ArrayLike, rng, knots: int = 5, bow: float = 1.0, sign=None):
        """(S, knots, 2) curved lines from ``start`` to ``end`` (both (S, 2)).

        ``sign`` (S,) is the side to which they curve; random if not given.
        """
        start, end = np.atleast_2d(start), np.atleast_2d(end)
        count = len(start)
        u = np.linspace(0, 1, knots)
        line = start[:, None] + (end - start)[:, None] * u[:, None]
        chord = end - start
        normal = np.stack([-chord[:, 1], chord[:, 0]], -1)
        sign = rng.choice([-1.0, 1.0], count) if sign is None else np.broadcast_to(sign, count)
        amount = self.bow * bow * sign * rng.uniform(0.5, 1.5, count)
        shape = np.sin(np.pi * u)[None] * amount[:, None]
        if knots > 3:  # a second bend the other way makes an S
            shape = shape + np.sin(2 * np.pi * u)[None] * (amount * rng.uniform(-0.6, 0.6, count))[:, None]
        shake = rng.normal(0, 0.006 + 0.05 * self.bow * bow, (count, knots))
        shake[:, [0, -1]] = 0
        return line + (shape + shake)[..., None] * normal[:, None]

    def lay(self, layer: Layer, spines, rng, width: ArrayLike = 1.0, ink: ArrayLike = 1.0, **options) -> None:
        """Draw strokes with this brush; ``width`` and ``ink`` are factors on its own."""
        options.setdefault("dryness", self.dryness)
        options.setdefault("pressure", self.pressure)
        count = len(spines)
        if not count:
            return
        vary = rng.uniform(0.75, 1.25, count)
        layer.lay(
            spines,
            self.width * np.asarray(width) * np.ones(count),
            self.ink * np.asarray(ink) * vary,
            rng,
            **options,
        )
