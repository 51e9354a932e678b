"""The descriptors of expression, one function each: line, edge, texture, colour, space, composition.

Every function is registered in :data:`DESCRIPTORS` with its unit, its range and the source of the method;
its docstring is the description that users read. :mod:`workbench.interpret.descriptors` computes them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.interpret.marks import Picture

INFINITY = float("inf")


@dataclasses.dataclass(frozen=True)
class Descriptor:
    """One measured property of a picture.

    Attributes:
        name: as in the results of ``describe``.
        unit: of its values; "1" for shares and indices.
        description: what is measured and how.
        source: of the method.
        range: smallest and largest possible value.
    """

    name: str
    unit: str
    description: str
    source: str
    range: tuple[float, float]
    measure: Callable[[Picture], float] = dataclasses.field(repr=False)


DESCRIPTORS: dict[str, Descriptor] = {}


def descriptor(unit: str, source: str, low: float = 0.0, high: float = 1.0, name: str | None = None):
    """Register a function of a :class:`Picture` under its name; its docstring is the description."""

    def keep(function):
        key = name or function.__name__
        text = " ".join(function.__doc__.split())
        DESCRIPTORS[key] = Descriptor(key, unit, text, source, (low, high), function)
        return function

    return keep


# --- line


@descriptor("1", "ratio of the principal axes; Jolliffe, Principal Component Analysis, 2002")
def line_straightness(picture: Picture) -> float:
    """How straight the strokes are: 1 less the ratio of the short to the long axis of each piece of stroke
    between crossings, averaged over the length drawn. A ruled line is 1, a half circle 0.56, a ring 0."""
    values, lengths = [], []
    for points in picture.segments:
        small, large = np.linalg.eigvalsh(np.cov(points.T))
        values.append(1 - np.sqrt(max(small, 0) / large))
        lengths.append(len(points))
    return float(np.average(values, weights=lengths)) if values else float("nan")


@descriptor(
    "% of the short side",
    "medial axis; Blum, A transformation for extracting new descriptors of shape, 1967",
    0,
    7,
)
def stroke_width(picture: Picture) -> float:
    """Median width of the strokes: twice the distance from their middle line to their edge."""
    widths = picture.widths[picture.spines]
    return float(100 * np.median(widths) / picture.side) if len(widths) else float("nan")


@descriptor("1", "coefficient of variation of the medial-axis width; Blum, 1967", 0, INFINITY)
def stroke_width_variation(picture: Picture) -> float:
    """How much strokes swell, thin out and differ from each other: spread of their width over its mean."""
    widths = picture.widths[picture.spines]
    return float(widths.std() / widths.mean()) if len(widths) else float("nan")


@descriptor(
    "short sides per square short side",
    "skeleton; Zhang and Suen, A fast parallel algorithm for thinning digital patterns, 1984",
    0,
    INFINITY,
)
def line_density(picture: Picture) -> float:
    """Total length of all strokes in short sides, per area of one square short side."""
    return float(picture.length * picture.side**2 / picture.spines.size)


@descriptor("% of the short side", "end points of the skeleton; Zhang and Suen, 1984", 0, INFINITY)
def line_continuity(picture: Picture) -> float:
    """How long lines are before they break off: twice the length of all strokes over the number of their
    ends. High for long unbroken strokes, low for short, dry or broken ones."""
    if not picture.length:
        return float("nan")
    ends = int((picture.spines & (picture.neighbours == 2)).sum())
    return 100 * picture.length / max(1, ends / 2)


@descriptor("1", "fine detail over depth within the marks, by this project")
def brush_dryness(picture: Picture) -> float:
    """How grainy the strokes are inside: mean fine variation of L* within the marks (below 1 % of the short
    side), over their mean depth under the ground. Wet ink is even; a dry brush lets the paper through."""
    if not picture.marks.any():
        return float("nan")
    fine = np.abs(picture.lightness - cv2.GaussianBlur(picture.lightness, (0, 0), 0.004 * picture.side))
    depth = max(float((picture.ground[0] - picture.lightness)[picture.marks].mean()), 1.0)
    return min(1.0, float(fine[picture.marks].mean()) / depth)


@descriptor(
    "1",
    "Redies, Brachmann and Wagemans, High entropy of edge orientations characterizes visual artworks, 2017",
)
def orientation_entropy(picture: Picture) -> float:
    """How evenly edges point in all directions: entropy of 24 directions weighted by edge strength, over the
    greatest there can be. Parallel lines are near 0, a circle 1."""
    strength, direction = picture.gradient
    weight = np.histogram(direction, 24, (0, np.pi), weights=np.where(strength > 0.5, strength, 0))[0]
    return float(_entropy(weight) / np.log(24)) if weight.any() else float("nan")


# --- edge and texture


@descriptor("L*", "edges by Canny, A computational approach to edge detection, 1986", 0, 100)
def edge_contrast(picture: Picture) -> float:
    """Step of lightness at the edges: greatest less least L* within 1.5 % of the short side, averaged over
    all edge pixels."""
    from skimage.feature import canny

    edges = canny(picture.lightness, sigma=1.5, low_threshold=1.5, high_threshold=4.0)
    if not edges.any():
        return 0.0
    kernel = np.ones((max(3, round(0.015 * picture.side) | 1),) * 2, np.uint8)
    step = cv2.dilate(picture.lightness, kernel) - cv2.erode(picture.lightness, kernel)
    return float(step[edges].mean())


def _band(period: float, doc: str) -> Callable[[Picture], float]:
    def measure(picture: Picture) -> float:
        sigma = period / 100 * picture.side / BAND_PEAK
        narrow = cv2.GaussianBlur(picture.lightness, (0, 0), sigma)
        return float((narrow - cv2.GaussianBlur(picture.lightness, (0, 0), 2 * sigma)).std())

    measure.__doc__ = doc
    return measure


# A difference of Gaussians of σ and 2σ passes the period P best where exp(-2π²σ²/P²) and its fourth power
# differ most: P = σ · 2π √(3 / (2 ln 4)) = 6.54 σ; there it passes 0.47 of the amplitude.
BAND_PEAK = 2 * np.pi * np.sqrt(3 / (2 * np.log(4)))
for _name, _period in (("fine", 2.0), ("medium", 4.0), ("coarse", 8.0), ("broad", 16.0)):
    descriptor(
        "L*", "band-pass pyramid; Burt and Adelson, The Laplacian pyramid as a compact image code, 1983",
        0, 100, f"texture_{_name}",
    )(_band(_period, f"Strength of texture whose period is about {_period:g} % of the short side: standard "
            "deviation of L* in a band of about one octave."))  # fmt: skip


@descriptor("1", "Graham and Redies, Statistical regularities in art, 2010; Field, 1987", -INFINITY, INFINITY)
def spectral_slope(picture: Picture) -> float:
    """Slope of the power spectrum of L* over frequency, both in logarithms, between 4 and 64 cycles per short
    side. About -2 in photographs of nature and in most art; steeper is softer."""
    grey = picture.lightness - picture.lightness.mean()
    window = np.outer(np.hanning(grey.shape[0]), np.hanning(grey.shape[1]))
    power = np.abs(np.fft.rfft2(grey * window)) ** 2
    fy = np.fft.fftfreq(grey.shape[0])[:, None] * picture.side
    fx = np.fft.rfftfreq(grey.shape[1])[None] * picture.side
    frequency = np.hypot(fy, fx)
    bins = np.geomspace(4, 64, 17)
    which = np.digitize(frequency.ravel(), bins) - 1
    inside = (which >= 0) & (which < 16)
    count = np.bincount(which[inside], minlength=16)
    mean = np.bincount(which[inside], power.ravel()[inside], minlength=16) / np.maximum(count, 1)
    centre = np.bincount(which[inside], np.log(frequency.ravel()[inside]), minlength=16) / np.maximum(
        count, 1
    )
    good = (count > 0) & (mean > 1e-6)
    return float(np.polyfit(centre[good], np.log(mean[good]), 1)[0]) if good.sum() > 2 else float("nan")


# --- colour


@descriptor(
    "1", "WC of Ou, Luo, Woodcock and Wright, A study of colour emotion and colour preference I, 2004", -3, 3
)
def colour_warmth(picture: Picture) -> float:
    """How warm the whole picture looks, its paper too: mean of -0.5 + 0.02 C^1.07 cos(h - 50°) with chroma C
    and hue h of CIELAB. Grey is -0.5."""
    a, b = picture.lab[..., 1], picture.lab[..., 2]
    return float(np.mean(-0.5 + 0.02 * np.hypot(a, b) ** 1.07 * np.cos(np.arctan2(b, a) - np.radians(50))))


@descriptor("1", "warm axis of Ou et al., 2004, on the colour difference to the ground", -1, 1)
def pigment_warmth(picture: Picture) -> float:
    """How warm the pigments are against paper or silk: mean cosine between the shift of each coloured pixel
    from the ground's hue and the warm direction (50°), weighted by the shift. A red seal counts; nan for ink
    alone."""
    a, b = np.moveaxis(picture.lab[..., 1:] - picture.ground[1:], -1, 0)
    shift = np.hypot(a, b)
    shift = np.where(shift > 8, shift, 0)
    if (shift > 0).mean() < 0.002:
        return float("nan")
    return float(np.average(np.cos(np.arctan2(b, a) - np.radians(50)), weights=shift))


@descriptor("C*", "chroma of CIELAB; CIE 15, Colorimetry", 0, 134)
def saturation(picture: Picture) -> float:
    """Mean chroma of the whole picture, its paper too."""
    return float(np.hypot(picture.lab[..., 1], picture.lab[..., 2]).mean())


@descriptor("ΔE", "chroma difference of CIELAB; CIE 15, Colorimetry", 0, 200)
def pigment_saturation(picture: Picture) -> float:
    """How far the painted area departs from the ground in hue and chroma: mean shift of a* and b* over what
    is not blank."""
    shift = np.hypot(*np.moveaxis(picture.lab[..., 1:] - picture.ground[1:], -1, 0))
    painted = ~picture.blank
    return float(shift[painted].mean()) if painted.any() else 0.0


@descriptor("L*", "lightness of CIELAB; CIE 15, Colorimetry", 0, 100)
def lightness(picture: Picture) -> float:
    """Mean lightness: 0 black, 100 white."""
    return float(picture.lightness.mean())


@descriptor("L*", "lightness of CIELAB; CIE 15, Colorimetry", 0, 100)
def ink_depth(picture: Picture) -> float:
    """How much darker than the ground the darkest twentieth of the painted area is."""
    painted = picture.lightness[~picture.blank]
    return float(max(picture.ground[0] - np.percentile(painted, 5), 0)) if len(painted) else 0.0


@descriptor("colours", "Hill number of order 1; Hill, Diversity and evenness, 1973", 1, INFINITY)
def palette_size(picture: Picture) -> float:
    """Effective number of colours: exponential of the entropy over cells of CIELAB 16 units a side. A picture
    of four flat colours of equal area has 4."""
    cells = np.floor(picture.lab / 16 + 0.5).astype(int).reshape(-1, 3)
    count = np.unique((cells * (1, 1000, 1_000_000)).sum(1), return_counts=True)[1]
    return float(np.exp(_entropy(count)))


# --- space and composition


@descriptor("1", "area that is smooth and of the ground's colour, by this project")
def blank_share(picture: Picture) -> float:
    """Share of the picture left blank: smooth and of the colour of the ground."""
    return float(picture.blank.mean())


@descriptor("1", "centre of mass; McManus, Stöver and Kim, Arnheim's Gestalt theory of visual balance, 2011")
def composition_balance(picture: Picture) -> float:
    """How central the visual weight lies, weight being the colour difference to the ground: 1 in the middle,
    0 at the middle of an edge or beyond."""
    weight = np.where(picture.blank, 0, picture.departure).astype(float)
    if not weight.any():
        return 1.0
    height, width = weight.shape
    y = weight.sum(1) @ (np.arange(height) + 0.5) / weight.sum() / height
    x = weight.sum(0) @ (np.arange(width) + 0.5) / weight.sum() / width
    return float(max(0.0, 1 - 2 * np.hypot(x - 0.5, y - 0.5)))


@descriptor("1", "left-right balance of weights; Arnheim, Art and Visual Perception, 1954")
def left_right_balance(picture: Picture) -> float:
    """How evenly the visual weight is shared by the left and the right half: 1 is even, 0 all on one side."""
    weight = np.where(picture.blank, 0, picture.departure).sum(0, dtype=float)
    half = len(weight) // 2
    left, right = weight[:half].sum(), weight[len(weight) - half :].sum()
    return float(1 - abs(left - right) / (left + right)) if left + right else 1.0


def _entropy(weight: NDArray) -> float:
    share = weight[weight > 0] / weight.sum()
    return float(-(share * np.log(share)).sum())
