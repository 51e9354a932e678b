"""Annotated portraits and their composites."""

import dataclasses
import runpy
from pathlib import Path

import numpy as np
import portraits as drawn
import pytest
from PIL import Image

from workbench.core.errors import DatasetError
from workbench.data.faces import Composites, Portrait, load_portraits, person_of, split_by_person
from workbench.drawing.faces import Face
from workbench.drawing.portrait import draw


@pytest.fixture(scope="module")
def portrait():
    photo, landmarks, mask = drawn.portrait()
    return Portrait(photo, landmarks, mask, draw(photo, "ink", faces=[Face(landmarks, 1.0)]))


def folder_of(tmp_path, count=9):
    photos = tmp_path / "photos"
    photos.mkdir()
    stored = {}
    for index in range(count):
        photo, landmarks, mask = drawn.portrait(64, 56, 10.0, index)
        name = f"p_{index}.png"
        Image.fromarray(photo).save(photos / name)
        stored |= {f"landmarks/{name}": landmarks, f"mask/{name}": mask}
    return photos, stored


def test_annotated_portraits_are_loaded_by_name(tmp_path):
    photos, stored = folder_of(tmp_path)
    stored |= {"landmarks/gone.png": stored["landmarks/p_0.png"], "mask/gone.png": stored["mask/p_0.png"]}
    np.savez(tmp_path / "a.npz", **stored)
    loaded = load_portraits(photos, tmp_path / "a.npz")
    assert sorted(loaded) == [f"p_{i}.png" for i in range(9)]
    assert loaded["p_3.png"].interocular_px == pytest.approx(10, abs=0.2)
    np.testing.assert_array_equal(loaded["p_3.png"].mask, stored["mask/p_3.png"])


def test_a_portrait_that_cannot_be_read_is_passed_over_and_named(tmp_path, caplog):
    photos, stored = folder_of(tmp_path)
    np.savez(tmp_path / "a.npz", **stored)
    (photos / "p_4.png").write_bytes(b"no picture")
    skipped = {}
    loaded = load_portraits(photos, tmp_path / "a.npz", skipped=skipped)
    assert sorted(loaded) == [f"p_{i}.png" for i in range(9) if i != 4]
    assert list(skipped) == [str(photos / "p_4.png")]
    assert "p_4.png is passed over" in caplog.text
    (photos / "p_5.png").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"at least 8 .* can be read .* found 7"):
        load_portraits(photos, tmp_path / "a.npz")
    with pytest.raises(DatasetError, match=r"a folder of portraits at .* but there is none"):
        load_portraits(tmp_path / "nowhere", tmp_path / "a.npz")


def test_a_folder_is_annotated_past_what_cannot_be_used(tmp_path, caplog):
    astronaut = pytest.importorskip("skimage.data").astronaut()
    names = [f"{folder}/{k}.png" for folder in ("others", "people") for k in range(4)]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(astronaut[:230, 120:330]).save(tmp_path / name)
    Image.fromarray(astronaut[300:, :100]).save(tmp_path / "nobody.png")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    script = Path(__file__).parents[1] / "docs" / "annotate_portraits.py"
    runpy.run_path(str(script))["annotate"](tmp_path, tmp_path / "a.npz")
    assert "broken.jpg is passed over" in caplog.text
    assert "nobody.png is passed over: There is no face in it." in caplog.text
    loaded = load_portraits(tmp_path, tmp_path / "a.npz")
    assert sorted(loaded) == names
    assert 0.2 < (loaded["people/0.png"].mask == 255).mean() < 0.95


def test_what_is_wrong_with_annotations_is_said(tmp_path):
    photos, stored = folder_of(tmp_path)
    with pytest.raises(DatasetError, match="no such file"):
        load_portraits(photos, tmp_path / "none.npz")
    np.savez(tmp_path / "few.npz", **{k: v for k, v in stored.items() if "p_1" in k})
    with pytest.raises(DatasetError, match="at least 8"):
        load_portraits(photos, tmp_path / "few.npz")
    np.savez(tmp_path / "other.npz", **stored | {"mask/p_2.png": np.zeros((3, 3), np.uint8)})
    with pytest.raises(DatasetError, match=r"p_2\.png"):
        load_portraits(photos, tmp_path / "other.npz")


