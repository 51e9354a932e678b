"""Tables of ratings as people keep them."""

from __future__ import annotations

import csv
import os
import subprocess
import sys

import numpy as np
import pytest

from workbench.core.errors import DatasetError
from workbench.data.rating_tables import rating_frame, read_ratings, reliability


def write(path, text, encoding="utf-8"):
    path.write_text(text, encoding=encoding)
    return path


def test_columns_are_found_and_gaps_stay_gaps(tmp_path):
    table = write(
        tmp_path / "r.csv",
        "Participant,Image,pleasure,arousal,mood\n"
        "ann,a.png,1,2,calm\nann,b.png,3,,calm\nbob,a.png,NaN,4,wild\nbob,b.png,5,6,\n",
        "utf-8-sig",
    )
    found = read_ratings(table)
    assert list(found) == ["pleasure", "arousal"]  # moods are no numbers
    assert found["pleasure"].pictures == ("a.png", "b.png")
    assert found["pleasure"].raters == ("ann", "bob")
    np.testing.assert_array_equal(found["pleasure"].values, [[1, np.nan], [3, 5]])
    np.testing.assert_array_equal(found["arousal"].values, [[2, 4], [np.nan, 6]])


def test_semicolons_leave_the_comma_to_decimals_and_repeated_ratings_are_averaged(tmp_path):
    table = write(tmp_path / "r.csv", "rater;path;x\na;1;1,5\na;1;2,5\nb;1;3\na;2;-\nb;2;4,25\n")
    column = read_ratings(table)["x"]
    np.testing.assert_array_equal(column.values, [[2, 3], [np.nan, 4.25]])
    assert column.repeated == 1
    assert "1 ratings repeated" in reliability(column, samples=100)["note"]


def test_the_report_by_a_known_reliability(tmp_path):
    """True ratings and noise of variance 1, 10 raters: alpha is .5, the mean's reliability 10/11."""
    rng = np.random.default_rng(0)
    ratings = rng.normal(size=(300, 1)) + rng.normal(size=(300, 10))
    lines = [f"{p},{r},{ratings[p, r]}" for p in range(300) for r in range(10)]
    table = write(tmp_path / "r.csv", "\n".join(["picture,rater,x", *lines]))
    row = reliability(read_ratings(table)["x"], samples=200)
    assert row["alpha_low"] < 0.5 < row["alpha_high"]
    assert row["split_half"] == pytest.approx(10 / 11, abs=0.02)
    assert row["icc_2k"] == pytest.approx(10 / 11, abs=0.02)
    assert row["ceiling"] == pytest.approx((10 / 11) ** 0.5, abs=0.01)
    assert (row["pictures"], row["raters"], row["complete"], row["note"]) == (300, 10, 300, "")


def test_what_cannot_be_said_is_said(tmp_path):
    rows = "".join(f"{r},{p},3\n" for r in "ab" for p in range(4)) + "c,0,3\n"
    row = reliability(read_ratings(write(tmp_path / "r.csv", "rater,path,x\n" + rows))["x"])
    assert np.isnan(row["alpha"])
    assert "1 of the raters rated one picture only; all ratings are equal" in row["note"]
    (column,) = read_ratings(write(tmp_path / "p.csv", "path,x\n1,2\n2,3\n")).values()
    assert (column.raters, column.values.tolist()) == ((), [[2], [3]])
    assert reliability(column)["note"] == "one row per picture: agreement is not known"
    (one,) = read_ratings(write(tmp_path / "o.csv", "path,x\n1,2\n")).values()
    assert reliability(one)["note"] == "one row per picture: agreement is not known"
    lone = reliability(read_ratings(write(tmp_path / "l.csv", "rater,path,x\na,1,2\na,2,3\n"))["x"])
    assert "too few pictures with two raters" in lone["note"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rater,x\na,1\n", "column of pictures"),
        ("path,x\na,1\na,2\n", "every picture once in r.csv, or a column of raters"),
        ('rater,path,x\na,1,"2,5"\n', "Expected numbers in the column x|column of numbers"),
        ("rater,path,x\na,1,inf\nb,1,2\n", "Expected numbers in the column x of r.csv but got 'inf'"),
        ("rater,path,mood\na,1,calm\n", "column of numbers"),
        ("rater,path,x\na,1,2\nb,1,two\n", "Expected numbers in the column x of r.csv but got 'two'"),
        ("rater,path,x\n", "Expected rows"),
    ],
)
def test_bad_tables_are_one_line(tmp_path, text, words):
    with pytest.raises(DatasetError, match=words):
        read_ratings(write(tmp_path / "r.csv", text))


