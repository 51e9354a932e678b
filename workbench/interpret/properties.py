"""Quantitative image properties: the measures that empirical aesthetics computes of pictures.

Each function is registered in :data:`IMAGE_PROPERTIES` with its unit, range and source; its docstring is the
definition that the data dictionary prints. They are measured on the picture as it is, at its own size, as the
field does; entropies, slopes and complexity depend on the number of pixels, so compare pictures of one size.

Source: Redies, Bartho, Koßmann, Spehar, Hübner, Wagemans and Hayn-Leichsenring, A toolbox for calculating
quantitative image properties in aesthetics research, Behavior Research Methods 57, 2025, which collects the
definitions. No code of it is used. ``tests/test_properties.py`` compares the values that it publishes.
"""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench.core.errors import ImageError
from workbench.interpret.expression import INFINITY, Descriptor

__all__ = ["IMAGE_PROPERTIES", "Channels", "image_properties"]

IMAGE_PROPERTIES: dict[str, Descriptor] = {}
_REDIES = "Redies et al., A toolbox for quantitative image properties, 2025"
_BRAUN = "Braun, Amirshahi, Denzler and Redies, Statistical image properties of artworks, 2013"
_BINS = 16  # directions of a histogram of oriented gradients
_LEVEL = 3  # of the pyramid: 8 × 8 cells


def _property(unit: str, source: str, low: float = 0.0, high: float = 1.0):
    """Register a function of :class:`Channels`; its docstring is the definition."""

    def keep(function):
        text = " ".join(function.__doc__.split())
        IMAGE_PROPERTIES[function.__name__] = Descriptor(
            function.__name__, unit, text, source, (low, high), function
        )
        return function

    return keep


