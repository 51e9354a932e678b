"""Reads pictures of any common format as 8-bit sRGB, or raises an error of one clear line.

No file is trusted: its format is recognised by content instead of suffix, its size is checked before pixels
are decoded, and any exception of a decoder becomes an :class:`~workbench.core.errors.ImageError`.
"""

from __future__ import annotations

import io
import logging
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageOps

from workbench.core.errors import ImageError, WorkbenchError
from workbench.data.colours import colour_info, to_srgb
from workbench.data.kinds import HEAD, RAW, advice, is_heif, is_picture, kind_not_read

log = logging.getLogger(__name__)

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "PPM")  # HEIF joins them when one is met
MAX_PIXELS = 40_000_000  # pictures that are read, not redrawn, are reduced to so many
# Whole pictures are in memory. Redrawing one of 100 megapixels peaks at 2.0 GB, of 180 at 3.0 GB: 0.9 GB and
# 12 bytes a pixel. Reading one of 100 megapixels reduced peaks at 1.2 GB, with transparency at 1.6 GB.
MOST_DRAWN = 200_000_000  # pixels of a picture that is redrawn as it is, which takes 3.3 GB
MOST_READ = 300_000_000  # pixels of a picture that is opened at all, which takes 4 GB, or 5 with transparency
Image.MAX_IMAGE_PIXELS = MOST_READ  # Pillow would warn of smaller ones
MAX_SIDE = 200_000  # tiling a picture of 1 × 40 million pixels would process 65 times its pixels in margins
_HEADER = 65536  # bytes in which files say what their colours are
_PAGES = 64  # of a TIFF or GIF that are looked at for the picture
SYSTEM_FOLDERS = frozenset(("__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information"))
ATELIER_FILE = "atelier.json"  # marks a folder by the atelier, in which
ATELIER_MASKS = ("masks", "seal_masks")  # are folders of its pictures' masks, which are no pictures


def check_folder(
    folder: str | os.PathLike, of: str = "pictures", error: type[WorkbenchError] = ImageError
) -> Path:
    """The path of an existing folder.

    Raises:
        WorkbenchError: of the type ``error``, where it is a file or there is none.
    """
    folder = Path(folder)
    if not folder.is_dir():
        found = "it is a file" if folder.exists() else "there is none"
        raise error(f"Expected a folder of {of} at {folder} but {found}. Check the path.")
    return folder


def list_images(folder: str | os.PathLike) -> list[Path]:
    """Pictures under ``folder`` at any depth, sorted, without hidden ones (``.name``), systems' own and the
    atelier's masks.

    Contents decide, and a suffix where they say nothing. What should be a picture and cannot be read is
    listed, too (camera raw, films, sub-folders without permission, links to folders that were listed
    already): :func:`read_image` says why, so that nothing is passed over unnamed. Other linked folders are
    entered.

    Raises:
        ImageError: if ``folder`` is not an existing folder.
    """
    folder = check_folder(folder)
    return sorted(_pictures(folder, {folder.resolve()}))


def _pictures(folder: Path, entered: set[Path]) -> Iterator[Path]:
    try:
        entries = list(folder.iterdir())
    except OSError:
        yield folder  # `read_image` says what is wrong with it
        return
    left_out = SYSTEM_FOLDERS.union(ATELIER_MASKS if (folder / ATELIER_FILE).is_file() else ())
    for path in entries:
        if path.name.startswith(".") or path.name in left_out:
            continue
        if path.is_dir():
            real = path.resolve()
            if path.is_symlink() and any(
                real in (one, *one.parents) or one in real.parents for one in entered
            ):
                yield path
            else:
                entered.add(real)
                yield from _pictures(path, entered)
        elif is_picture(path):
            yield path