def test_a_warning_is_one_line_too(tmp_path):
    table = write(tmp_path / "r.csv", "rater,path,x\na,1,3\nb,1,4\na,2,2\nb,2,3\n")
    call = [sys.executable, "-m", "workbench", "ratings", str(table), "--samples", "100"]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    assert done.stderr == (
        "warning: 2 groups only: the interval is widened for it, and is itself uncertain.\n"
    )


def test_what_is_not_known_is_a_dash_and_chinese_names_are_aligned(tmp_path):
    table = write(tmp_path / "r.csv", "path,votes_宁静,x\n1.png,3,1\n2.png,4,2\n")
    call = [sys.executable, "-m", "workbench", "ratings", str(table), "--samples", "100"]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(call, capture_output=True, encoding="utf-8", env=environment, check=True)
    head, line, chinese, plain = done.stdout.splitlines()[:4]
    assert "nan" not in done.stdout
    assert chinese.split()[3:] == ["–"] * 5
    assert chinese.startswith("votes_宁静  2")
    assert plain.startswith("x           2")
    assert head.index("pictures") == line.index("  ") + 2 == len("votes_宁静") + 2 + 2


def test_a_frame_for_models_joins_measures(tmp_path):
    ratings = write(
        tmp_path / "r.csv", "participant;image;mood;x\na;1.png;calm;1,5\nb;1.png;;2\na;2.png;wild;\n"
    )
    measures = write(tmp_path / "m.csv", "path,label,contrast,x\n1.png,calm,0.25,9\n3.png,wild,1,9\n")
    frame = rating_frame(ratings, [measures])
    assert list(frame) == ["rater", "picture", "mood", "x", "label", "contrast"]
    assert frame["picture"].tolist() == ["1.png", "1.png", "2.png"]
    np.testing.assert_array_equal(frame["x"], [1.5, 2, np.nan])
    np.testing.assert_array_equal(frame["contrast"], [0.25, 0.25, np.nan])
    assert frame["mood"].isna().tolist() == [False, True, False]
    with pytest.raises(DatasetError, match=r"1.png is there twice"):
        rating_frame(ratings, [write(tmp_path / "t.csv", "path,y\n1.png,1\n1.png,2\n")])
    with pytest.raises(DatasetError, match="written alike"):
        rating_frame(ratings, [write(tmp_path / "o.csv", "path,y\na/1.png,1\n")])


def run(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "workbench", "ratings", *arguments],
        capture_output=True, text=True, cwd=folder,
    )  # fmt: skip


def test_the_command_of_a_model(tmp_path):
    rng = np.random.default_rng(0)
    contrast, own = rng.normal(size=20), rng.normal(size=6)
    lines = [
        f"{r},{p}.png,{own[r] + 2 * contrast[p] + rng.normal(0, 0.5)}" for r in range(6) for p in range(20)
    ]
    write(tmp_path / "r.csv", "\n".join(["rater,path,pleasure", *lines]))
    write(tmp_path / "m.csv", "\n".join(["path,contrast", *(f"{p}.png,{c}" for p, c in enumerate(contrast))]))
    done = run(
        tmp_path, "model", "r.csv", "--table", "m.csv", "--formula", "pleasure ~ contrast", "--out", "o.csv"
    )
    assert done.returncode == 0, done.stderr
    assert "residual" in done.stdout
    with (tmp_path / "o.csv").open(newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert float(rows["contrast"]["low"]) < 2 < float(rows["contrast"]["high"])
    assert rows["rater"]["levels"] == "6"
    wrong = run(tmp_path, "model", "r.csv", "--formula", "joy ~ 1")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("error: The formula 'joy ~ 1' does not fit the table")
    assert wrong.stderr.count("\n") == 1


def test_the_command(tmp_path):
    write(tmp_path / "r.csv", "rater,path,x\na,1,2\nb,1,3\na,2,7\nb,2,6\na,3,4\nb,3,4\n")
    done = run(tmp_path, "r.csv", "--out", "out.csv")
    assert done.returncode == 0, done.stderr
    assert "split_half" in done.stdout
    with (tmp_path / "out.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["column"], row["pictures"], row["raters"], row["ratings"]) == ("x", "3", "2", "6")