class Channels:
    """A picture's colour channels and gradients; computed on first use.

    Raises:
        ImageError: a side of the picture is below 16 pixels.
    """

    def __init__(self, image: Image.Image):
        if min(image.size) < 16:
            raise ImageError(
                f"Expected a picture of at least 16×16 pixels but got {image.width}×{image.height}. "
                "Give a larger copy."
            )
        self.rgb: NDArray[np.uint8] = np.asarray(image.convert("RGB"))

    @cached_property
    def lab(self) -> NDArray[np.float32]:
        """(H, W, 3) CIELAB, D65: L* in [0, 100], a*, b*."""
        from skimage.color import rgb2lab  # imported on first use

        return rgb2lab(self.rgb.astype(np.float32) / 255)

    @cached_property
    def hsv(self) -> NDArray[np.float32]:
        """(H, W, 3) hue, saturation and value in [0, 1]."""
        hsv = cv2.cvtColor(self.rgb.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
        return hsv / np.array([360, 1, 1], np.float32)

    @cached_property
    def hue_vector(self) -> complex:
        """Mean of the unit vectors of all hues."""
        return complex(np.exp(2j * np.pi * self.hsv[..., 0]).mean())

    @cached_property
    def gray(self) -> NDArray[np.float32]:
        """(H, W) luma in [0, 255]."""
        return cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)

    @cached_property
    def gradient(self) -> tuple[NDArray, NDArray]:
        """(H, W) strength and direction in [0, 2π) of the steepest Lab channel, all in 8-bit units."""
        channels = np.rint(self.lab * np.array([2.55, 1, 1]) + np.array([0, 128, 128])).clip(0, 255)
        down, right = np.gradient(channels.astype(np.float32), axis=(0, 1))
        strength = np.hypot(right, down)
        steepest = strength.argmax(-1)[..., None]
        down, right = (np.take_along_axis(x, steepest, -1)[..., 0] for x in (down, right))
        return strength.max(-1), np.arctan2(down, right) % (2 * np.pi)

    @cached_property
    def oriented(self) -> tuple[NDArray, NDArray]:
        """Histograms of oriented gradients: (16,) of the whole picture and (64, 16) of its 8 × 8 cells."""
        strength, direction = self.gradient
        rows, columns = strength.shape
        cells = 2**_LEVEL
        y = np.arange(rows) * cells // rows
        x = np.arange(columns) * cells // columns
        bins = np.minimum((direction / (2 * np.pi) * _BINS).astype(np.int64), _BINS - 1)
        index = ((y[:, None] * cells + x) * _BINS + bins).ravel()
        sums = np.bincount(index, strength.ravel(), cells * cells * _BINS).reshape(-1, _BINS)
        return sums.sum(0), sums

    @cached_property
    def spectrum(self) -> tuple[float, float]:
        """Slope and squared deviation of log power against log frequency, 10 to 256 cycles per picture."""
        side = 1024
        rows, columns = self.gray.shape
        short = min(rows, columns)
        top, left = (rows - short) // 2, (columns - short) // 2
        square = cv2.resize(
            self.gray[top : top + short, left : left + short], (side, side), interpolation=cv2.INTER_CUBIC
        )
        power = np.abs(np.fft.rfft2(square - square.mean())) ** 2
        down = np.fft.fftfreq(side, 1 / side)[:, None]
        ring = np.rint(np.hypot(down, np.arange(side // 2 + 1)[None])).astype(np.int64)
        mean = np.bincount(ring.ravel(), power.ravel()) / np.bincount(ring.ravel())
        frequency = np.arange(10, 257)
        if not np.ptp(self.gray) or not mean[frequency].all():  # a plain picture has no spectrum
            return float("nan"), float("nan")
        x, y = np.log10(frequency), np.log10(mean[frequency])
        slope, height = np.polyfit(x, y, 1)
        return float(slope), float(((y - slope * x - height) ** 2).mean())

    @cached_property
    def dark(self) -> NDArray[np.bool_]:
        """(H, W) pixels darker than Otsu's threshold of the luma."""
        level, _ = cv2.threshold(self.gray.astype(np.uint8), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
        return self.gray <= level


def image_properties(image: Image.Image) -> dict[str, float]:
    """All of :data:`IMAGE_PROPERTIES` of a picture, in their order; nan where one is undefined.

    Raises:
        ImageError: a side is below 16 pixels.
    """
    channels = Channels(image)
    return {name: float(one.measure(channels)) for name, one in IMAGE_PROPERTIES.items()}


def _entropy(counts: NDArray) -> float:
    """Shannon entropy in bits of a histogram."""
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def _levels_entropy(channel: NDArray) -> float:
    """Entropy of a channel of values from 0 after rounding to 255 steps up to its maximum."""
    levels = np.rint(channel * (255 / max(float(channel.max()), 1e-9))).astype(np.int64)
    return abs(_entropy(np.bincount(levels.clip(0, 255).ravel())))


# --- size and colour


@_property("pixels", _REDIES, 32, INFINITY)
def image_size(picture: Channels) -> float:
    """Width plus height."""
    return float(sum(picture.rgb.shape[:2]))


@_property("1", _REDIES, 0, INFINITY)
def aspect_ratio(picture: Channels) -> float:
    """Width over height."""
    return picture.rgb.shape[1] / picture.rgb.shape[0]


def _register_channels() -> None:
    spaces = (
        ("rgb", "RGB", ("red", "green", "blue"), "8-bit levels", ((0.0, 255.0),) * 3),
        ("lab", "CIELAB", ("l", "a", "b"), "CIELAB units", ((0.0, 100.0), (-128.0, 127.0), (-128.0, 127.0))),
        ("hsv", "HSV", ("saturation", "value"), "1", ((0.0, 1.0),) * 2),
    )
    for space, title, names, unit, limits in spaces:
        for index, (name, (low, high)) in enumerate(zip(names, limits, strict=True)):
            channel = index + (space == "hsv")  # hue is circular and has measures of its own

            def mean(picture: Channels, space: str = space, channel: int = channel) -> float:
                return float(getattr(picture, space)[..., channel].mean(dtype=np.float64))

            def deviation(picture: Channels, space: str = space, channel: int = channel) -> float:
                return float(getattr(picture, space)[..., channel].std(dtype=np.float64))

            for key, word, function, ends in (
                (f"mean_{name}", "Mean", mean, (low, high)),
                (f"std_{name}", "Standard deviation", deviation, (0.0, (high - low) / 2)),
            ):
                IMAGE_PROPERTIES[key] = Descriptor(
                    key, unit, f"{word} of the {name} channel of {title}.", _REDIES, ends, function
                )


_register_channels()


@_property("turns", "circular mean; Fisher, Statistical analysis of circular data, 1993")
def mean_hue(picture: Channels) -> float:
    """Circular mean of the hue, 0 to 1 for a whole turn; 0 where no hue prevails."""
    vector = picture.hue_vector
    return float(np.angle(vector) / (2 * np.pi) % 1) if abs(vector) > 1e-9 else 0.0


@_property("turns", "circular standard deviation; Fisher, 1993", 0, INFINITY)
def std_hue(picture: Channels) -> float:
    """Circular standard deviation of the hue, sqrt(-2 ln R) / 2π, with R the length of the mean vector."""
    return float(np.sqrt(max(0.0, -2 * np.log(max(abs(picture.hue_vector), 1e-12)))) / (2 * np.pi))


@_property("bits", _REDIES, 0, 8)
def colour_entropy(picture: Channels) -> float:
    """Shannon entropy of the hue scaled to 256 levels, of which the picture's largest hue is the last."""
    return _levels_entropy(picture.hsv[..., 0])


# --- light


@_property("L*", "Peli, Contrast in complex images, 1990, on L*", 0, 50)
def rms_contrast(picture: Channels) -> float:
    """Root mean square contrast: standard deviation of L*."""
    return float(picture.lab[..., 0].std(dtype=np.float64))


@_property("bits", _REDIES, 0, 8)
def luminance_entropy(picture: Channels) -> float:
    """Shannon entropy of L* scaled to 256 levels, of which the brightest of the picture is the last."""
    return _levels_entropy(picture.lab[..., 0])


# --- edges


@_property("8-bit levels per pixel", _BRAUN, 0, INFINITY)
def complexity(picture: Channels) -> float:
    """Mean gradient strength: at each pixel that of the steepest channel of CIELAB rounded to 8-bit units. Up
    to 2.3 % below the toolbox on colour pictures, equal on gray ones."""
    return float(picture.gradient[0].mean(dtype=np.float64))


@_property("%", "Canny, A computational approach to edge detection, 1986", 0, 100)
def canny_edge_share(picture: Channels) -> float:
    """Share of the pixels that are edges by Canny of the luma (thresholds 100 and 200). The toolbox's edge
    density sums the responses of Gabor filters instead and is not comparable."""
    return float(100 * (cv2.Canny(picture.gray.astype(np.uint8), 100, 200) > 0).mean())


@_property("bits", "first-order entropy of Redies, Brachmann and Wagemans, 2017, on gradients", 0, 4)
def gradient_direction_entropy(picture: Channels) -> float:
    """Shannon entropy of 16 directions of the gradient, weighted by its strength; nan without any. The
    toolbox filters with Gabor functions in 24 directions instead and is not comparable."""
    whole, _ = picture.oriented
    return _entropy(whole) if whole.any() else float("nan")


@_property("1", _BRAUN)
def gradient_self_similarity(picture: Channels) -> float:
    """Median, over the 8 × 8 cells, of the intersection of a cell's histogram of oriented gradients (16
    directions, normalised) with that of the whole picture; nan without gradients. The toolbox differs."""
    whole, cells = picture.oriented
    if not whole.any():
        return float("nan")
    sums = cells.sum(1, keepdims=True)
    shares = np.divide(cells, sums, out=np.zeros_like(cells), where=sums > 0)
    return float(np.median(np.minimum(shares, whole / whole.sum()).sum(1)))


@_property("1", _BRAUN, 0, 1)
def gradient_anisotropy(picture: Channels) -> float:
    """Standard deviation of all 8 × 8 × 16 bins of the oriented gradients, as shares of their total; nan
    without gradients. The toolbox's anisotropy differs."""
    whole, cells = picture.oriented
    return float((cells / cells.sum()).std()) if whole.any() else float("nan")


# --- spectrum and shape


@_property("1", "Redies, Hasenstein and Denzler, Fractal-like image statistics, 2007", -INFINITY, INFINITY)
def power_slope(picture: Channels) -> float:
    """Slope of the radially averaged power spectrum of the central square at 1,024 pixels, from 10 to 256
    cycles per picture in logarithms, each frequency counting once; nan for a plain picture.
    The toolbox prepares pictures otherwise."""
    return picture.spectrum[0]


@_property("log power squared", "Redies, Hasenstein and Denzler, 2007", 0, INFINITY)
def power_deviation(picture: Channels) -> float:
    """Mean squared deviation of the same spectrum from its line; nan for a plain picture."""
    return picture.spectrum[1]


@_property("1", "box counting; Mandelbrot, The fractal geometry of nature, 1982", 0, 2)
def outline_dimension(picture: Channels) -> float:
    """Box-counting dimension of the outlines of the dark parts (Otsu): slope of log boxes against log 1/side
    for sides of 2 to 64 pixels; nan without outlines. The toolbox's dimension differs."""
    dark = picture.dark.astype(np.uint8)
    outlines = (dark ^ cv2.erode(dark, np.ones((3, 3), np.uint8), borderValue=1)).astype(bool)
    if not outlines.any():
        return float("nan")
    sides = np.array([2, 4, 8, 16, 32, 64])
    counts = []
    for side in sides:
        padded = np.pad(outlines, [(0, -size % side) for size in outlines.shape])
        boxes = padded.reshape(padded.shape[0] // side, side, padded.shape[1] // side, side)
        counts.append(boxes.any((1, 3)).sum())
    return float(np.polyfit(-np.log(sides), np.log(counts), 1)[0])


# --- composition


@_property("1", "correlation of the luma with its mirror image, by this project", -1, 1)
def mirror_correlation(picture: Channels) -> float:
    """Left-right symmetry: Pearson correlation of the luma with its mirror image; nan for a plain picture.
    Not the toolbox's count of matching dark pixels."""
    x = picture.gray - picture.gray.mean(dtype=np.float64)
    power = float((x * x).sum())
    return float((x * x[:, ::-1]).sum() / power) if power > 0 else float("nan")


@_property("%", "Wilson and Chatterjee, The assessment of preference for balance, 2005, on luma", 0, 100)
def half_imbalance(picture: Channels) -> float:
    """Imbalance of darkness: mean over the vertical and horizontal axis of the difference of both halves,
    over their sum, in per cent; 0 is balanced. The assessment of preference for balance has six more axes."""
    ink = 255 - picture.gray
    rows, columns = ink.shape
    pairs = (
        (ink[:, : columns // 2], ink[:, columns - columns // 2 :]),
        (ink[: rows // 2], ink[rows - rows // 2 :]),
    )
    sums = [(float(a.sum(dtype=np.float64)), float(b.sum(dtype=np.float64))) for a, b in pairs]
    return float(100 * np.mean([abs(a - b) / (a + b) if a + b else 0.0 for a, b in sums]))


def _mass(picture: Channels, axis: int) -> float:
    ink = 255 - picture.gray.astype(np.float64)
    total = ink.sum()
    size = ink.shape[axis]
    place = (np.arange(size) + 0.5) / size - 0.5
    return float((ink.sum(1 - axis) * place).sum() / total) if total else 0.0


@_property("widths", "Arnheim, Art and visual perception, 1954", -0.5, 0.5)
def mass_x(picture: Channels) -> float:
    """Centre of mass of the darkness, right of the middle, in picture widths. (The toolbox weighs dark or
    light by picture, so signs can differ.)"""
    return _mass(picture, 1)


@_property("heights", "Arnheim, 1954", -0.5, 0.5)
def mass_y(picture: Channels) -> float:
    """Centre of mass of the darkness, below the middle, in picture heights."""
    return _mass(picture, 0)


@_property("widths and heights", "Arnheim, 1954", 0, 0.7072)
def mass_distance(picture: Channels) -> float:
    """Distance of the centre of mass of the darkness from the middle: hypot(mass_x, mass_y)."""
    return float(np.hypot(_mass(picture, 1), _mass(picture, 0)))
