"""Odd and bad pictures, synthesised here: what reading each must give, or the words of its refusal.

Every picture is made of :func:`scene`, so that what comes back can be compared with it. Clips are in
:mod:`corpus_clips`.
"""

from __future__ import annotations

import dataclasses
import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 48, 32


@dataclasses.dataclass(frozen=True)
class Case:
    """One file: how it is made, and what must come of it."""

    make: Callable[[Path], Path]  # from a path to write at, to the path to read
    expected: Callable[[], np.ndarray] | None = None  # (H, W, 3) RGB; None if it is refused
    near: float = 0.0  # mean absolute difference in levels that the coding may cost
    words: str = ""  # of the refusal


def scene() -> np.ndarray:
    """Four different quarters with a gradient: no turn, mirror image or swap of channels leaves it be."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    left, top = x < WIDTH // 2, y < HEIGHT // 2
    red = np.where(left & top, 220, 30) + x // 2
    green = np.where(~left & top, 200, 40) + y
    blue = np.where(left & ~top, 210, 20)
    return np.stack([red, green, blue], -1).astype(np.uint8)


def encoded(pixels: np.ndarray | Image.Image, kind: str, **options) -> bytes:
    """The bytes of a file of a kind that Pillow knows."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _file(data: Callable[[], bytes]) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        path.write_bytes(data())
        return path

    return make


def good(data: Callable[[], bytes], expected=scene, near: float = 0.0) -> Case:
    """A file that is read."""
    return Case(_file(data), expected, near)


def bad(words: str, data: Callable[[], bytes]) -> Case:
    """A file that is refused."""
    return Case(_file(data), words=words)


# ---- expectations


def _gray() -> np.ndarray:
    return np.repeat(np.asarray(Image.fromarray(scene()).convert("L"))[..., None], 3, -1)


def _bilevel() -> np.ndarray:
    return np.where(_gray() > 99, 255, 0).astype(np.uint8)


