"""The atelier's generative model: twelve factors of expression that depend on mood and painter.

Every factor is a number in 0..1. Each mood has a mean for each factor; pictures vary around it with one
standard deviation for all, so that moods overlap; and each painter shifts the factors of all his pictures.
The means follow what the criticism of Chinese painting says about the five moods (see
``workbench.data.moods``) and are a choice of this project, not a measurement.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import UnknownNameError
from workbench.data.moods import MOODS as MOOD_WORDS

MOODS = tuple(MOOD_WORDS)

# factor: (what 0 is, what 1 is), then the means of vitality, grandeur, elegance, serenity, desolation
FACTORS: dict[str, tuple[str, tuple[float, ...]]] = {
    "straightness": ("winding strokes to straight ones", (0.30, 0.75, 0.25, 0.55, 0.70)),
    "stroke_width": ("hair lines to a broad brush", (0.55, 0.85, 0.20, 0.35, 0.40)),
    "pressure": ("even strokes to swelling ones", (0.75, 0.50, 0.60, 0.20, 0.45)),
    "dryness": ("wet and whole to dry and broken", (0.35, 0.45, 0.15, 0.12, 0.88)),
    "ink": ("pale to black", (0.65, 0.88, 0.50, 0.25, 0.50)),
    "wash": ("lines only to broad washes", (0.40, 0.65, 0.25, 0.85, 0.15)),
    "warmth": ("blue and green to red and ochre", (0.72, 0.45, 0.50, 0.30, 0.35)),
    "saturation": ("ink alone to full colour", (0.85, 0.30, 0.55, 0.35, 0.12)),
    "strokes": ("few strokes to many", (0.72, 0.78, 0.42, 0.22, 0.35)),
    "extent": ("a small group to one that fills the sheet", (0.55, 0.88, 0.42, 0.55, 0.28)),
    "offset": ("a group in the middle to one at the edge", (0.45, 0.20, 0.58, 0.40, 0.75)),
    "motion": ("level and upright to leaning and swinging", (0.85, 0.40, 0.55, 0.12, 0.45)),
}
SPREAD = 0.24  # standard deviation of pictures around their mood's mean
PAINTER_SD = 0.11  # standard deviation of the painters' shifts
RATERS = 20
DOUBT = 0.17  # power of the raters' likelihood; 1 is an ideal observer

MEANS = np.array([means for _, means in FACTORS.values()]).T  # (5, 12)


@dataclasses.dataclass(frozen=True)
class Painter:
    """A painter: the habits that are independent of mood."""

    name: str
    shift: NDArray  # (12,) added to every factor
    paper: int  # preferred paper, index into PAPERS
    ink_hue: NDArray  # (3,) absorbance of the ink, R G B
    motifs: NDArray  # (M,) preference for each motif, about 1


def painter_of(number: int, motifs: int) -> Painter:
    """The painter with this number."""
    rng = np.random.default_rng([7919, number])
    warm = rng.uniform(-0.06, 0.10)
    return Painter(
        name=f"painter {number + 1:02d}",
        shift=rng.normal(0, PAINTER_SD, len(FACTORS)),
        paper=int(rng.integers(5)),
        ink_hue=np.array([1 - warm, 0.99, 0.96 + warm]),
        motifs=rng.uniform(0.5, 1.5, motifs),
    )


def check_mood(mood: str) -> int:
    """Index of the mood in :data:`MOODS`.

    Raises:
        UnknownNameError: for any other name.
    """
    if mood not in MOODS:
        raise UnknownNameError("mood", mood, MOODS)
    return MOODS.index(mood)


def draw_factors(mood: str, shift: NDArray, rng: np.random.Generator) -> dict[str, float]:
    """Factors of one picture: normal around the mood's means plus the painter's shift, clipped to 0..1."""
    values = rng.normal(MEANS[check_mood(mood)] + shift, SPREAD)
    return dict(zip(FACTORS, np.clip(values, 0.0, 1.0).round(4).tolist(), strict=True))


def neutral_factors(shift: NDArray, rng: np.random.Generator) -> dict[str, float]:
    """Factors of the surroundings: uniform in 0.2..0.8, independent of the mood."""
    values = np.clip(rng.uniform(0.2, 0.8, len(FACTORS)) + shift, 0, 1)
    return dict(zip(FACTORS, values.tolist(), strict=True))


def posterior(factors: dict[str, float], power: float = 1.0) -> NDArray:
    """(5,) probability of each mood given the factors, painter unknown, moods equally likely.

    The likelihood is normal with the sum of the variances within and between painters, raised to ``power``.
    """
    values = np.array([factors[name] for name in FACTORS])
    log = -power * ((values - MEANS) ** 2).sum(1) / (2 * (SPREAD**2 + PAINTER_SD**2))
    odds = np.exp(log - log.max())
    return odds / odds.sum()


def votes(factors: dict[str, float], rng: np.random.Generator) -> NDArray:
    """(5,) vote shares of :data:`RATERS` simulated raters, whose likelihood is raised to :data:`DOUBT`."""
    return rng.multinomial(RATERS, posterior(factors, DOUBT)) / RATERS
