"""One painting in two files is found by its local features; different paintings are not."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from workbench.data.atelier.dataset import open_dataset
from workbench.data.check import check_dataset, summary
from workbench.data.local_features import INLIERS, agreeing_keypoints, local_features

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "paintings" / "chinese_mood"


def reproduction(image: Image.Image) -> Image.Image:
    """The middle of a picture, smaller, turned by 3°, in warmer colours, on a mount."""
    width, height = image.size
    part = image.rotate(3, Image.Resampling.BICUBIC, fillcolor="white").crop(
        (width // 12, height // 12, width - width // 10, height - height // 14)
    )
    part = ImageEnhance.Contrast(part.resize((part.width * 3 // 4, part.height * 3 // 4))).enhance(0.8)
    pixels = np.asarray(part) * np.array([1.0, 0.93, 0.8])
    mount = Image.new("RGB", (part.width + 90, part.height + 150), (190, 180, 150))
    mount.paste(Image.fromarray(pixels.astype(np.uint8)), (50, 40))
    return mount


@pytest.fixture(scope="module")
def paintings():
    data = open_dataset("atelier:40")
    return [data.read(i) for i in range(0, 40, 5)]


def test_a_second_reproduction_agrees_and_another_painting_does_not(paintings):
    first = local_features(paintings[0])
    assert agreeing_keypoints(first, local_features(reproduction(paintings[0]))) >= INLIERS
    assert agreeing_keypoints(first, first) == len(first.points)
    for other in paintings[1:]:
        assert agreeing_keypoints(first, local_features(other)) < INLIERS // 2


def test_a_plain_picture_has_nothing_to_compare(paintings):
    plain = local_features(Image.new("RGB", (64, 64), "white"))
    assert plain.points.shape == (0, 2)
    assert agreeing_keypoints(plain, local_features(paintings[0])) == 0


def test_the_check_names_a_painting_that_is_there_twice(paintings, tmp_path):
    for i, image in enumerate(paintings):
        path = tmp_path / ("calm" if i % 2 else "wild") / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        image.save(path)
    reproduction(paintings[2]).save(tmp_path / "wild/again.png")
    card = check_dataset(tmp_path)
    assert [(pair.first, pair.second) for pair in card.same] == [("wild/2.png", "wild/again.png")]
    assert card.same[0].keypoints >= INLIERS
    assert card.groups_if_joined == len(paintings)


def write_table(path: Path, rows: list[dict]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, fieldnames=list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return path


@pytest.mark.parametrize("painter", ["a", "b"])
def test_a_painting_that_is_there_twice_is_named_in_one_group_and_in_two(paintings, tmp_path, painter):
    rows = []
    for i, image in enumerate([*paintings[:4], reproduction(paintings[2])]):
        image.save(tmp_path / f"{i}.png")
        rows.append(
            {"path": f"{i}.png", "label": "calm" if i in (2, 3, 4) else "wild", "painter": "ab"[i % 2]}
        )
    rows[4]["painter"] = painter  # that of picture 2 is a
    write_table(tmp_path / "ratings.csv", rows)
    card = check_dataset(tmp_path)
    found = card.same[0]
    line = f"2.png ~ 4.png ({found.keypoints} keypoints agree)"
    assert found.similarity < 0.96  # nothing to show: the cosine did not find it
    if painter == "a":
        assert card.ok
        (note,) = (note for note in card.notes if line in note)
        assert note.startswith("1 picture shown twice, in one group, so that no split by painter divides")
    else:
        (problem,) = (problem for problem in card.problems if line in problem)
        assert problem.startswith("1 picture shown twice, in two groups: a split between them leaks")
    assert f"{found.similarity:.3f}" not in summary(card)


@pytest.mark.skipif(not REAL.is_dir(), reason="the collection of Chinese paintings is not here")
def test_the_painting_that_is_in_the_collection_twice_is_named(tmp_path):
    with (REAL / "ratings.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] in ("vitality", "serenity")]
    twice = ("vitality/3p4_s149o.jpg", "vitality/4p25_s18.jpg")
    some = [row for row in rows if row["path"] in twice] + [r for r in rows if r["path"] not in twice][:4]
    columns = ("path", "label", "title", "painter")
    table = write_table(tmp_path / "some.csv", [{c: row[c] for c in columns} for row in some])
    card = check_dataset(REAL, table, cache=tmp_path)
    (note,) = (note for note in card.notes if "shown twice" in note)
    assert "3p4_s149o.jpg" in note
    assert "4p25_s18.jpg (103 keypoints agree)" in note
    assert card.same[0].same_group  # the title of the first names the painter of the second
