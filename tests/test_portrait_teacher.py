"""The teacher that draws portraits, what it sees in them, and their variants with dark skin."""

import dataclasses

import cv2
import numpy as np
import portraits as drawn
import pytest

from workbench.core.cache import Cache
from workbench.data.faces import Portrait
from workbench.drawing import portrait_features, portrait_regions
from workbench.drawing.portrait_regions import FACE, HAIR, Face
from workbench.drawing.portrait_teacher import PortraitTeacherConfig, draw, skin_tones
from workbench.drawing.skin import to_lab
from workbench.training.configs import PortraitConfig
from workbench.training.portrait_data import DARK, dark_skin_variants, taught_portraits, with_dark_skin

LARGE = {"height": 240, "width": 200, "unit": 40.0}


@pytest.fixture(scope="module")
def portrait():
    photo, landmarks, mask = drawn.portrait()
    return Portrait(photo, landmarks, mask, draw(photo, landmarks, mask))


def test_the_teacher_changes_the_person_and_nothing_else(portrait):
    outside = portrait.mask == 0
    np.testing.assert_array_equal(portrait.drawing[outside], portrait.photo[outside])
    assert np.abs(portrait.drawing[~outside].astype(int) - portrait.photo[~outside]).mean() > 15


def test_the_teacher_draws_larger_eyes(portrait):
    """Around the eyes, more pixels are unlike skin than in the photo."""
    x, y = np.round(portrait.eyes.mean(0)).astype(int)
    reach = round(portrait.interocular_px)
    window = slice(y - reach // 3, y + reach // 2), slice(x - reach, x + reach)

    def unlike_skin(picture):
        skin = np.median(picture[y + reach // 2 : y + reach, x - 4 : x + 5].reshape(-1, 3), 0)
        return (np.abs(picture[window].astype(float) - skin).sum(-1) > 120).sum()

    assert unlike_skin(portrait.drawing) > 2.0 * unlike_skin(portrait.photo)


def test_dark_skin_stays_dark_and_darker_than_fair_skin():
    """Lightness of the painted skin rises with the photo's, and dark skin gains little."""
    from skimage.color import rgb2lab

    photo, landmarks, mask = drawn.portrait()
    face = portrait_regions.Face(landmarks, 0.8)
    labels = np.full(mask.shape, portrait_regions.FACE, np.uint8)
    before, after = [], []
    for tone in ((70, 45, 35), (110, 75, 58), (160, 115, 92), (225, 180, 155)):
        flat = np.broadcast_to(np.uint8(tone), photo.shape).copy()
        before.append(rgb2lab(np.float64(tone) / 255)[0])
        after.append(rgb2lab(skin_tones(flat, labels, face, PortraitTeacherConfig().lighten)[0] / 255)[0])
    assert after == sorted(after)
    assert np.all(np.diff(after) > 5)
    assert after[0] - before[0] < 13


def test_iris_color_follows_the_photo():
    photo, landmarks, _ = drawn.portrait(unit=40.0, height=240, width=200)
    face = portrait_regions.Face(landmarks, 0.8)
    assert portrait_features.iris_color(photo, face) == "brown"
    painted = photo.copy()
    for index in (468, 473):
        x, y = landmarks[index].astype(int)
        painted[y - 6 : y + 7, x - 6 : x + 7] = (120, 165, 215)
    assert portrait_features.iris_color(painted, face) == "blue"


def test_a_drawing_is_made_once_for_each_portrait_and_setting(tmp_path):
    people = {f"{i}.png": Portrait(*drawn.portrait(72, 64, 12.0, i)) for i in range(3)}
    settings = {"portraits": "", "annotations": "", "scenes": "", "style": "", "out": ""}
    config = PortraitConfig(**settings, dark_skin_fraction=0.0, rare_repeats=1)
    cache = Cache(tmp_path)

    def files():
        return {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    first, cost = taught_portraits(people, config, cache)
    for portrait, taught in zip(people.values(), first, strict=True):
        expected = draw(portrait.photo, portrait.landmarks, portrait.mask)
        np.testing.assert_array_equal(taught.drawing, expected)
    assert cost.wall > 0
    before = files()
    again, same_cost = taught_portraits(people, config, cache)
    assert (files(), same_cost) == (before, cost)  # what was made earlier costs what it cost
    np.testing.assert_array_equal(again[1].drawing, first[1].drawing)
    more = people | {"new.png": Portrait(*drawn.portrait(72, 64, 12.0, 9))}
    taught_portraits(more, config, cache)
    assert len(files()) == 4  # one more
    assert before.items() <= files().items()
    bolder = dataclasses.replace(config, drawing={"eye": 1.2})
    assert not np.array_equal(taught_portraits(people, bolder, cache)[0][0].drawing, first[0].drawing)
    assert len(files()) == 7


def without_hair(photo, landmarks, mask):
    """The crown in the colour of the skin."""
    bald = photo.copy()
    y = Face(landmarks, 1.0).grid(mask.shape)[1]
    dark = (np.abs(photo.astype(int) - (62, 40, 30)).sum(-1) < 60) & (mask > 0)
    bald[dark & (y < 0.2)] = (214, 168, 140)
    return bald


def test_a_bald_head_gets_no_hair():
    photo, landmarks, mask = drawn.portrait(**LARGE)
    bald, face = without_hair(photo, landmarks, mask), Face(landmarks, 0.8)
    assert not portrait_regions.is_bald(photo, mask > 0, face)
    assert portrait_regions.is_bald(bald, mask > 0, face)
    x, y = face.grid(mask.shape)
    crown = (np.abs(x) < 0.5) & (y < -0.9) & (mask > 0)
    assert (portrait_regions.regions(photo, mask > 0, face)[crown] == HAIR).mean() > 0.9
    assert not (portrait_regions.regions(bald, mask > 0, face)[crown] == HAIR).any()
    # and the drawing has skin there, no strands of a fringe
    forehead = (np.abs(x) < 0.5) & (y < -0.55) & (y > -1.1)
    cheek = np.median(draw(bald, landmarks, mask)[face.cheeks(mask.shape)], 0)
    distance = np.abs(draw(bald, landmarks, mask)[forehead].astype(int) - cheek).sum(-1)
    assert np.median(distance) < 40
    assert np.median(np.abs(draw(photo, landmarks, mask)[forehead].astype(int) - cheek).sum(-1)) > 200


def test_white_hair_in_a_photo_without_colour_is_no_bald_head():
    photo, landmarks, mask = drawn.portrait(**LARGE)
    bald = without_hair(photo, landmarks, mask)
    gray = np.repeat(cv2.cvtColor(bald, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)
    assert not portrait_regions.is_bald(gray, mask > 0, Face(landmarks, 0.8))


def test_a_head_that_fills_the_picture_has_no_crown_to_judge_by():
    photo, landmarks, mask = drawn.portrait(**LARGE)
    top = round(Face(landmarks, 1.0).to_pixels([[0, -0.85]])[0, 1])
    cut = [without_hair(photo, landmarks, mask)[top:], mask[top:] > 0]
    assert not portrait_regions.is_bald(*cut, Face(landmarks - [0, top], 0.8))


@pytest.mark.parametrize("scale", [1.0, 0.35])  # fair skin, dark skin
def test_glasses_are_seen_and_drawn(scale):
    photo, landmarks, mask = drawn.portrait(**LARGE)
    face = Face(landmarks, 0.8)
    plain = np.uint8(photo * scale)
    worn = drawn.with_glasses(plain, landmarks, LARGE["unit"], (8, 6, 6))
    assert portrait_features.glasses(plain, face) == 0
    assert 0.02 < portrait_features.glasses(worn, face) <= 0.05
    without, drawing = draw(plain, landmarks, mask), draw(worn, landmarks, mask)
    x, y = face.grid(mask.shape)
    bridge = (np.abs(x) < 0.05) & (np.abs(y) < 0.15)
    assert drawing[bridge].min() < without[bridge].min() - 25


def lightness(photo, landmarks):
    return np.median(to_lab(photo)[Face(landmarks, 1.0).cheeks(photo.shape)][:, 0])


@pytest.mark.parametrize("wanted", [24.0, 42.0])
def test_a_variant_has_dark_skin_and_keeps_the_rest(wanted):
    photo, landmarks, mask = drawn.portrait(**LARGE)
    portrait = Portrait(photo, landmarks, mask)
    variant = with_dark_skin(portrait, wanted)
    assert lightness(variant.photo, landmarks) == pytest.approx(wanted, abs=1.5)
    x, y = Face(landmarks, 1.0).grid(mask.shape)
    far = (y < -1.6) | ((np.abs(x) > 1.8) & (y < 1.5))  # the backdrop
    np.testing.assert_allclose(variant.photo[far].astype(int), photo[far], atol=1)  # CIELAB rounds
    x, y = np.round(portrait.eyes[0]).astype(int)
    assert variant.photo[y, x + 6].min() > 200  # the white beside the iris
    labels = portrait_regions.regions(photo, mask > 127, Face(landmarks, 1.0))
    assert variant.photo[labels == HAIR].mean() < 0.5 * photo[labels == HAIR].mean()
    drawings = [draw(p, landmarks, mask) for p in (photo, variant.photo)]
    assert lightness(drawings[1], landmarks) < lightness(drawings[0], landmarks) - 20
    assert (labels == FACE).any()


def test_dark_skin_variants_are_a_share_of_the_portraits_and_the_same_every_time(portrait, tmp_path):
    portraits = {f"{i}.png": portrait for i in range(8)}
    found, _ = dark_skin_variants(portraits, 0.25, 3, Cache(tmp_path / "a"))
    assert len(found) == 2
    assert all(name.endswith(".png#dark") and name[:-5] in portraits for name in found)
    assert all(DARK[0] - 2 < lightness(t.photo, t.landmarks) < DARK[1] + 2 for t in found.values())
    again, _ = dark_skin_variants(portraits, 0.25, 3, Cache(tmp_path / "b"))
    assert list(again) == list(found)
    for one, two in zip(found.values(), again.values(), strict=True):
        np.testing.assert_array_equal(one.photo, two.photo)
    assert dark_skin_variants(portraits, 0.0, 3, Cache(tmp_path))[0] == {}
