"""Landscape motifs: mountains, rocks and a tree, a boat, birds."""

from __future__ import annotations

import cv2
import numpy as np

from workbench.data.atelier.brush import Box, Brush
from workbench.data.atelier.plants import polar
from workbench.data.atelier.strokes import ACCENT, TINT, Layer, curve_noise, fbm


def mountain(layer: Layer, brush: Brush, box: Box, rng: np.random.Generator) -> None:
    """Ranges from back to front: a contour, wrinkles (cun) down its slopes, washes that sink into mist."""
    ranges = int(np.clip(brush.count(2.4, 2), 2, 4))
    for i in range(ranges):
        near = (i + 1) / ranges
        base = box.y + box.s * (-0.05 + 0.95 * near)
        height = box.s * rng.uniform(1.0, 1.6) * (1.0 - 0.35 * near)
        _range(layer, brush, box, base, height, near, rng)


def _range(layer, brush, box, base, height, near, rng) -> None:
    size = layer.size
    u = np.linspace(-1, 1, size, dtype=np.float32)
    peaks = np.zeros(size, np.float32)
    for _ in range(rng.integers(2, 4)):
        at, wide = rng.uniform(-0.55, 0.55), rng.uniform(0.22, 0.5)
        distance = np.abs(u - at) / wide
        angular = np.clip(1 - distance, 0, None)
        round_ = np.exp(-2.2 * distance**2)
        straight = brush.factors["straightness"]
        peaks = np.maximum(peaks, rng.uniform(0.6, 1) * (straight * angular + (1 - straight) * round_))
    peaks += 0.24 * curve_noise(rng, size, 6, 5, 0.5) * np.clip(4 * peaks, 0, 1)
    peaks *= np.clip((1 - np.abs(u)) * 4, 0, 1)
    ridge = base - height * np.clip(peaks, 0, None)  # at x = box.x + box.s * u
    column = np.interp(layer.x[0], box.x + box.s * u, ridge, left=base, right=base)
    below = layer.y - column[None]  # (size, size) depth below the ridge
    raised = np.clip((base - column) / height * 20 - 0.5, 0, 1)  # 0 where the contour has no height
    inside = np.clip(below * size + 0.5, 0, 1) * raised
    rise = np.clip((base - layer.y) / height, 0, 1)  # 0 at the foot
    foot = np.clip((base - layer.y) / (0.45 * height), 0, 1)
    layer.hide(inside * foot)
    grain = fbm(rng, size, 6, 4, stretch=0.6)
    fade = np.exp(-np.clip(below, 0, None) / (0.5 * height)) * foot
    tone = inside * fade * np.clip(0.25 + 1.3 * (grain - 0.2), 0.1, 1.6)
    layer.wash(tone * (0.06 + brush.wash) * (0.35 + 0.65 * near) * (0.4 + 0.4 * brush.ink))
    layer.wash(tone * 0.55 * brush.colour * (1.2 - 0.5 * near), TINT)
    layer.wash(inside * foot * rise * 0.25 * brush.colour * grain, ACCENT)

    depth = 0.35 + 0.65 * near
    knots = np.linspace(-0.97, 0.97, 34)
    spine = np.stack([box.x + box.s * knots, np.interp(knots, u, ridge)], -1)
    pieces = np.stack([spine[i : i + 5] for i in range(0, 30, 3)])
    steep = pieces[:, :, 1].max(1) < base - 0.10 * height
    brush.lay(layer, pieces[steep], rng, width=0.8, ink=0.85 * depth, profile="taper", edge=0.5)

    spurs = brush.count(7, 3)
    at = rng.uniform(-0.75, 0.75, spurs)
    start, slope, room = _slope(u, ridge, base, box, at)
    fall = np.clip(-slope, -1.3, 1.3) * 0.35 + rng.normal(0, 0.10 + 0.3 * brush.swing, spurs)
    end = start + np.stack([np.sin(fall), np.cos(fall)], -1) * (room * rng.uniform(0.4, 0.8, spurs))[:, None]
    tall = room > 0.25 * height
    lines = brush.bent(start[tall], end[tall], rng, knots=6, bow=0.6)
    flank = Layer(size)  # drawn separately, to be cut off at the ridge
    brush.lay(flank, lines, rng, width=0.75, ink=0.75 * depth, edge=0.5)
    shade = lines + np.array([0.012, 0.004]) * rng.choice([-1, 1])
    soft = Layer(size)
    soft.lay(shade, 0.20 * height, (0.05 + 0.55 * brush.wash) * depth, rng, profile="leaf", edge=0)
    soft.bleed(1.0, 0.012)

    n = brush.count(46)
    at = np.concatenate([rng.uniform(-0.85, 0.85, n), np.repeat(at, 3) + rng.normal(0, 0.05, 3 * spurs)])
    start, slope, room = _slope(u, ridge, base, box, at)
    n = len(at)
    start[:, 1] += room * rng.uniform(0.02, 0.55, n) ** 1.3
    lean = np.clip(-slope, -1.2, 1.2) * 0.6 + rng.normal(0, 0.12 + 0.3 * brush.swing, n)
    length = room * rng.uniform(0.10, 0.30, n)
    end = start + np.stack([np.sin(lean), np.cos(lean)], -1) * length[:, None]
    ok = room > 0.18 * height
    wrinkles = brush.bent(start[ok], end[ok], rng, knots=4, bow=0.6)
    brush.lay(flank, wrinkles, rng, width=rng.uniform(0.3, 0.85, ok.sum()), ink=0.5 * depth, profile="nail")
    layer.wash((flank.density[0] + soft.density[0] * (0.4 + grain)) * inside * np.minimum(1, 2 * foot))
    layer.strokes += flank.strokes
    dots = brush.count(16)
    place = rng.uniform(-0.8, 0.8, dots)
    moss = np.stack([box.x + box.s * place, np.interp(place, u, ridge) + rng.normal(0.004, 0.006, dots)], -1)
    moss = moss[moss[:, 1] < base - 0.15 * height]
    brush.lay(
        layer,
        brush.bent(moss, moss + np.array([0.005, 0.002]), rng, knots=3),
        rng,
        width=0.8,
        ink=depth,
        profile="dot",
    )


