"""A painter under several names is one group."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workbench.data import painters
from workbench.data.check import check_dataset, summary
from workbench.data.painter_names import near_names
from workbench.data.paintings import list_paintings, read_paintings

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "paintings" / "chinese_mood"
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
    assert card.near_names == (("painter a", "painter b", "one character differs"),)
    text = summary(card)
    assert "惲壽平 = 恽寿平 (traditional characters)" in text
    assert "1 picture for whose label fewer raters voted" in text
    assert "painter a ~ painter b (one character differs)" in text
    assert card.to_dict()["merged"][0]["reason"] == "traditional characters"
    assert card.to_dict()["near_names"][0]["second"] == "painter b"


def test_titles_are_read_for_unknown_painters_only():
    merged, replaced = painters.merge(["X", ""], ["a hut by 沈周", "a hut by 沈周 and 唐寅"])
    assert merged == ["X", "沈周"]
    assert replaced == [("", "沈周", "named in the title a hut by 沈周 and 唐寅")]


NOT_BY_THE_ONE_NAMED = (
    "仿唐寅山水|清人臨沈周卷|清人临明沈周|摹唐寅|倣 沈周|拟沈周笔意|擬沈周|師沈周|"
    "师法唐寅|沈周筆意|仿沈周、唐寅山水|清 王翬 臨沈周卷|沈周小像|after 沈周|"
    "a hut, after 沈周 and 唐寅|Copy of a painting by 沈周|school of 沈周|In the manner of 沈周|"
    "沈周 (follower of)|沈周's workshop"
)
BY_THE_ONE_NAMED = (
    "明唐寅臨水芙蓉圖　軸=唐寅|明陸治仿沈周山水=陆治|仿古 唐寅=唐寅|"
    "仿沈周山水 唐寅=唐寅|登臨 沈周=沈周|畫師唐寅=唐寅|沈周自畫像=沈周|"
    "After the rain, 唐寅=唐寅|明陆治玉兰=陆治|恽寿平 花卉=恽寿平"
)


@pytest.mark.parametrize("title", NOT_BY_THE_ONE_NAMED.split("|"))
def test_a_copy_is_not_by_the_painter_who_was_copied(title):
    assert painters.merge(["unknown_1"], [title]) == (["unknown_1"], [])


@pytest.mark.parametrize("title", BY_THE_ONE_NAMED.split("|"))
def test_the_painter_named_in_a_title_is_found_beside_words_like_those_of_copies(title):
    title, painter = title.split("=")
    assert painters.merge(["unknown_1"], [title])[0] == [painter]


@pytest.mark.parametrize(
    ("a", "b", "near"),
    [("abcd", "abxd", True), ("abcd", "abd", True), ("abcd", "abcde", True), ("abcd", "axxd", False),
     ("abcd", "ab", False), ("ab", "ac", False), ("unknown_1", "unknown_2", False), ("沈周", "沈铨", False),
     ("黃賓虹", "黄宾虹", True), ("石濤", "石涛", True), ("黃賓虹", "黄宾鸿", True), ("石 涛", "石濤", True),
     ("Turner, William", "William Turner", True), ("J. M. W. Turner", "Turner, J.M.W.", True),
     ("Paul Cézanne", "Cezanne, Paul", True), ("Wang-Wei", "Wang Wei", True),
     ("Wei Wang 1", "Wang Wei 2", False),
     ("William Turner", "Mary Turner", False), ("painter 1", "painter 12", False)],
)  # fmt: skip
def test_names_that_may_be_one_painter_s(a, b, near):
    assert bool(near_names([a, b])) is near
    assert bool(near_names([b, a])) is near


def test_why_names_are_near():
    reasons = {pair[2] for pair in near_names(["黃賓虹", "黄宾虹"])}
    assert reasons == {"traditional and simplified characters"}
    assert near_names(["Turner, William", "William Turner"])[0][2] == "the same words in another order"


@pytest.mark.parametrize(
    ("title", "painter"),
    [("齐白石 虾", "齐白石"), ("齊白石 蝦", "齐白石"), ("Rain (William Turner)", "Turner, William"),
     ("Turner, William: Rain", "Turner, William"), ("仿齐白石", ""), ("after William Turner", ""),
     ("William Turner's school", ""), ("Turnerian", ""), ("Rain", "")],
)  # fmt: skip
def test_a_painter_of_the_folder_who_is_named_in_a_title_is_near(title, painter):
    found = near_names(["unknown_1", "齐白石", "Turner, William"], [title, "", ""])
    assert found == ([("unknown_1", painter, f"named in the title {title}")] if painter else [])
    assert not near_names(["王", "齐白石", "Turner, William"], [title, "", ""])  # its painter is known


def test_a_picture_without_a_painter_is_no_near_name_but_its_title_is_read(folder):
    table = folder / "ratings.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    for name, painter, title in (("a", "", "石涛 山水"), ("b", "", "a hut"), ("c", "石濤", "")):
        Image.new("RGB", (32, 32), (ord(name), 0, 0)).save(folder / f"{name}.png")
        lines.append(f"{name}.png,{painter},{title},4,0,calm")
    table.write_text("\n".join(lines), encoding="utf-8")
    card = check_dataset(folder, near_duplicates=False)
    assert card.near_names[1:] == (("unknown (a.png)", "石濤", "named in the title 石涛 山水"),)


def test_the_table_gives_every_name_one_painter():
    known = painters.aliases()
    for merge in known.values():
        assert merge.painter == known.get(merge.painter, merge).painter  # no chains
        assert merge.reason


@pytest.mark.skipif(not REAL.is_dir(), reason="the collection of Chinese paintings is not here")
def test_the_groups_of_the_real_collection_are_those_of_the_committed_results():
    results = Path(__file__).resolve().parent.parent / "reports" / "results"
    with (results / "mood_lite0_predictions.csv").open(encoding="utf-8", newline="") as file:
        committed = {row["path"]: row["group"] for row in csv.DictReader(file)}
    listing = list_paintings(REAL)
    groups = listing.paintings.groups.tolist()
    assert dict(zip(listing.paintings.paths, groups, strict=True)) == committed
    assert (len(groups), len(set(groups)), len(listing.merged)) == (396, 129, 30)
