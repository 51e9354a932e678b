"""Where no painters are known, near-duplicates stand in for them in every study."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from workbench.classify.probes import MajorityClass
from workbench.classify.summary import compare
from workbench.data.atelier import write_atelier
from workbench.data.duplicates import group_near_duplicates
from workbench.data.paintings import read_paintings
from workbench.studies.class_averages import ClassAverages
from workbench.studies.intervals import Intervals
from workbench.studies.ratings_regression import RatingsRegression
from workbench.studies.transfer import hold_out


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """(folder with each painting twice, one of them mirrored, and no painters; number of its groups)"""
    folder = tmp_path_factory.mktemp("twice") / "paintings"
    write_atelier(folder, n=10, size=96, painters=5)
    table = pd.read_csv(folder / "ratings.csv").drop(columns="painter")
    for path in table["path"]:
        with Image.open(folder / path) as image:
            image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / path.replace(".", "_again."))
    again = table.assign(path=table["path"].str.replace(".", "_again.", regex=False))
    table = pd.concat([table, again]).assign(joy=lambda t: np.arange(len(t), dtype=float))
    table.to_csv(folder / "ratings.csv", index=False)
    groups = len(np.unique(group_near_duplicates(read_paintings(folder)).groups))
    assert groups <= 10
    return folder, groups


def test_intervals_of_stored_answers(twice, tmp_path):
    folder, groups = twice
    paintings = group_near_duplicates(read_paintings(folder))
    compare("study", tmp_path, paintings, {"floor": MajorityClass()}, "floor", folds=2, samples=20)
    answers = str(tmp_path / "study_predictions.csv")
    (written,) = Intervals(data=str(folder), answers=(answers,), samples=20).run(tmp_path / "anew")
    found = pd.read_csv(written)
    assert set(found["groups"]) == set(found["groups_of_folds"]) == {groups}
    assert set(found["trained_on"]) == {0}


def test_ratings_and_class_averages(twice, tmp_path):
    folder, groups = twice
    study = RatingsRegression(data=str(folder), scales=("joy",), split_seeds=(0,), folds=2, samples=20)
    found = study.prepare(tmp_path)(collection="x", scale="joy", estimator="mean_rating")
    assert {row["painters"] for row in found} == {groups}
    rows = ClassAverages(data=str(folder), samples=20).prepare(tmp_path)(data="x")
    assert {row["painters"] for row in rows} == {groups}


def test_no_group_is_on_both_sides_of_what_a_source_holds_out():
    groups = np.array(list("aaabbbbbcdefghijklmn"))
    for seed in range(20):
        train, held = hold_out(groups, seed)
        assert sorted([*train, *held]) == list(range(20))
        assert not set(groups[train]) & set(groups[held])
        assert 1 <= len(held) <= 5
    train, held = hold_out(np.array([f"{i}" for i in range(50)]), 0)
    assert len(held) == 10
