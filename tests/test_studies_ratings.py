"""Studies of ratings, on few painted pictures with simulated raters."""

import numpy as np
import pandas as pd
import pytest

from workbench.core.errors import DatasetError
from workbench.data.atelier import simulate_ratings
from workbench.studies.ratings_effects import RatingsEffects
from workbench.studies.ratings_regression import RatingsRegression


@pytest.fixture(autouse=True)
def pictures(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_simulated_raters_have_the_effects_that_they_are_given():
    warmth = np.linspace(0, 1, 50)
    rows = simulate_ratings(
        [f"{i}.png" for i in range(50)], {"warmth": warmth}, {"warmth": 2.0}, picture_sd=0, rater_sd=0,
        noise=0, raters=3, share=0.5,
    )  # fmt: skip
    assert len(rows) == 75
    for row in rows:
        assert row["pleasure"] == pytest.approx(5 + 2 * warmth[int(row["path"].split(".")[0])])
    assert len({row["path"] for row in rows}) > 25  # each rater sees others
    with pytest.raises(DatasetError, match="50 values of each of warmth"):
        simulate_ratings([f"{i}.png" for i in range(50)], {}, {"warmth": 2.0})


@pytest.mark.slow
def test_regression_on_painted_pictures(tmp_path):
    study = RatingsRegression(data="atelier:20", split_seeds=(0,), folds=3, samples=50)
    table = pd.read_csv(study.run(tmp_path / "out"))
    assert set(table["estimator"]) >= {"mean_rating", "measures_ridge", "measures_pls", "lite0_ridge"}
    assert set(table["metric"]) == {"r2", "spearman", "rmse"}
    assert (table["ceiling"][table["metric"] == "r2"] == table["reliability"].iloc[0]).all()
    assert 0.5 < table["reliability"].iloc[0] < 1


def test_ratings_of_a_folder_have_no_ceiling_without_their_raters(tmp_path):
    from workbench.data.atelier import write_atelier

    root = write_atelier(tmp_path / "pictures", n=10, size=64, painters=4)
    table = pd.read_csv(root / "ratings.csv")
    table[["path", "painter"]].assign(joy=np.arange(10.0)).to_csv(tmp_path / "joy.csv", index=False)
    study = RatingsRegression(
        data=str(root), ratings=str(tmp_path / "joy.csv"), split_seeds=(0,), folds=2, samples=20
    )
    assert {run["scale"] for run in study.plan()} == {"joy"}
    found = study.prepare(tmp_path / "out")(collection="x", scale="joy", estimator="mean_rating")
    assert all(np.isnan(row["ceiling"]) for row in found)
    assert found[0]["painters"] == table["painter"].nunique()


def test_effects_of_simulated_raters(tmp_path):
    table = pd.read_csv(RatingsEffects(data="atelier:20", studies=2).run(tmp_path))
    assert len(table) == 2 * 2 * 2
    assert set(table["truth"]) == {2.0, -1.5}
    full = table["model"] == "raters, pictures and painters"
    width = (table["high"] - table["low"]).groupby(table["model"]).mean()
    assert width["raters alone"] < width["raters, pictures and painters"]
    assert (table["inside"] == ((table["low"] <= table["truth"]) & (table["truth"] <= table["high"]))).all()
    assert full.sum() == 4
