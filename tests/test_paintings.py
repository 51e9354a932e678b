"""Labelled paintings: reading, splitting, cutting views, and what is refused in one line."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from workbench.core.errors import DatasetError, WeightsError
from workbench.data.atelier import open_dataset
from workbench.data.paintings import read_paintings
from workbench.data.splits import check_no_leak, grouped_folds
from workbench.data.transforms import Crops, RandomView, Squeeze, Views, shrink

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "paintings" / "chinese_mood"


def picture(path, shade=128):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), (shade, shade, 0)).save(path)


@pytest.fixture
def folder(tmp_path):
    for shade, name in enumerate(("calm/a.png", "calm/b.png", "wild/c.png", "wild/d.png")):
        picture(tmp_path / name, shade)
    return tmp_path


def table(folder, rows, name="ratings.csv"):
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / name


ROWS = [
    {"path": "calm/a.png", "label": "calm", "painter": "齐白石", "votes_wild": "0.2", "votes_calm": "0.6"},
    {"path": "calm/b.png", "label": "calm", "painter": "", "votes_wild": "0", "votes_calm": "1"},
    {"path": "wild/c.png", "label": "wild", "painter": "齐白石", "votes_wild": "0.5", "votes_calm": "0.5"},
    {"path": "wild/d.png", "label": "wild", "painter": "朱耷", "votes_wild": "1", "votes_calm": "0"},
]


def test_class_folders(folder, caplog):
    data = read_paintings(folder)
    assert data.classes == ("calm", "wild")
    assert data.labels.tolist() == [0, 0, 1, 1]
    assert len(set(data.groups)) == 4
    assert data.votes is None
    assert not data.grouped
    assert "its own group" in caplog.text  # the user is told that scores may be too good
    assert data.read(0).size == (40, 30)


def test_table(folder):
    table(folder, ROWS)
    data = read_paintings(folder)
    assert data.grouped
    assert data.groups.tolist() == [
        "齐白石",
        "calm/b.png",
        "齐白石",
        "朱耷",
    ]  # an unknown painter stands alone
    assert data.votes == pytest.approx(np.array([[0.75, 0.25], [1, 0], [0.5, 0.5], [0, 1]]))
    assert data.onehot.tolist() == [[1, 0], [1, 0], [0, 1], [0, 1]]


def test_rows_without_a_picture_are_left_out(folder, caplog):
    table(folder, [*ROWS, ROWS[0] | {"path": "calm/elsewhere.png"}])
    assert len(read_paintings(folder)) == 4
    assert "1 of the 5 pictures" in caplog.text


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"path": "calm/a.png", "mood": "calm"}], "label is missing"),
        ([{"file": "calm/a.png"}], "path and label is missing"),
        (ROWS[:2], "at least 2 classes"),
        (ROWS[:3], "at least 2 pictures of every class"),
        ([{**r, "label": ""} for r in ROWS], "label on every row"),
        ([ROWS[0], *ROWS], "listed twice"),
        ([{**r, "votes_calm": "many"} for r in ROWS], "numbers in the votes"),
        ([{**r, "votes_calm": "-1"} for r in ROWS], "votes of 0 or more"),
        ([{**r, "votes_calm": "0", "votes_wild": "0"} for r in ROWS], "votes of 0 or more"),
        ([{k: v for k, v in r.items() if k != "votes_wild"} for r in ROWS], "votes_CLASS for every class"),
        ([{**r, "path": "nowhere/" + r["path"]} for r in ROWS], "found none"),
    ],
)
def test_bad_tables(folder, rows, message):
    with pytest.raises(DatasetError, match=message) as caught:
        read_paintings(folder, table(folder, rows, "t.csv"))
    assert "\n" not in str(caught.value)


def test_bad_folders(folder, tmp_path):
    with pytest.raises(DatasetError, match="there is none"):
        read_paintings(folder / "nowhere")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_paintings(folder, folder / "missing.csv")
    (folder / "empty").mkdir()
    with pytest.raises(DatasetError, match="these have none: empty"):
        read_paintings(folder)
    picture(folder / "empty" / "e.png")
    with pytest.raises(DatasetError, match="2 pictures of every class but empty has one"):
        read_paintings(folder)
    (folder / "empty" / "f.png").write_bytes(b"not a picture")
    with pytest.raises(DatasetError, match=r"1 cannot: empty/f\.png"):
        read_paintings(folder)
    picture(folder / "loose.png")
    with pytest.raises(DatasetError, match="lie beside"):
        read_paintings(folder)


def test_unreadable_files_are_left_out_only_when_asked(folder, caplog):
    (folder / "calm" / "0.png").write_bytes(b"not a picture")
    (folder / "wild" / "e.png").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"2 cannot: calm/0\.png, wild/e\.png"):
        read_paintings(folder)
    data = read_paintings(folder, skip_unreadable=True)
    assert data.paths == ("calm/a.png", "calm/b.png", "wild/c.png", "wild/d.png")
    assert data.labels.tolist() == [0, 0, 1, 1]
    assert data.unreadable == ("calm/0.png", "wild/e.png")
    for name in data.unreadable:
        assert f"{folder / name} is passed over: " in caplog.text
    assert open_dataset(folder).paths == data.paths  # as studies read a folder
    (folder / "lost").mkdir()
    (folder / "lost" / "f.png").write_bytes(b"neither")
    with pytest.raises(DatasetError, match="but lost has none"):
        read_paintings(folder, skip_unreadable=True)


def test_votes_stay_aligned_when_files_are_left_out(folder):
    (folder / "calm" / "a.png").write_bytes(b"not a picture")
    picture(folder / "calm" / "e.png", 9)
    row = {"path": "calm/e.png", "label": "calm", "painter": "x", "votes_wild": "0.25", "votes_calm": "0.75"}
    data = read_paintings(folder, table(folder, [*ROWS, row]), skip_unreadable=True)
    assert data.votes == pytest.approx(np.array([[1, 0], [0.5, 0.5], [0, 1], [0.75, 0.25]]))
    assert data.groups.tolist() == ["calm/b.png", "齐白石", "朱耷", "x"]


def test_one_file_in_two_classes_is_refused(folder):
    picture(folder / "wild" / "copy.png", 0)
    with pytest.raises(DatasetError, match=r"calm/a\.png is the same file as wild/copy\.png"):
        read_paintings(folder)


def test_equal_files_share_a_group(folder, caplog):
    picture(folder / "calm" / "copy.png", 0)
    data = read_paintings(folder)
    groups = dict(zip(data.paths, data.groups.tolist(), strict=True))
    assert groups["calm/copy.png"] == groups["calm/a.png"] != groups["calm/b.png"]
    assert not data.grouped
    rows = [*ROWS, ROWS[0] | {"path": "calm/copy.png", "painter": "八大"}]
    data = read_paintings(folder, table(folder, rows))
    assert len(set(data.groups[[0, 2, 4]])) == 1  # both painters' pictures are united
    assert "under two groups" in caplog.text


def test_the_column_to_group_by(folder):
    rows = [row | {"album": album} for row, album in zip(ROWS, "xxyy", strict=True)]
    data = read_paintings(folder, table(folder, rows), group_by="album")
    assert data.groups.tolist() == ["x", "x", "y", "y"]
    assert data.grouped_by == "album"
    assert read_paintings(folder).grouped_by == "painter"
    with pytest.raises(DatasetError, match="Expected a column school"):
        read_paintings(folder, group_by="school")
    (folder / "ratings.csv").unlink()
    with pytest.raises(DatasetError, match="class folders only"):
        read_paintings(folder, group_by="album")


def test_grouping_by_near_duplicates(folder):
    noise = np.random.default_rng(0).integers(256, size=(24, 32, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((320, 240))
    image.save(folder / "wild" / "e.jpg", quality=95)
    image.transpose(Image.Transpose.ROTATE_90).save(folder / "wild" / "f.jpg", quality=80)
    data = read_paintings(folder, group_by="near-duplicates")
    groups = dict(zip(data.paths, data.groups.tolist(), strict=True))
    assert groups["wild/e.jpg"] == groups["wild/f.jpg"]
    assert groups["wild/e.jpg"] != groups["calm/a.png"]
    assert data.grouped_by == "near-duplicates"
    assert not data.grouped


def test_folds_keep_groups_together_and_classes_spread():
    rng = np.random.default_rng(0)
    groups = rng.integers(40, size=300)
    labels = rng.choice(3, size=300, p=[0.6, 0.3, 0.1])
    pairs = grouped_folds(labels, groups, folds=5, seed=3)
    assert sorted(np.concatenate([test for _, test in pairs])) == list(range(300))
    for train, test in pairs:
        assert not set(groups[train]) & set(groups[test])
        assert set(labels[test]) == {0, 1, 2}
        assert len(train) + len(test) == 300
    again = grouped_folds(labels, groups, folds=5, seed=3)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(pairs, again, strict=True))
    other = grouped_folds(labels, groups, folds=5, seed=4)
    assert not all(np.array_equal(a[1], b[1]) for a, b in zip(pairs, other, strict=True))


def test_impossible_folds():
    with pytest.raises(DatasetError, match="at least 5 groups"):
        grouped_folds([0, 1, 0, 1], ["a", "b", "a", "b"])
    with pytest.raises(DatasetError, match="in at least 2 groups"):
        grouped_folds([0, 0, 1, 1], ["a", "b", "c", "c"], folds=2)
    with pytest.raises(DatasetError, match="at least 2 folds"):
        grouped_folds([0, 1], ["a", "b"], folds=1)
    with pytest.raises(DatasetError, match=r"both sides.*'b'"):
        check_no_leak(["a", "b", "b"], np.array([0, 1]), np.array([2]))


VIEWS = Views((Squeeze(32), Crops(64, 3, 32)))


def test_crop_boxes_by_hand():
    # a 300 × 100 picture at short side 50: a crop of 25 is 50 source pixels, midway in height
    assert Crops(50, 3, 25).boxes(300, 100) == [(0, 25, 50, 75), (125, 25, 175, 75), (250, 25, 300, 75)]
    assert Crops(50, 1, 50).boxes(100, 300) == [(0, 100, 100, 200)]


def test_views_show_their_part():
    array = np.zeros((64, 192, 3), np.uint8)
    array[:, :64, 0], array[:, 64:128, 1], array[:, 128:, 2] = 255, 255, 255  # red, green, blue
    x = VIEWS(Image.fromarray(array))
    assert x.shape == (len(VIEWS), 3, 32, 32)
    for channel in range(3):  # each crop lies within one colour
        assert x[1 + channel, channel].min() == 1
        assert x[1 + channel].sum(0).max() == -1
    assert x[0].amax((1, 2)).tolist() == [1, 1, 1]  # the squeezed view has all three


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (7, 5), (3001, 2999)])
def test_views_of_any_size(size):
    x = VIEWS(Image.new("RGB", size, (255, 255, 255)))
    assert x.shape == (4, 3, 32, 32)
    assert torch.allclose(x, torch.ones(()))


def test_views_survive_the_card():
    assert Views.from_card(VIEWS.to_card() | {"size": 32}) == VIEWS


@pytest.mark.parametrize(
    "change",
    [
        {"views": []},
        {"views": [{"kind": "fisheye", "size": 32}]},
        {"views": [{"kind": "crops", "short_side": 16, "count": 1, "size": 32}]},
        {"views": [{"kind": "squeeze", "size": 32}, {"kind": "squeeze", "size": 64}]},
        {"mean": None},
        {"std": [0, 1, 1]},
    ],
)
def test_bad_preprocessing_is_refused(change):
    with pytest.raises(WeightsError, match="preprocessing"):
        Views.from_card(VIEWS.to_card() | change)


def test_random_views():
    image = Image.fromarray(np.random.default_rng(0).integers(256, size=(40, 90, 3), dtype=np.uint8))
    draw = RandomView(size=32, short_side=(36, 60))
    first, again = (draw(image, np.random.default_rng(1)) for _ in range(2))
    assert first.size == (32, 32)
    assert np.array_equal(first, again)
    rng = np.random.default_rng(1)
    assert not np.array_equal(draw(image, rng), draw(image, rng))


def test_shrink_leaves_enough():
    assert min(shrink(Image.new("RGB", (1000, 3000)), 100).size) == 200
    assert shrink(Image.new("RGB", (150, 3000)), 100).size == (150, 3000)


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason="the collection of Chinese paintings is not here")
def test_the_real_collection():
    data = read_paintings(REAL)
    assert data.classes == ("desolation", "elegance", "grandeur", "serenity", "vitality")
    assert data.grouped
    assert data.votes.sum(1) == pytest.approx(1)
    assert len(grouped_folds(data.labels, data.groups)) == 5
