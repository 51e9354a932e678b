"""Turns any picture that Pillow holds into opaque 8-bit sRGB: the one place that knows of colour encodings.

What a file says counts in this order: a PNG's cICP chunk, an embedded ICC profile, the code points of AVIF
and HEIC (colr/nclx), a PNG's gamma and chromaticities, and the colour space in EXIF. Nothing said means sRGB.
Names of profiles do not count, only what they do to colours.

Sources: ITU-T H.273 (code points), IEC 61966-2-1 (sRGB), DCF 2.0 (Adobe RGB in EXIF), W3C PNG third edition,
ITU-R BT.2100 (PQ) and BT.2390 (tone mapping), BT.2408 (reference white of 203 cd/m²).
"""

from __future__ import annotations

import io
import logging
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

log = logging.getLogger(__name__)

_D65 = (0.3127, 0.3290)
# Chromaticities (x, y) of red, green, blue and white by the code points of H.273
_PRIMARIES: dict[int, tuple[tuple[float, float], ...]] = {
    1: ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), _D65),  # BT.709 and sRGB
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),  # BT.601, 625 lines
    6: ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07), _D65),  # BT.601, 525 lines
    7: ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07), _D65),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),  # BT.2020
    11: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), (0.314, 0.351)),  # DCI-P3
    12: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), _D65),  # Display P3
}
_ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), _D65)
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}  # transfer characteristics of H.273 that are powers
_PQ = 16
_REFERENCE_WHITE = 203.0  # cd/m² that sRGB's white stands for where a picture is HDR
_SAME = 2  # levels by which a profile may differ from sRGB and still be taken for it
_BAND = 256  # rows converted at once
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


class Encoding(NamedTuple):
    """How the RGB values of a picture stand for light."""

    primaries: tuple[tuple[float, float], ...]  # (x, y) of red, green, blue and white
    to_light: Callable[[NDArray], NDArray]  # from values in [0, 1] to light, 1 being sRGB's white
    hdr: bool = False  # whether light may exceed 1


class ColourInfo(NamedTuple):
    """What an opened file says of its samples; turning or copying the picture loses some of it."""

    profile: bytes | None = None  # ICC
    encoding: Encoding | None = None  # None: sRGB, or as the profile says
    over_profile: bool = False  # whether the encoding counts more than the profile
    white_is_zero: bool = False
    unsigned: bool = False  # 32-bit integers


def colour_info(image: Image.Image, header: bytes = b"") -> ColourInfo:
    """What a picture and the first bytes of its file say of its colours.

    Args:
        image: as Pillow opened it.
        header: of the file, where Pillow leaves out the code points of PNG, AVIF and HEIC.
    """
    tags = getattr(image, "tag_v2", {})
    cicp = _png_chunk(header, b"cICP")
    encoding = _of_codes(*cicp[:2]) if cicp and len(cicp) == 4 else None
    return ColourInfo(
        profile=image.info.get("icc_profile"),
        encoding=encoding or _nclx(header) or _png_gamma(image) or _exif(image),
        over_profile=encoding is not None,
        white_is_zero=tags.get(262) == 0 and (image.mode == "F" or image.mode.startswith("I")),
        unsigned=image.mode == "I" and tags.get(339, (1,))[0] == 1 and tags.get(258, (0,))[0] == 32,
    )


def to_srgb(image: Image.Image, known: ColourInfo | None = None) -> Image.Image:
    """Mode "RGB" in sRGB, opaque, without metadata; transparent pixels are composited on white.

    Args:
        image: of any mode.
        known: what :func:`colour_info` says of it, if it was not the file's own picture any more.
    """
    known = colour_info(image) if known is None else known
    if image.mode == "F" or image.mode.startswith("I"):
        samples = np.asarray(image)
        gray = to_8bit(samples.view(np.uint32) if known.unsigned else samples)
        image = Image.fromarray(255 - gray if known.white_is_zero else gray)
    alpha = None
    if image.has_transparency_data:
        image = image.convert("LA" if image.mode in ("L", "LA", "La") else "RGBA")
        alpha = image.getchannel("A")
        image = image.convert(image.mode[:-1])
    elif image.mode not in ("L", "RGB", "CMYK", "LAB"):
        image = image.convert("RGB")
    image = _converted(image, known)
    if alpha is not None:
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=alpha)
        image = white
    if image.info:
        image.info = {}  # or a later save would embed the old profile
    return image


