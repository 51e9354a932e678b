"""Colours of every encoding, against littlecms with published primaries and against values by hand."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms
from test_images import chunk, encode, gradient

import workbench as wb
from workbench.data.images import as_rgb, read_image

# XYZ at D50 of red, green and blue, as the profiles of their makers have them
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
P3 = ((0.51510, 0.24118, -0.00105), (0.29197, 0.69224, 0.04188), (0.15715, 0.06658, 0.78438))
BT2020 = ((0.67346, 0.27903, -0.00193), (0.16566, 0.67534, 0.02998), (0.12510, 0.04563, 0.79716))
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def s15(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def profile(primaries, curve, name: str = "a profile") -> bytes:
    """An ICC profile: a power, or the five parameters of sRGB's curve; gray if it has no primaries."""
    shape = s15(*curve) if isinstance(curve, tuple) else s15(curve)
    trc = b"para" + bytes(4) + struct.pack(">HH", 3 if isinstance(curve, tuple) else 0, 0) + shape
    text = name.encode("utf-16-be")
    description = b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(text), 28) + text
    parts = {b"desc": description, b"wtpt": b"XYZ " + bytes(4) + s15(0.9642, 1, 0.8249)}
    if primaries:
        parts |= {b"rTRC": trc, b"gTRC": trc, b"bTRC": trc}
        parts |= {
            k: b"XYZ " + bytes(4) + s15(*v)
            for k, v in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)
        }
    else:
        parts |= {b"kTRC": trc}
    table, data, place = b"", b"", 132 + 12 * len(parts)
    for key, part in parts.items():
        part += bytes(-len(part) % 4)
        table += key + struct.pack(">II", place + len(data), len(part))
        data += part
    head = struct.pack(
        ">I4sI4s4s4s",
        place + len(data),
        bytes(4),
        0x04200000,
        b"mntr",
        b"RGB " if primaries else b"GRAY",
        b"XYZ ",
    )
    head += bytes(12) + b"acsp" + bytes(28) + s15(0.9642, 1, 0.8249)
    return head.ljust(128, b"\0") + struct.pack(">I", len(parts)) + table + data


def by_littlecms(image: Image.Image, source: bytes) -> np.ndarray:
    srgb = ImageCms.createProfile("sRGB")
    found = ImageCms.profileToProfile(image, ImageCms.ImageCmsProfile(io.BytesIO(source)), srgb, 1, "RGB")
    return np.asarray(found, int)


def in_png(kind: bytes, data: bytes, pixels: np.ndarray | None = None) -> bytes:
    """A PNG with one more chunk behind its header."""
    file = encode(gradient() if pixels is None else pixels, "PNG")
    return file[:33] + chunk(kind, data) + file[33:]


def near(image: Image.Image, expected: np.ndarray, levels: int = 2) -> None:
    assert image.mode == "RGB"
    assert np.abs(np.asarray(image, int) - expected).max() <= levels


@pytest.mark.parametrize("name", ["sRGB built-in", "GIMP built-in Linear sRGB", "scRGB"])
def test_what_a_profile_does_counts_and_not_its_name(name):
    linear, own = profile(SRGB, 1.0, name), profile(SRGB, SRGB_CURVE, name)
    image = Image.fromarray(gradient())
    near(read_image(encode(image, "PNG", icc_profile=linear)), by_littlecms(image, linear))
    assert by_littlecms(image, linear)[2, 20, 0] - gradient()[2, 20, 0] > 50
    near(read_image(encode(image, "PNG", icc_profile=own)), gradient(), 0)


def test_a_gray_profile_holds_with_alpha_too():
    gray = Image.fromarray(gradient()[..., 0])
    linear = profile(None, 1.0)
    expected = np.repeat(by_littlecms(gray, linear)[..., :1], 3, -1)
    near(read_image(encode(gray, "PNG", icc_profile=linear)), expected)
    half = np.full(gray.size[::-1], 255, np.uint8)
    half[:, 20:] = 0
    with_alpha = Image.merge("LA", (gray, Image.fromarray(half)))
    expected[:, 20:] = 255
    near(read_image(encode(with_alpha, "PNG", icc_profile=linear)), expected)


def test_a_gray_picture_with_a_profile_for_colours():
    gray, linear = Image.fromarray(gradient()[..., 0]), profile(SRGB, 1.0)
    near(read_image(encode(gray, "PNG", icc_profile=linear)), by_littlecms(gray.convert("RGB"), linear))


@pytest.mark.parametrize(
    ("codes", "primaries", "curve"),
    [((12, 13), P3, SRGB_CURVE), ((9, 13), BT2020, SRGB_CURVE), ((1, 8), SRGB, 1.0), ((12, 4), P3, 2.2)],
)
def test_code_points_of_png_avif_and_heic(codes, primaries, curve):
    image = Image.fromarray(gradient())
    expected = by_littlecms(image, profile(primaries, curve))
    png = in_png(b"cICP", bytes([*codes, 0, 1]))
    near(read_image(png), expected)
    import pillow_heif

    pillow_heif.register_heif_opener()
    for kind, options in (("AVIF", {"quality": 100, "subsampling": "4:4:4"}), ("HEIF", {"quality": 95})):
        colour = Image.new("RGB", (64, 64), (200, 90, 40))
        data = encode(colour, kind, **options)
        place = data.index(b"colrnclx") + 8
        tagged = data[:place] + struct.pack(">HH", *codes) + data[place + 4 :]
        near(read_image(tagged), by_littlecms(colour, profile(primaries, curve)), 5)
        near(read_image(data), np.array((200, 90, 40)), 5)


