"""Scenes drawn without learning: hand-made pictures of which it is known where lines and colours belong."""

import dataclasses

import cv2
import numpy as np
import pytest

from workbench import drawing
from workbench.drawing import flats, lines
from workbench.drawing.flow import Flow, fold

LOOKS = sorted(drawing.LOOKS)
COMIC = drawing.LOOKS["comic"]


def gray(luma):
    """uint8 RGB of a luma (H, W) in [0, 1]."""
    return np.repeat(np.round(255 * np.asarray(luma))[..., None], 3, axis=2).astype(np.uint8)


def two_tones(height=96, width=96, left=0.3, right=0.8):
    """A vertical step in the middle."""
    luma = np.full((height, width), left, np.float32)
    luma[:, width // 2 :] = right
    return luma


def line_width(drawn):
    """Columns of a drawing of `two_tones` that are clearly darker than both of its sides, middle row."""
    row = drawn[drawn.shape[0] // 2].astype(float).mean(-1)
    return int((row < min(row[len(row) // 8], row[-len(row) // 8]) - 25).sum())


@pytest.mark.parametrize("look", LOOKS)
def test_a_step_gets_a_line_on_its_dark_side(look):
    drawn = drawing.draw(gray(two_tones()), look).astype(float).mean(-1)
    row = drawn[48]
    assert row[40:50].min() < row[10] - 25
    assert 40 <= row.argmin() <= 48


def test_a_soft_ramp_gets_no_line():
    step = two_tones()
    strengths = [lines.ink(cv2.GaussianBlur(step, (0, 0), s) if s else step, COMIC).max() for s in (0, 5)]
    assert strengths[0] > 0.9
    assert strengths[1] == 0


def test_steps_and_ramps_are_told_apart():
    across = lines.stepness(two_tones())[48, 48]
    ramp = np.tile(np.linspace(0, 1, 96, dtype=np.float32), (96, 1))
    assert across > 2.5
    assert lines.stepness(ramp)[48, 48] == pytest.approx(1, abs=0.2)


def test_stretches_are_measured_and_need_a_strong_pixel():
    strength = np.zeros((40, 80), np.float32)
    strength[10, 5:65] = 1  # 60 pixels long
    strength[15, 5:65] = 0.3  # long, but nowhere strong
    strength[20, 5:9] = 1  # 4 pixels long
    strength[30, 5:75] = 0.2  # faint, but continues 20 strong pixels
    strength[30, 5:25] = 1
    total = lines.stretches(strength, strong=0.5, weak=0.1)
    assert (total[10, 5:65] == 60).all()
    assert total[15].max() == 0
    assert total[20, 6] == 4
    assert total[30, 74] == pytest.approx(20 + 50 * 0.2)
    assert total[0, 0] == 0


def test_short_lines_are_left_out():
    luma = np.full((96, 96), 0.8, np.float32)
    luma[46:50, 44:52] = 0.2
    dash = cv2.GaussianBlur(luma, (0, 0), 0.7)
    every = dataclasses.replace(COMIC, line_shortest=1.0)
    assert lines.ink(dash, every).max() > 0.5
    longer = dataclasses.replace(COMIC, line_shortest=60.0)
    assert lines.ink(dash, longer).max() == 0


def test_long_lines_are_heavier():
    tall = np.vstack([two_tones(96, 96)] * 4)
    widths = [(lines.ink(tall, dataclasses.replace(COMIC, outline=o))[192] > 0.4).sum() for o in (0, 0.6)]
    assert widths[1] > widths[0]


def test_texture_gets_fewer_lines_than_a_lone_contour():
    stripes = (np.arange(96) // 4 % 2 * 0.12 + 0.45).astype(np.float32)
    ink = [lines.ink(picture, COMIC).mean() for picture in (np.tile(stripes, (96, 1)), two_tones())]
    without = dataclasses.replace(COMIC, texture=0.0)
    plain = [lines.ink(picture, without).mean() for picture in (np.tile(stripes, (96, 1)), two_tones())]
    assert ink[0] / plain[0] < ink[1] / plain[1]


def line_at(column, height=96, width=96):
    strength = np.zeros((height, width), np.float32)
    strength[:, column] = 1
    return strength


@pytest.mark.parametrize(
    ("left", "right", "height", "blur", "expected"),
    [
        (0.2, 0.5, 100, 0.0, 0.3 / 0.06),  # a step of 0.3 where nothing else is, 100 pixels long
        (0.2, 0.5, 50, 0.0, 0.3 / 0.06 * 0.5),
        (0.2, 0.5, 400, 0.0, 0.3 / 0.06 * 2),  # length counts up to 200 pixels
        (0.2, 0.5, 100, 4.0, 0.0),  # soft
        (0.45, 0.95, 100, 0.7, 0.5 / 0.06),  # sharp enough for a line with a dark side
        (0.75, 0.95, 100, 0.7, 0.0),  # not for one in the light
    ],
)
def test_salience_is_height_times_length_times_sharpness(left, right, height, blur, expected):
    luma = two_tones(height, 96, left, right)
    luma = cv2.GaussianBlur(luma, (0, 0), blur) if blur else luma
    found = lines.salience(luma, line_at(47, height), Flow(luma, 2.0, 1))
    assert found[:, 47] == pytest.approx(found[0, 47])
    assert found[0, 47] == pytest.approx(expected, rel=0.06, abs=0.01)
    assert found[:, 40].max() == 0


def test_a_thin_dark_line_stands_out_though_both_its_sides_are_alike():
    luma = np.full((96, 96), 0.45, np.float32)
    luma[:, 47:49] = 0.05
    found = lines.salience(luma, line_at(47), Flow(luma, 2.0, 1))[0, 47]
    alike = lines.salience(1 - luma, line_at(47), Flow(luma, 2.0, 1))[0, 47]  # a light line: no step
    assert found > 2
    assert alike < 0.3 * found


def test_dashes_of_a_texture_go_by_their_salience_and_a_contour_stays():
    noise = np.random.default_rng(0).standard_normal((200, 140)).astype(np.float32)
    luma = two_tones(200, 300, 0.3, 0.7)
    luma[:, :140] += 0.07 * np.sign(cv2.GaussianBlur(noise, (0, 0), sigmaX=4, sigmaY=1.5))  # short dashes
    luma = cv2.GaussianBlur(luma, (0, 0), 0.7)
    every = dataclasses.replace(COMIC, texture=0.0, line_gain=190.0)
    before, after = (lines.ink(luma, dataclasses.replace(every, salience=s)) for s in (0.0, 0.35))
    assert (before[:, :130] > 0.5).mean() > 0.01
    assert after[:, :130].max() == 0
    assert after[20:180, 140:152].max(axis=1).min() > 0.9


def test_the_shipped_looks_keep_lines_whatever_their_salience():
    assert {look.salience for look in drawing.LOOKS.values()} == {0.0}


@pytest.mark.parametrize("look", ["comic", "anime"])
@pytest.mark.parametrize("color", [(200, 60, 40), (30, 90, 180), (128, 128, 128)])
def test_flat_stays_flat(look, color):
    flat = np.full((64, 80, 3), color, np.uint8)
    drawn = drawing.draw(flat, look).reshape(-1, 3).astype(int)
    assert np.ptp(drawn, axis=0).max() <= 1


@pytest.mark.parametrize("look", ["comic", "anime"])
def test_gray_stays_gray_up_to_the_tint_of_the_pen(look):
    noise = np.random.default_rng(0).random((72, 96), dtype=np.float32)
    pen = dataclasses.replace(drawing.LOOKS[look], line_color=(0.1, 0.1, 0.1))
    drawn = drawing.draw(gray(cv2.GaussianBlur(noise, (0, 0), 3) * 4 % 1), pen).astype(int)
    assert np.ptp(drawn, axis=-1).max() <= 2


def test_ink_leaves_light_as_paper_and_makes_darkness_black():
    drawn = drawing.draw(gray(two_tones(left=0.03, right=0.95)), "ink")
    paper = np.round(255 * np.array(drawing.LOOKS["ink"].paper))
    assert np.abs(drawn[48, 80] - paper).max() <= 3
    assert drawn[48, 10].max() < 40


def test_a_sky_gets_no_bands():
    luma = np.tile(np.linspace(0.45, 0.75, 240, dtype=np.float32)[:, None], (1, 160))
    sky = np.dstack([luma * 0.6, luma * 0.8, luma])
    drawn = drawing.draw(np.round(255 * sky).astype(np.uint8)).astype(int)[..., 1]
    assert np.abs(np.diff(drawn, axis=0)).max() <= 3


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (3, 3), (7, 90), (63, 65)])
@pytest.mark.parametrize("look", LOOKS)
def test_every_size_is_drawn(shape, look):
    photo = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    before = photo.copy()
    drawn = drawing.draw(photo, look)
    assert drawn.shape == photo.shape
    assert drawn.dtype == np.uint8
    assert (photo == before).all()


def test_a_scroll_longer_than_opencv_allows_is_drawn():
    scroll = gray(np.tile(np.linspace(0.2, 0.9, 40_000, dtype=np.float32), (4, 1)))
    assert drawing.draw(scroll).shape == (4, 40_000, 3)


def test_lines_grow_with_the_picture():
    small, large = (drawing.draw(gray(two_tones(3 * k, 4 * k)), "comic") for k in (170, 1000))
    assert large.shape == (3000, 4000, 3)
    growth = line_width(large) / line_width(small)
    assert growth == pytest.approx(3000 / 512, rel=0.35)  # a working picture has a short side of 512


def test_a_large_photo_is_the_small_drawing_enlarged():
    noise = np.random.default_rng(2).random((24, 32, 3), dtype=np.float32)
    small = cv2.resize(noise, (320, 240), interpolation=cv2.INTER_NEAREST)
    large = cv2.resize(noise, (1280, 960), interpolation=cv2.INTER_NEAREST)
    look = dataclasses.replace(COMIC, side=240)
    drawn = [drawing.draw(np.round(255 * x).astype(np.uint8), look) for x in (small, large)]
    shrunk = cv2.resize(drawn[1], (320, 240), interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk.astype(int) - drawn[0]).mean() < 6


def test_tiles_of_a_large_picture_join_without_a_seam():
    picture = gray(np.tile(np.linspace(0.2, 0.9, 2080, dtype=np.float32)[None], (2080, 1)))
    drawn = drawing.draw(picture).astype(int)[..., 0]
    assert np.abs(np.diff(drawn[1000])).max() <= 2
    assert np.abs(np.diff(drawn[:, 1000])).max() <= 2


def test_detail_chooses_the_width_of_lines():
    picture, look = gray(two_tones(384, 512)), dataclasses.replace(COMIC, side=256)
    widths = [line_width(drawing.draw(picture, look, detail)) for detail in (0.5, 1.5)]
    assert widths[0] > 1.5 * widths[1]


def test_the_same_photo_gives_the_same_drawing():
    photo = np.random.default_rng(3).integers(0, 256, (60, 80, 3), np.uint8)
    assert (drawing.draw(photo) == drawing.draw(photo)).all()


@pytest.mark.parametrize(
    ("pixels", "look", "detail", "words"),
    [
        (np.zeros((4, 4, 3), np.uint8), "oil", 1.0, "look"),
        (np.zeros((4, 4, 3), np.float32), "comic", 1.0, "uint8"),
        (np.zeros((4, 4, 4), np.uint8), "comic", 1.0, "RGB"),
        (np.zeros((0, 4, 3), np.uint8), "comic", 1.0, "RGB"),
        (np.zeros((4, 4, 3), np.uint8), "comic", 0.0, "detail"),
    ],
)
def test_what_cannot_be_drawn_is_refused(pixels, look, detail, words):
    with pytest.raises(ValueError, match=words):
        drawing.draw(pixels, look, detail)


def test_flow_follows_an_edge():
    flow = Flow(cv2.GaussianBlur(two_tones(), (0, 0), 1), sigma=2.0, length=6)
    assert flow.anisotropy[48, 48] == pytest.approx(1, abs=1e-3)
    assert flow.doubled[48, 48] == pytest.approx([-1, 0], abs=1e-3)  # twice 90 degrees
    alternating = np.tile(np.float32([0, 1])[:, None], (48, 96))
    assert flow.along(alternating, 3.0)[40:56, 48] == pytest.approx(0.5, abs=0.1)
    across = two_tones()
    assert flow.along(across, 3.0)[48, 40:56] == pytest.approx(across[48, 40:56], abs=1e-3)


def test_folding_sharpens_a_soft_border_and_leaves_flat_colour():
    soft = np.repeat(cv2.GaussianBlur(two_tones(), (0, 0), 3)[..., None], 3, axis=2)
    folded = fold(soft, 2, shock=1.0)
    assert np.abs(np.diff(folded[48, :, 0])).max() > 1.5 * np.abs(np.diff(soft[48, :, 0])).max()
    flat = np.full((20, 20, 3), 0.4, np.float32)
    assert fold(flat, 2) == pytest.approx(flat, abs=1e-5)


def test_regions_take_their_mean_or_their_median():
    labels = np.repeat([[0, 1]], 5, axis=0)[:, [0, 0, 1, 1, 1]]
    lab = np.zeros((5, 5, 3), np.float32)
    lab[:, :2, 0] = [50, 52]  # calm: mean 51
    lab[:, 2:, 0] = [10, 20, 90]  # varied: median 20
    colors = flats.region_colors(lab, labels)
    assert colors[:, :2, 0] == pytest.approx(51)
    assert colors[:, 2:, 0] == pytest.approx(20)


def test_inner_radius_of_regions():
    labels = np.zeros((40, 40), int)
    labels[:, 20:23] = 1  # a strip, 3 pixels wide
    labels[:, 23:] = 2
    radii = flats.inner_radii(labels)
    assert radii[20, 21] <= 2
    assert radii[20, 5] == pytest.approx(10, abs=1)


def test_guided_filter_keeps_the_edges_of_its_guide():
    guide = two_tones()
    noisy = guide + np.random.default_rng(4).normal(0, 0.1, guide.shape).astype(np.float32)
    smooth = flats.guided(guide, noisy, 4, 1e-4)
    assert smooth[:, :40].std() < 0.03
    assert smooth[20:76, 48].mean() - smooth[20:76, 47].mean() == pytest.approx(0.5, abs=0.05)


def test_gathered_tones():
    tones = flats.gather(np.float32([0.1, 0.3, 0.6, 0.95]), 4)
    assert tones == pytest.approx([0.125, 0.375, 0.625, 0.875], abs=0.04)
    assert flats.gather(np.float32([0.3]), 0) == pytest.approx([0.3])
