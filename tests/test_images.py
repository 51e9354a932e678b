"""Good, odd and bad pictures, made here, against what reading them must give."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from workbench.core.errors import ImageError
from workbench.data import images
from workbench.data.colours import to_8bit
from workbench.data.images import list_images, read_image


def gradient(width=40, height=24) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // (width - 1), y * 255 // (height - 1), (x + y) * 2], -1).astype(np.uint8)


def encode(image, kind, **options) -> bytes:
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int, depth: int = 8, colour: int = 2, idat: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(idat))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_kinds_come_back_exactly(kind):
    image = read_image(encode(gradient(), kind))
    assert image.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(image), gradient())


@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {"quality": 95, "subsampling": 0}), ("WEBP", {"quality": 95}), ("AVIF", {"quality": 95})],
)
def test_lossy_kinds_come_back_closely(kind, options):
    image = read_image(encode(gradient(), kind, **options))
    assert np.abs(np.asarray(image, int) - gradient()).mean() < 4


def test_sources_paths_bytes_and_files(tmp_path):
    path = tmp_path / "bild ä 画.png"
    path.write_bytes(encode(gradient(), "PNG"))
    with path.open("rb") as file:
        for source in (path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes()), file):
            np.testing.assert_array_equal(np.asarray(read_image(source)), gradient())
        assert not file.closed


def test_wrong_suffix_is_read_by_content(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(encode(gradient(), "PNG"))
    np.testing.assert_array_equal(np.asarray(read_image(path)), gradient())


def test_one_pixel():
    image = read_image(encode(np.full((1, 1, 3), 7, np.uint8), "PNG"))
    assert image.size == (1, 1)
    assert image.getpixel((0, 0)) == (7, 7, 7)


def test_gray_bilevel_and_palette():
    gray = gradient()[..., 0]
    np.testing.assert_array_equal(np.asarray(read_image(encode(gray, "PNG")))[..., 1], gray)
    bilevel = Image.fromarray(gray).convert("1")
    np.testing.assert_array_equal(
        np.asarray(read_image(encode(bilevel, "PNG")))[..., 2], np.asarray(bilevel) * 255
    )
    palette = Image.fromarray(gradient()).quantize(16)
    np.testing.assert_array_equal(
        np.asarray(read_image(encode(palette, "PNG"))), np.asarray(palette.convert("RGB"))
    )


def test_transparency_is_composited_on_white():
    rgba = np.zeros((2, 3, 4), np.uint8)
    rgba[..., 3] = [[0, 255, 51], [0, 255, 51]]  # black at 0, 1 and 0.2 of opacity
    for image in (
        read_image(encode(rgba, "PNG")),
        read_image(encode(Image.fromarray(rgba).convert("LA"), "PNG")),
    ):
        np.testing.assert_array_equal(np.asarray(image)[0, :, 0], [255, 0, 204])
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    image = read_image(encode(palette, "PNG", transparency=0))
    assert [image.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (40, 50, 60)]
    keyed = Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8))
    image = read_image(encode(keyed, "PNG", transparency=(1, 2, 3)))
    assert [image.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (4, 5, 6)]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bit_gray_is_scaled_not_clipped(kind):
    deep = np.array([[0, 257, 128 * 257, 65535, 300]], np.uint16)
    image = read_image(encode(deep, kind))
    np.testing.assert_array_equal(np.asarray(image)[0, :, 0], [0, 1, 128, 255, 1])


def test_sixteen_bit_colour_png_is_scaled():
    rows = b"\x00" + np.array([[0, 32896, 65535]], ">u2").tobytes()
    image = read_image(png_header(1, 1, depth=16, idat=rows))
    assert image.getpixel((0, 0)) == (0, 128, 255)


def test_float_and_integer_tiff():
    unit = np.array([[0.0, 0.5, 1.0, np.nan]], np.float32)
    np.testing.assert_array_equal(np.asarray(read_image(encode(unit, "TIFF")))[0, :, 0], [0, 128, 255, 0])
    wide = np.array([[-1000, 0, 1000]], np.int32)
    np.testing.assert_array_equal(np.asarray(read_image(encode(wide, "TIFF")))[0, :, 0], [0, 128, 255])
    assert to_8bit(np.full((2, 2), np.nan)).max() == 0
    np.testing.assert_array_equal(to_8bit(np.array([[100.0, 300.0]])), [[0, 255]])
    np.testing.assert_array_equal(to_8bit(np.array([[5.0, 5.0]])), [[0, 0]])


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_first_frame_of_an_animation(kind):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if kind == "WEBP" else {}
    image = read_image(encode(frames[0], kind, save_all=True, append_images=frames[1:], **options))
    red, green, blue = image.getpixel((8, 8))
    assert red > 245
    assert max(green, blue) < 10


def test_phone_jpeg_with_several_pictures_gives_the_first():
    first, second = Image.new("RGB", (16, 16), "red"), Image.new("RGB", (16, 16), "blue")
    red, _, blue = read_image(encode(first, "MPO", save_all=True, append_images=[second])).getpixel((8, 8))
    assert red > 245
    assert blue < 10


def test_exif_that_cannot_be_parsed_does_not_matter(monkeypatch):
    def fail(image):
        raise SyntaxError("not a TIFF file")

    monkeypatch.setattr("PIL.ImageOps.exif_transpose", fail)
    image = read_image(encode(gradient(), "PNG"))
    assert type(image) is Image.Image
    np.testing.assert_array_equal(np.asarray(image), gradient())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_exif_orientation_is_applied_once(kind, orientation):
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :8] = 255  # a white top left corner in a landscape picture
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(np.ascontiguousarray(stored[orientation]), kind, exif=exif)
    image = read_image(data)
    assert image.size == (32, 16)
    assert np.abs(np.asarray(image, int) - upright).mean() < 4


def test_broken_exif_does_not_matter():
    image = read_image(encode(gradient(), "PNG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff garbage"))
    np.testing.assert_array_equal(np.asarray(image), gradient())


def test_cmyk_plain_and_adobe_inverted():
    cmyk = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    for kind in ("TIFF", "JPEG"):  # Pillow writes CMYK JPEG inverted with Adobe's marker
        data = encode(cmyk, kind)
        assert kind != "JPEG" or b"Adobe" in data
        red, green, blue = read_image(data).getpixel((4, 4))
        assert red > 250
        assert max(green, blue) < 6


def test_colour_profile_is_converted_and_dropped():
    lab_like = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = read_image(encode(gradient(), "PNG", icc_profile=lab_like))
    np.testing.assert_array_equal(np.asarray(image), gradient())
    assert image.info == {}
    swapped = bgr_profile(lab_like)
    image = read_image(encode(np.full((2, 2, 3), (250, 20, 20), np.uint8), "PNG", icc_profile=swapped))
    red, _, blue = image.getpixel((0, 0))
    assert blue > 200 > 60 > red
    image = read_image(encode(gradient(), "PNG", icc_profile=b"not a profile"))
    np.testing.assert_array_equal(np.asarray(image), gradient())


def bgr_profile(srgb: bytes) -> bytes:
    """sRGB with its red and blue primaries swapped and another name, so that a conversion must show."""
    data = srgb.replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be")).replace(
        b"sRGB built-in", b"test built-in"
    )
    data = data.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")
    assert data != srgb
    return data


KINDS = ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "PPM"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7])
def test_truncated_files_are_refused_in_one_line(kind, share):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encode(noise, kind)
    with pytest.raises(ImageError) as caught:
        read_image(data[: int(len(data) * share)])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_read_or_refused_but_never_crash(kind):
    rng = np.random.default_rng(1)
    clean = bytearray(encode(gradient(), kind))
    for _ in range(60):
        data = bytearray(clean)
        for place in rng.integers(0, len(data), 4):
            data[place] = rng.integers(256)
        try:
            outcome = read_image(bytes(data), max_pixels=1_000_000)
        except ImageError as error:
            outcome = error
        assert getattr(outcome, "mode", "RGB") == "RGB"
        assert "\n" not in str(outcome)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder / "none.png", "does not exist"),
        (lambda folder: folder, "is a folder"),
        (lambda folder: write(folder / "empty.jpg", b""), "is empty"),
        (lambda folder: write(folder / "text.png", b"hello, not a picture"), "not one that can be read"),
        (
            lambda folder: write(folder / "x.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
            "can be read but x.svg is an SVG drawing",
        ),
        (
            lambda folder: write(folder / "x.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
            "can be read",
        ),
        (lambda folder: b"", "is empty"),
        (lambda folder: io.BytesIO(b""), "is empty"),
        (lambda folder: io.StringIO("text"), "binary mode"),
        (lambda folder: None, "got NoneType"),
        (lambda folder: "nul\0byte.png", "does not exist"),
        (lambda folder: folder / "two\nlines.png", "does not exist"),
        (lambda folder: "x" * 5000, "cannot be opened"),
    ],
)
def test_bad_sources_say_what_is_wrong(tmp_path, make, words):
    with pytest.raises(ImageError, match=words) as caught:
        read_image(make(tmp_path))
    assert "\n" not in str(caught.value)


def write(path, data: bytes):
    path.write_bytes(data)
    return path


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageError, match="pipe"):
        read_image(tmp_path / "pipe.png")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [17_400, 30_000, 50_000])
def test_bombs_are_refused_before_decoding(side, monkeypatch):
    def refuse(self):
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", refuse)
    with pytest.raises(ImageError, match=r"megapixels|too large"):
        read_image(png_header(side, side))


def test_ribbons_are_refused():
    assert read_image(png_header(2000, 1, idat=bytes(6001))).size == (2000, 1)
    for width, height in ((200_001, 1), (2, 200_001)):
        words = f"sides of at most 200,000 pixels, whatever the area, but the picture is {width}×{height}: so"
        with pytest.raises(ImageError, match=words):
            read_image(png_header(width, height))


def test_a_picture_beyond_the_pixels_is_reduced_and_says_so():
    halves = np.zeros((40, 80, 3), np.uint8)
    halves[:, 40:] = 240
    for kind, options in (("PNG", {}), ("JPEG", {"quality": 95})):
        data = encode(halves, kind, **options)
        assert read_image(data, max_pixels=3200).size == (80, 40)
        small = read_image(data, max_pixels=800)
        assert small.size == (40, 20)
        assert small.info == {"reduced_from": (80, 40)}
        assert np.abs(np.asarray(small, int)[:, :18]).max() < 8
        assert np.abs(np.asarray(small, int)[:, 22:] - 240).max() < 8
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = read_image(encode(halves, "JPEG", exif=exif), max_pixels=800)
    assert (turned.size, turned.info["reduced_from"]) == ((20, 40), (40, 80))


def test_list_images_sorted_recursive_by_suffix(tmp_path):
    for name in ("b.PNG", "a.jpg", "sub/c.webp", "notes.txt", ".hidden.png", ".cache/d.png", "sub/e.tiff"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "folder.png").mkdir()
    assert [str(p.relative_to(tmp_path)) for p in list_images(tmp_path)] == [
        "a.jpg",
        "b.PNG",
        "sub/c.webp",
        "sub/e.tiff",
    ]
    for bad in (tmp_path / "none", tmp_path / "a.jpg"):
        with pytest.raises(ImageError, match="Expected a folder"):
            list_images(bad)


def test_every_listed_format_is_one_that_pillow_knows():
    Image.init()
    assert set(images.FORMATS) <= set(Image.OPEN)


def test_heic_is_read_upright():
    import pillow_heif

    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = 6
    flat = np.zeros((32, 64, 3), np.uint8)
    flat[:, :32] = 220
    data = encode(flat, "HEIF", quality=95, exif=exif.tobytes())
    image = read_image(data)
    assert image.size == (32, 64)
    shades = np.asarray(image, int)[..., 1]
    assert abs(shades[:28] - 220).max() < 8
    assert shades[36:].max() < 8


def test_the_first_page_of_a_tiff_that_is_no_thumbnail():
    import tifffile

    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(gradient(10, 6), photometric="rgb", subfiletype=1)
        file.write(gradient(), photometric="rgb", subfiletype=0)
    np.testing.assert_array_equal(np.asarray(read_image(buffer.getvalue())), gradient())
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:  # as cameras do: the picture lies in a sub-directory
        file.write(gradient(10, 6), photometric="rgb", subfiletype=1, subifds=1)
        file.write(gradient(), photometric="rgb", subfiletype=0)
    with pytest.raises(ImageError, match="only thumbnails in front"):
        read_image(buffer.getvalue())


def test_a_jpeg_that_lacks_only_its_end_is_whole():
    for options in ({}, {"progressive": True}, {"subsampling": 0, "quality": 99}):
        data = encode(np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8), "JPEG", **options)
        assert data.endswith(b"\xff\xd9")
        np.testing.assert_array_equal(np.asarray(read_image(data[:-2])), np.asarray(read_image(data)))
        for lost in (12, 40, len(data) // 2):
            with pytest.raises(ImageError, match="damaged or cut off"):
                read_image(data[:-lost])


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_empty_first_frames_are_passed(kind):
    empty, full = Image.new("RGBA", (16, 16)), Image.new("RGBA", (16, 16), (250, 0, 0, 255))
    options = {"lossless": True} if kind == "WEBP" else {"disposal": 2}
    data = encode(empty, kind, save_all=True, append_images=[full], duration=50, **options)
    assert read_image(data).getpixel((8, 8))[1] < 10
    assert read_image(encode(empty, kind)).getpixel((8, 8)) == (255, 255, 255)


def test_raw_files_are_refused_by_name():
    dng = encode(gradient(), "TIFF", tiffinfo={50706: b"\x01\x04\x00\x00"})
    cr2 = b"II*\0\x10\0\0\0CR\2\0" + bytes(60)
    for data in (dng, cr2):
        with pytest.raises(ImageError, match="is a camera's raw file"):
            read_image(data)


def test_a_folder_that_cannot_be_opened_is_listed_and_says_why(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.png").write_bytes(encode(gradient(), "PNG"))
    as_root = type(tmp_path).iterdir

    def iterdir(self):
        if self.name == "closed":
            raise PermissionError(13, "Permission denied")
        return as_root(self)

    monkeypatch.setattr(type(tmp_path), "iterdir", iterdir)
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert [p.name for p in list_images(tmp_path)] == ["a.png", "closed"]
    with pytest.raises(ImageError, match="closed is a folder that you may not read"):
        read_image(tmp_path / "closed")