def test_code_points_of_srgb_change_nothing_and_count_more_than_a_profile():
    near(read_image(in_png(b"cICP", bytes((1, 13, 0, 1)))), gradient(), 0)
    tagged = encode(gradient(), "PNG", icc_profile=profile(SRGB, 1.0))
    tagged = tagged[:33] + chunk(b"cICP", bytes((12, 13, 0, 1))) + tagged[33:]
    near(read_image(tagged), by_littlecms(Image.fromarray(gradient()), profile(P3, SRGB_CURVE)))


def test_gamma_and_chromaticities_of_png():
    image = Image.fromarray(gradient())
    near(read_image(in_png(b"gAMA", struct.pack(">I", 100_000))), by_littlecms(image, profile(SRGB, 1.0)))
    near(read_image(in_png(b"gAMA", struct.pack(">I", 45_455))), gradient(), 0)
    linear = in_png(b"gAMA", struct.pack(">I", 100_000))
    near(read_image(linear[:33] + chunk(b"sRGB", b"\0") + linear[33:]), gradient(), 0)
    adobe = (31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)
    tagged = in_png(b"gAMA", struct.pack(">I", 55_556))
    tagged = tagged[:33] + chunk(b"cHRM", struct.pack(">8I", *adobe)) + tagged[33:]
    near(read_image(tagged), by_littlecms(image, profile(ADOBE, 1.8)))


@pytest.mark.parametrize("how", ["R03", "2"])
def test_adobe_rgb_as_cameras_say_it(how):
    def picture(tags) -> bytes:
        exif = Image.Exif()
        exif[0x8769] = tags
        return encode(gradient(), "PNG", exif=exif)

    tags = {0xA001: 0xFFFF, 0xA005: {1: "R03"}} if how == "R03" else {0xA001: 2}
    expected = by_littlecms(Image.fromarray(gradient()), profile(ADOBE, 563 / 256))
    near(read_image(picture(tags)), expected)
    near(read_image(picture({0xA001: 1})), gradient(), 0)
    near(read_image(picture({0xA001: 0xFFFF})), gradient(), 0)


def pq(nits: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084."""
    power = (nits / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def test_pq_shows_203_nits_as_white_and_rolls_off_what_is_brighter():
    def read(nits):
        levels = np.round(255 * pq(np.array(nits, float))).astype(np.uint8)
        gray = np.repeat(levels[None, :, None], 3, -1)
        return np.asarray(read_image(in_png(b"cICP", bytes((9, 16, 0, 1)), gray)), int)[0, :, 0]

    plain = read([0, 20.3, 101.5, 203])  # 0, 0.1, 0.5 and 1 of sRGB's light
    assert np.abs(plain - [0, 89, 188, 255]).max() <= 4  # a level of 8-bit PQ is some levels here
    bright = read([0, 5, 20.3, 203, 1000])
    assert bright[-1] >= 253
    assert abs(bright[1] - 45) <= 4  # 5 / 203 of light: the dark end stays
    assert np.all(np.diff(bright) > 20)
    assert 150 < bright[3] < 253


def test_deep_tiff_of_every_kind():
    ramp = np.arange(0, 65536, 257, np.uint16).reshape(8, 32)
    near(read_image(encode(ramp, "TIFF")), np.repeat((ramp // 257)[..., None], 3, -1), 0)
    values = np.repeat((ramp // 257)[..., None], 3, -1)
    near(read_image(tiff(ramp, 1)), values, 0)
    near(read_image(tiff(ramp, 0)), 255 - values, 0)  # WhiteIsZero
    near(read_image(tiff(ramp.astype(np.uint32) * 65537, 1)), values, 0)


def tiff(samples: np.ndarray, photometric: int) -> bytes:
    """Gray samples as an uncompressed little-endian TIFF."""
    height, width = samples.shape
    tags = {256: width, 257: height, 258: 8 * samples.itemsize, 259: 1, 262: photometric, 273: 8}
    tags |= {277: 1, 278: height, 279: samples.nbytes, 339: 1}
    ifd = struct.pack("<H", len(tags)) + b"".join(
        struct.pack("<HHII", tag, 4, 1, v) for tag, v in tags.items()
    )
    return b"II*\0" + struct.pack("<I", 8 + samples.nbytes) + samples.tobytes() + ifd + bytes(4)


def test_lab_tiff():
    lab = ImageCms.profileToProfile(
        Image.fromarray(gradient()),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    off = np.abs(np.asarray(read_image(encode(lab, "TIFF")), int) - gradient())
    assert off.mean() < 2  # 8 bits of Lab are coarser


def test_pictures_in_memory_are_taken_as_files_are():
    deep = Image.fromarray((gradient()[..., 0].astype(np.uint16)) * 257)
    expected = np.repeat(gradient()[..., :1], 3, -1)
    near(as_rgb(deep), expected, 0)
    near(wb.stylize(deep, "colormatrix_negative"), 255 - expected, 1)
    exif = Image.Exif()
    exif[0x0112] = 3
    opened = Image.open(io.BytesIO(encode(gradient(), "PNG", exif=exif, icc_profile=profile(SRGB, 1.0))))
    near(
        wb.stylize(opened, "colormatrix_negative", strength=0),
        np.asarray(by_littlecms(Image.fromarray(gradient()), profile(SRGB, 1.0)))[::-1, ::-1],
    )
    plain = Image.fromarray(gradient())
    assert as_rgb(plain) is plain
