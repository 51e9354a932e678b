"""KID with views and groups against sums over pairs, and its error against repeated draws."""

import itertools

import numpy as np
import pytest

from workbench.metrics.kid import kid, kid_difference


def kernel(a, b):
    return (a @ b / len(a) + 1) ** 3


def by_pairs(x, y):
    """KID × 1000 by loops: (n, views, d) and (m, views, d), pairs of views of one picture left out."""

    def within(z):
        pairs = itertools.permutations(range(len(z)), 2)
        return np.mean([kernel(a, b) for i, j in pairs for a in z[i] for b in z[j]])

    across = np.mean([kernel(a, b) for p in x for q in y for a in p for b in q])
    return 1000 * (within(x) + within(y) - 2 * across)


def sets(seed=0, n=5, m=6, shift=0.4):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 1, 4)) + 0.2 * rng.normal(size=(n, 3, 4))
    return x, rng.normal(shift, 1, size=(m, 1, 4)) + 0.2 * rng.normal(size=(m, 3, 4))


@pytest.mark.filterwarnings("ignore::workbench.metrics.bootstrap.FewGroupsWarning")
def test_the_estimate_is_that_of_all_pairs_of_different_pictures():
    x, y = sets()
    assert kid(x, y, samples=10).mean == pytest.approx(by_pairs(x, y))
    assert kid(x[:, 0], y[:, 0], samples=10).mean == pytest.approx(by_pairs(x[:, :1], y[:, :1]))
    # views of one picture are alike: to take them for pictures makes a set look nearer to itself
    flat = [z.reshape(-1, 1, 4) for z in (x, y)]
    assert by_pairs(*flat) > by_pairs(x, y)


@pytest.mark.filterwarnings("ignore::workbench.metrics.bootstrap.FewGroupsWarning")
def test_a_difference_is_paired():
    x, y = sets(n=12, m=12)
    nearer = x + 0.2
    found = kid_difference(nearer, x, y, samples=400)
    assert found.estimate == pytest.approx(by_pairs(nearer, y) - by_pairs(x, y))
    assert found.low < found.estimate < found.high
    own = [kid(z, y, samples=400) for z in (nearer, x)]
    assert found.high - found.low < own[0].high - own[0].low
    assert kid_difference(x, x, y, samples=50)[:3] == (0, 0, 0)
    with pytest.raises(ValueError, match="same photos"):
        kid_difference(x, x[:4], y)


def test_the_error_is_that_over_pictures():
    """Sets drawn anew differ by about as much as the bootstrap says."""
    rng = np.random.default_rng(1)
    style = rng.normal(0.4, 1, size=(300, 6))
    values, errors = [], []
    for _ in range(40):
        found = kid(rng.normal(size=(60, 6)), style, samples=200)
        values.append(found.mean)
        errors.append(found.error)
    assert np.std(values) < np.mean(errors) < 2 * np.std(values)  # the error has the style's share, too


@pytest.mark.filterwarnings("ignore::workbench.metrics.bootstrap.FewGroupsWarning")
def test_pictures_of_an_episode_are_drawn_together():
    rng = np.random.default_rng(2)
    episodes = np.repeat(np.arange(8), 20)
    style = np.repeat(rng.normal(size=(8, 6)), 20, axis=0) + 0.1 * rng.normal(size=(160, 6))
    x = rng.normal(size=(80, 6))
    alone, together = kid(x, style, samples=200), kid(x, style, episodes, samples=200)
    assert together.mean == alone.mean
    assert together.error > 1.5 * alone.error


@pytest.mark.parametrize(
    "wrong", [lambda x: kid(x[:1], x), lambda x: kid(x, x[:, :, :2]), lambda x: kid(x, x, ["a"])]
)
def test_sets_that_cannot_be_compared_are_refused(wrong):
    with pytest.raises(ValueError, match="Expected"):
        wrong(sets()[0])
