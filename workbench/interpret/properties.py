"""Quantitative image properties, as research on art and aesthetics reports them.

    >>> from skimage.data import coffee
    >>> values = image_properties(Image.fromarray(coffee()))
    >>> round(values["rms_contrast"], 2), round(values["colour_entropy"], 3)
    (23.2, 4.495)

:data:`PROPERTIES` gives the definition, unit, range and source of each. Unlike the descriptors of expression
they are measured at the size of the file: compare pictures of one size, or resize them first.

All values but ``fourier_slope`` agree within 0.1 % with the Aesthetics Toolbox on eight free pictures.
``fourier_slope`` differs from its "Slope Redies" by up to 3 %: the resampling is another. Not here, as the
literature does not fix their numbers: edge density and edge-orientation entropies (which Gabor filters), PHOG
self-similarity and anisotropy (which weights), Fourier sigma (which points), balance, mirror symmetry and
homogeneity (which pixels are figure), fractal dimensions (which threshold).
:mod:`workbench.interpret.expression` measures orientation entropy, composition and balance by definitions of
its own, under names of its own, and :mod:`workbench.interpret.network_properties` what takes a network, on
the one that is there.

Source: Redies, Bartho, Koßmann, Spehar, Hübner, Wagemans and Hayn-Leichsenring, "A toolbox for calculating
quantitative image properties in aesthetics research", Behavior Research Methods, 2025.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import rfft2

from workbench.core.errors import ImageError
from workbench.core.pixels import luma
from workbench.data.images import as_rgb
from workbench.interpret.expression import INFINITY, Descriptor

PROPERTIES: dict[str, Descriptor] = {}
_SIDE = 1024  # pixels of the square whose spectrum is taken
_CYCLES = (10, 256)  # per side of that square, between which the slope is fitted


class Channels:
    """The colour channels of a picture; each space is computed on first use.

    Raises:
        ImageError: a side of the picture is below 2 pixels.
    """

    def __init__(self, image: Image.Image):
        if min(image.size) < 2:
            raise ImageError(
                f"Expected a picture of at least 2×2 pixels but got {image.width}×{image.height}. "
                "Give a larger copy."
            )
        self.rgb: NDArray[np.uint8] = np.asarray(as_rgb(image))

    @cached_property
    def lab(self) -> NDArray[np.float64]:
        """(H, W, 3) CIELAB (D65): L* 0 … 100, a*, b*."""
        from skimage.color import rgb2lab  # imported on first use

        return rgb2lab(self.rgb)

    @cached_property
    def hsv(self) -> NDArray[np.float32]:
        """(H, W, 3) hue, saturation and value, 0 … 1 each."""
        hsv = np.asarray(cv2.cvtColor(self.rgb.astype(np.float32) / 255, cv2.COLOR_RGB2HSV), np.float32)
        return np.divide(hsv, np.array([360, 1, 1], np.float32), dtype=np.float32)

    @cached_property
    def hue_vector(self) -> complex:
        """Mean of the unit vectors whose angles are the hues."""
        angle = self.hsv[..., 0] * np.float32(2 * np.pi)
        return complex(np.cos(angle).mean(dtype=np.float64), np.sin(angle).mean(dtype=np.float64))


def _property(unit: str, source: str, low: float, high: float, name: str, text: str = ""):
    """Register a function of :class:`Channels`; its docstring, or ``text``, is the definition."""

    def keep(function: Callable[[Channels], float]) -> Callable[[Channels], float]:
        PROPERTIES[name] = Descriptor(
            name,
            unit,
            " ".join((text or function.__doc__ or "").split()),
            source,
            (low, high),
            function,  # type: ignore[arg-type]
        )
        return function

    return keep


def image_properties(image: Image.Image) -> dict[str, float]:
    """All properties of a picture, in the order of :data:`PROPERTIES`.

    Raises:
        ImageError: a side is below 2 pixels.
    """
    channels = Channels(image)
    return {name: float(one.measure(channels)) for name, one in PROPERTIES.items()}  # type: ignore[arg-type]


_DATTA = "Datta, Joshi, Li and Wang, Studying aesthetics in photographic images, 2006"


@_property("pixels", _DATTA, 4, INFINITY, "image_size")
def _size(channels: Channels) -> float:
    """Width + height."""
    return float(sum(channels.rgb.shape[:2]))


@_property("1", _DATTA, 0, INFINITY, "aspect_ratio")
def _aspect_ratio(channels: Channels) -> float:
    """Width / height."""
    height, width = channels.rgb.shape[:2]
    return width / height


@_property("L*", "Peli, Contrast in complex images, 1990", 0, 50, "rms_contrast")
def _rms_contrast(channels: Channels) -> float:
    """Standard deviation of L*."""
    return float(channels.lab[..., 0].std())


@_property(
    "bit", "Mather, Visual image statistics in the history of Western art, 2018", 0, 8, "lightness_entropy"
)
def _lightness_entropy(channels: Channels) -> float:
    """Shannon entropy of the histogram of L*, rounded to 256 steps from 0 to its greatest value."""
    return _entropy(channels.lab[..., 0])


@_property(
    "bit",
    "Geller, Bartho, Thömmes and Redies, Statistical image properties predict aesthetic ratings in abstract "
    "paintings created by neural style transfer, 2022",
    0,
    8,
    "colour_entropy",
)
def _colour_entropy(channels: Channels) -> float:
    """Shannon entropy of the histogram of hue (HSV), rounded to 256 steps from 0 to its greatest value."""
    return _entropy(channels.hsv[..., 0])


def _entropy(values: NDArray) -> float:
    steps = np.round(values * (255 / max(values.max(), 1e-12))).clip(0, 255).astype(int)
    shares = np.bincount(steps.ravel()) / steps.size
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum()) + 0.0  # no -0


@_property(
    "1/255 of a channel's range per pixel",
    "Braun, Amirshahi, Denzler and Redies, Statistical image properties of print advertisements, visual "
    "artworks and images of architecture, 2013",
    0,
    INFINITY,
    "complexity",
)
def _complexity(channels: Channels) -> float:
    """Mean strength of the gradient of CIELAB in 8 bits a channel (2.55 L*, a* + 128, b* + 128), of which the
    greatest horizontal and the greatest vertical component of the three channels count."""
    eight_bit = np.round(channels.lab * (2.55, 1, 1) + (0, 128, 128)).clip(0, 255)
    planes = np.ascontiguousarray(np.moveaxis(eight_bit, 2, 0), np.float32)  # (3, H, W): halves are exact
    down, across = np.gradient(planes, axis=(1, 2))
    return float(np.hypot(np.abs(across).max(0), np.abs(down).max(0)).mean(dtype=np.float64))


@_property(
    "1",
    "Redies, Hasenstein and Denzler, Fractal-like image statistics in visual art, 2007",
    -INFINITY,
    INFINITY,
    "fourier_slope",
)
def _fourier_slope(channels: Channels) -> float:
    """Slope of the power spectrum of luma over frequency, both in logarithms, from 10 to 256 cycles per side.
    The picture is padded to a square with its mean and resized to 1,024 × 1,024 pixels; frequencies of one
    radius are averaged, then points in 30 steps of equal logarithmic width."""
    gray = luma(channels.rgb)
    height, width = gray.shape
    square = np.full((max(gray.shape),) * 2, gray.mean(), np.float32)
    top, left = (len(square) - height) // 2, (len(square) - width) // 2
    square[top : top + height, left : left + width] = gray
    square = cv2.resize(square, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)
    half = rfft2(square - square.mean())
    radius, weight = _rings()
    rings = np.bincount(radius, weight * np.abs(half).ravel() ** 2) / np.bincount(radius, weight)
    low, high = _CYCLES
    frequency = np.log10(np.arange(low, high + 1))
    strength = np.log10(np.maximum(rings[low : high + 1], 1e-12))
    steps = np.linspace(frequency[0], frequency[-1], 31)
    step = np.clip(np.digitize(frequency, steps) - 1, 0, 29)
    count = np.bincount(step, minlength=30)
    used = count > 0
    x, y = (np.bincount(step, values, 30)[used] / count[used] for values in (frequency, strength))
    return float(np.polyfit(x, y, 1)[0])


@cache
def _rings() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Radius of each frequency of the half spectrum, and how often it stands in the whole one."""
    down, across = np.fft.fftfreq(_SIDE, 1 / _SIDE), np.arange(_SIDE // 2 + 1)
    weight = np.where((across == 0) | (across == _SIDE // 2), 1.0, 2.0)
    radius = np.hypot(down[:, None], across[None]).round().astype(np.int64)
    return radius.ravel(), np.broadcast_to(weight, radius.shape).ravel()


def _channel(space: str, index: int, letter: str, unit: str, low: float, high: float) -> None:
    def values(channels: Channels) -> NDArray:
        return getattr(channels, space)[..., index]

    text = f"of {letter} ({space.upper()})"
    _property(unit, _DATTA, low, high, f"mean_{letter}", f"Mean {text}.")(lambda c: float(values(c).mean()))
    _property(unit, _DATTA, 0, (high - low) / 2, f"std_{letter}", f"Standard deviation {text}.")(
        lambda c: float(values(c).std())
    )


for _letter, _index in zip("RGB", range(3), strict=True):
    _channel("rgb", _index, _letter, "1/255", 0, 255)
_channel("lab", 0, "L", "L*", 0, 100)
_channel("lab", 1, "a", "a*", -128, 127)
_channel("lab", 2, "b", "b*", -128, 127)
_channel("hsv", 1, "S", "1", 0, 1)
_channel("hsv", 2, "V", "1", 0, 1)

_CIRCULAR = "Mardia and Jupp, Directional Statistics, 2000"


@_property("turns", _CIRCULAR, 0, 1, "mean_H")
def _mean_hue(channels: Channels) -> float:
    """Circular mean of hue (HSV); 0 and 1 are red."""
    return float(np.angle(channels.hue_vector) / (2 * np.pi)) % 1.0


@_property("turns", _CIRCULAR, 0, INFINITY, "std_H")
def _std_hue(channels: Channels) -> float:
    """Circular standard deviation of hue (HSV): sqrt(-2 ln R), R the length of the mean of unit vectors."""
    length = min(abs(channels.hue_vector), 1.0)
    return float(np.sqrt(-2 * np.log(max(length, 1e-12))) / (2 * np.pi)) + 0.0
