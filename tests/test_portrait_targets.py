"""The drawings that a portrait stylizer learns, and variants of portraits with dark skin."""

import dataclasses

import cv2
import numpy as np
import portraits as drawn
import pytest

from workbench.core.cache import Cache
from workbench.data.faces import Portrait
from workbench.drawing.face_shapes import Shape
from workbench.drawing.faces import Face
from workbench.drawing.portrait import draw
from workbench.training.configs import PortraitConfig
from workbench.training.portrait_data import DARK, dark_skin_variants, taught_portraits, with_dark_skin

LARGE = {"height": 240, "width": 200, "unit": 40.0}


def test_a_drawing_is_made_once_for_each_portrait_and_setting(tmp_path):
    people = {f"{i}.png": Portrait(*drawn.portrait(72, 64, 12.0, i)) for i in range(3)}
    settings = {"portraits": "", "annotations": "", "scenes": "", "style": "", "out": ""}
    config = PortraitConfig(**settings, dark_skin_fraction=0.0)
    cache = Cache(tmp_path)

    def files():
        return {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    first, cost = taught_portraits(people, config, cache)
    for portrait, taught in zip(people.values(), first, strict=True):
        expected = draw(portrait.photo, faces=[Face(portrait.landmarks, 1.0)])
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
    bolder = dataclasses.replace(config, drawing={"deform": 1.0})
    assert not np.array_equal(taught_portraits(people, bolder, cache)[0][0].drawing, first[0].drawing)
    assert len(files()) == 7


def lightness(photo, fair):
    """Median L* of a picture where the fair portrait has skin."""
    shape = Shape(fair.landmarks, fair.photo.astype(np.float32) / 255)
    lab = cv2.cvtColor(photo[shape.window].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return np.median(lab[..., 0][shape.skin > 0.9 * shape.skin.max()])


@pytest.mark.parametrize("wanted", [24.0, 42.0])
def test_a_variant_has_dark_skin_and_keeps_the_rest(wanted):
    photo, landmarks, mask = drawn.portrait(**LARGE)
    portrait = Portrait(photo, landmarks, mask)
    variant = with_dark_skin(portrait, wanted)
    assert lightness(variant.photo, portrait) == pytest.approx(wanted, abs=1.5)
    far = cv2.dilate(mask, np.ones((9, 9))) == 0
    np.testing.assert_allclose(variant.photo[far].astype(int), photo[far], atol=1)  # CIELAB rounds
    x, y = np.round(portrait.eyes[0]).astype(int)
    assert variant.photo[y, x + 6].min() > 200  # the white beside the iris


def test_dark_skin_variants_are_a_share_of_the_portraits_and_the_same_every_time(tmp_path):
    portrait = Portrait(*drawn.portrait(**LARGE))
    portraits = {f"{i}.png": portrait for i in range(8)}
    found, _ = dark_skin_variants(portraits, 0.25, 3, Cache(tmp_path / "a"))
    assert len(found) == 2
    assert all(name.endswith(".png#dark") and name[:-5] in portraits for name in found)
    assert all(DARK[0] - 2 < lightness(t.photo, portrait) < DARK[1] + 2 for t in found.values())
    again, _ = dark_skin_variants(portraits, 0.25, 3, Cache(tmp_path / "b"))
    assert list(again) == list(found)
    for one, two in zip(found.values(), again.values(), strict=True):
        np.testing.assert_array_equal(one.photo, two.photo)
    assert dark_skin_variants(portraits, 0.0, 3, Cache(tmp_path))[0] == {}