def read_image(source: str | os.PathLike | bytes | BinaryIO, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Read one picture as an upright, opaque, 8-bit sRGB picture.

    EXIF orientation is applied; transparency is composited on white; animations give their first frame that
    is not empty, and multi-page files their first page that is no thumbnail; colours are converted to sRGB
    from whatever the file says they are, and deep samples scaled, not clipped
    (:mod:`workbench.data.colours`). Metadata are dropped.

    Args:
        source: path, the bytes of a file, or a file opened in binary mode (read from its current position).
        max_pixels: a picture of more pixels (width × height) is reduced to about so many, and its own size
            (width, height) is then its ``info["reduced_from"]``.

    Returns:
        Picture in mode "RGB".

    Raises:
        ImageError: missing, a folder, empty, damaged, of a kind that is not read, more than
            :data:`MOST_READ` pixels, or a side above :data:`MAX_SIDE`.
    """
    stream, name = _open(source)
    with stream:
        header = stream.read(_HEADER)
        stream.seek(0)
        image = _opened(stream, header, name)
        image = _page(image, name)
        size = image.size
        _check_size(size, name)
        try:
            if size[0] * size[1] > max_pixels:
                image.draft(None, _reduced_size(size, max_pixels))  # works for JPEG only
            image = _loaded(image, stream)
            known = colour_info(image, header)
            picture = to_srgb(_within(_upright(image), max_pixels), known)
        except Exception as error:  # decoders raise exceptions of any type on malformed data
            raise ImageError(
                f"{name} is damaged or cut off and cannot be decoded ({_one_line(error)}). "
                "Get a whole copy of it."
            ) from error
    picture = _within(picture, max_pixels)
    if size[0] * size[1] > max_pixels:
        turned = (size[0] > size[1]) != (picture.width > picture.height)
        picture.info["reduced_from"] = size[::-1] if turned else size
    return picture


def read_each(
    paths: Iterable[Path], skipped: dict[str, str] | None = None
) -> Iterator[tuple[Path, Image.Image]]:
    """The pictures of those ``paths`` that can be read; every other one is logged as a warning that says why.

    Args:
        paths: of pictures.
        skipped: the paths that are passed over are added to it, with the reason.
    """
    for path in paths:
        try:
            picture = read_image(path)
        except ImageError as error:
            pass_over(path, str(error), skipped)
        else:
            yield path, picture


def pass_over(path: Path, reason: str, skipped: dict[str, str] | None = None) -> None:
    """Log that a picture is passed over and why, and add it to ``skipped``."""
    log.warning("%s is passed over: %s", path, reason)
    if skipped is not None:
        skipped[str(path)] = reason


def as_rgb(image: Image.Image) -> Image.Image:
    """A Pillow image of any mode, converted as by :func:`read_image`; itself if nothing changes.

    Raises:
        ImageError: not a Pillow image.
    """
    if not isinstance(image, Image.Image):
        raise ImageError(
            f"Expected a PIL image but got {type(image).__name__}. Open it with `read_image` first."
        )
    if type(image) is Image.Image and image.mode == "RGB" and not image.info:
        return image
    known = colour_info(image)
    return to_srgb(_upright(image), known)


def _opened(stream: BinaryIO, header: bytes, name: str) -> Image.Image:
    kind = kind_not_read(header[:HEAD], Path(name).suffix)
    formats: tuple[str, ...] = FORMATS
    if is_heif(header):
        import pillow_heif  # its libraries are large, and most pictures are others

        pillow_heif.register_heif_opener(thumbnails=False)
        formats = ("HEIF",)
    try:
        image = Image.open(stream, formats=formats)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{name} is too large: {error}") from error
    except Exception as error:  # decoders raise exceptions of any type on malformed data
        if kind:
            raise ImageError(
                f"Expected a picture of a kind that can be read but {name} is {kind}. {advice(kind)}"
            ) from error
        raise ImageError(
            f"Expected {name} to be a picture (JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF, HEIC or PPM) but its "
            "content is not one that can be read. Open it in a picture editor and save it as PNG."
        ) from error
    if kind or 50706 in getattr(image, "tag_v2", ()):  # DNGVersion
        raise ImageError(f"Expected a developed picture but {name} is {kind or RAW}. {advice(kind)}")
    return image


def _page(image: Image.Image, name: str) -> Image.Image:
    """Turn to the first page of a TIFF that is no thumbnail (NewSubfileType or SubfileType says so)."""

    def reduced() -> bool:
        tags = image.tag_v2  # type: ignore[attr-defined]
        return bool(tags.get(254, 0) & 1) or tags.get(255) == 2

    if image.format != "TIFF":
        return image
    try:
        for page in range(_PAGES):
            image.seek(page)
            if not reduced():
                return image
    except Exception as error:  # no more pages, or a damaged one
        log.debug("%s: page %d cannot be read: %s", name, page, error)
    image.seek(0)
    if 330 not in image.tag_v2:  # type: ignore[attr-defined]
        return image
    raise ImageError(
        f"Expected a full-size picture but {name} has only thumbnails in front of data that are not read, as "
        "raw files of cameras have. Export it as PNG or JPEG."
    )


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width * height > MOST_READ:
        raise ImageError(
            f"Expected at most {MOST_READ / 1e6:.4g} megapixels but {name} has "
            f"{width * height / 1e6:.4g} ({width}×{height}). Cut it into pieces."
        )
    if max(width, height) > MAX_SIDE:
        raise ImageError(
            f"Expected sides of at most {MAX_SIDE:,} pixels, whatever the area, but {name} is "
            f"{width}×{height}: so long a strip would be worked on in tiles that are mostly margins. "
            "Cut it into pieces."
        )


def _loaded(image: Image.Image, stream: BinaryIO) -> Image.Image:
    """The picture with its pixels decoded; of an animation, the first frame in which there is something."""
    try:
        image.load()
    except OSError:
        whole = _with_end(image, stream) if image.format == "JPEG" else None
        if whole is None:
            raise
        return whole
    if image.has_transparency_data and getattr(image, "is_animated", False):
        for frame in range(_PAGES):
            image.seek(frame)
            if image.convert("RGBA").getchannel("A").getextrema()[1]:
                return image
        image.seek(0)
    return image


def _with_end(image: Image.Image, stream: BinaryIO) -> Image.Image | None:
    """A JPEG file that lacks nothing but its end marker, as some cameras and downloads leave it, or None.

    Where pixels are missing, too, they would follow from whatever comes next: two continuations differ.
    """
    stream.seek(0)
    data = stream.read()
    versions = []
    for filler in (b"", bytes(64), b"\x55" * 4096):
        version = Image.open(io.BytesIO(data + filler + b"\xff\xd9"), formats=("JPEG",))
        version.draft(None, image.size)
        version.load()
        versions.append(version)
    return versions[0] if all(v.tobytes() == versions[0].tobytes() for v in versions[1:]) else None


def _reduced_size(size: tuple[int, int], pixels: int) -> tuple[int, int]:
    scale = math.sqrt(pixels / (size[0] * size[1]))
    return max(1, int(size[0] * scale)), max(1, int(size[1] * scale))


def _within(image: Image.Image, pixels: int) -> Image.Image:
    """Reduced to at most so many pixels, in the modes that can be averaged."""
    if image.width * image.height <= pixels or image.mode not in ("L", "RGB", "RGBA", "CMYK"):
        return image
    if "transparency" in image.info and image.mode != "RGBA":  # one colour stands for it
        return image
    return image.resize(_reduced_size(image.size, pixels), Image.Resampling.LANCZOS, reducing_gap=2.0)


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
            raise ImageError(f"Expected a picture file but {shown} is {_folder(path)}")
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
            f"{shown[:200]} cannot be opened ({error.strerror}). Check the path and its permissions."
        ) from error


def _folder(path: Path) -> str:
    if not os.access(path, os.R_OK | os.X_OK):
        return "a folder that you may not read. Change its permissions."
    if path.is_symlink():
        return f"a link to the folder {path.resolve()}, which is listed already or holds this one."
    return "a folder. Name a file in it."


def _upright(image: Image.Image) -> Image.Image:
    """A copy detached from the file, with the EXIF orientation applied."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception as error:  # broken EXIF is common, and the pixels are still good
        log.debug("EXIF orientation ignored: %s", error)
        return image.copy()


def _one_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