def _half_on_white() -> np.ndarray:
    """The left half stays, the right is wholly transparent and so white."""
    pixels = scene()
    pixels[:, WIDTH // 2 :] = 255
    return pixels


def _rgba() -> Image.Image:
    alpha = np.zeros((HEIGHT, WIDTH), np.uint8)
    alpha[:, : WIDTH // 2] = 255
    return Image.fromarray(np.dstack([scene(), alpha]))


def _flat(colour: tuple[int, int, int], width: int, height: int) -> Callable[[], np.ndarray]:
    return lambda: np.full((height, width, 3), colour, np.uint8)


# ---- files


def _exif(orientation: int, kind: str = "PNG") -> Callable[[], bytes]:
    """The scene stored turned or mirrored, so that its tag makes it upright."""
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }

    def data() -> bytes:
        exif = Image.Exif()
        exif[0x0112] = orientation
        turned = undo.get(orientation, undo[1])(scene())
        return encoded(np.ascontiguousarray(turned), kind, exif=exif.tobytes())

    return data


def _animated(kind: str, **options) -> Callable[[], bytes]:
    """The scene, then two other frames."""
    others = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ("black", "yellow")]
    return lambda: encoded(scene(), kind, save_all=True, append_images=others, duration=40, **options)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: bytes = b"", depth: int = 8, colour: int = 2, adam7: int = 0) -> bytes:
    """A PNG put together by hand, whose header may claim anything."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, adam7)
    chunks = _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _sixteen_bit_rgb() -> bytes:
    """Every sample times 257, behind a filter byte a row."""
    wide = (scene().astype(">u2") * 257).reshape(HEIGHT, -1)
    return png(WIDTH, HEIGHT, b"".join(b"\0" + row.tobytes() for row in wide), depth=16)


def _interlaced() -> bytes:
    """Adam7: seven passes over ever finer grids."""
    passes = (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    )
    parts = [scene()[y::dy, x::dx] for x, y, dx, dy in passes]
    rows = b"".join(b"\0" + row.tobytes() for part in parts for row in part)
    return png(WIDTH, HEIGHT, rows, adam7=1)


def _palette(**options) -> bytes:
    return encoded(Image.fromarray(scene()).quantize(256, dither=Image.Dither.NONE), "PNG", **options)


def _one_transparent_entry() -> bytes:
    """A palette picture of two colours, one of them transparent."""
    image = Image.new("P", (WIDTH, HEIGHT), 0)
    image.putpalette([10, 60, 200, 0, 255, 0])
    ImageDraw.Draw(image).rectangle((WIDTH // 2, 0, WIDTH, HEIGHT), fill=1)
    return encoded(image, "PNG", transparency=1)


def _blue_then_white() -> np.ndarray:
    pixels = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    pixels[:, : WIDTH // 2] = 10, 60, 200
    return pixels


def _broken_exif() -> bytes:
    return encoded(scene(), "JPEG", quality=95, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + bytes(20))


def _cut(kind: str, share: float = 0.6) -> Callable[[], bytes]:
    def data() -> bytes:
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        whole = encoded(noise, kind)
        return whole[: int(len(whole) * share)]

    return data


def _flipped_middle() -> bytes:
    """A PNG whose picture data no longer fit their checksum."""
    data = bytearray(encoded(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8), "PNG"))
    middle = slice(len(data) // 2, len(data) // 2 + 64)
    data[middle] = bytes(255 - byte for byte in data[middle])
    return bytes(data)


def gif_header(width: int, height: int) -> bytes:
    """A GIF with a canvas of any size and one pixel of picture."""
    palette_and_pixel = b"\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"
    return b"GIF89a" + struct.pack("<HH", width, height) + palette_and_pixel


def _bmp_header(width: int, height: int) -> bytes:
    return (
        b"BM"
        + struct.pack("<IHHI", 54, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, *[0] * 6)
    )


# ---- what is no file at all


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def _link_to(name: str, data: bytes | None) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        if data is not None:
            path.with_name(name).write_bytes(data)
        path.symlink_to(name)
        return path

    return make


def _own_link(path: Path) -> Path:
    path.symlink_to(path.name)
    return path


PICTURES: dict[str, Case] = {
    # kinds
    "plain.png": good(lambda: encoded(scene(), "PNG")),
    "plain.bmp": good(lambda: encoded(scene(), "BMP")),
    "plain.ppm": good(lambda: encoded(scene(), "PPM")),
    "plain.tiff": good(lambda: encoded(scene(), "TIFF")),
    "lzw.tif": good(lambda: encoded(scene(), "TIFF", compression="tiff_lzw")),
    "lossless.webp": good(lambda: encoded(scene(), "WEBP", lossless=True)),
    "plain.jpg": good(lambda: encoded(scene(), "JPEG", quality=95, subsampling=0), near=1),
    "progressive.jpg": good(
        lambda: encoded(scene(), "JPEG", quality=95, subsampling=0, progressive=True), near=1
    ),
    "plain.webp": good(lambda: encoded(scene(), "WEBP", quality=95), near=8),
    "plain.avif": good(lambda: encoded(scene(), "AVIF", quality=95), near=8),
    "plain.gif": good(lambda: encoded(scene(), "GIF"), near=1),
    # samples
    "gray.png": good(lambda: encoded(Image.fromarray(scene()).convert("L"), "PNG"), _gray),
    "gray.jpg": good(lambda: encoded(Image.fromarray(scene()).convert("L"), "JPEG", quality=95), _gray, 1),
    "bilevel.png": good(lambda: encoded(Image.fromarray(_bilevel()).convert("1"), "PNG"), _bilevel),
    "palette.png": good(_palette, near=1),
    "palette_transparent.png": good(_one_transparent_entry, _blue_then_white),
    "alpha.png": good(lambda: encoded(_rgba(), "PNG"), _half_on_white),
    "alpha.webp": good(lambda: encoded(_rgba(), "WEBP", lossless=True), _half_on_white),
    "alpha.tif": good(lambda: encoded(_rgba(), "TIFF"), _half_on_white),
    "gray_alpha.png": good(
        lambda: encoded(Image.new("LA", (9, 7), (80, 0)), "PNG"), _flat((255, 255, 255), 9, 7)
    ),
    "sixteen_bit_gray.png": good(
        lambda: encoded(Image.fromarray(_gray()[..., 0].astype(np.uint16) * 257), "PNG"), _gray
    ),
    "sixteen_bit_rgb.png": good(_sixteen_bit_rgb),
    "float.tif": good(
        lambda: encoded(Image.fromarray(_gray()[..., 0].astype(np.float32) / 255), "TIFF"), _gray
    ),
    "cmyk.jpg": good(lambda: encoded(Image.fromarray(scene()).convert("CMYK"), "JPEG", quality=95), near=1),
    "cmyk.tif": good(lambda: encoded(Image.fromarray(scene()).convert("CMYK"), "TIFF"), near=1),
    "interlaced.png": good(_interlaced),
    # several pictures in one file: the first
    "animated.gif": good(_animated("GIF"), near=1),
    "animated.webp": good(_animated("WEBP", lossless=True)),
    "animated.png": good(_animated("PNG")),
    "pages.tif": good(_animated("TIFF")),
    "animated.avif": good(_animated("AVIF", quality=95), near=8),
    # orientation
    **{f"orientation_{tag}.png": good(_exif(tag)) for tag in range(2, 9)},
    "orientation_6.webp": good(_exif(6, "WEBP"), near=8),
    "orientation_nine.png": good(_exif(9)),
    "broken_exif.jpg": good(_broken_exif, near=8),
    # sizes
    "one_pixel.png": good(
        lambda: encoded(np.full((1, 1, 3), 77, np.uint8), "PNG"), _flat((77, 77, 77), 1, 1)
    ),
    "sliver.png": good(lambda: png(1, 3000, b"\0abc" * 3000), _flat((97, 98, 99), 1, 3000)),
    # names
    "png_inside.jpg": good(lambda: encoded(scene(), "PNG")),
    "no_suffix": good(lambda: encoded(scene(), "PNG")),
    "UPPER.PNG": good(lambda: encoded(scene(), "PNG")),
    "山水 with spaces 'and' quotes.png": good(lambda: encoded(scene(), "PNG")),
    "two\nlines.png": good(lambda: encoded(scene(), "PNG")),
    "-dash.png": good(lambda: encoded(scene(), "PNG")),
    "link.png": Case(_link_to("target.png", encoded(scene(), "PNG")), scene),
    "tail_behind.png": good(lambda: encoded(scene(), "PNG") + b"appended"),
    # refused: nothing, or nothing whole
    "empty.png": bad("is empty", lambda: b""),
    **{f"cut.{kind.lower()}": bad("cut off|not one", _cut(kind)) for kind in ("JPEG", "PNG", "WEBP", "TIFF")},
    **{f"cut.{kind.lower()}": bad("cut off|not one", _cut(kind)) for kind in ("GIF", "AVIF", "BMP", "PPM")},
    "header_only.png": bad("cut off|not one", lambda: encoded(scene(), "PNG")[:33]),
    "zeros_behind_header.jpg": bad("cut off|not one", lambda: encoded(scene(), "JPEG")[:200] + bytes(2000)),
    "corrupt_middle.png": bad("is damaged", _flipped_middle),
    "zero_sides.png": bad("not one|damaged", lambda: png(0, 0)),
    "grows_to_its_frame.gif": good(lambda: gif_header(0, 0), _flat((0, 0, 0), 1, 1)),
    # refused: too large
    "bomb.png": bad("megapixels|too large", lambda: png(50_000, 50_000)),
    "bomb_dense.png": bad("megapixels|too large", lambda: png(20_000, 20_000, bytes(10**6), 1, 0)),
    "bomb.gif": bad("megapixels|too large", lambda: gif_header(65_535, 65_535)),
    "bomb.bmp": bad("megapixels|too large", lambda: _bmp_header(60_000, 60_000)),
    "bomb.ppm": bad("megapixels|too large", lambda: b"P6 90000 90000 255\n"),
    "ribbon.png": bad("sides of at most", lambda: png(200_001, 1)),
    # refused: something else
    "text.png": bad("can be read", lambda: b"not a picture\n" * 9),
    "page.jpg": bad("can be read", lambda: b"<!DOCTYPE html><title>404</title>"),
    "drawing.svg": bad("can be read", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    "print.eps": bad("can be read", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    "paper.pdf": bad("can be read", lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"),
    "archive.png": bad("can be read", lambda: b"PK\3\4" + bytes(500)),
    "film.jpg": bad("can be read", lambda: b"\0\0\0\x20ftypisom" + bytes(200)),
    "noise.webp": bad("can be read", lambda: np.random.default_rng(0).bytes(4000)),
    "folder.png": Case(_folder, words="is a folder"),
    "pipe.png": Case(_pipe, words="a device or a pipe"),
    "missing.png": Case(lambda path: path, words="does not exist"),
    "missing\ntwo lines.png": Case(lambda path: path, words="does not exist"),
    "dangling.png": Case(_link_to("nowhere.png", None), words="does not exist"),
    "own_tail.png": Case(_own_link, words="does not exist|cannot be opened"),
}