def _slope(u, ridge, base, box, at):
    """Points on the ridge at box coordinates ``at`` (S, 2), its slope there, and the height below (S,)."""
    top = np.interp(at, u, ridge)
    rise = np.interp(at + 0.06, u, ridge) - np.interp(at - 0.06, u, ridge)
    return np.stack([box.x + box.s * at, top], -1), -rise / (0.12 * box.s), base - top


def tree(layer: Layer, brush: Brush, box: Box, rng: np.random.Generator) -> None:
    """A tree on a bank, bare or with leaf dots, with a stone at its foot."""
    foot = box.at(rng.uniform(-0.3, 0.3), 0.75)
    stone(
        layer,
        brush,
        Box(float(foot[0]) + 0.3 * box.s * rng.choice([-1, 1]), float(foot[1]), 0.34 * box.s),
        rng,
    )
    starts, angles = foot[None], np.array([-np.pi / 2 + rng.normal(0, 0.35) * brush.swing])
    lengths, widths = np.array([0.62 * box.s]), np.array([2.4])
    tips = []
    for level in range(5):
        ends = starts + polar(angles, lengths)
        lines = brush.bent(starts, ends, rng, bow=0.75)
        brush.lay(layer, lines, rng, width=widths, ink=0.9, edge=0.7, profile="taper" if level else "even")
        forks = 3 if level == 0 else 2
        if level > 1:
            tips.append(lines[:, 2:].reshape(-1, 2))
        part = rng.integers(2, 5, (len(lines), forks))
        part[:, 0] = 4
        starts = lines[np.arange(len(lines))[:, None], part].reshape(-1, 2)
        spread = (0.55 + 0.35 * brush.swing) * (
            np.linspace(-1, 1, forks)[None] + rng.normal(0, 0.35, part.shape)
        )
        angles = (angles[:, None] + spread).ravel()
        angles = angles + 0.12 * (-np.pi / 2 - angles)  # upwards, towards the light
        lengths = np.repeat(lengths, forks) * rng.uniform(0.45, 0.8, len(angles))
        widths = np.repeat(widths, forks) * 0.6
        keep = rng.random(len(angles)) < np.clip(0.55 + 0.25 * brush.many, 0, 1)
        keep[0] = True
        starts, angles, lengths, widths = starts[keep], angles[keep], lengths[keep], widths[keep]
    twigs = np.concatenate(tips)
    n = brush.count(55) if brush.factors["strokes"] > 0.3 else 0
    at = twigs[rng.integers(len(twigs), size=n)] + rng.normal(0, 0.045 * box.s, (n, 2))
    dabs = brush.bent(
        at, at + polar(rng.normal(0.4, 0.5 * brush.swing + 0.1, n), 0.045 * box.s), rng, knots=3
    )
    brush.lay(layer, dabs, rng, width=0.9, ink=rng.choice([0.35, 0.8], n), profile="dot")
    if brush.colour > 0.1:
        channel = ACCENT if rng.random() < 0.6 else TINT
        layer.lay(dabs, 0.05 * box.s, 0.9 * brush.colour, rng, profile="dot", channel=channel)


