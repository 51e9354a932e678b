"""Figures for the self-assessment of pleasure, arousal and dominance, drawn by this module.

After Bradley and Lang, "Measuring emotion: the self-assessment manikin and the semantic
differential", 1994: from a frown to a smile, from sleep to a burst in the chest, from small to large. They
are not the authors' drawings.
"""

from __future__ import annotations

import math

FIGURES = 5  # of each dimension, from low to high
DIMENSIONS = ("pleasure", "arousal", "dominance")
_INK, _SKIN = "#2b2b2b", "#ffffff"


def figure(dimension: str, level: int) -> str:
    """One manikin as SVG, 100 × 120 units.

    Args:
        dimension: of :data:`DIMENSIONS`.
        level: 1 (low) to :data:`FIGURES` (high).

    Raises:
        KeyError: no such figure.
    """
    if dimension not in DIMENSIONS or not 1 <= level <= FIGURES:
        raise KeyError((dimension, level))
    share = (level - 1) / (FIGURES - 1)
    smile = 2 * share - 1 if dimension == "pleasure" else 0.0
    open_eyes = share if dimension == "arousal" else 0.6
    size = 0.36 + 0.6 * share if dimension == "dominance" else 0.92
    chest = _burst(share) if dimension == "arousal" else ""
    inner = _body() + _face(smile, open_eyes) + chest
    move = f"translate(50 60) scale({size:.3g}) translate(-50 -60)"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 120" fill="none" '
        f'stroke="{_INK}" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round">'
        f'<g transform="{move}">{inner}</g></svg>\n'
    )


def _body() -> str:
    return (
        f'<path fill="{_SKIN}" d="M32 62 Q50 54 68 62 L86 92 L77 97 L67 82 V117 H53 V98 H47 V117 H33 V82 '
        'L23 97 L14 92 Z"/>'
        f'<circle fill="{_SKIN}" cx="50" cy="31" r="27"/>'
    )


def _face(smile: float, open_eyes: float) -> str:
    bend, brow = 42 + 13 * smile, 3.2 * min(smile, 0)  # inner ends up: sad
    parts = [f'<path d="M36 {42 - 4 * smile:.4g} Q50 {bend + 4 * smile:.4g} 64 {42 - 4 * smile:.4g}"/>']
    for side in (-1, 1):
        x = 50 + 10 * side
        if open_eyes < 0.1:
            parts.append(f'<path d="M{x - 5} 27 Q{x} 31 {x + 5} 27"/>')
        else:
            height = f'ry="{1 + 4.4 * open_eyes:.3g}"'
            parts.append(f'<ellipse fill="{_INK}" stroke="none" cx="{x}" cy="26" rx="3.6" {height}/>')
        inner, outer = 50 + 5 * side, 50 + 16 * side
        lift = 16 - 4 * max(open_eyes - 0.6, 0) - 2 * max(smile, 0)
        parts.append(f'<path stroke-width="2" d="M{inner} {lift + brow:.4g} L{outer} {lift - brow:.4g}"/>')
    return "".join(parts)


def _burst(share: float) -> str:
    """The sign of arousal in the chest: from a dot to a star as wide as the body."""
    if share == 0:
        return f'<circle fill="{_INK}" stroke="none" cx="50" cy="77" r="2"/>'
    points = []
    for i in range(24):
        radius = (5 + 19 * share) * (1 if i % 2 else 0.62 - 0.2 * share)
        angle = math.pi * i / 12
        points.append(f"{50 + radius * math.cos(angle):.1f},{78 + radius * math.sin(angle):.1f}")
    return f'<polygon fill="{_INK}" stroke="none" points="{" ".join(points)}"/>'
