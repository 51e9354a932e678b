"""Choices within the training pictures: no choice is judged by a picture that it was fitted on."""

import numpy as np
import pandas as pd
import pytest
from hues import write_hues

from workbench.classify.configs import StatisticsConfig
from workbench.classify.nested import ChosenProbe, least_loss, out_of_fold
from workbench.classify.statistics import StatisticsEstimator
from workbench.classify.validation import cross_validate
from workbench.core.cache import Cache
from workbench.data.paintings import read_paintings

READER = StatisticsConfig(variants=("lite0",), size=32, eval_crops=(), covariance_stage=0)


@pytest.fixture(scope="module")
def paintings(tmp_path_factory):
    folder = write_hues(tmp_path_factory.mktemp("hues"), count=10, painters=5, shape=(32, 32))
    table = pd.read_csv(folder / "ratings.csv")
    painters = [f"painter {i % 10}" for i in range(len(table))]  # each paints both moods
    table.assign(painter=painters).to_csv(folder / "ratings.csv", index=False)
    return read_paintings(folder)


def test_each_picture_is_predicted_once_and_by_others_than_its_painter(paintings):
    rows = np.flatnonzero(paintings.groups != paintings.groups[0])

    def predict(train, held):
        assert set(train) | set(held) == set(rows)
        assert not set(paintings.groups[train]) & set(paintings.groups[held])
        return np.stack([np.stack([held, np.full(len(held), k)], 1) for k in range(2)])

    found = out_of_fold(predict, paintings, rows, 0)
    assert found.shape == (2, len(rows), 2)
    assert (found[..., 0] == rows).all()  # in the order that was asked for


def test_the_option_nearest_to_the_labels_is_taken_however_sure_it_says_it_is(paintings):
    rows = np.arange(len(paintings))
    right = paintings.onehot[rows] * 1e-3  # hardly says anything before it is calibrated
    wrong = paintings.onehot[rows][:, ::-1] * 9.0
    flat = np.zeros_like(right)
    assert least_loss({"wrong": wrong, "right": right, "flat": flat}, paintings, rows) == "right"


def test_the_chosen_recipe_is_fitted_on_all_training_pictures(paintings, tmp_path):
    cache, rows = Cache(tmp_path), np.arange(len(paintings))
    chosen = ChosenProbe(reader=READER, hard_shares=(), penalties=(10.0,), cache=cache)
    names = list(chosen.recipes())
    assert names[0] == "linear_probe_squeezed"
    assert names[-2:] == ["lite_statistics", "penalty=10"]
    chosen.fit(paintings, rows)
    alone = chosen.recipes()[chosen.recipe_].fit(paintings, rows)
    assert chosen.predict_logits(paintings, rows) == pytest.approx(alone.predict_logits(paintings, rows))
    assert chosen.measures(paintings, rows) == {"recipe": names.index(chosen.recipe_)}


def test_a_setting_that_unlearns_is_not_chosen(paintings, tmp_path):
    useless = ChosenProbe(reader=READER, hard_shares=(), penalties=(1e9,), cache=Cache(tmp_path))
    assert useless.fit(paintings, np.arange(len(paintings))).recipe_ != "penalty=1e+09"
    validation = cross_validate(useless, paintings, folds=2, split_seeds=(0,))
    assert (validation.probabilities()[0].argmax(1) == paintings.labels).mean() > 0.9


def test_changes_are_of_the_readers_settings():
    recipe = ChosenProbe(reader=READER).recipes()["hard_share=1"]
    assert isinstance(recipe, StatisticsEstimator)
    assert (recipe.config.hard_share, recipe.config.penalty) == (1.0, READER.penalty)