def stone(layer: Layer, brush: Brush, box: Box, rng: np.random.Generator) -> None:
    """A rock: an angular outline in two or three strokes, a wash on its dark side, wrinkles."""
    k = 7
    angle = np.linspace(np.pi * 1.02, 2 * np.pi * 0.99, k)
    radius = rng.uniform(0.75, 1.15, k)
    outline = np.stack(
        [box.x + box.s * np.cos(angle) * radius, box.y + 0.75 * box.s * np.sin(angle) * radius], -1
    )
    polygon = np.round(outline * layer.size * 16).astype(np.int32)
    mask = np.zeros((layer.size, layer.size), np.uint8)
    cv2.fillPoly(mask, [polygon], 255, cv2.LINE_AA, 4)
    sink = np.clip((box.y + 0.02 * box.s - layer.y) / (0.45 * box.s), 0, 1)  # it fades into the ground
    cover = mask.astype(np.float32) / 255 * sink
    layer.hide(cover)
    grain = fbm(rng, layer.size, 9, 3)
    layer.wash(cover * grain * (0.08 + 0.8 * brush.wash) * (0.4 + 0.35 * brush.ink))
    layer.wash(cover * grain * 0.3 * brush.colour, TINT)
    brush.lay(
        layer, brush.bent(outline[:-1], outline[1:], rng, knots=4, bow=0.5), rng, width=0.9, profile="even"
    )
    n = brush.count(7)
    start = outline[rng.integers(1, k - 1, n)] + rng.normal(0, 0.05 * box.s, (n, 2))
    end = start + np.stack([rng.normal(0, 0.12, n), rng.uniform(0.15, 0.5, n)], -1) * box.s
    end[:, 1] = np.minimum(end[:, 1], box.y)
    brush.lay(layer, brush.bent(start, end, rng, knots=4), rng, width=0.6, ink=0.6, profile="nail")