def to_8bit(samples: np.ndarray) -> np.ndarray:
    """Scale deep gray samples to 8 bits: uint8 of the same shape.

    uint16 is scaled from 0..65535 to 0..255 and rounded. 32-bit integers within 0..65535 are scaled the same
    way, because some decoders return 16-bit files as such; uint32 that needs more than 24 bits is scaled from
    0..2³²-1. Floats within [0, 1] are scaled from 0..1. Any other range is stretched from its minimum to its
    maximum, since the file does not say what black and white are. NaN and infinities are left out of the
    range and become black.
    """
    if samples.dtype.kind == "u" and samples.dtype.itemsize == 2:
        table = np.round(np.arange(65536) / 257).astype(np.uint8)  # avoids a float copy of the picture
        return table[samples]
    finite = np.isfinite(samples)
    kept = samples[finite]
    low, high = (float(kept.min()), float(kept.max())) if kept.size else (0.0, 0.0)
    full = 65535.0 if samples.dtype.kind in "iu" else 1.0
    if samples.dtype == np.uint32 and high >= 2**24:
        full = 2.0**32 - 1
    if low >= 0 and high <= full:
        low, high = 0.0, full
    output = np.zeros(samples.shape, np.uint8)
    if high > low:
        for row, good, out in zip(samples, finite, output, strict=True):  # by rows: no float copy here either
            out[good] = np.round((row[good].astype(np.float64) - low) * (255.0 / (high - low)))
    return output


def _converted(image: Image.Image, known: ColourInfo) -> Image.Image:
    """Mode "RGB" in sRGB of an opaque picture."""
    if known.profile and not known.over_profile:
        converted = _through_profile(image, known.profile)
        if converted is not None:
            return converted
    if image.mode == "LAB":
        lab = ImageCms.createProfile("LAB")
        transform = ImageCms.buildTransform(lab, ImageCms.createProfile("sRGB"), "LAB", "RGB")
        return cast(Image.Image, ImageCms.applyTransform(image, transform))  # None only in place
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    return rgb if known.encoding is None or image.mode == "CMYK" else _through_light(rgb, known.encoding)


def _through_profile(image: Image.Image, profile: bytes) -> Image.Image | None:
    """Convert from an ICC profile; None if it is broken or is not for such a picture."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if image.mode == "L" and source.profile.xcolor_space.strip() == "RGB":
            image = image.convert("RGB")
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            image.mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        if image.mode == "RGB" and _changes_little(transform):
            return image
        return ImageCms.applyTransform(image, transform)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        log.debug("ICC profile ignored: %s", error)
        return None


def _changes_little(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether a transform is sRGB's own to the rounding, tried on a cube of colours."""
    cube = np.stack(np.meshgrid(*[np.arange(0, 256, 15)] * 3), -1).astype(np.uint8).reshape(18, -1, 3)
    moved = ImageCms.applyTransform(Image.fromarray(cube), transform)
    return np.abs(np.asarray(moved, int) - cube).max() <= _SAME


def _through_light(image: Image.Image, encoding: Encoding) -> Image.Image:
    """Decode to light, change the primaries, map what is brighter than white, encode as sRGB."""
    pixels = np.asarray(image)
    table = encoding.to_light(np.linspace(0, 1, 256)).astype(np.float32)
    matrix = (np.linalg.inv(_to_xyz(_PRIMARIES[1])) @ _to_xyz(encoding.primaries)).astype(np.float32)
    peak = float(table[pixels.max()]) if encoding.hdr and pixels.size else 1.0
    output = np.empty_like(pixels)
    for top in range(0, len(pixels), _BAND):
        light = np.maximum(table[pixels[top : top + _BAND]] @ matrix.T, 0)
        if peak > 1:
            light = _tone_mapped(light, peak)
        output[top : top + _BAND] = np.round(255 * _srgb_values(np.minimum(light, 1)))
    return Image.fromarray(output)


def _to_xyz(primaries: tuple[tuple[float, float], ...]) -> NDArray[np.float64]:
    """(3, 3) from linear RGB to XYZ, adapted to D65 after Bradford."""
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in primaries]).T
    white, d65 = columns[:, 3], np.array([_D65[0] / _D65[1], 1, (1 - sum(_D65)) / _D65[1]])
    matrix = columns[:, :3] * np.linalg.solve(columns[:, :3], white)
    cones = np.diag((_BRADFORD @ d65) / (_BRADFORD @ white))
    return np.linalg.inv(_BRADFORD) @ cones @ _BRADFORD @ matrix


