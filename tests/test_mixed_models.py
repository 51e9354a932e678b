"""Mixed models of ratings: against the analysis of variance of a balanced table, and simulated effects."""

import numpy as np
import pandas as pd
import pytest

from workbench.core.errors import DatasetError
from workbench.data.mixed_models import mixed_model


def simulate(seed, raters=12, pictures=30, effect=0.5, change=-0.3, rater_sd=0.8, picture_sd=0.6, noise=1.0):
    """Every rater rates every picture as it was and redrawn; a measure and redrawing have known effects."""
    rng = np.random.default_rng(seed)
    r, p, x = rng.normal(0, rater_sd, raters), rng.normal(0, picture_sd, pictures), rng.normal(size=pictures)
    i, j, redrawn = (a.ravel() for a in np.indices((raters, pictures, 2)))
    y = 4 + effect * x[j] + change * redrawn + r[i] + p[j] + rng.normal(0, noise, len(i))
    condition = np.where(redrawn == 1, "redrawn", "original")
    return pd.DataFrame(
        {"rater": i.astype(str), "picture": j, "contrast": x[j], "condition": condition, "pleasure": y}
    )


def test_a_balanced_table_gives_the_analysis_of_variance():
    """With every cell filled once, REML's variances are those of the mean squares, exactly."""
    data = simulate(3)
    model = mixed_model(data, "pleasure ~ condition")
    y = data["pleasure"].to_numpy().reshape(12, 30, 2)
    grand = y.mean()
    by_rater, by_picture, by_condition = y.mean((1, 2)), y.mean((0, 2)), y.mean((0, 1))
    ms_rater = 60 * ((by_rater - grand) ** 2).sum() / 11
    ms_picture = 24 * ((by_picture - grand) ** 2).sum() / 29
    fitted = by_rater[:, None, None] + by_picture[:, None] + by_condition - 2 * grand
    df = 720 - 11 - 29 - 1 - 1
    ms_error = ((y - fitted) ** 2).sum() / df
    found = {one.factor: one for one in model.random}
    assert found["rater"].variance == pytest.approx((ms_rater - ms_error) / 60, rel=1e-3)
    assert found["picture"].variance == pytest.approx((ms_picture - ms_error) / 24, rel=1e-3)
    assert found["residual"].variance == pytest.approx(ms_error, rel=1e-3)
    effect = model.effect("condition[T.redrawn]")
    assert effect.estimate == pytest.approx(by_condition[1] - by_condition[0])
    assert effect.se == pytest.approx((ms_error * 2 / 360) ** 0.5, rel=1e-3)
    assert effect.df == df
    assert model.converged
    assert model.notes == ()


def test_an_effect_between_pictures_is_that_of_their_means():
    """In a balanced table the slope and its test are those of a regression of the 30 mean ratings."""
    from scipy.stats import linregress

    data = simulate(4)
    means = data.groupby("picture")[["contrast", "pleasure"]].mean()
    wanted = linregress(means["contrast"], means["pleasure"])
    effect = mixed_model(data, "pleasure ~ contrast").effect("contrast")
    assert effect.estimate == pytest.approx(wanted.slope)
    assert effect.se == pytest.approx(wanted.stderr, rel=1e-3)
    assert effect.df == 28
    assert effect.p == pytest.approx(wanted.pvalue, rel=0.02)


def test_raters_may_differ_in_how_redrawing_moves_them():
    """With an effect for each rater and condition, redrawing is tested against the raters: df = 11."""
    data = simulate(5, pictures=15)
    effect = mixed_model(data, "pleasure ~ condition", ("rater", "picture", "rater:condition")).effect(
        "condition[T.redrawn]"
    )
    assert effect.df == 11
    assert effect.low < -0.3 < effect.high


def test_intervals_hold_the_truth_as_often_as_they_say():
    """40 simulated studies with two effects each, 95 % intervals: 80 · .95 = 76; 69 or fewer has p < .005."""
    inside = 0
    for seed in range(40):
        model = mixed_model(simulate(seed, raters=6, pictures=14), "pleasure ~ contrast + condition")
        for term, truth in (("contrast", 0.5), ("condition[T.redrawn]", -0.3)):
            effect = model.effect(term)
            inside += effect.low <= truth <= effect.high
    assert inside >= 70


def test_forgetting_the_pictures_finds_effects_that_are_not_there():
    """Pictures differ and the measure does nothing: p < .05 is rare only with pictures as random effects."""
    wrong = right = 0
    for seed in range(20):
        data = simulate(seed, effect=0, raters=6, pictures=14, picture_sd=1.0)
        wrong += mixed_model(data, "pleasure ~ contrast", ("rater",)).effect("contrast").p < 0.05
        right += mixed_model(data, "pleasure ~ contrast").effect("contrast").p < 0.05
    assert wrong >= 6
    assert right <= 4


def test_classes_gaps_and_rare_raters_are_said_in_words():
    data = simulate(1, pictures=12)
    data["mood"] = np.where(data["picture"] % 2 == 0, "serenity", "vitality")
    data.loc[5, "pleasure"] = np.nan
    lone = data.iloc[[0]].assign(rater="once", pleasure=3.0)
    model = mixed_model(pd.concat([data, lone]), "pleasure ~ mood")
    assert model.effect("mood[T.vitality]").df == 10
    assert model.observations == len(data)
    assert any("1 of 289 rows lack a value" in note for note in model.notes)
    assert any("1 of 13 levels of rater have one rating only" in note for note in model.notes)
    shown = str(model)
    assert "mood[T.vitality]" in shown
    assert "residual" in shown
    kinds = [row["kind"] for row in model.rows()]
    assert kinds == ["fixed", "fixed", "random", "random", "random"]


def test_a_variance_of_nothing_is_said():
    model = mixed_model(simulate(2, picture_sd=0.0, effect=0), "pleasure ~ condition")
    picture = next(one for one in model.random if one.factor == "picture")
    assert picture.share < 0.02
    assert 0 <= model.r2_marginal <= model.r2_conditional < 1


@pytest.mark.parametrize(
    ("formula", "random", "words"),
    [
        ("pleasure", ("rater",), "such as 'pleasure ~ contrast'"),
        ("pleasure ~ colour", ("rater",), "does not fit the table"),
        ("pleasure ~ contrast +", ("rater",), "does not fit the table"),
        ("condition ~ contrast", ("rater",), "they are words"),
        ("pleasure ~ contrast", ("person",), "a column person"),
        ("pleasure ~ contrast", ("row",), "several ratings each"),
        ("pleasure ~ contrast", ("same",), "two levels or more"),
        ("pleasure ~ contrast + twice", ("rater",), "cannot be told apart"),
        ("constant ~ contrast", ("rater",), "differ but all 720 are 4"),
    ],
)
def test_bad_input_is_one_line(formula, random, words):
    data = simulate(0)
    data = data.assign(row=range(len(data)), same="a", twice=2 * data["contrast"], constant=4.0)
    with pytest.raises(DatasetError, match=words) as raised:
        mixed_model(data, formula, random)
    assert "\n" not in str(raised.value)
