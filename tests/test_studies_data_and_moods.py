"""The study on small data whose answers are known, on the atelier, and its committed table."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from workbench.core.errors import DatasetError
from workbench.metrics import agreement
from workbench.studies import data_and_moods as study
from workbench.studies.ratings import read_ratings

ROOT = Path(__file__).resolve().parent.parent
REAL = ROOT.parent / "shared" / "data" / "paintings" / "chinese_mood"
# label, painter, votes for a and b of 4 raters, pleasure
PICTURES = [
    ("a", "x", 4, 0, 6), ("a", "x", 3, 1, 6), ("a", "y", 3, 1, 5), ("a", "z", 1, 2, 5),
    ("b", "z", 0, 4, 2), ("b", "w", 1, 3, 2), ("b", "x", 2, 2, 3), ("b", "y", 1, 3, 3),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    with (tmp_path / "ratings.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "painter", "votes_a", "votes_b", "pleasure", "arousal"])
        for i, (label, painter, a, b, pleasure) in enumerate(PICTURES):
            (tmp_path / label).mkdir(exist_ok=True)
            Image.new("RGB", (64, 32 if i else 16), (20 * i, 90, 200)).save(tmp_path / label / f"{i}.png")
            writer.writerow([f"{label}/{i}.png", label, painter, a / 4, b / 4, pleasure, i])
    return tmp_path


def value(table, topic, name, other=""):
    (found,) = table.loc[
        (table["topic"] == topic) & (table["name"] == name) & (table["other"] == other), "estimate"
    ]
    return found


def test_numbers_by_hand(folder, tmp_path):
    table = study.read(study.DataAndMoods(str(folder), samples=50).run(tmp_path / "out"))
    assert value(table, "counts", "pictures") == 8
    assert value(table, "counts", "pictures", "a") == 4
    assert value(table, "counts", "painters") == 4
    assert value(table, "counts", "painters", "a") == 3
    # x: the other two are a+b (tie), a+b (tie), a+a (wrong); y: wrong twice; z: wrong twice; w is alone
    assert value(table, "counts", "painter's other pictures, accuracy") == pytest.approx(
        (0.5 + 0.5) / 7, abs=1e-5
    )
    assert value(table, "sizes", "share longer than 2:1") == pytest.approx(1 / 8)
    assert value(table, "agreement", "raters a picture") == 4
    assert value(table, "agreement", "raters who named a mood") == pytest.approx(31 / 32, abs=1e-5)
    assert value(table, "agreement", "pictures with a tie") == pytest.approx(1 / 8)
    assert value(table, "agreement", "pictures whose label has the most votes") == pytest.approx(7 / 8)
    assert value(table, "contradictions", "pictures") == 1
    assert value(table, "contradictions", "mean lead of the commonest vote") == pytest.approx(1 / 3)
    assert value(table, "contradictions", "label a", "b") == 1
    assert value(table, "contradictions", "label b", "a") == 0
    pairs = [1, 0.5, 0.5, 1 / 3, 1, 0.5, 1 / 3, 0.5]
    assert value(table, "agreement", "two raters agree") == pytest.approx(np.mean(pairs), abs=1e-5)
    at_label = [1, 0.75, 0.75, 1 / 3, 1, 0.75, 0.5, 0.75]
    assert value(table, "ceiling", "one rater, against the label", "accuracy") == pytest.approx(
        np.mean(at_label), abs=1e-5
    )
    assert value(table, "ceiling", "majority class", "accuracy") == 0.5
    assert value(table, "votes", "votes, label b", "b") == pytest.approx(np.mean([1, 0.75, 0.5, 0.75]))
    assert value(table, "space", "mean, a", "pleasure") == 5.5
    # variance 2.5, of which the means 5.5 and 2.5 explain 2.25
    assert value(table, "space", "variance that the label explains", "pleasure") == pytest.approx(0.9)
    x, y = [p[4] for p in PICTURES], range(8)
    assert value(table, "space", "correlation", "pleasure arousal") == pytest.approx(
        np.corrcoef(x, y)[0, 1], abs=1e-5
    )


def test_a_second_call_does_nothing_again_and_matrices_are_square(folder, tmp_path):
    path = study.DataAndMoods(str(folder), samples=20).run(tmp_path / "out")
    before = path.read_bytes()
    assert study.DataAndMoods(str(folder), samples=20).run(tmp_path / "out") == path
    assert path.read_bytes() == before
    square = study.matrix(study.read(path), "second rater, first ")
    assert list(square.index) == list(square.columns) == ["a", "b"]
    n = read_ratings(str(folder)).counts
    assert square.to_numpy() == pytest.approx(agreement.rater_confusion(n), abs=1e-5)


def test_votes_without_a_number_of_raters_and_no_feelings(folder, tmp_path):
    table = pd.read_csv(folder / "ratings.csv").drop(columns=["pleasure", "arousal"])
    table["votes_a"] = np.linspace(0.013, 0.9871, len(table))
    table["votes_b"] = 1 - table["votes_a"]
    table.to_csv(folder / "ratings.csv", index=False)
    found = study.read(study.DataAndMoods(str(folder), samples=20).run(tmp_path / "out"))
    assert value(found, "agreement", "share of the commonest mood") > 0.5
    assert "Fleiss kappa" not in set(found["name"])
    assert set(found["topic"]) == {"counts", "sizes", "agreement", "ceiling", "contradictions", "votes"}


def test_a_picture_without_a_rating_is_left_out_and_not_a_zero(folder, tmp_path):
    table = pd.read_csv(folder / "ratings.csv")
    own = table["label"] == "a"
    table.loc[table.index[own][0], "pleasure"] = np.nan
    table.to_csv(folder / "ratings.csv", index=False)
    found = study.read(study.DataAndMoods(str(folder), samples=20).run(tmp_path / "out"))
    row = found[(found["name"] == "mean, a") & (found["other"] == "pleasure")].iloc[0]
    assert row["estimate"] == pytest.approx(table.loc[own, "pleasure"].mean())
    assert row["pictures"] == own.sum() - 1


def test_feelings_that_are_words_are_refused(folder):
    text = (folder / "ratings.csv").read_text().replace(",6,0", ",calm,0")
    (folder / "ratings.csv").write_text(text)
    with pytest.raises(DatasetError, match="numbers in pleasure"):
        read_ratings(str(folder))


def test_class_folders_alone_have_counts_and_sizes(folder, tmp_path):
    (folder / "ratings.csv").unlink()
    found = study.read(study.DataAndMoods(str(folder), samples=20).run(tmp_path / "out"))
    assert set(found["topic"]) == {"counts", "sizes", "ceiling"}
    assert "painters" not in set(found["name"])


@pytest.mark.skipif(not REAL.is_dir(), reason="the paintings are not beside the project")
def test_the_committed_table_is_what_the_data_gives():
    table = study.read(ROOT / "reports" / "results" / "data_and_moods.csv")
    found = read_ratings(str(REAL))
    assert value(table, "counts", "pictures") == len(found.data)
    assert value(table, "agreement", "raters a picture") == found.raters == 20
    assert value(table, "agreement", "Fleiss kappa") == pytest.approx(
        agreement.fleiss_kappa(found.counts), abs=1e-5
    )
    assert value(table, "ceiling", "best predictor, against the label", "accuracy") == pytest.approx(
        agreement.ceiling(found.counts, found.data.labels, draws=300, seed=5).mean(), abs=0.01
    )
