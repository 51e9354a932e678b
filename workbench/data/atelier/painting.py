"""One picture by the procedural painter, with its factors and the region that carries its mood.

A picture is painted in three parts, each with its own random numbers:

1. the sheet and its *surroundings* (far hills, ground, distant birds, moon, inscription), which depend on the
   painter and the seed, never on the mood;
2. the *mood group*: one motif (bamboo, mountains, a boat, …) painted with the factors of the mood;
3. the seal, if there is one.

The mask is the ground truth of part 2: outside it, the pictures with and without the mood group are
identical. It contains all pixels that the group changes, with gaps narrower than 4 % of the side closed, so
that the paper between two leaves of one spray belongs to it.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench.core.errors import UnknownNameError, WorkbenchError
from workbench.data.atelier import landscapes, plants
from workbench.data.atelier.brush import Box, Brush
from workbench.data.atelier.factors import Painter, check_mood, draw_factors, neutral_factors, painter_of
from workbench.data.atelier.paper import PAPERS, VERMILION, paper, stamp, surroundings
from workbench.data.atelier.strokes import Layer

PAINTERS = 24  # painters that seeds are assigned to if none is given

# motif: (painter, liking of vitality, grandeur, elegance, serenity, desolation, home height, size)
MOTIFS = {
    "bamboo": (plants.bamboo, (1.2, 0.8, 1.3, 0.9, 0.8), 0.50, 1.00),
    "branch": (plants.branch, (1.2, 0.7, 1.3, 0.9, 1.0), 0.45, 1.00),
    "grasses": (plants.grasses, (1.0, 0.6, 1.3, 1.1, 1.1), 0.55, 0.95),
    "lotus": (plants.lotus, (1.2, 0.8, 1.1, 1.2, 0.9), 0.52, 0.95),
    "mountain": (landscapes.mountain, (0.8, 1.7, 0.8, 1.1, 1.1), 0.52, 1.12),
    "tree": (landscapes.tree, (1.0, 1.1, 0.7, 0.9, 1.4), 0.55, 1.00),
    "boat": (landscapes.boat, (0.8, 0.9, 0.8, 1.5, 1.2), 0.60, 0.95),
    "birds": (landscapes.birds, (1.4, 0.7, 1.0, 0.8, 0.9), 0.44, 0.90),
}
THRESHOLD = 0.012  # density below which ink is invisible (1 % of the light) and does not count


@dataclasses.dataclass(frozen=True)
class AtelierPainting:
    """A picture with its ground truth.

    Attributes:
        image: RGB.
        mood: one of ``MOODS``.
        seed: of everything.
        factors: the drawn factors (0..1, see ``FACTORS``) of the mood group.
        mask: (size, size) bool, the region that carries the mood.
        seal_mask: (size, size) bool or None, the seal.
        painter: name of the painter.
        motif: key of ``MOTIFS``.
        paper: index into ``PAPERS``.
        measures: of the finished picture: ``blank`` (share of the sheet without visible ink),
            ``mask_share``, ``group_strokes``, ``group_ink`` (mean density over the mask).
    """

    image: Image.Image
    mood: str
    seed: int
    factors: dict[str, float]
    mask: NDArray[np.bool_]
    seal_mask: NDArray[np.bool_] | None
    painter: str
    motif: str
    paper: int
    measures: dict[str, float]


def paint(
    mood: str,
    seed: int,
    size: int = 256,
    *,
    seal: str | None = None,
    painter: int | None = None,
    motif: str | None = None,
    paper_tone: int | None = None,
    factors: dict[str, float] | None = None,
    around: int | None = None,
    mood_group: bool = True,
) -> AtelierPainting:
    """Paint one picture.

    Args:
        mood: one of ``MOODS``.
        seed: 0 or more. The same arguments give the same bytes; another mood with the same seed has the same
            sheet and surroundings.
        size: side in pixels, 64 to 2048.
        seal: shape of a seal (a key of ``SEALS``; each has its place near the edge), or None.
        painter: number of the painter; chosen by the seed if None.
        motif: key of ``MOTIFS``; random if None.
        paper_tone: index into ``PAPERS``; if None, mostly the painter's preferred paper.
        factors: values that replace the random ones, for controlled experiments.
        around: seed of the surroundings, to vary them for the same sheet and mood group.
        mood_group: False leaves the mood group out: the counterfactual picture, with an empty mask.

    Raises:
        UnknownNameError: unknown mood, seal, motif or factor.
        WorkbenchError: size, seed or paper out of range.
    """
    _check(mood, seed, size, motif, painter, paper_tone)
    general = np.random.default_rng([seed, 0])
    painter = int(general.integers(PAINTERS)) if painter is None else painter
    who = painter_of(painter, len(MOTIFS))
    tone = who.paper if general.random() < 0.7 else int(general.integers(len(PAPERS)))
    tone = tone if paper_tone is None else paper_tone
    sheet, tooth = paper(size, tone, np.random.default_rng([seed, 1]))
    far = Layer(size)
    other = np.random.default_rng([seed if around is None else around, 2])
    surroundings(far, Brush.of(neutral_factors(who.shift, other)), other)
    around_ink = far.density[0] * tooth

    rng = np.random.default_rng([seed, 3, check_mood(mood)])
    drawn = draw_factors(mood, who.shift, rng)
    for name, value in (factors or {}).items():
        if name not in drawn:
            raise UnknownNameError("factor", name, drawn)
        drawn[name] = float(np.clip(value, 0, 1))
    chosen = choose_motif(mood, who, rng) if motif is None else motif
    group = _group(Layer(size), chosen, Brush.of(drawn), rng) if mood_group else Layer(size)
    mask = _settle(group)
    group.density[0] *= tooth

    absorbance = np.stack([who.ink_hue, _accent(drawn["warmth"]), _tint(drawn["warmth"])])
    seen = around_ink * (1 - group.cover)
    depth = seen[..., None] * who.ink_hue.astype(np.float32)
    depth += np.moveaxis(group.density, 0, -1) @ absorbance.astype(np.float32)
    seal_mask = None
    if seal is not None:
        paste, seal_mask = stamp(size, seal, np.random.default_rng([seed, 4]))
        depth += paste[..., None] * VERMILION
    pixels = np.round(255 * sheet * np.exp(-depth)).astype(np.uint8)
    measures = {
        "blank": float((depth.mean(2) < 0.06).mean()),
        "mask_share": float(mask.mean()),
        "group_strokes": float(group.strokes),
        "group_ink": float(group.density[0][mask].mean()) if mask.any() else 0.0,
    }
    return AtelierPainting(
        Image.fromarray(pixels), mood, seed, drawn, mask, seal_mask, who.name, chosen, tone, measures
    )


def _check(mood, seed, size, motif, painter, paper_tone) -> None:
    check_mood(mood)
    if motif is not None and motif not in MOTIFS:
        raise UnknownNameError("motif", motif, MOTIFS)
    if not 64 <= size <= 2048:
        raise WorkbenchError(f"Expected `size` from 64 to 2048 pixels but got {size}. Choose another.")
    if seed < 0:
        raise WorkbenchError(f"Expected `seed` of 0 or more but got {seed}. Choose another.")
    if painter is not None and painter < 0:
        raise WorkbenchError(f"Expected `painter` of 0 or more but got {painter}. Choose another.")
    if paper_tone is not None and not 0 <= paper_tone < len(PAPERS):
        raise WorkbenchError(f"Expected `paper_tone` in 0..{len(PAPERS) - 1} but got {paper_tone}.")


def choose_motif(mood: str, who: Painter, rng: np.random.Generator) -> str:
    """A motif, likelier where the mood and the painter like it."""
    liking = np.array([likes[check_mood(mood)] for _, likes, *_ in MOTIFS.values()]) * who.motifs
    return str(rng.choice(list(MOTIFS), p=liking / liking.sum()))


def _group(layer: Layer, motif: str, brush: Brush, rng: np.random.Generator) -> Layer:
    """Place and paint the motif: size by the factor extent, position by the factor offset."""
    draw, _, home, scale = MOTIFS[motif]
    half = (0.24 + 0.19 * brush.factors["extent"]) * scale
    reach = 0.05 + 0.26 * brush.factors["offset"]
    angle = rng.uniform(0, 2 * np.pi)
    x = np.clip(0.5 + reach * np.cos(angle), 0.8 * half, 1 - 0.8 * half)
    y = np.clip(home + 0.75 * reach * np.sin(angle), 0.8 * half, 0.97 - 0.9 * half)
    box = Box(float(x), float(y), float(half))
    if brush.wash > 0.05:
        mist = layer.blot(box.x, box.y + 0.2 * half, 0.72 * half, 0.50 * half, rng, soft=1.0, rough=0.6)
        layer.wash(mist * 0.26 * brush.wash)
        layer.wash(mist * 0.16 * brush.wash * brush.colour, 2)
    draw(layer, brush, box, rng)
    layer.bleed(0.30 * (1 - brush.factors["dryness"]), 0.0045)
    return layer


def _settle(group: Layer) -> NDArray[np.bool_]:
    """Remove invisible ink in place, and return the mask of the rest with narrow gaps closed."""
    visible = (group.density.max(0) > THRESHOLD) | (group.cover > THRESHOLD)
    group.density *= visible
    group.cover *= visible
    side = max(3, round(0.04 * group.size)) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    pad = cv2.copyMakeBorder(visible.astype(np.uint8), side, side, side, side, cv2.BORDER_CONSTANT, value=0)
    closed = cv2.morphologyEx(pad, cv2.MORPH_CLOSE, kernel)[side:-side, side:-side]
    return closed.astype(bool) | visible


def _accent(warmth: float) -> NDArray:
    """(3,) absorbance of the first pigment: indigo, violet, carmine, vermilion, ochre as warmth goes 0..1."""
    stops = np.array(
        [(1.15, 0.75, 0.36), (0.95, 0.95, 0.50), (0.40, 1.35, 0.90), (0.15, 1.25, 1.35), (0.12, 0.75, 1.45)]
    )
    return np.array([np.interp(warmth, np.linspace(0, 1, 5), column) for column in stops.T])


def _tint(warmth: float) -> NDArray:
    """(3,) absorbance of the second pigment: blue-green, malachite, yellow-green, ochre brown."""
    stops = np.array([(1.25, 0.62, 0.38), (1.05, 0.48, 0.72), (0.80, 0.50, 1.10), (0.50, 0.72, 1.20)])
    return np.array([np.interp(warmth, np.linspace(0, 1, 4), column) for column in stops.T])
