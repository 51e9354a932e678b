"""The parts that are independent of the mood: paper, surroundings, inscription, seal."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import UnknownNameError
from workbench.data.atelier.brush import Brush
from workbench.data.atelier.plants import polar
from workbench.data.atelier.strokes import Layer, curve_noise, fbm

PAPERS = np.array(  # reflectance R G B: new rice paper, ivory, aged, tea-stained silk, greyish
    [
        (0.965, 0.955, 0.925),
        (0.955, 0.930, 0.870),
        (0.910, 0.865, 0.775),
        (0.860, 0.795, 0.680),
        (0.915, 0.910, 0.885),
    ],
    np.float32,
)
VERMILION = np.array([0.25, 1.9, 2.1], np.float32)  # absorbance of the seal's paste
# shape: (x, y, half size), in units of the picture's side
SEALS = {
    "square": (0.075, 0.925),
    "round": (0.925, 0.925),
    "gourd": (0.925, 0.080),
    "oval": (0.075, 0.080),
    "double": (0.075, 0.500),
}
SEAL_HALF = 0.040


def paper(size: int, tone: int, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """A sheet.

    Returns:
        (size, size, 3) reflectance in 0..1 with ageing, fibres and darker margins; and (size, size) grain
        about 1, a factor on the ink at each pixel.
    """
    sheet = PAPERS[tone] * rng.uniform(0.985, 1.015, 3).astype(np.float32)
    clouds = fbm(rng, size, 3, 5) - 0.5
    grain = cv2.GaussianBlur(rng.random((256, 256), np.float32) - 0.5, (0, 0), 0.8)
    grain = cv2.resize(grain, (size, size), interpolation=cv2.INTER_CUBIC) * 2.2
    fibres = np.zeros((size, size), np.uint8)
    n = 260
    start = rng.uniform(0, size, (n, 2))
    turn = rng.uniform(0, np.pi, n)
    bend = turn + rng.normal(0, 0.5, n)
    length = size * rng.uniform(0.008, 0.035, n)
    lines = np.stack(
        [start, start + polar(turn, length), start + polar(turn, length) + polar(bend, length)], 1
    )
    lines = np.round(lines * 8).astype(np.int32)
    cv2.polylines(fibres, list(lines[: n // 2]), False, 255, 1, cv2.LINE_AA, 3)
    light = np.zeros_like(fibres)
    cv2.polylines(light, list(lines[n // 2 :]), False, 255, 1, cv2.LINE_AA, 3)
    fibre = (light.astype(np.float32) - fibres) / 255
    edge = np.linspace(-1, 1, size, dtype=np.float32) ** 8
    shade = 0.030 * clouds + 0.030 * grain + 0.016 * fibre - 0.03 * np.maximum(edge[None], edge[:, None])
    reflectance = (
        sheet * (1 + shade)[..., None] * (1 + 0.02 * clouds[..., None] * np.array([0, 0.5, 1.5], np.float32))
    )
    tooth = 1 + 0.55 * grain + 0.25 * fibre + 0.25 * clouds
    return np.clip(reflectance, 0, 1), tooth


def surroundings(layer: Layer, brush: Brush, rng: np.random.Generator) -> None:
    """One or two of far hills, a bank, distant birds and a moon; and an inscription."""
    parts = (hills, ground, flock, moon)
    for i in rng.choice(len(parts), size=rng.integers(1, 3), replace=False):
        parts[i](layer, brush, rng)
    inscription(layer, rng)


def hills(layer: Layer, brush: Brush, rng: np.random.Generator) -> None:
    """One or two pale ridges that fade downwards."""
    size = layer.size
    for level in sorted(rng.uniform(0.25, 0.6, rng.integers(1, 3))):
        ridge = level - 0.16 * np.abs(curve_noise(rng, size, 3, 5, 0.42)) * 2
        below = layer.y - ridge[None].astype(np.float32)
        tone = np.clip(below * size + 0.5, 0, 1) * np.exp(-np.clip(below, 0, None) / rng.uniform(0.05, 0.11))
        layer.wash(tone * rng.uniform(0.12, 0.3) * (0.5 + fbm(rng, size, 6, 3)))


def ground(layer: Layer, brush: Brush, rng: np.random.Generator) -> None:
    """A bank along the lower edge with tufts of grass and a few dots."""
    y = rng.uniform(0.86, 0.95)
    xs = np.sort(rng.uniform(0.02, 0.98, 4))
    start = np.stack([xs - 0.02, y + rng.normal(0, 0.012, 4)], -1)
    end = start + np.stack([rng.uniform(0.08, 0.3, 4), rng.normal(0, 0.015, 4)], -1)
    brush.lay(layer, brush.bent(start, end, rng, bow=0.4), rng, width=0.8, ink=0.4)
    n = 18
    root = np.stack([np.repeat(rng.choice(xs, 3), 6), np.full(n, y)], -1) + rng.normal(0, 0.012, (n, 2))
    tip = root + polar(-np.pi / 2 + rng.normal(0, 0.5, n), rng.uniform(0.03, 0.07, n))
    brush.lay(layer, brush.bent(root, tip, rng), rng, width=0.45, ink=0.5, profile="blade")


def flock(layer: Layer, brush: Brush, rng: np.random.Generator) -> None:
    """Far birds in a slanting line."""
    n = int(rng.integers(3, 8))
    u = np.arange(n)[:, None]
    at = (
        rng.uniform([0.2, 0.08], [0.7, 0.28])
        + u * [0.032, rng.uniform(-0.015, 0.015)]
        + rng.normal(0, 0.008, (n, 2))
    )
    half = rng.uniform(0.010, 0.016, n)
    lift = rng.uniform(0.4, 0.9, n)
    x = half[:, None] * np.array([-1, -0.5, 0, 0.5, 1])
    y = (half * lift)[:, None] * np.array([-0.5, -0.75, 0.1, -0.75, -0.5])
    layer.lay(at[:, None] + np.stack([x, y], -1), 0.006, 0.8, rng, profile="leaf")


def moon(layer: Layer, brush: Brush, rng: np.random.Generator) -> None:
    """A moon left out of a soft wash."""
    x, y, r = rng.uniform(0.15, 0.85), rng.uniform(0.12, 0.25), rng.uniform(0.045, 0.07)
    halo = layer.blot(x, y, 3.4 * r, 2.6 * r, rng, soft=1.6, rough=0.5)
    disc = np.clip((np.hypot(layer.x - x, layer.y - y) - r) * layer.size + 0.5, 0, 1)
    layer.wash(halo * disc * rng.uniform(0.14, 0.26))


def inscription(layer: Layer, rng: np.random.Generator) -> None:
    """One or two columns of small characters near an upper corner: strokes that resemble writing."""
    right = rng.random() < 0.5
    cell = rng.uniform(0.020, 0.026)
    columns = int(rng.integers(1, 3))
    spines = []
    for column in range(columns):
        x = (0.93 if right else 0.12) - column * 1.35 * cell
        top = 0.16
        for row in range(int(rng.integers(3, 9))):
            middle = np.array([x, top + row * 1.18 * cell]) + rng.normal(0, 0.0012, 2)
            k = int(rng.integers(3, 7))
            upright = rng.random(k) < 0.45
            reach = cell * rng.uniform(0.2, 0.48, k)
            way = np.where(upright, np.pi / 2 + rng.normal(0, 0.25, k), rng.normal(-0.12, 0.2, k))
            centre = middle + rng.uniform(-0.3, 0.3, (k, 2)) * cell
            start, end = centre - polar(way, reach), centre + polar(way, reach)
            spines.append(np.stack([start, (start + end) / 2 + rng.normal(0, 0.06 * cell, (k, 2)), end], 1))
    layer.lay(np.concatenate(spines), 0.17 * cell, 1.5, rng, profile="even")


def stamp(size: int, shape: str, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """A red seal at the position of its shape, carved with a few white lines.

    Returns:
        (size, size) density of the paste, and the (size, size) bool mask of the seal's filled
        outline; nothing changes outside it.

    Raises:
        UnknownNameError: if ``shape`` is not in :data:`SEALS`.
    """
    if shape not in SEALS:
        raise UnknownNameError("seal", shape, SEALS)
    scale = 4 * size
    x, y = SEALS[shape]
    r = SEAL_HALF
    area = np.zeros((scale, scale), np.uint8)

    def point(u: float, v: float) -> tuple[int, int]:
        return round((x + u * r) * scale), round((y + v * r) * scale)

    def disc(u, v, ru, rv):
        axes = round(ru * r * scale), round(rv * r * scale)
        cv2.ellipse(area, point(u, v), axes, 0, 0, 360, 255, -1, cv2.LINE_AA)

    if shape == "square":
        cv2.rectangle(area, point(-0.9, -0.9), point(0.9, 0.9), 255, -1)
    elif shape == "round":
        disc(0, 0, 1, 1)
    elif shape == "oval":
        disc(0, 0, 0.66, 1.05)
    elif shape == "gourd":
        disc(0, -0.5, 0.55, 0.5)
        disc(0, 0.42, 0.8, 0.62)
    else:
        cv2.rectangle(area, point(-0.62, -1.15), point(0.62, -0.1), 255, -1)
        cv2.rectangle(area, point(-0.62, 0.1), point(0.62, 1.15), 255, -1)
    carved = area.copy()
    stroke = max(1, round(0.11 * r * scale))
    for u in (-0.45, 0.0, 0.45):
        for v in (-0.55, 0.05, 0.6):
            du, dv = rng.choice([(0.26, 0.0), (0.0, 0.3), (0.2, 0.2), (-0.2, 0.22)])
            cv2.line(carved, point(u - du, v - dv), point(u + du, v + dv), 0, stroke, cv2.LINE_AA)
    small = cv2.resize(carved, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    mask = cv2.resize(area, (size, size), interpolation=cv2.INTER_AREA) > 0
    print_ = np.clip(0.35 + fbm(rng, size, 24, 3), 0.35, 1.15)
    return small * print_ * mask, mask
