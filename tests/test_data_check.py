"""`workbench data check`: every problem of a folder is on the card, and decides the exit code."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from workbench import cli
from workbench.core.errors import DatasetError
from workbench.data.check import check_dataset, summary


def picture(path, seed, size=(320, 240)):
    """A picture of its own: coarse noise under a coloured tint."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    noise = rng.integers(256, size=(6, 8, 3)) * rng.uniform(0.1, 1, 3)
    Image.fromarray(noise.astype(np.uint8)).resize(size, Image.Resampling.NEAREST).save(path)


@pytest.fixture
def folder(tmp_path):
    for i in range(4):
        picture(tmp_path / f"calm/{i}.png", i)
        picture(tmp_path / f"wild/{i}.png", 10 + i)
    return tmp_path


def write_table(folder, rows):
    with (folder / "ratings.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def rows(folder, painter=lambda i: f"p{i % 2}"):
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.png"))
    return [{"path": n, "label": n.split("/")[0], "painter": painter(i)} for i, n in enumerate(names)]


def quick(folder):
    return check_dataset(folder, near_duplicates=False)


def test_a_sound_folder(folder):
    write_table(folder, rows(folder))
    card = quick(folder)
    assert card.ok
    assert card.pictures == 8
    assert card.classes == {"calm": 4, "wild": 4}
    assert card.grouped_by == "painter"
    assert (card.groups, card.largest_group, card.groups_of_class) == (2, 4, {"calm": 2, "wild": 2})
    assert (card.width, card.height) == ((320, 320, 320), (240, 240, 240))
    assert "grouped by painter: 2 groups, the largest has 4" in summary(card)
    assert summary(card).endswith("fit to train on")


def test_all_problems_at_once(folder):
    (folder / "calm" / "broken.png").write_bytes(b"not a picture")
    (folder / "wild" / "copy.png").write_bytes((folder / "calm" / "0.png").read_bytes())
    picture(folder / "lonely" / "one.png", 30)
    picture(folder / "loose.png", 31)
    (folder / "void").mkdir()
    card = quick(folder)
    assert not card.ok
    text = "\n".join(card.problems)
    assert "1 file cannot be read: calm/broken.png" in text
    assert "1 picture beside the class folders: loose.png" in text
    assert "class folders without pictures: void" in text
    assert "class lonely has 1 picture" in text
    assert "1 picture under two labels (equal files): calm/0.png = wild/copy.png" in text
    assert card.equal == (("calm/0.png", "wild/copy.png"),)
    assert "broken.png" in card.unreadable["calm/broken.png"]
    assert card.classes == {"calm": 4, "lonely": 1, "wild": 5}


def test_groups_that_cannot_be_split(folder):
    (folder / "calm" / "copy.png").write_bytes((folder / "calm" / "0.png").read_bytes())
    table = rows(folder, painter=lambda i: "p" if i < 4 else "q")  # calm: four by p, the copy by q
    write_table(folder, [*table, {"path": "calm/gone.png", "label": "calm", "painter": "p"}])
    card = quick(folder)
    text = "\n".join(card.problems)
    assert "1 picture in two groups (equal files): calm/0.png = calm/copy.png" in text
    assert "class wild lies in one group of painter" in text
    assert card.missing == ("calm/gone.png",)


def test_notes_do_not_spoil(folder):
    picture(folder / "calm" / "scroll.png", 40, (1200, 100))
    (folder / "calm" / "copy.png").write_bytes((folder / "calm" / "0.png").read_bytes())
    card = quick(folder)
    assert card.ok
    assert card.scrolls == ("calm/scroll.png",)
    assert card.small == 1
    notes = "\n".join(card.notes)
    assert "1 long scroll (3 : 1 or longer)" in notes
    assert "1 picture there more than once: calm/0.png = calm/copy.png" in notes
    assert "no painters are known" in notes


def test_one_class_and_imbalance(tmp_path):
    for i in range(12):
        picture(tmp_path / f"calm/{i}.png", i)
    assert any("one class only (calm)" in p for p in quick(tmp_path).problems)
    picture(tmp_path / "wild/0.png", 20)
    card = quick(tmp_path)
    assert any("from 1 to 12 pictures" in n for n in card.notes)


def test_nothing_at_all(tmp_path):
    assert quick(tmp_path).problems == ("no picture that can be read",)
    Image.new("RGB", (64, 64)).save(tmp_path / "loose.png")
    problems = quick(tmp_path).problems
    assert problems[0] == "1 picture beside the class folders: loose.png"
    assert problems[1].startswith("no picture has a class")
    with pytest.raises(DatasetError, match="there is none"):
        check_dataset(tmp_path / "nowhere")


def test_near_duplicates_across_classes_and_groups(folder):
    with Image.open(folder / "calm" / "0.png") as image:
        image.rotate(180).save(folder / "wild" / "turned.jpg", quality=95)
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "calm" / "mirrored.jpg", quality=95)
    card = check_dataset(folder)
    found = {frozenset((pair.first, pair.second)) for pair in card.same}
    assert {"calm/0.png", "wild/turned.jpg"} in found
    assert {"calm/0.png", "calm/mirrored.jpg"} in found
    text = "\n".join(card.problems)
    assert "under two labels" in text
    assert "a split between them leaks" in text
    assert card.groups_if_joined < card.groups == 10


