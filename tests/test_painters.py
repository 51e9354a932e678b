"""A painter under several names is one group."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image

from workbench.data import painters
from workbench.data.check import check_dataset, summary
from workbench.data.paintings import read_paintings

ROWS = [  # painter, title, votes of two moods; the label is calm
    ("惲壽平", "a", 3, 1),
    ("恽寿平", "b", 3, 1),
    ("Ｗang  Wei", "c", 2, 2),
    ("wang wei", "d", 1, 3),
    ("unknown_1", "明陸治天中佳卉　軸", 4, 0),
    ("unknown_2", "明陸治玉蘭", 4, 0),
    ("unknown_3", "a hut", 4, 0),
    ("佚名", "no name, as the table says", 4, 0),
]


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    rows = [(*row, "calm") for row in ROWS] + [(f"painter {i}", "x", 0, 4, "wild") for i in "ab"]
    with (tmp_path / "ratings.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["path", "painter", "title", "votes_calm", "votes_wild", "label"])
        for i, row in enumerate(rows):
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(tmp_path / f"{i}.png")
            table.writerow([f"{i}.png", *row])
    return tmp_path


def test_one_painter_is_one_group(folder):
    groups = read_paintings(folder).groups.tolist()
    assert groups[:7] == ["恽寿平", "恽寿平", "Wang Wei", "Wang Wei", "陆治", "陆治", "unknown_3"]
    assert groups[7:] == ["佚名", "painter a", "painter b"]


def test_the_check_says_what_it_merged_and_what_the_votes_contradict(folder):
    card = check_dataset(folder, near_duplicates=False)
    assert ("惲壽平", "恽寿平", "traditional characters") in card.merged
    assert [m.painter for m in card.merged] == ["恽寿平", "Wang Wei", "Wang Wei", "陆治", "陆治"]
    assert card.contradicted == ("3.png",)  # a tie is no contradiction
    assert card.near_names == (("painter a", "painter b"),)
    text = summary(card)
    assert "惲壽平 = 恽寿平 (traditional characters)" in text
    assert "1 picture for whose label fewer raters voted" in text
    assert card.to_dict()["merged"][0]["reason"] == "traditional characters"


def test_titles_are_read_for_unknown_painters_only():
    merged, replaced = painters.merge(["X", ""], ["a hut after 沈周", "a hut after 沈周 and 唐寅"])
    assert merged == ["X", "沈周"]
    assert replaced == [("", "沈周", "named in the title a hut after 沈周 and 唐寅")]


@pytest.mark.parametrize(
    ("a", "b", "near"),
    [("abcd", "abxd", True), ("abcd", "abd", True), ("abcd", "abcde", True), ("abcd", "axxd", False),
     ("abcd", "ab", False), ("ab", "ac", False), ("unknown_1", "unknown_2", False)],
)  # fmt: skip
def test_names_one_letter_apart(a, b, near):
    assert bool(painters.near_names([a, b])) is near
    assert bool(painters.near_names([b, a])) is near


def test_the_table_gives_every_name_one_painter():
    known = painters.aliases()
    for merge in known.values():
        assert merge.painter == known.get(merge.painter, merge).painter  # no chains
        assert merge.reason
