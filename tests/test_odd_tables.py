"""Folders and tables as people and systems leave them: understood, and said how, or named as a problem."""

import csv
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from workbench.core.errors import DatasetError
from workbench.data.check import check_dataset
from workbench.data.paintings import list_paintings, read_paintings
from workbench.data.scenes import picture_names
from workbench.studies.data_and_moods import DataAndMoods, read, select
from workbench.studies.ratings import read_ratings


def picture(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (24, 24, 3), np.uint8)).save(path)


def write_table(folder, rows, separator=","):
    with (folder / "ratings.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=separator)
        writer.writeheader()
        writer.writerows(rows)


VOTES = [(3, 1, 1), (1, 3, 1), (0, 1, 4), (4, 1, 0), (2, 3, 0), (1, 1, 3)]  # of five raters
CLASSES = ("calm", "sad", "grand")


@pytest.fixture
def folder(tmp_path):
    for i in range(6):
        picture(tmp_path / f"{i}.png", i)
    return tmp_path


def rows(cells=lambda votes: votes):
    found = []
    for i, votes in enumerate(VOTES):
        columns = {f"votes_{c}": v for c, v in zip(CLASSES, cells(votes), strict=True)}
        found.append({"path": f"{i}.png", "label": CLASSES[i % 3], "painter": f"p{i // 2}", **columns})
    return found


@pytest.mark.parametrize(
    "cells",
    [
        lambda votes: votes,
        lambda votes: [f"{v / 5:.4f}" for v in votes],
        lambda votes: [20 * v for v in votes],
        lambda votes: [f"{20 * v} %" for v in votes],
        lambda votes: [f"{20.0 * v:.1f}" for v in votes],
    ],
)
def test_votes_as_counts_shares_and_percent(folder, cells):
    write_table(folder, rows(cells))
    found = read_ratings(str(folder))
    order = [CLASSES.index(c) for c in found.data.classes]
    np.testing.assert_allclose(found.data.votes, np.array(VOTES)[:, order] / 5)
    np.testing.assert_array_equal(found.counts, np.array(VOTES)[:, order])
    assert found.raters == 5


def test_counts_of_varying_raters_keep_their_kappa(folder, tmp_path_factory):
    votes = np.array(VOTES) * [[1], [2], [3], [1], [2], [3]]
    table = rows()
    for row, several in zip(table, votes, strict=True):
        row.update({f"votes_{c}": v for c, v in zip(CLASSES, several, strict=True)})
    write_table(folder, table)
    found = read_ratings(str(folder))
    assert found.raters is None
    np.testing.assert_array_equal(found.counts.sum(1), votes.sum(1))
    out = tmp_path_factory.mktemp("out")
    result = read(DataAndMoods(str(folder), samples=20).run(out))
    mean = select(result, "agreement", "raters a picture")["estimate"].item()
    assert mean == pytest.approx(votes.sum(1).mean())
    assert len(select(result, "agreement", "Fleiss kappa"))


def test_shares_of_varying_raters_have_no_kappa_and_do_not_crash(folder, tmp_path_factory, caplog):
    write_table(folder, rows(lambda v: [f"{x / sum(v):.4f}" for x in (v[0] + 0.37, v[1], v[2])]))
    assert read_ratings(str(folder)).counts is None
    assert "kappa is left out" in caplog.text
    result = read(DataAndMoods(str(folder), samples=20).run(tmp_path_factory.mktemp("out")))
    assert not len(select(result, "agreement", "Fleiss kappa"))


def test_votes_against_most_labels_are_a_problem(folder):
    table = rows()
    for row in table:
        row["label"] = CLASSES[(CLASSES.index(row["label"]) + 1) % 3]
    write_table(folder, table)
    card = check_dataset(folder, near_duplicates=False)
    assert any("6 of 6 pictures have a label for which fewer raters voted" in p for p in card.problems)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_paths_in_other_spellings_are_found_and_said(folder, separator):
    picture(folder / "sub" / "\u00e9.png", 9)
    table = rows()
    spelled = [r".\0.png", "1.PNG", " 2.png ", "3.png", "4.png", "sub\\e\u0301.PNG"]
    for row, path in zip(table, spelled, strict=True):
        row["path"] = path
    write_table(folder, table, separator)
    listing = list_paintings(folder)
    assert listing.paintings.paths == ("0.png", "1.png", "2.png", "3.png", "4.png", "sub/\u00e9.png")
    assert not listing.missing
    assert listing.notes[0].startswith("4 paths are written otherwise than their files: .\\0.png is 0.png")
    assert set(read_ratings(str(folder)).data.paths) == set(listing.paintings.paths)


def test_a_path_that_two_files_could_mean_is_missing(folder):
    picture(folder / "A.png", 7)
    picture(folder / "a.png", 8)
    if len({p.name for p in folder.iterdir()} & {"A.png", "a.png"}) < 2:
        pytest.skip("this file system does not tell case apart")
    table = rows()
    table[0]["path"] = "A.PNG"
    write_table(folder, table)
    assert list_paintings(folder).missing == ("A.PNG",)


def test_over_long_cells_are_named_shortly(folder):
    table = rows()
    table[0]["path"] = "x" * 300_000
    write_table(folder, table)
    card = check_dataset(folder, near_duplicates=False)
    assert card.missing == ("x" * 300_000,)
    assert max(len(note) for note in card.notes) < 400


def test_classes_and_painters_of_one_name_in_several_forms(folder):
    table = rows()
    for row, label, painter in zip(
        table,
        ("calm", "Calm", "sad", "ｓａｄ", "calm ", "sad"),
        ("Qi Baishi", "qi  baishi", "Ｑi Baishi", "Caf\u00e9", "Cafe\u0301", "Xu"),
        strict=True,
    ):
        row.update(label=label, painter=painter)
    for row in table:
        row.update(votes_Calm=row.pop("votes_calm"))
    write_table(folder, table)
    data = read_paintings(folder)
    assert data.classes == ("calm", "sad")
    assert data.labels.tolist() == [0, 0, 1, 1, 0, 1]
    assert data.groups.tolist() == ["Qi Baishi"] * 3 + ["Caf\u00e9"] * 2 + ["Xu"]
    assert {m.name for m in list_paintings(folder).merged} >= {"Calm", "ｓａｄ", "qi  baishi"}


def test_folders_of_classes_that_differ_in_form_are_one(tmp_path):
    for i, name in enumerate(("calm", "calm", "Calm", "sad", "sad ")):
        picture(tmp_path / name / f"{i}.png", i)
    listing = list_paintings(tmp_path)
    assert listing.paintings.classes == ("calm", "sad")
    assert len(listing.paintings) == 5
    assert not listing.empty


def test_what_systems_leave_is_no_class(tmp_path):
    for i, name in enumerate(("calm", "calm", "sad", "sad")):
        picture(tmp_path / name / f"{i}.png", i)
    picture(tmp_path / "__MACOSX" / "calm" / "thumb.png", 7)
    picture(tmp_path / "calm" / "@eaDir" / "0.png" / "thumb.png", 8)
    (tmp_path / "sad" / "desktop.ini").write_text("[x]")
    card = check_dataset(tmp_path, near_duplicates=False)
    assert card.ok, card.problems
    assert card.classes == {"calm": 2, "sad": 2}


def test_train_and_val_are_no_classes(tmp_path):
    for i, name in enumerate(("train/calm", "train/sad", "val/calm", "val/sad", "val/calm", "train/sad")):
        picture(tmp_path / name / f"{i}.png", i)
    listing = list_paintings(tmp_path)
    assert listing.paintings.classes == ("calm", "sad")
    assert len(listing.paintings) == 6
    assert "train, val and test are taken as parts of one collection" in listing.notes[0]
    picture(tmp_path / "train" / "loose.png", 9)
    assert list_paintings(tmp_path).loose == ("train/loose.png",)


def test_painters_that_differ_in_a_number_are_no_near_names(folder):
    write_table(folder, rows())
    assert not check_dataset(folder, near_duplicates=False).near_names


def test_what_is_no_picture_that_is_read_is_named(tmp_path):
    for i, name in enumerate(("calm", "calm", "sad", "sad")):
        picture(tmp_path / name / f"{i}.png", i)
    (tmp_path / "sad" / "raw.NEF").write_bytes(b"something")
    card = check_dataset(tmp_path, near_duplicates=False)
    assert list(card.unreadable) == ["sad/raw.NEF"]
    assert not card.ok
    assert picture_names(tmp_path, 1)[-1] == "sad/raw.NEF"


def test_a_console_that_lacks_characters_shows_their_codes(tmp_path):
    for i, name in enumerate(("宁静", "宁静", "忧伤", "忧伤")):
        picture(tmp_path / name / f"{i}.png", i)
    done = subprocess.run(
        [sys.executable, "-m", "workbench", "data", "check", str(tmp_path), "--no-near-duplicates"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
    )
    assert done.returncode == 0, done.stderr
    assert b"\\u5b81\\u9759" in done.stdout


@pytest.mark.parametrize("read", [read_paintings, picture_names])
def test_a_file_in_the_place_of_a_folder_is_told_as_a_file(read, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"anything")
    with pytest.raises(DatasetError, match=r"a\.jpg but it is a file"):
        read(tmp_path / "a.jpg")
    with pytest.raises(DatasetError, match=r"b\.jpg but there is none"):
        read(tmp_path / "b.jpg")