def test_command(folder):
    result = CliRunner().invoke(cli.app, ["data", "check", str(folder), "--no-near-duplicates", "--json"])
    card = json.loads(result.stdout)
    assert result.exit_code == 0
    assert card["ok"]
    assert card["classes"] == {"calm": 4, "wild": 4}
    assert card["near_duplicates_checked"] is False
    (folder / "calm" / "broken.png").write_bytes(b"")
    result = CliRunner().invoke(cli.app, ["data", "check", str(folder), "--no-near-duplicates"])
    assert result.exit_code == 1
    assert "1 file cannot be read" in result.stdout
    assert result.stdout.rstrip().endswith("not fit to train on as it is")


def test_long_lists_say_where_the_rest_is(folder):
    table = [row | {"painter": f"unknown_{i}", "title": f"明 沈周 {i}"} for i, row in enumerate(rows(folder))]
    table[0] |= {"painter": "p", "title": ""}
    write_table(folder, table)
    command = ["data", "check", str(folder), "--no-near-duplicates"]
    short = CliRunner().invoke(cli.app, command).stdout
    assert "7 names replaced" in short
    assert short.count("(named in the title 明 沈周") == 5
    assert "… and 2 more (`workbench data check --all` lists them)" in short
    every = CliRunner().invoke(cli.app, [*command, "--all"]).stdout
    for i in range(1, 8):
        assert f"unknown_{i} = 沈周 (named in the title 明 沈周 {i})" in every
    assert "more (" not in every


def test_lists_without_a_line_for_each_are_complete_on_demand(folder):
    for i in range(9):
        picture(folder / "calm" / f"scroll{i}.png", 50 + i, (1200, 100))
    (short,) = (note for note in quick(folder).notes if "long scrolls" in note)
    assert short.endswith("calm/scroll4.png, … and 4 more (`workbench data check --all` lists them)")
    (every,) = (
        note
        for note in check_dataset(folder, near_duplicates=False, shown=None).notes
        if "long scrolls" in note
    )
    assert all(f"\n      calm/scroll{i}.png" in every for i in range(9))


@pytest.mark.parametrize("column", [None, "painter"])
def test_nothing_is_said_of_groups_or_makers_where_no_painters_are_known(folder, column):
    for name in ("0", "1"):  # mirrored: one picture shown twice
        with Image.open(folder / "calm" / f"{name}.png") as image:
            image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "calm" / f"{name}b.png")
    if column:
        write_table(folder, rows(folder, painter=lambda i: ""))
    card = check_dataset(folder)
    text = summary(card)
    assert card.grouped_by == ""
    assert "shown twice: a split between them leaks" in text
    assert "no painters are known" in text
    assert "fewer than 5 pictures" in text  # not: groups
    for claim in ("two groups", "one group", "maker", "grouped by", "painter's"):
        assert claim not in text


def test_help_names_what_is_checked():
    done = CliRunner().invoke(cli.app, ["data", "check", "--help"], env={"COLUMNS": "300"})
    text = " ".join(done.stdout.split())
    for words in (
        "near-duplicates",
        "names that may be one painter's",
        "fewer raters voted",
        "about 0.2 s per picture",
        "--all",
    ):
        assert words in text