def _srgb_light(values: NDArray) -> NDArray:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _srgb_values(light: NDArray) -> NDArray:
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _power(gamma: float) -> Callable[[NDArray], NDArray]:
    return lambda values: values**gamma


def _pq_light(values: NDArray) -> NDArray:
    """Light of PQ values, 1 being the reference white. Source: BT.2100, table 4."""
    root = values ** (32 / 2523)
    return (np.maximum(root - 107 / 128, 0) / (2413 / 128 - 2392 / 128 * root)) ** (8192 / 1305) * (
        10_000 / _REFERENCE_WHITE
    )


def _pq_values(light: NDArray | float) -> NDArray:
    power = (np.asarray(light) * (_REFERENCE_WHITE / 10_000)) ** (1305 / 8192)
    return ((107 / 128 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)


def _tone_mapped(light: NDArray, peak: float) -> NDArray:
    """Roll bright light off to 1 at ``peak``, with the hue of each pixel. Source: BT.2390, section 5.4."""
    brightest = light.max(-1, keepdims=True)
    source, top = float(_pq_values(peak)), float(_pq_values(1.0) / _pq_values(peak))
    values = np.minimum(_pq_values(brightest) / source, 1)
    knee = max(1.5 * top - 0.5, 0.0)
    t = np.maximum((values - knee) / (1 - knee), 0)
    rolled = (
        (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * top
    )
    mapped = _pq_light(np.where(values < knee, values, rolled) * source)
    return light * (mapped / np.maximum(brightest, 1e-6))


def _of_codes(primaries: int, transfer: int) -> Encoding | None:
    """The encoding that code points of H.273 mean, None for sRGB and for those that no picture has.

    BT.709's curve and HLG's are shown as sRGB's is: the one as displays do, the other as it was made for.
    """
    if primaries in (1, 2) and transfer not in (*_GAMMAS, _PQ):
        return None
    chromaticities = _PRIMARIES.get(primaries, _PRIMARIES[1])
    if transfer == _PQ:
        return Encoding(chromaticities, _pq_light, hdr=True)
    return Encoding(chromaticities, _power(_GAMMAS[transfer]) if transfer in _GAMMAS else _srgb_light)


def _png_chunk(header: bytes, kind: bytes) -> bytes | None:
    """The data of a chunk of a PNG that stands before its pixels."""
    return next((data for name, data in _png_chunks(header) if name == kind), None)


def _png_chunks(header: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 8 if header.startswith(b"\x89PNG\r\n\x1a\n") else len(header)
    while place + 8 <= len(header):
        length, name = struct.unpack_from(">I4s", header, place)
        if name == b"IDAT":
            return
        yield name, header[place + 8 : place + 8 + length]
        place += 12 + length


def _nclx(header: bytes) -> Encoding | None:
    """Code points of an AVIF or HEIC file (ISO/IEC 23008-12, ColourInformationBox)."""
    place = header.find(b"colrnclx") if header[4:8] == b"ftyp" else -1
    return (
        _of_codes(*struct.unpack_from(">HH", header, place + 8)) if 0 <= place <= len(header) - 12 else None
    )


def _png_gamma(image: Image.Image) -> Encoding | None:
    """Of a PNG's gAMA and cHRM; the sRGB chunk counts more, and a gamma of 1/2.2 alone means sRGB."""
    gamma, chromaticities = image.info.get("gamma"), image.info.get("chromaticity")
    if image.format not in ("PNG", None) or "srgb" in image.info or not gamma:
        return None
    primaries = _PRIMARIES[1]
    if chromaticities and len(chromaticities) == 8 and min(chromaticities[1::2]) > 0:
        white, *rgb = zip(chromaticities[::2], chromaticities[1::2], strict=True)
        primaries = (*rgb, white)
    near = np.allclose(primaries, _PRIMARIES[1], atol=0.002)
    if abs(gamma - 1 / 2.2) < 0.002:
        return None if near else Encoding(primaries, _srgb_light)
    return Encoding(primaries, _power(1 / gamma))


def _exif(image: Image.Image) -> Encoding | None:
    """Adobe RGB as cameras say it: colour space 2, or "uncalibrated" with the interoperability index R03."""
    try:
        exif = image.getexif()
        space = exif.get_ifd(0x8769).get(0xA001)
        index = exif.get_ifd(0xA005).get(1) if space == 0xFFFF else None
    except Exception as error:  # broken EXIF is common, and the pixels are still good
        log.debug("EXIF ignored: %s", error)
        return None
    return Encoding(_ADOBE, _power(563 / 256)) if space == 2 or str(index).strip("\0 ") == "R03" else None
