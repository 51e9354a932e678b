"""Reads pictures of any common format as 8-bit sRGB, or raises an error of one clear line.

No file is trusted: its format is recognised by content instead of suffix, its size is checked before pixels
are decoded, and any exception of a decoder becomes an :class:`~workbench.core.errors.ImageError`.
"""

from __future__ import annotations

import io
import logging
import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageCms, ImageOps

from workbench.core.errors import ImageError

log = logging.getLogger(__name__)

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "PPM")
IMAGE_SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jfif", ".mpo", ".png", ".apng", ".webp", ".avif"),
        *(".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".pbm", ".pnm"),
    )
)
MAX_PIXELS = 40_000_000
MOST_DRAWN = 200_000_000  # pixels of a picture that is redrawn, which takes 2 GB
Image.MAX_IMAGE_PIXELS = MOST_DRAWN  # Pillow would warn of smaller ones
MAX_SIDE = 200_000  # tiling a picture of 1 × 40 million pixels would process 65 times its pixels in margins


def list_images(folder: str | os.PathLike) -> list[Path]:
    """Pictures under ``folder`` by suffix, at any depth, sorted, without hidden ones (``.name``).

    Raises:
        ImageError: if ``folder`` is not an existing folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "a file" if folder.exists() else "missing"
        raise ImageError(f"Expected a folder of pictures but {folder} is {what}. Check the path.")
    found = (
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    return sorted(path for path in found if path.is_file())


def read_image(source: str | os.PathLike | bytes | BinaryIO, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Read one picture as an upright, opaque, 8-bit sRGB picture.

    EXIF orientation is applied; transparency is composited on white; animations and multi-page files give
    their first frame; an embedded colour profile (also a CMYK one) is converted to sRGB; 16-bit samples are
    scaled, not clipped (see :func:`to_8bit`). Metadata are dropped.

    Args:
        source: path, the bytes of a file, or a file opened in binary mode (read from its current position).
        max_pixels: largest accepted width × height; neither side may exceed :data:`MAX_SIDE`.

    Returns:
        Picture in mode "RGB".

    Raises:
        ImageError: missing, a folder, empty, damaged, of an unknown format, or too many pixels.
    """
    stream, name = _open(source)
    with stream:
        try:
            image = Image.open(stream, formats=FORMATS)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise ImageError(f"{name} is too large: {error}") from error
        except Exception as error:  # decoders raise exceptions of any type on malformed data
            raise ImageError(
                f"Expected {name} to be a picture (JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF or PPM) but its "
                "content is not one that can be read. Open it in a picture editor and save it as PNG."
            ) from error
        width, height = image.size
        if width * height > max_pixels:
            raise ImageError(
                f"Expected at most {max_pixels / 1e6:.4g} megapixels but {name} has "
                f"{width * height / 1e6:.4g} ({width}×{height}). Scale it down first."
            )
        if max(width, height) > MAX_SIDE:
            raise ImageError(
                f"Expected sides of at most {MAX_SIDE} pixels but {name} is {width}×{height}. Cut it first."
            )
        try:
            image.load()
            return _to_srgb(_upright(image))
        except Exception as error:  # as above: every decoder has its own errors
            raise ImageError(
                f"{name} is damaged or cut off and cannot be decoded ({_one_line(error)}). "
                "Get a whole copy of it."
            ) from error


def to_8bit(samples: np.ndarray) -> np.ndarray:
    """Scale deep gray samples to 8 bits: uint8 of the same shape.

    uint16 is scaled from 0..65535 to 0..255 and rounded. 32-bit integers within 0..65535 are scaled the same
    way, because some decoders return 16-bit files as such. Floats within [0, 1] are scaled from 0..1. Any
    other range is stretched from its minimum to its maximum, since the file does not say what black and white
    are. NaN and infinities are left out of the range and become black.
    """
    if samples.dtype.kind == "u" and samples.dtype.itemsize == 2:
        table = np.round(np.arange(65536) / 257).astype(np.uint8)  # avoids a float copy of the picture
        return table[samples]
    finite = np.isfinite(samples)
    kept = samples[finite]
    low, high = (float(kept.min()), float(kept.max())) if kept.size else (0.0, 0.0)
    full = 65535.0 if samples.dtype.kind in "iu" else 1.0
    if low >= 0 and high <= full:
        low, high = 0.0, full
    output = np.zeros(samples.shape, np.uint8)
    if high > low:
        for row, good, out in zip(samples, finite, output, strict=True):  # by rows: no float copy here either
            out[good] = np.round((row[good].astype(np.float64) - low) * (255.0 / (high - low)))
    return output


def _open(source) -> tuple[BinaryIO, str]:
    """A seekable binary stream, and the name that messages use."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        data, name = bytes(source), "the picture"
    elif isinstance(source, (str, os.PathLike)):
        return _open_path(Path(source))
    elif hasattr(source, "read"):
        data, name = source.read(), Path(str(getattr(source, "name", "") or "the picture")).name
        if not isinstance(data, bytes):
            raise ImageError(
                f"Expected {name} to be opened in binary mode but it gave text. Open it with mode 'rb'."
            )
    else:
        raise ImageError(
            f"Expected a path, bytes or a binary file but got {type(source).__name__}. Give one of them."
        )
    if not data:
        raise ImageError(f"Expected a picture but {name} is empty (0 bytes). Get a whole copy of it.")
    return io.BytesIO(data), name


def _open_path(path: Path) -> tuple[BinaryIO, str]:
    shown, name = (text if text.isprintable() else repr(text) for text in (str(path), path.name))
    try:
        if path.is_dir():
            raise ImageError(f"Expected a picture file but {shown} is a folder. Name a file in it.")
        if not path.exists():
            raise ImageError(f"Expected a picture file but {shown} does not exist. Check the path.")
        if not path.is_file():
            raise ImageError(
                f"Expected a picture file but {shown} is a device or a pipe. Save it to a file first."
            )
        if path.stat().st_size == 0:
            raise ImageError(f"Expected a picture but {name} is empty (0 bytes). Get a whole copy of it.")
        return path.open("rb"), name
    except OSError as error:
        raise ImageError(
            f"{shown[:200]} cannot be opened ({error.strerror}). Check path and rights."
        ) from error


def _upright(image: Image.Image) -> Image.Image:
    """A copy detached from the file, with the EXIF orientation applied."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception as error:  # broken EXIF is common, and the pixels are still good
        log.debug("EXIF orientation ignored: %s", error)
        return image.copy()


def _to_srgb(image: Image.Image) -> Image.Image:
    """Mode "RGB" in sRGB, opaque, without metadata."""
    profile = image.info.get("icc_profile")
    if image.mode == "F" or image.mode.startswith("I"):
        image = Image.fromarray(to_8bit(np.asarray(image)))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        image = white
    elif image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("RGB")
    image = _apply_profile(image, profile) if profile else image
    image = image if image.mode == "RGB" else image.convert("RGB")
    image.info = {}  # or a later save would embed the old profile
    return image


def _apply_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert from the embedded ICC profile to sRGB; a broken or unsuitable profile is ignored."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if image.mode == "RGB" and "sRGB" in ImageCms.getProfileDescription(source):
            return image
        converted = ImageCms.profileToProfile(
            image,
            source,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        return converted or image
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        log.debug("ICC profile ignored: %s", error)
        return image


def _one_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
