"""Plant motifs: bamboo, a branch in blossom or bare, orchids and reeds, lotus."""

from __future__ import annotations

import numpy as np

from workbench.data.atelier.brush import Box, Brush
from workbench.data.atelier.strokes import ACCENT, INK, TINT, Layer


def polar(angle, length):
    """(…, 2) vectors of these angles (radians) and lengths."""
    return np.stack([np.cos(angle) * length, np.sin(angle) * length], -1)


def bamboo(layer: Layer, brush: Brush, box: Box, rng: np.random.Generator) -> None:
    """Jointed stems with sprays of leaves."""
    joints = []
    for _ in range(brush.count(1.6)):
        foot = rng.uniform(-0.55, 0.55)
        lean = rng.normal(0, 0.45) * brush.swing
        arc = rng.choice([-1, 1]) * brush.bow * 2.2
        u = np.linspace(0, 1, rng.integers(5, 8))
        path = box.at(foot + lean * u + arc * u * u * 0.5, 1 - 1.95 * u)
        gap = 0.06 * (path[1:] - path[:-1])
        segments = brush.bent(path[:-1] + gap, path[1:] - gap, rng, knots=4, bow=0.25)
        pale = rng.uniform(0.4, 0.75)
        brush.lay(layer, segments, rng, width=1.5, ink=pale, profile="even", edge=1.3)
        brush.lay(layer, segments, rng, width=1.5, ink=0.6 * brush.colour, profile="even", channel=TINT)
        ticks = brush.bent(
            path[1:-1] + np.array([-0.010, 0.002]), path[1:-1] + np.array([0.010, -0.003]), rng, knots=3
        )
        brush.lay(layer, ticks, rng, width=0.5, profile="dot")
        joints.append(path[len(path) // 3 :])
    places = np.concatenate(joints)
    sprays = brush.count(5, 2)
    nodes = places[rng.integers(len(places), size=sprays)]
    side = rng.choice([-1.0, 1.0], sprays)
    twigs = (
        nodes
        + np.stack([side * rng.uniform(0.1, 0.35, sprays), rng.uniform(-0.25, 0.05, sprays)], -1) * box.s
    )
    brush.lay(layer, brush.bent(nodes, twigs, rng, knots=4, bow=0.6), rng, width=0.3)
    for twig, way in zip(twigs, side, strict=True):
        n = int(rng.integers(4, 8))
        angle = np.pi / 2 - way * rng.uniform(0.1, 1.2) + rng.normal(0, 0.25 + 0.55 * brush.swing, n)
        tip = twig + polar(angle, box.s * rng.uniform(0.28, 0.55, n))
        root = twig + rng.normal(0, 0.012, (n, 2))
        leaves = brush.bent(root, tip, rng, knots=4, bow=0.7)
        depth = rng.choice([0.4, 0.9], p=[0.4, 0.6])
        wide = np.minimum(1.7, 0.24 * np.linalg.norm(tip - root, axis=1) / brush.width)
        brush.lay(layer, leaves, rng, width=wide, ink=depth, profile="leaf")
        brush.lay(
            layer, leaves, rng, width=wide, ink=0.5 * brush.colour / brush.ink, profile="leaf", channel=TINT
        )


def branch(layer: Layer, brush: Brush, box: Box, rng: np.random.Generator) -> None:
    """A branch that reaches in from a side, forks, and bears blossoms or, at low colour, buds."""
    side = 1.0 if box.x < 0.5 else -1.0  # it grows inwards from the nearer edge
    edge = np.array([-0.02 if side > 0 else 1.02, box.y + box.s * rng.uniform(-0.2, 0.7)])
    elbow = box.at(-side * rng.uniform(0.35, 0.6), rng.uniform(-0.1, 0.45))
    starts, ends = [edge], elbow - edge
    angles, lengths = [np.arctan2(ends[1], ends[0])], [np.hypot(*ends)]
    widths = [2.1]
    tips = []
    for level in range(4):
        starts_, angles_ = np.array(starts), np.array(angles)
        lengths_, widths_ = np.array(lengths), np.array(widths)
        ends = starts_ + polar(angles_, lengths_)
        lines = brush.bent(starts_, ends, rng, bow=0.8)
        brush.lay(layer, lines, rng, width=widths_, ink=0.75 + 0.1 * level, edge=0.6)
        starts, angles, lengths, widths = [], [], [], []
        for line, angle, length, width in zip(lines, angles_, lengths_, widths_, strict=True):
            forks = rng.choice([2, 3]) if level < 1 else rng.choice([1, 2], p=[0.6, 0.4])
            for fork in range(forks):
                starts.append(line[-1] if fork == 0 else line[rng.integers(2, 4)])
                turn = (
                    rng.normal(0, 0.2 + 0.45 * brush.swing)
                    if fork == 0
                    else rng.choice([-1, 1]) * rng.uniform(0.4, 1.1)
                )
                angles.append(angle + turn)
                lengths.append((0.75 * box.s if level == 0 else length) * rng.uniform(0.5, 0.85))
                widths.append(width * 0.62)
            tips += list(line[2:]) if level else []
    ends = np.array(tips)
    moss = ends[rng.integers(len(ends), size=brush.count(9))] + rng.normal(0, 0.006, (brush.count(9), 2))
    brush.lay(
        layer, brush.bent(moss, moss + np.array([0.006, 0.003]), rng, knots=3), rng, width=0.7, profile="dot"
    )
    blossoms(layer, brush, ends[rng.integers(len(ends), size=brush.count(11, 3))], box, rng)


def blossoms(layer: Layer, brush: Brush, centres, box: Box, rng: np.random.Generator) -> None:
    """Blossoms of five petals in the accent colour, with stamens, and an ink outline if colour is low."""
    count = len(centres)
    radius = box.s * rng.uniform(0.05, 0.095, count)
    turn = rng.uniform(0, 2 * np.pi, count)
    angle = (turn[:, None] + np.arange(5) * 2 * np.pi / 5).ravel()
    middle, r = np.repeat(centres, 5, axis=0), np.repeat(radius, 5)
    petals = brush.bent(
        middle + polar(angle, 0.25 * r), middle + polar(angle, 1.15 * r), rng, knots=3, bow=0.3
    )
    strength = max(brush.colour, 0.06) * rng.uniform(0.5, 1.1, 5 * count)
    dry = 0.5 * brush.dryness
    layer.lay(petals, 0.95 * r, strength, rng, profile="dot", channel=ACCENT, dryness=dry, edge=0.8)
    if brush.colour < 0.75:
        rim = np.linspace(-1, 1, 5)
        rings = middle[:, None] + polar(angle[:, None] + 0.62 * rim, r[:, None] * (1.2 - 0.45 * rim**2))
        brush.lay(layer, rings, rng, width=0.25, ink=0.6, profile="even")
    spread = rng.uniform(0, 2 * np.pi, 4 * count)
    heart = np.repeat(centres, 4, axis=0)
    ends = heart + polar(spread, 0.45 * np.repeat(radius, 4))
    brush.lay(layer, brush.bent(heart, ends, rng, knots=3), rng, width=0.25, profile="nail")


def grasses(layer: Layer, brush: Brush, box: Box, rng: np.random.Generator) -> None:
    """Orchid blades or reeds from one or two roots, with heads or small flowers."""
    reeds = rng.random() < 0.5
    tips = []
    for root_x in rng.uniform(-0.4, 0.4, rng.integers(1, 3)):
        n = brush.count(9, 3)
        root = box.at(root_x, 0.9) + rng.normal(0, 0.012, (n, 2))
        fan = rng.normal(0, 0.22 + 0.5 * brush.swing, n) + rng.normal(0, 0.25) * brush.swing
        length = box.s * rng.uniform(0.7, 1.75, n)
        ends = root + polar(-np.pi / 2 + fan, length)
        spines = brush.bent(
            root, ends, rng, knots=5, bow=0.9, sign=np.where(rng.random(n) < 0.85, -1, 1) * np.sign(fan)
        )
        spines[:, -1, 1] += box.s * 0.55 * brush.bow * rng.uniform(0.4, 2, n)  # the tips hang
        width = rng.uniform(0.55, 1.1, n)
        brush.lay(layer, spines, rng, width=width, ink=rng.choice([0.6, 1.0], n), profile="blade")
        brush.lay(
            layer,
            spines,
            rng,
            width=width,
            ink=0.45 * brush.colour / brush.ink,
            profile="blade",
            channel=TINT,
        )
        tips.append(spines[rng.random(n) < 0.5][:, -1])
    ends = np.concatenate(tips)
    if not len(ends):
        return
    if reeds:
        down = rng.choice([-1.0, 1.0])
        k = 9
        start = np.repeat(ends, k, axis=0) + rng.normal(0, 0.014, (len(ends) * k, 2))
        fall = np.stack(
            [down * rng.uniform(0.01, 0.05, len(start)), rng.uniform(-0.01, 0.04, len(start))], -1
        )
        strands = brush.bent(start, start + fall, rng, knots=3)
        brush.lay(layer, strands, rng, width=0.35, ink=0.55)
        tone = 0.5 * brush.colour / brush.ink
        brush.lay(layer, strands, rng, width=0.8, ink=tone, channel=ACCENT)
    else:
        blossoms(layer, brush, ends, box, rng)


def lotus(layer: Layer, brush: Brush, box: Box, rng: np.random.Generator) -> None:
    """Broad washed leaves with veins, stems down to the water, one or two flowers."""
    n = brush.count(2.2, 1)
    xs, ys = rng.uniform(-0.75, 0.75, n), rng.uniform(-0.5, 0.35, n)
    centres = box.at(xs, ys)
    feet = box.at(xs + rng.normal(0, 0.25, n) * brush.swing, np.full(n, 1.0))
    stems = brush.bent(centres, feet, rng, bow=0.5)
    brush.lay(layer, stems, rng, width=0.7, ink=0.8, profile="even")
    for centre in centres:
        rx = box.s * rng.uniform(0.32, 0.6)
        ry = rx * rng.uniform(0.35, 0.65)
        k = 26
        angle = (
            rng.uniform(0, 2 * np.pi) + np.linspace(0, 2 * np.pi, k, endpoint=False) + rng.normal(0, 0.08, k)
        )
        rim = centre + polar(angle, rng.uniform(0.75, 1.1, k)) * [rx, ry]
        fingers = brush.bent(centre + 0.12 * (rim - centre), rim, rng, knots=4, bow=0.35)
        depth = (0.15 + 0.5 * brush.wash) * rng.uniform(0.6, 1.2)
        layer.lay(fingers, 0.55 * rx, depth * 0.75, rng, profile="leaf", dryness=brush.dryness, channel=INK)
        layer.lay(
            fingers, 0.55 * rx, 0.5 * brush.colour, rng, profile="leaf", dryness=brush.dryness, channel=TINT
        )
        veins = brush.bent(np.repeat(centre[None], 9, 0), rim[::3], rng, knots=4, bow=0.35)
        brush.lay(layer, veins, rng, width=0.4, ink=0.8)
    heads = box.at(rng.uniform(-0.6, 0.6, 2), rng.uniform(-0.95, -0.6, 2))[: 1 + (brush.many > 0.9)]
    stalks = brush.bent(heads, heads + np.array([0.0, box.s * 1.2]), rng, bow=0.5)
    brush.lay(layer, stalks, rng, width=0.5, ink=0.7, profile="even")
    for head in heads:
        k = 9
        angle = -np.pi / 2 + np.linspace(-1.5, 1.5, k)
        size = box.s * 0.26
        petals = brush.bent(np.repeat(head[None], k, 0), head + polar(angle, size), rng, knots=4, bow=0.6)
        layer.lay(
            petals, 0.42 * size, max(0.05, 0.7 * brush.colour), rng, profile="leaf", channel=ACCENT, edge=0.9
        )
        brush.lay(
            layer, petals + rng.normal(0, 0.004, petals.shape), rng, width=0.28, ink=0.7, profile="even"
        )
