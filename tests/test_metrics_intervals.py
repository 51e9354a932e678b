"""Bootstrap over groups and paired tests against theory, enumeration and published numbers."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import softmax
from scipy.stats import binomtest

from workbench.metrics import spectrum
from workbench.metrics.bootstrap import (
    FewGroupsWarning,
    Resamples,
    bootstrap,
    draw_counts,
    mean_difference,
    paired_bootstrap,
    paired_share_interval,
    percentiles,
    resample,
    share_interval,
    two_sided_p,
)
from workbench.metrics.calibration import expected_calibration_error
from workbench.metrics.checks import weighted_mean
from workbench.metrics.classification import classification_report
from workbench.metrics.paired import holm, mcnemar


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    p = softmax(rng.normal(size=(400, 5)) * 2, axis=1)
    y = np.where(rng.random(400) < 0.6, p.argmax(1), rng.integers(5, size=400))
    return p, y, rng.integers(60, size=400)


def plain_mean(values):
    return values.mean()


def test_weighted_and_repeated_resamples_are_the_same_ones():
    rng = np.random.default_rng(0)
    values, groups = rng.normal(size=90), rng.integers(12, size=90)
    weighted, repeated = (
        resample(metric, values, groups=groups, samples=50).draws[""]
        for metric in (weighted_mean, plain_mean)
    )
    assert weighted == pytest.approx(repeated)


def test_interval_of_a_mean_agrees_with_theory():
    effects = np.random.default_rng(0).normal(size=200)
    values, groups = np.repeat(effects, 10), np.repeat(np.arange(200), 10)
    found = bootstrap(weighted_mean, values, groups=groups)
    assert found.estimate == pytest.approx(values.mean())
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * effects.std() / np.sqrt(200), rel=0.08)
    alone = bootstrap(weighted_mean, values)
    assert (alone.high - alone.low) / (found.high - found.low) == pytest.approx(1 / np.sqrt(10), rel=0.1)


def test_two_groups_give_the_three_possible_resamples():
    draws = resample(weighted_mean, [0.0, 0.0, 1.0], groups=["a", "a", "b"], samples=4000).draws[""]
    values, counts = np.unique(draws.round(6), return_counts=True)
    assert values == pytest.approx([0, 1 / 3, 1], abs=1e-6)
    assert counts / 4000 == pytest.approx([0.25, 0.5, 0.25], abs=0.03)


def test_it_agrees_with_the_loop_over_indices(sample):
    p, y, groups = sample
    fast = bootstrap(classification_report, p, y, groups=groups)
    slow = bootstrap(lambda i: classification_report(p[i], y[i]), np.arange(len(y)), groups=groups)
    for name, (estimate, low, high) in slow.items():
        assert fast[name].estimate == pytest.approx(estimate)
        assert (fast[name].low, fast[name].high) == pytest.approx((low, high))


def test_a_metric_that_takes_weights_sees_two_thousand_samples_at_once(sample):
    p, y, groups = sample
    asked = []

    def report(p, y, weights=None):
        asked.append(None if weights is None else weights.shape)
        return classification_report(p, y, weights=weights)

    bootstrap(report, p, y, groups=groups, samples=2000)
    assert asked == [None, (2000, 400)]  # the estimate itself, then all resamples


def test_resamples_without_the_class_are_left_out():
    def recall(hit, of_class, weights=None):
        return weighted_mean(hit, of_class if weights is None else weights * of_class)

    found = bootstrap(recall, [1.0, 0.0, 1.0], [1, 0, 0], samples=200)
    assert found == (1, 1, 1)
    assert np.isnan(percentiles([np.nan])).all()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: bootstrap(weighted_mean, [1.0, 2.0], groups=["a", "a"]),
        lambda: bootstrap(weighted_mean, [1.0, 2.0], groups=["a"]),
        lambda: bootstrap(plain_mean, [1.0, 2.0], [1.0]),
        lambda: bootstrap(weighted_mean, [1.0, 2.0], samples=0),
        lambda: bootstrap(weighted_mean, [1.0, 2.0], level=1.0),
        lambda: mcnemar([1, 0], [0, 1]),
        lambda: mcnemar([True], [True, False]),
        lambda: mcnemar([True], [True], method="chi2"),
    ],
)
def test_what_cannot_be_resampled_or_compared_is_refused(wrong):
    with pytest.raises(ValueError, match="Expected"):
        wrong()


def test_mcnemar_of_a_published_table():
    # Bentur et al. 2009 (airway hyper-responsiveness), as in Fagerland et al. 2013: 1 and 7 discordant pairs
    first = np.array([True] * 1 + [True] * 1 + [False] * 7 + [False] * 12)
    second = np.array([True] * 1 + [False] * 1 + [True] * 7 + [False] * 12)
    exact, mid = mcnemar(first, second, "exact"), mcnemar(first, second)
    assert (exact.only_first, exact.only_second) == (1, 7)
    assert exact.p == pytest.approx(0.0703, abs=5e-5)
    assert mid.p == pytest.approx(0.0391, abs=5e-5)


@pytest.mark.parametrize(("b", "c"), [(0, 0), (3, 3), (0, 5), (12, 4)])
def test_mcnemar_agrees_with_the_binomial_test(b, c):
    first, second = np.array([True] * b + [False] * c + [True]), np.array([False] * b + [True] * c + [True])
    reference = binomtest(b, b + c).pvalue if b + c else 1.0
    assert mcnemar(first, second, "exact").p == pytest.approx(reference)
    assert mcnemar(first, second).p <= mcnemar(first, second, "exact").p


def test_a_paired_difference_is_narrower_than_either_score(sample):
    p, y, groups = sample
    right = (p.argmax(1) == y).astype(float)
    better = right.copy()
    better[np.flatnonzero(right == 0)[:40]] = 1
    found = paired_bootstrap(weighted_mean, better, right, groups=groups)
    assert found.estimate == pytest.approx(0.1)
    assert 0 < found.low < 0.1 < found.high
    assert found.p == pytest.approx(2 / 2001)
    alone = bootstrap(weighted_mean, right, groups=groups)
    assert found.high - found.low < alone.high - alone.low
    back = paired_bootstrap(weighted_mean, right, better, groups=groups)
    assert back == pytest.approx((-found.estimate, -found.high, -found.low, found.p))


def test_p_holds_its_level_where_nothing_differs():
    rng = np.random.default_rng(0)
    ps = [
        paired_bootstrap(
            weighted_mean, *rng.normal(size=(2, 120)), groups=np.arange(120) // 2, samples=200, seed=i
        ).p
        for i in range(300)
    ]
    assert 0.02 < np.mean(np.array(ps) < 0.05) < 0.10
    assert 0.4 < np.mean(ps) < 0.6


def test_equal_models_do_not_differ(sample):
    p, y, groups = sample
    found = paired_bootstrap(classification_report, p, p, y, groups=groups, samples=100)
    assert found["accuracy"] == (0, 0, 0, 1)
    assert np.isnan(two_sided_p(np.array([])))


def test_holm_by_hand():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert holm({"a": 0.6, "b": 0.9}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}


def test_a_question_without_an_answer_does_not_disturb_the_others():
    found = holm({"a": float("nan"), "b": 0.01, "c": 0.04})
    assert np.isnan(found["a"])
    assert (found["b"], found["c"]) == pytest.approx((0.02, 0.04))
    assert all(np.isnan(p) for p in holm({"a": float("nan")}).values())


def test_few_groups_widen_the_interval_and_say_so():
    """At 6 groups the 2.5 % become Φ(t₅(2.5 %) · √(6/5)) = 0.24 %."""
    draws = np.arange(100_001) / 100_000
    assert percentiles(draws, groups=30) == percentiles(draws) == pytest.approx((0.025, 0.975))
    with pytest.warns(FewGroupsWarning, match="6 groups only"):
        low, high = percentiles(draws, groups=6)
    assert (low, high) == pytest.approx((0.00243, 0.99757), abs=2e-5)
    # p and interval agree: 0.243 % on the other side are just what the interval leaves out
    edge = draws - 0.00243
    assert two_sided_p(edge, 6) == pytest.approx(0.05, abs=2e-3)
    assert two_sided_p(edge) == pytest.approx(2 * 0.00243, abs=1e-4)


@pytest.mark.filterwarnings("ignore::workbench.metrics.bootstrap.FewGroupsWarning")
def test_intervals_over_six_groups_cover_the_truth():
    rng = np.random.default_rng(1)
    groups, hits = np.repeat(np.arange(6), 4), []
    for seed in range(300):
        values = np.repeat(rng.normal(size=6), 4) + rng.normal(size=24)
        found = bootstrap(weighted_mean, values, groups=groups, samples=1000, seed=seed)
        hits.append(found.low <= 0 <= found.high)
    assert 0.90 < np.mean(hits) < 0.97  # plain percentiles: 0.85


def test_a_debiased_difference_is_that_of_the_debiased_statistics():
    draws = {"a": np.array([3.0, 4.0, 5.0, 6.0] * 25), "b": np.array([1.0, 1.0, 2.0, 2.0] * 25)}
    found = Resamples({"a": 3.0, "b": 1.0}, draws, 100)
    gap = found.difference("a", "b", debias=True)  # twice 2, less a mean of 3 and percentiles of 2 to 4
    assert gap == pytest.approx((1, 0, 2, 51 / 101), abs=0.01)
    single = found.interval("a", debias=True).estimate - found.interval("b", debias=True).estimate
    assert gap.estimate == single == 1.5 - 0.5
    assert found.difference("a", "b")[:3] == (2, 2, 4)


def test_a_statistic_that_noise_raises_is_debiased():
    """θ = 3, draws around 5: noise adds 2 twice, so 1 is left; the percentiles 4 and 6 become 0 and 2."""
    found = Resamples({"": 3.0}, {"": np.linspace(4 - 1 / 19, 6 + 1 / 19, 10_001)}, 100)
    assert found.interval(debias=True) == pytest.approx((1, 0, 2), abs=1e-2)
    assert found.interval() == pytest.approx((3, 4, 6), abs=1e-2)


def test_the_calibration_error_of_a_calibrated_model_is_nearer_to_none():
    plain, debiased = [], []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        p = softmax(rng.normal(size=(400, 5)), axis=1)
        y = (p.cumsum(1) < rng.random((400, 1))).sum(1)
        found = resample(expected_calibration_error, p, y, samples=300)
        low, high = found.interval(debias=True)[1:]
        plain.append(found.estimate[""])
        debiased.append(found.interval(debias=True).estimate)
        assert low <= debiased[-1] <= high
    assert np.mean(debiased) < 0.7 * np.mean(plain)


def test_groups_are_drawn_whole_and_as_many_as_there_are():
    counts = draw_counts(["a", "b", "a", "c", "b", "a"], 200)
    assert (counts[:, [0, 0]] == counts[:, [2, 5]]).all()
    assert (counts[:, 1] == counts[:, 4]).all()
    assert (counts[:, [0, 1, 3]].sum(1) == 3).all()
    assert draw_counts(4, 50, seed=3).sum(1).tolist() == [4] * 50
    assert (draw_counts(["a", "a"], 5) == 1).all()


def runs_of(estimates, draws, groups=40):
    """``Resamples`` of runs 0, 1, … and of a baseline of zeros."""
    size = len(draws[0])
    estimate = dict(enumerate(estimates)) | {"none": 0.0}
    return Resamples(estimate, dict(enumerate(map(np.asarray, draws))) | {"none": np.zeros(size)}, groups)


def test_runs_that_differ_as_a_whole_have_students_interval():
    """Without other noise it is the t interval of a few numbers, here as SciPy has it."""
    values = [1.0, 2.0, 4.5]
    found = runs_of(values, [np.full(100, v) for v in values])
    value, low, high, p = mean_difference(found, [(run, "none") for run in range(3)])
    usual = stats.ttest_1samp(values, 0)
    assert (value, p) == (pytest.approx(2.5), pytest.approx(usual.pvalue))
    assert (low, high) == pytest.approx(tuple(usual.confidence_interval()))


def test_runs_that_are_alike_have_the_interval_of_their_groups():
    noise = np.random.default_rng(0).normal(0, 2.0, 5000)
    found = runs_of([3.0, 3.0], [3 + noise, 3 + noise], groups=25)
    value, low, high, _ = mean_difference(found, [(0, "none"), (1, "none")])
    half = stats.t.ppf(0.975, 24) * noise.std() * np.sqrt(25 / 24)
    assert (value, low, high) == pytest.approx((3, 3 - half, 3 + half))
    single = mean_difference(found, [(0, "none")])
    assert single == pytest.approx((value, low, high, single.p))


def test_both_noises_are_combined_as_satterthwaite_does():
    noise = np.random.default_rng(1).normal(0, 1.0, 5000)
    noise *= 3 / noise.std()
    found = runs_of([0.0, 6.0], [noise, 6 + noise], groups=10)
    value, low, high, _ = mean_difference(found, [(0, "none"), (1, "none")])
    of_groups, of_runs = 9 * 10 / 9, 18 / 2
    freedom = 19**2 / (of_groups**2 / 9 + of_runs**2 / 1)
    assert (high - low) / 2 == pytest.approx(stats.t.ppf(0.975, freedom) * np.sqrt(19))
    assert value == pytest.approx(3)


def test_a_mean_that_does_not_vary_has_no_width():
    found = runs_of([0.0, 0.0], [np.zeros(9)] * 2)
    assert mean_difference(found, [(0, "none"), (1, "none")]) == (0, 0, 0, 1)


@pytest.mark.parametrize(("hits", "of"), [(0, 40), (1, 5), (40, 40), (100, 100), (7, 129)])
def test_interval_of_a_share_is_scipys(hits, of):
    expected = binomtest(hits, of).proportion_ci(0.9, method="wilson")
    assert share_interval(hits, of, 0.9) == pytest.approx(tuple(expected), abs=1e-12)


def test_no_share_is_certain():
    """100 of 100 is 1 (0.963 to 1), and 4 painters with 25 pictures each have no more to say than 4 of 4."""
    all_right = np.ones(100)
    found = bootstrap(weighted_mean, all_right, shares={"": 100}, samples=50)
    assert found == pytest.approx((1, 0.963, 1), abs=5e-4)
    painters = np.arange(100) // 25
    with pytest.warns(FewGroupsWarning):  # of the interval that is taken where the share varies
        mixed = bootstrap(weighted_mean, painters == 0, groups=painters, shares={"": 4}, samples=400)
    assert mixed.estimate == 0.25
    low, high = bootstrap(weighted_mean, all_right, groups=painters, shares={"": 4}, samples=50)[1:]
    assert (low, high) == pytest.approx((4 / (4 + 1.959964**2), 1), abs=1e-6)
    none = resample(weighted_mean, 0 * all_right, samples=50).interval(share_of=100)
    assert none == pytest.approx((0, 0, 1 - 0.963), abs=5e-4)
    assert bootstrap(weighted_mean, all_right, samples=50)[1:] == (1, 1)  # no share: a constant has no spread
    assert np.isnan(share_interval(0, 0)).all()
    for difference, expected in ((0, (-0.037, 0.037)), (1, (0.963, 1)), (-1, (-1, -0.963))):
        assert paired_share_interval(difference, 100) == pytest.approx(expected, abs=5e-4)


def test_spectral_distance_varies_with_the_episodes_of_the_style():
    """One bin: photos are at 0; five episodes of six equal panels at 1 to 5. The distance is the mean of the
    episodes that are drawn."""
    style = np.repeat(np.arange(1.0, 6), 6)[:, None]
    groups = np.repeat(list("abcde"), 6)
    found = spectrum.resampled_distance({"own": np.zeros((40, 1))}, style, groups, 500, 0)
    assert found.estimate["own"] == 3
    assert found.groups == 5
    drawn = draw_counts(5, 500, seed=1)
    assert found.draws["own"] == pytest.approx(drawn @ np.arange(1.0, 6) / 5)
    apart = spectrum.resampled_distance({"own": np.zeros((40, 1))}, style, None, 500, 0)
    assert apart.draws["own"].std() == pytest.approx(found.draws["own"].std() / np.sqrt(6), rel=0.15)
    photos = np.linspace(-1, 1, 40)[:, None]
    moved = spectrum.resampled_distance({"a": photos, "b": photos + 0.5}, style, groups, 200, 0)
    difference = moved.draws["a"] - moved.draws["b"]  # both nearer the same style: it cancels
    assert difference == pytest.approx(0.5)
