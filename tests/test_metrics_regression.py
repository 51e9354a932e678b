"""Scores of predicted ratings, against scikit-learn and scipy."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import r2_score, root_mean_squared_error

from workbench.metrics.bootstrap import bootstrap, draw_counts
from workbench.metrics.regression import regression_ceilings, regression_report

RNG = np.random.default_rng(0)
Y = RNG.integers(1, 10, 60).astype(float)  # a scale of nine points: many ties
P = (Y + RNG.normal(0, 2, 60)).round(1)


def reference(p, y):
    return {"r2": r2_score(y, p), "spearman": spearmanr(p, y)[0], "rmse": root_mean_squared_error(y, p)}


def test_scores_are_those_of_scikit_learn_and_scipy():
    assert regression_report(P, Y) == pytest.approx(reference(P, Y))


def test_weights_are_repetitions():
    counts = draw_counts(60, 5)
    found = regression_report(P, Y, counts)
    for s, times in enumerate(counts):
        wanted = reference(np.repeat(P, times), np.repeat(Y, times))
        assert {name: values[s] for name, values in found.items()} == pytest.approx(wanted)


def test_an_interval_over_painters():
    found = bootstrap(regression_report, P, Y, groups=np.arange(60) // 2, samples=200)
    assert all(i.low < i.estimate < i.high for i in found.values())


def test_what_does_not_vary_is_nan():
    same = np.full(4, 3.0)
    found = regression_report(same, same)
    assert np.isnan(found["r2"])
    assert np.isnan(found["spearman"])
    assert found["rmse"] == 0
    assert np.isnan(regression_report(same, Y[:4])["spearman"])


def test_a_perfect_predictor_of_true_ratings_reaches_the_ceilings():
    """True ratings of variance 1 and noise of variance 1/3: the reliability is 3/4."""
    true = RNG.normal(size=200_000)
    seen = true + RNG.normal(0, 3**-0.5, len(true))
    wanted = regression_ceilings(0.75, float(seen.std()))
    found = regression_report(true, seen)
    assert found["r2"] == pytest.approx(wanted["r2"], abs=0.01)
    assert found["rmse"] == pytest.approx(wanted["rmse"], abs=0.01)
    assert np.corrcoef(true, seen)[0, 1] == pytest.approx(wanted["spearman"], abs=0.01)
    assert all(np.isnan(v) for v in regression_ceilings(float("nan"), 1.0).values())


@pytest.mark.parametrize(("p", "y", "words"), [([1, 2], [1], "shape"), ([1, np.nan], [1, 2], "finite")])
def test_bad_input(p, y, words):
    with pytest.raises(ValueError, match=words):
        regression_report(p, y)