def boat(layer: Layer, brush: Brush, box: Box, rng: np.random.Generator) -> None:
    """A boat with a boatman, lines of water, a bank with reeds or stones."""
    way = rng.choice([-1.0, 1.0])
    spots = [(rng.uniform(-0.3, 0.3), rng.uniform(-0.1, 0.2), 0.36)]
    if brush.many > 1.15:
        spots.append((rng.uniform(-0.8, 0.8), rng.uniform(-0.6, -0.35), 0.2))
    for x, y, s in spots:
        at = box.inner(x, y, s)
        hull = np.stack([at.at([-1.0, -0.5, 0, 0.5, 1.05], [-0.22, 0.12, 0.22, 0.14, -0.30])])
        rim = np.stack([at.at([-1.0, -0.5, 0, 0.5, 1.05], [-0.22, -0.03, 0.04, -0.02, -0.30])])
        sag = brush.bow * rng.uniform(0, 0.4) * at.s
        hull[:, 2, 1] += sag
        body = np.concatenate([hull[0], rim[0][::-1]])
        mask = np.zeros((layer.size, layer.size), np.uint8)
        cv2.fillPoly(mask, [np.round(body * layer.size * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        layer.hide(mask / np.float32(255))
        layer.wash(mask / np.float32(255) * (0.1 + 0.4 * brush.wash + 0.15 * brush.ink))
        brush.lay(layer, np.concatenate([hull, rim]), rng, width=0.65, profile="even")
        roof = np.stack([at.at([-0.45, -0.25, 0.1, 0.3], [0.0, -0.38, -0.38, 0.0])])
        brush.lay(layer, roof, rng, width=0.6, profile="even")
        cabin = at.inner(-0.08, -0.15, 0.36)
        layer.wash(layer.blot(cabin.x, cabin.y, cabin.s, 0.2 * at.s, rng) * 0.6 * brush.colour, ACCENT)
        man = np.stack([at.at([0.62, 0.60, 0.66], [-0.75, -0.45, -0.1])])
        brush.lay(layer, man, rng, width=1.1, profile="leaf")
        head = np.stack([at.at([0.60, 0.63], [-0.86, -0.85])])
        layer.lay(head, 0.16 * at.s, brush.ink * 0.9, rng, profile="dot")
        brush.lay(
            layer,
            brush.bent(at.at([0.5], [-0.9]), at.at([1.05 + 0.5 * brush.swing], [0.65]), rng),
            rng,
            width=0.3,
        )
    n = brush.count(16, 4)
    left, down = rng.uniform(-0.95, 0.6, n), rng.uniform(-0.2, 0.75, n)
    length = rng.uniform(0.15, 0.6, n)
    start, end = (
        box.at(left, down),
        box.at(np.minimum(left + length, 1), down + 0.12 * rng.normal(0, 1, n) * brush.swing**2),
    )
    brush.lay(layer, brush.bent(start, end, rng, bow=0.35), rng, width=0.45, ink=0.45, profile="leaf")
    bank = box.inner(-way * 0.65, 0.78, 0.3)
    stone(layer, brush, bank, rng)
    stone(layer, brush, Box(bank.x + 0.3 * way * box.s, bank.y + 0.03, 0.18 * box.s), rng)
    m = brush.count(8, 3)
    root = np.stack([bank.x + rng.normal(0, 0.25 * box.s, m), np.full(m, bank.y)], -1)
    tip = root + polar(
        -np.pi / 2 + rng.normal(0.2 * way, 0.1 + 0.35 * brush.swing, m), box.s * rng.uniform(0.25, 0.6, m)
    )
    brush.lay(layer, brush.bent(root, tip, rng), rng, width=0.55, profile="blade")


def birds(layer: Layer, brush: Brush, box: Box, rng: np.random.Generator) -> None:
    """Birds on a bare branch: washed bodies, with beak, tail and claws in a few strokes."""
    way = 1.0 if box.x < 0.5 else -1.0  # the branch grows in from the nearer edge
    rise = rng.normal(0, 0.35) * brush.swing
    bough = np.stack([box.at(-way, 0.55 + rise), box.at(way * 0.95, 0.45 - rise)])
    bough[0, 0] = -0.02 if way > 0 else 1.02
    line = brush.bent(bough[:1], bough[1:], rng, knots=7, bow=0.6)
    brush.lay(layer, line, rng, width=1.9, edge=0.6)
    n = brush.count(6, 2)
    root = line[0][rng.integers(1, 7, n)]
    tips = root + polar(
        rng.choice([-1, 1], n) * rng.uniform(0.5, 1.4, n) + (0 if way > 0 else np.pi),
        box.s * rng.uniform(0.2, 0.5, n),
    )
    twigs = brush.bent(root, tips, rng)
    brush.lay(layer, twigs, rng, width=0.7)
    leaves = np.concatenate([twigs[:, -1], twigs[:, 2]])
    ends = leaves + polar(rng.uniform(0, 2 * np.pi, len(leaves)), 0.16 * box.s)
    dabs = brush.bent(leaves, ends, rng, knots=4)
    brush.lay(layer, dabs, rng, width=1.3, ink=0.5, profile="leaf")
    layer.lay(dabs, 1.5 * brush.width, brush.colour, rng, profile="leaf", channel=TINT)
    flock = int(np.clip(brush.count(1.7), 1, 4))
    order = np.argsort(line[0, :, 0])
    for place in np.linspace(-0.75, 0.8, flock + 2)[1:-1] + rng.normal(0, 0.06, flock):
        x = box.x + box.s * place
        y = np.interp(x, line[0, order, 0], line[0, order, 1])
        _bird(
            layer,
            brush,
            np.array([x, y]),
            0.26 * box.s * rng.uniform(0.8, 1.15),
            rng.choice([-1.0, 1.0]),
            rng,
        )


def _bird(layer, brush, perch, s, face, rng) -> None:
    tilt = rng.normal(0, 0.35) * brush.swing

    def at(x, y):
        x, y = np.asarray(x, float), np.asarray(y, float)
        c, d = np.cos(tilt), np.sin(tilt)
        return perch + s * np.stack([face * (c * x - d * y), d * x + c * y], -1)

    body = np.stack([at([0.42, 0.1, -0.3, -0.62], [-0.95, -0.62, -0.38, -0.10])])
    belly = np.stack([at([0.40, 0.30, -0.05, -0.40], [-0.85, -0.42, -0.14, -0.10])])
    layer.lay(belly, 0.62 * s, 0.15 + 0.3 * brush.wash, rng, profile="leaf", dryness=0.5 * brush.dryness)
    layer.lay(belly, 0.60 * s, 0.9 * brush.colour, rng, profile="leaf", channel=ACCENT)
    layer.lay(body, 0.55 * s, 0.7 * brush.ink, rng, profile="leaf", dryness=brush.dryness, edge=0.7)
    head = np.stack([at([0.28, 0.60], [-1.0, -1.02])])
    layer.lay(head, 0.36 * s, 0.8 * brush.ink, rng, profile="dot", dryness=0.6 * brush.dryness)
    beak = np.stack([at([0.56, 0.82], [-1.02, -0.96]), at([0.56, 0.78], [-0.96, -0.93])])
    layer.lay(beak, 0.09 * s, brush.ink, rng, profile="nail")
    tail = np.stack(
        [at([-0.5, -1.15], [-0.18, 0.28]), at([-0.5, -1.2], [-0.14, 0.14]), at([-0.45, -1.0], [-0.12, 0.36])]
    )
    brush.lay(
        layer, brush.bent(tail[:, 0], tail[:, -1], rng, knots=4, bow=0.4), rng, width=0.8, profile="nail"
    )
    wing = np.stack(
        [at([0.15, -0.2, -0.7], [-0.62, -0.30, 0.02]), at([0.05, -0.3, -0.75], [-0.45, -0.18, 0.05])]
    )
    layer.lay(wing, 0.16 * s, brush.ink, rng, profile="nail", dryness=brush.dryness)
    claws = np.stack([at([0.02, 0.05], [-0.15, 0.05]), at([-0.12, -0.1], [-0.12, 0.05])])
    layer.lay(claws, 0.05 * s, brush.ink, rng, profile="even")
