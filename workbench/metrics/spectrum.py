"""Measures of the spectra of pictures: brightness, contrast, slope, concentration, directionality.

All start from the log spectrum of :func:`log_spectrum`, after one and the same area downscale by two or more,
because resampling history shifts high frequencies by more than style does, and look at 0.03 to 0.4 cycles per
pixel of the small picture only: below is the layout, above what is left of the resampling.

Sources: Torralba and Oliva, "Statistics of natural image categories", Network 2003 (radial and directional
profiles); Durall et al., CVPR 2020 (profiles of generated pictures).
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.pixels import LUMA
from workbench.metrics.bootstrap import Resamples, draw_counts

SIDE = 128  # pixels of the small picture
BAND = (0.03, 0.4)  # cycles per pixel
BINS = 24  # rings of equal width within the band
FLOOR = 1e-5  # power below which frequencies count as silent
_SECTORS = 18  # of ten degrees


def log_spectrum(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Half the log power spectrum (log amplitude) of the middle square's luma, Hann-windowed and mean-free.

    Args:
        picture: (H, W, 3) RGB, both sides at least 2 · S; the largest middle square is reduced by area to S =
            :data:`SIDE`.

    Returns:
        (S, S // 2 + 1) in nats; vertical frequency is shifted so that zero is in row S // 2.

    Raises:
        ValueError: a smaller picture, which would not be reduced by two.
    """
    side = SIDE
    if picture.ndim != 3 or picture.shape[2] != 3 or min(picture.shape[:2]) < 2 * side:
        raise ValueError(f"Expected (H, W, 3) with sides of at least {2 * side} but got {picture.shape}.")
    height, width = picture.shape[:2]
    square = min(height, width)
    top, left = (height - square) // 2, (width - square) // 2
    luma = picture[top : top + square, left : left + square] @ LUMA / 127.5 - 1
    luma = np.asarray(cv2.resize(luma, (side, side), interpolation=cv2.INTER_AREA), float)
    hann = np.hanning(side + 1)[:-1]  # periodic
    window = np.outer(hann, hann)
    window /= np.sqrt(np.square(window).mean())  # unit RMS keeps the power of white noise
    power = np.square(np.abs(np.fft.rfft2((luma - luma.mean()) * window, norm="ortho")))
    return np.fft.fftshift(0.5 * np.log(power + FLOOR), axes=0)


def _polar(spectrum: NDArray) -> tuple[NDArray, NDArray]:
    """Radius in cycles per pixel and direction in [0, π) of every frequency."""
    side, columns = spectrum.shape
    y = ((np.arange(side) - side // 2) / side)[:, None]
    x = (np.arange(columns) / side)[None]
    return np.hypot(x, y), np.arctan2(y, x) % np.pi


def radii(bins: int = BINS) -> NDArray[np.float64]:
    """(bins,) middles of the rings of :func:`radial_profile`, cycles per pixel."""
    edges = np.linspace(*BAND, bins + 1)
    return (edges[:-1] + edges[1:]) / 2


def radial_profile(spectrum: NDArray, bins: int = BINS) -> NDArray[np.float64]:
    """(bins,) mean log amplitude over rings of equal width within :data:`BAND`, nats.

    Args:
        spectrum: of :func:`log_spectrum`.
        bins: rings; each must hold a frequency.
    """
    ring, inside = _rings(spectrum, bins)
    count = np.bincount(ring[inside], minlength=bins)
    if not count.all():
        raise ValueError(f"Expected rings that hold a frequency each but {bins} are too many.")
    return np.bincount(ring[inside], spectrum[inside], minlength=bins) / count


def _rings(spectrum: NDArray, bins: int) -> tuple[NDArray, NDArray]:
    radius, _ = _polar(spectrum)
    inside = (radius >= BAND[0]) & (radius < BAND[1])
    ring = ((radius - BAND[0]) / (BAND[1] - BAND[0]) * bins).astype(int)
    return np.where(inside, ring, 0), inside


def profile_distance(profiles: ArrayLike, style: ArrayLike) -> float:
    """Mean absolute difference of two sets' mean radial profiles, nats.

    Args:
        profiles: (N, bins) of :func:`radial_profile`.
        style: (M, bins).
    """
    profiles, style = np.asarray(profiles, float), np.asarray(style, float)
    if profiles.ndim != 2 or style.ndim != 2 or profiles.shape[1] != style.shape[1]:
        raise ValueError(f"Expected (N, bins) and (M, bins) but got {profiles.shape} and {style.shape}.")
    return float(np.abs(profiles.mean(0) - style.mean(0)).mean())


def resampled_distance(
    sets: Mapping, style: ArrayLike, style_groups: ArrayLike | None, samples: int, seed: int
) -> Resamples:
    """:func:`profile_distance` of every set to a style, on all pictures and on resamples that the sets share.

    Args:
        sets: by name (N, bins) of drawings of the same N photos.
        style: (M, bins).
        style_groups: (M,) whose pictures belong together, e.g. episodes; by default each is its own.
        samples, seed: of the bootstrap over photos, and over groups of the style.
    """
    style, count = np.asarray(style, float), len(next(iter(sets.values())))
    codes = np.arange(len(style)) if style_groups is None else np.unique(style_groups, return_inverse=True)[1]
    photos, panels = draw_counts(count, samples, seed), draw_counts(codes, samples, seed + 1)
    target = panels @ style / panels.sum(1, keepdims=True)  # (S, bins)
    return Resamples(
        {name: profile_distance(profiles, style) for name, profiles in sets.items()},
        {name: np.abs(photos @ np.asarray(p) / count - target).mean(1) for name, p in sets.items()},
        min(count, int(codes.max()) + 1),
    )


def shape(spectrum: NDArray) -> dict[str, float]:
    """What a spectrogram looks like, within :data:`BAND`.

    Args:
        spectrum: of :func:`log_spectrum`.

    Returns:
        "brightness": mean log amplitude, nats: how light the spectrogram is.
        "contrast": standard deviation of the log amplitude, nats: how far apart its light and dark parts are.
        "slope": of log amplitude against log radius, a straight line by least squares over the rings; about
        -1 for natural scenes, and steeper where fine detail is weak.
        "concentration": share of the power that the strongest hundredth of the frequencies holds, after the
        power of every ring is divided by the ring's mean (or the slope would decide). Noise has 0.056.
        "directionality": 1 less the entropy of that power over 18 directions, as a share of the greatest
        entropy: 0 is the same in all directions, 1 is all in one.
    """
    _, direction = _polar(spectrum)
    ring, inside = _rings(spectrum, BINS)
    power = np.exp(2 * spectrum)
    mean = np.bincount(ring[inside], power[inside], BINS) / np.bincount(ring[inside], minlength=BINS)
    flat = (power / mean[ring])[inside]
    strongest = np.sort(flat)[-max(1, round(len(flat) / 100)) :]
    sector = np.minimum((direction / np.pi * _SECTORS).astype(int), _SECTORS - 1)[inside]
    energy = np.bincount(sector, flat, _SECTORS) / np.bincount(sector, minlength=_SECTORS)
    share = energy / energy.sum()
    entropy = -(share * np.log(np.maximum(share, 1e-300))).sum()
    profile = radial_profile(spectrum)
    return {
        "brightness": float(spectrum[inside].mean()),
        "contrast": float(spectrum[inside].std()),
        "slope": float(np.polyfit(np.log(radii()), profile, 1)[0]),
        "concentration": float(strongest.sum() / flat.sum()),
        "directionality": float(1 - entropy / np.log(_SECTORS)),
    }
