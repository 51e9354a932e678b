"""Estimators of ratings through the one cross-validation, on drawn pictures whose redness is rated."""

import csv
import dataclasses

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone

from workbench.classify.regression import MeanRating, RatingProbe
from workbench.classify.summary import compare, read_summary
from workbench.classify.validation import Fold, RatingValidation, cross_validate
from workbench.core.errors import DatasetError, UnknownNameError
from workbench.data.rated import read_rated


@dataclasses.dataclass(frozen=True)
class MeanColour:
    """A feature source that takes no time."""

    def table(self, paintings, cache=None):
        return np.array([np.asarray(paintings.read(i)).mean((0, 1)) for i in range(len(paintings))])


PROBE = RatingProbe(features=MeanColour())


def write_rated(root, pictures=48, raters=4, painters=8, noise=0.3):
    """Pictures of random colours; raters answer their redness in -1 … 1, with noise of this deviation."""
    rng = np.random.default_rng(0)
    root.mkdir(exist_ok=True)
    colours = rng.integers(20, 235, size=(pictures, 3))
    rows = []
    for i, colour in enumerate(colours):
        Image.new("RGB", (20, 16), tuple(map(int, colour))).save(root / f"{i}.png")
        for r in range(raters):
            rating = colour[0] / 127.5 - 1 + rng.normal(0, noise)
            rows.append({"path": f"{i}.png", "rater": r, "artist": f"p{i % painters}", "warmth": rating})
    with (root / "ratings.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return root


@pytest.fixture
def root(tmp_path):
    return write_rated(tmp_path / "pictures")


@pytest.fixture
def rated(root):
    return read_rated(root, "warmth")


def test_ratings_are_means_over_raters_with_painters_and_reliability(root, rated):
    table = pd.read_csv(root / "ratings.csv").groupby("path")["warmth"].mean()
    assert rated.ratings == pytest.approx(table[list(rated.paths)].to_numpy())
    assert rated.grouped_by == "artist"
    assert set(rated.groups) == {f"p{i}" for i in range(8)}
    variance = (2 * 107.5 / 127.5) ** 2 / 12  # of evenly spread redness
    assert rated.reliability == pytest.approx(variance / (variance + 0.3**2 / 4), abs=0.03)


def test_painters_are_found_in_the_folders_own_table(root, tmp_path):
    (tmp_path / "study.csv").write_text("picture,valence\n0.png,1\n1.png,2\n8.png,3\n")
    rated = read_rated(root, "valence", tmp_path / "study.csv")
    assert rated.groups.tolist() == ["p0", "p1", "p0"]
    assert np.isnan(rated.reliability)  # one row per picture


@pytest.mark.parametrize("method", ["ridge", "kernel_ridge", "pls"])
def test_each_method_learns_what_raters_see_up_to_the_ceiling(rated, method):
    found = cross_validate(PROBE.clone().set_params(method=method), rated, folds=4, split_seeds=(0, 1))
    assert isinstance(found, RatingValidation)
    for fold in found.folds:
        others = np.setdiff1d(np.arange(len(rated)), fold.rows)
        assert not set(rated.groups[fold.rows]) & set(rated.groups[others])
        assert np.array_equal(fold.truth, rated.ratings[fold.rows])
    scores = found.scores(found.answers().mean(0), np.arange(len(rated)))
    assert scores["r2"] > 0.85
    assert scores["r2"] < found.ceilings()["r2"] + 0.05
    assert clone(PROBE).get_params() == PROBE.get_params()


def test_the_floor_explains_nothing(rated):
    found = cross_validate(MeanRating(), rated, folds=4)
    assert found.scores(found.answers()[0], np.arange(len(rated)))["r2"] < 0


def test_a_changed_rating_is_learnt_anew_and_the_rest_is_kept(rated, tmp_path):
    first = cross_validate(PROBE, rated, folds=4, out=tmp_path)
    again = cross_validate(PROBE, rated, folds=4, out=tmp_path)
    assert [f.seconds for f in again.folds] == [f.seconds for f in first.folds]  # read, not run
    changed = rated.ratings.copy()
    changed[0] += 1
    other = cross_validate(PROBE, dataclasses.replace(rated, ratings=changed), folds=4, out=tmp_path)
    assert not np.array_equal(other.answers(), first.answers())


def test_the_tables_of_a_comparison(rated, tmp_path):
    path = compare("warmth", tmp_path, rated, {"probe": PROBE, "mean": MeanRating()}, "mean", samples=100)
    table, summary = pd.read_csv(path), read_summary(path).set_index(["variant", "metric"])
    assert {"r2", "spearman", "rmse"} <= set(table)
    row = summary.loc[("probe", "r2")]
    assert row["low"] < row["estimate"] < row["high"]
    assert row["ceiling"] == pytest.approx(rated.reliability, abs=1e-4)
    assert row["difference"] > 0.8
    predictions = pd.read_csv(tmp_path / "warmth_predictions.csv")
    assert len(predictions) == 2 * len(rated)
    own = predictions[predictions["variant"] == "probe"].set_index("path")
    assert own["rating"][rated.paths[3]] == pytest.approx(rated.ratings[3])


def test_a_summary_is_over_split_seeds(rated):
    half = np.array_split(np.arange(len(rated)), 2)
    folds = tuple(
        Fold(seed, i, rows, rated.ratings[rows] + seed, rated.ratings[rows], 1.0, 2, {})
        for seed in (0, 1)
        for i, rows in enumerate(half)
    )
    found = RatingValidation(rated, folds)
    assert found.answers()[1] - found.answers()[0] == pytest.approx(np.ones(len(rated)))
    assert found.scores(found.answers()[1], np.arange(len(rated)))["rmse"] == pytest.approx(1)


def test_bad_input_is_one_line(root, tmp_path):
    def table(text):
        (tmp_path / "t.csv").write_text(text)
        return tmp_path / "t.csv"

    with pytest.raises(UnknownNameError, match="column of numbers"):
        read_rated(root, "joy")
    with pytest.raises(DatasetError, match="differ but all means are 3"):
        read_rated(root, "x", table("path,x\n0.png,3\n1.png,3\n"))
    with pytest.raises(DatasetError, match="at least 2 pictures"):
        read_rated(root, "x", table("path,x\n0.png,3\nelsewhere.png,4\n1.png,\n"))
    with pytest.raises(DatasetError, match="column country"):
        read_rated(root, "warmth", group_by="country")
    with pytest.raises(DatasetError, match="5 groups for 5 folds"):
        cross_validate(PROBE, read_rated(root, "x", table("path,x\n0.png,3\n1.png,4\n2.png,5\n")))


def test_what_is_left_out_is_named(root, tmp_path, caplog):
    (root / "5.png").write_bytes(b"no picture")
    (tmp_path / "t.csv").write_text("path,x\n0.png,3\n1.png,4\n5.png,4\nelsewhere.png,4\n2.png,nan\n")
    assert read_rated(root, "x", tmp_path / "t.csv").paths == ("0.png", "1.png")
    for words in ("have no rating", "are not there", "5.png is passed over"):
        assert words in caplog.text
