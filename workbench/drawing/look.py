"""Looks: named settings of a drawing."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Look:
    """Settings of :func:`workbench.drawing.draw`. Lengths are pixels of the working picture."""

    side: int = 512  # short side of the working picture; smaller photos are drawn at their own size
    # -- flat areas
    folds: int = 1  # rounds of smoothing into flat shapes; 0 is none
    fold_shock: float = 0.5  # sharpening of the shapes' borders, 0 to 1
    region_scale: float = 80.0  # Felzenszwalb's scale: higher gives larger regions
    region_smallest: int = 24  # pixels of the smallest region
    flatness: float = 0.9  # share of the regions' colour in areas with edges; the rest is the smoothed photo
    tones: int = 6  # tones from black to white to which regions are quantised; 0 keeps their lightness
    tone_strength: float = 0.6  # 0 to 1: strength of that quantisation
    # -- colours
    saturation: float = 0.22  # chroma added to medium chromas, as a share
    gamma: float = 0.88  # of lightness; below 1 lifts the shadows
    contrast: float = 0.12  # of lightness around the middle, as a share
    levels: tuple[float, float] = (0.0, 1.0)  # lightness mapped to black and to white
    blues: float = 0.0  # chroma added to light blues, as a share: skies and water
    blue_lift: float = 0.0  # lightness added to saturated blues, as on old film: skies become paper
    blush: float = 0.0  # yellow removed from warm tones, as a share: skin turns rosy
    shadow_tint: tuple[float, float] = (0.0, 0.0)  # Lab a and b added to shadows of coloured pictures
    paper: tuple[float, float, float] | None = None  # RGB, 0 to 1; set: washes of ink on paper of this colour
    paper_chroma: float = 0.15  # share of the photo's chroma that the washes keep
    # -- lines
    line_sigma: float = 0.6  # of the narrow Gaussian: half a line's width
    line_length: float = 6.0  # sigma of the average along the line
    line_threshold: float = 0.005  # luma difference below which there is no line
    line_gain: float = 120.0  # line strength per luma difference
    line_shortest: float = 30.0  # shorter lines are left out
    line_opacity: float = 0.92  # 1 covers the colour below
    line_tint: float = 0.18  # share of the underlying colour in a line's colour
    line_color: tuple[float, float, float] = (0.10, 0.07, 0.09)  # RGB, 0 to 1
    step: float = 1.6  # steepness (3.3 is a step, 1 a soft ramp) below which there is no line
    nib: float = 0.0  # 0 to 1: contrast of line width of a broad nib held at 45 degrees
    contour: float = 1.0  # strength of the bold lines along large steps; 0 is none
    contour_threshold: float = 0.013  # luma difference below which there is no bold line
    outline: float = 0.6  # 0 to 1: darkening of pixels beside long lines, for heavier outlines
    texture: float = 1.5  # attenuation of lines among many others; 0 keeps all
    salience: float = 0.0  # lines that stand out less from what is around them are left out; 0 keeps all


LOOKS = {
    "comic": Look(),
    "anime": Look(
        folds=2,
        region_scale=150.0,
        flatness=0.97,
        tones=4,
        tone_strength=0.8,
        saturation=0.35,
        gamma=0.66,
        contrast=0.25,
        blues=0.45,
        blush=0.2,
        shadow_tint=(3.0, -10.0),
        line_gain=110.0,
        line_opacity=0.85,
        line_tint=0.4,
        line_color=(0.20, 0.09, 0.13),
        line_shortest=36.0,
        contour=0.7,
        outline=0.0,
    ),
    "ink": Look(
        folds=2,
        region_scale=160.0,
        flatness=0.98,
        tones=3,
        tone_strength=0.95,
        gamma=0.75,
        levels=(0.12, 0.65),
        contrast=0.7,
        blue_lift=0.25,
        paper=(0.985, 0.975, 0.955),
        line_color=(0.05, 0.05, 0.06),
        line_tint=0.0,
        line_opacity=1.0,
        line_threshold=0.004,
        line_shortest=32.0,
        nib=0.8,
        contour=1.8,
        outline=1.0,
    ),
}
