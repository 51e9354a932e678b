"""Near-duplicates: pairs by hand-made features, groups united, second photographs found."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from workbench.data import duplicates
from workbench.data.duplicates import (
    SAME,
    SERIES,
    equal_files,
    group_near_duplicates,
    merge_groups,
    similar_pairs,
    turned_features,
)
from workbench.data.paintings import Paintings


def unit(*degrees):
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], 1)


def paintings(names, groups, labels=None, root="."):
    labels = np.zeros(len(names), np.int64) if labels is None else np.array(labels)
    return Paintings(root, tuple(names), ("a", "b"), labels, np.array(groups), None, True, "painter")


def test_pairs_by_hand():
    pairs = similar_pairs(
        unit(0, 20, 45, 180), threshold=0.9
    )  # cos 20° = .940, cos 25° = .906, cos 45° = .707
    assert [pair[:2] for pair in pairs] == [(0, 1), (1, 2)]
    assert pairs[0].similarity == pytest.approx(np.cos(np.radians(20)))
    longer = similar_pairs(unit(0, 20, 45, 180) * [[2], [3], [4], [5]], threshold=0.9)
    assert np.array(longer) == pytest.approx(np.array(pairs))  # the length of a row does not matter


def test_a_turned_view_counts_whichever_picture_is_turned():
    upright, turned = unit(0, 60, 150), unit(90, 5, 240)
    pairs = similar_pairs(
        np.stack([upright, turned], 1), threshold=0.99
    )  # 0° meets the turned view of 1 only
    assert [pair[:2] for pair in pairs] == [(0, 1)]
    assert pairs[0].similarity == pytest.approx(np.cos(np.radians(5)), abs=1e-6)


def test_blocks_agree_with_the_whole_matrix():
    x = np.random.default_rng(0).normal(size=(1100, 6))
    unit_rows = x / np.linalg.norm(x, axis=1, keepdims=True)
    first, second = np.nonzero(np.triu(unit_rows @ unit_rows.T >= 0.97, 1))
    assert {pair[:2] for pair in similar_pairs(x, 0.97)} == set(
        zip(first.tolist(), second.tolist(), strict=True)
    )


@pytest.mark.parametrize("threshold", [0, 1.1])
def test_bad_thresholds(threshold):
    with pytest.raises(ValueError, match="threshold"):
        similar_pairs(unit(0, 1), threshold)


def test_bad_features():
    with pytest.raises(ValueError, match="shape"):
        similar_pairs(np.zeros(3))
    with pytest.raises(ValueError, match="of 2 pictures but got 3"):
        group_near_duplicates(paintings("ab", "ab"), unit(0, 1, 2))


def test_groups_are_united_and_never_divided():
    assert merge_groups(["d", "c", "b", "a"], [(0, 1), (1, 2)]).tolist() == ["b", "b", "b", "a"]
    # painters x and y share a near-duplicate, so all their pictures are together
    assert merge_groups(["x", "y", "y", "z", "x"], [(0, 1)]).tolist() == ["x", "x", "x", "z", "x"]
    assert merge_groups(["x", "y"], []).tolist() == ["x", "y"]
    assert merge_groups(["x", "y", "z"], [(0, 1, 2)]).tolist() == ["x", "x", "x"]


def test_grouping_keeps_painters_whole():
    data = paintings(["a", "b", "c", "d"], ["x", "x", "y", "z"])
    grouped = group_near_duplicates(data, unit(0, 90, 91, 200), threshold=0.99)
    assert grouped.groups.tolist() == ["x", "x", "x", "z"]
    assert grouped.grouped_by == "painter and near-duplicates"
    assert grouped.paths == data.paths
    assert data.groups.tolist() == ["x", "x", "y", "z"]  # the given one is as it was


def test_equal_files(tmp_path):
    for name, content in (("a", b"1"), ("b", b"2"), ("c", b"1"), ("d", b"3"), ("e", b"1")):
        (tmp_path / name).write_bytes(content)
    assert equal_files(tmp_path / name for name in "abcde") == [(0, 2, 4)]


def drawing(seed, colour):
    """A sheet with a child's scribble: a few thick strokes of one colour."""
    rng = np.random.default_rng(seed)
    sheet = Image.new("RGB", (300, 240), (230, 226, 218))
    pen = ImageDraw.Draw(sheet)
    points = [tuple(p) for p in rng.uniform((40, 40), (260, 200), (7, 2))]
    pen.line(points, fill=colour, width=9, joint="curve")
    x, y = points[0]
    pen.ellipse((x - 25, y - 25, x + 25, y + 25), outline=colour, width=7)
    return sheet


@pytest.fixture(scope="module")
def sheets(tmp_path_factory):
    """Two drawings; of the first a second photograph: turned, cropped, darker, compressed."""
    root = tmp_path_factory.mktemp("sheets")
    first = drawing(0, (200, 40, 40))
    first.save(root / "a.png")
    again = ImageEnhance.Brightness(first.crop((5, 4, 292, 235)).rotate(90, expand=True)).enhance(0.9)
    again.save(root / "b.jpg", quality=85)
    ImageDraw.Draw(other := Image.new("RGB", (240, 300), "white")).rectangle((60, 90, 180, 220), "green")
    other.save(root / "c.png")
    return root


def test_a_second_photograph_is_found(sheets, tmp_path):
    names = ("a.png", "b.jpg", "c.png")
    features = turned_features(sheets, names, tmp_path / "deep" / "cache", progress=False)
    assert features.shape == (3, 5, 1280)
    assert np.linalg.norm(features, axis=-1) == pytest.approx(1, abs=1e-5)
    pairs = similar_pairs(features, SERIES)
    assert [pair[:2] for pair in pairs] == [(0, 1)]
    upright = float(features[0, 0] @ features[1, 0])
    assert pairs[0].similarity > upright + 0.01  # the turned view is the closer one
    grouped = group_near_duplicates(paintings(names, names, root=sheets), cache=tmp_path / "deep" / "cache")
    assert grouped.groups.tolist() == ["a.png", "a.png", "c.png"]


def test_the_cache_knows_files_by_content(sheets, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    turned_features(sheets, ["a.png"], cache, progress=False)
    (kept,) = cache.iterdir()
    kept.write_bytes(b"damaged")
    before = turned_features(sheets, ["a.png"], cache, progress=False)

    def refuse(path):
        raise AssertionError("read again")

    monkeypatch.setattr(duplicates, "read_image", refuse)
    assert np.array_equal(turned_features(sheets, ["a.png"], cache, progress=False), before)
    with pytest.raises(AssertionError, match="read again"):
        turned_features(sheets, ["a.png", "c.png"], cache, progress=False)


def test_the_thresholds_are_ordered():
    assert 0 < SERIES < SAME < 1