def test_nobody_is_in_two_parts_and_more_portraits_move_nobody():
    names = [
        f"frl_{kind}_front__{i:03}_0{k}.jpg"
        for i in range(60)
        for kind, k in (("neutral", 3), ("smiling", 8))
    ]
    names += [f"us_{i:05}.jpg" for i in range(200)]
    pattern = "^(frl_)[^_]+_front__([0-9]+)"
    parts = split_by_person(names, 0.2, 0, pattern)
    assert sorted(name for part in parts for name in part) == sorted(names)
    people = [{person_of(n, pattern) for n in part} for part in parts]
    assert not people[0] & people[1]
    assert not people[0] & people[2]
    assert not people[1] & people[2]
    assert 0.05 < len(parts[1]) / len(names) < 0.16
    fewer = split_by_person(names[::2], 0.2, 0, pattern)
    assert all(set(few) <= set(part) for few, part in zip(fewer, parts, strict=True))
    with pytest.raises(DatasetError, match="hold out"):
        split_by_person(names[:2], 0.2, 0)


def test_who_is_shown_is_said_by_a_pattern_or_everybody_is_alone():
    assert person_of("anna_01.jpg") == "anna_01"
    assert person_of("anna_01.jpg", "^(.+?)_") == person_of("anna_2.png", "^(.+?)_") == "anna"
    assert person_of("frl_smiling_front__007_08.jpg", "^(frl_).*__([0-9]+)") == "frl_007"
    assert person_of("us_S000033.jpg", "^(frl_).*__([0-9]+)") == "us_S000033"  # not found: alone
    with pytest.raises(DatasetError, match="regular expression"):
        person_of("a.jpg", "(")
    with pytest.raises(DatasetError, match="group"):
        person_of("a.jpg", "^a")


@pytest.mark.parametrize("own_backdrop", [0.0, 1.0])
def test_a_composite_is_redrawn_only_inside_its_mask(portrait, own_backdrop):
    scenes = [np.random.default_rng(i).integers(0, 255, (120, 140, 3), np.uint8) for i in range(3)]
    composites = Composites([portrait], scenes, 96, (16.0, 26.0), 4, own_backdrop, empty=0.0)
    example = composites.batch(0, 12)
    assert example.photo.shape == example.target.shape == (12, 96, 96, 3)
    outside = example.mask == 0
    assert outside.mean() > 0.2
    np.testing.assert_array_equal(example.target[outside], example.photo[outside])
    assert np.abs(example.target[~outside].astype(int) - example.photo[~outside]).mean() > 10
    assert ((example.interocular_px >= 16) & (example.interocular_px <= 26)).all()
    for mask, (x, y) in zip(example.mask, example.center, strict=True):
        assert mask[int(y), int(x)] == 255
    again = composites.batch(0, 12)
    assert all(
        np.array_equal(a, b)
        for a, b in zip(dataclasses.astuple(example), dataclasses.astuple(again), strict=True)
    )
    assert not np.array_equal(example.photo, composites.batch(1, 12).photo)


def test_the_eyes_come_to_lie_where_the_example_says(portrait):
    marked = portrait.photo.copy()
    x, y = np.round(portrait.eyes.mean(0)).astype(int)
    marked[:] = 0
    marked[y - 3 : y + 4, x - 3 : x + 4] = 255
    marked = dataclasses.replace(portrait, photo=marked, drawing=marked)
    example = Composites([marked], [np.zeros((99, 99, 3), np.uint8)], 96, (20.0, 22.0), 0, 1.0, 0.0).batch(
        0, 8
    )
    for picture, center in zip(example.target, example.center, strict=True):
        weight = picture[..., 0].astype(float)
        rows, columns = np.mgrid[:96, :96]
        found = (columns * weight).sum() / weight.sum(), (rows * weight).sum() / weight.sum()
        np.testing.assert_allclose(found, center, atol=0.8)


def test_a_scene_without_a_person_stays_as_it_is(portrait):
    scene = np.random.default_rng(0).integers(0, 255, (80, 90, 3), np.uint8)
    example = Composites([portrait], [scene], 64, (12.0, 20.0), 1, empty=1.0).batch(0, 3)
    np.testing.assert_array_equal(example.photo, example.target)
    assert not example.mask.any()
    assert not example.interocular_px.any()
