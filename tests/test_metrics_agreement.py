"""Raters' agreement against Fleiss's own example, enumeration and simulated publics."""

from itertools import combinations, permutations

import numpy as np
import pytest

from workbench.metrics import agreement
from workbench.metrics.bootstrap import bootstrap

# Ten subjects, fourteen raters, five categories: the textbook example, kappa 0.210.
TEXTBOOK = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
)


def raters_of(row):
    return [c for c, n in enumerate(row) for _ in range(n)]


def test_fleiss_kappa_of_the_textbook():
    assert agreement.fleiss_kappa(TEXTBOOK) == pytest.approx(0.210, abs=5e-4)
    assert agreement.pair_agreement(TEXTBOOK).mean() == pytest.approx(0.378, abs=5e-4)
    assert agreement.fleiss_kappa([[3, 0], [0, 3]]) == pytest.approx(1)
    assert np.isnan(agreement.fleiss_kappa([[3, 0], [3, 0]]))  # one class only: chance is 1


def test_kappa_takes_weights():
    weights = np.array([[1] * 10, [2, 0, 1, 1, 0, 3, 1, 1, 1, 0]])
    found = agreement.fleiss_kappa(TEXTBOOK, weights)
    assert found[0] == pytest.approx(agreement.fleiss_kappa(TEXTBOOK))
    assert found[1] == pytest.approx(agreement.fleiss_kappa(np.repeat(TEXTBOOK, weights[1], axis=0)))
    interval = bootstrap(agreement.fleiss_kappa, TEXTBOOK, samples=200)
    assert interval.low < interval.estimate < interval.high


def test_pair_agreement_counts_pairs():
    for row, found in zip(TEXTBOOK, agreement.pair_agreement(TEXTBOOK), strict=True):
        assert found == pytest.approx(np.mean([a == b for a, b in combinations(raters_of(row), 2)]))
    assert np.isnan(agreement.pair_agreement([[1, 0]])).all()


def test_rater_confusion_counts_pairs():
    seen = np.zeros((5, 5))
    for row in TEXTBOOK:
        for a, b in permutations(raters_of(row), 2):
            seen[a, b] += 1
    found = agreement.rater_confusion(TEXTBOOK)
    assert found == pytest.approx(seen / seen.sum(1, keepdims=True))
    assert np.isnan(agreement.rater_confusion([[2, 0], [2, 0]])[1]).all()


def test_rater_against_majority_leaves_each_out_in_turn():
    for row, found in zip(TEXTBOOK, agreement.rater_against_majority(TEXTBOOK), strict=True):
        hits = []
        for c in raters_of(row):
            rest = row - np.eye(5)[c]
            tied = np.flatnonzero(rest == rest.max())
            hits.append((c in tied) / len(tied))
        assert found == pytest.approx(np.mean(hits))


def test_model_agreement_by_hand():
    counts = [[3, 1], [0, 2]]
    assert agreement.model_agreement([0, 0], counts).tolist() == [0.75, 0]
    assert agreement.model_agreement([[0.5, 0.5], [0.1, 0.9]], counts) == pytest.approx([0.5, 0.9])


def test_counts_and_the_number_of_raters_are_found_again():
    shares = TEXTBOOK / 14
    assert agreement.number_of_raters(shares) == 14
    assert np.array_equal(agreement.vote_counts(shares, 14), TEXTBOOK)
    assert agreement.number_of_raters(np.random.default_rng(0).dirichlet(np.ones(3), 50)) is None
    with pytest.raises(ValueError, match="right number"):
        agreement.vote_counts(shares, 13)


def test_entropy_by_hand():
    assert agreement.vote_entropy([[1, 0], [0.5, 0.5]]) == pytest.approx([0, np.log(2)])


@pytest.fixture(scope="module")
def public():
    """Votes of 20 raters on 2,000 pictures whose true distributions are known."""
    rng = np.random.default_rng(0)
    alpha = np.array([0.4, 0.8, 1.6, 0.6])
    truth = rng.dirichlet(alpha, size=2000)
    return alpha, truth, np.array([rng.multinomial(20, t) for t in truth])


def test_the_dirichlet_is_recovered(public):
    alpha, _, counts = public
    assert agreement.fit_dirichlet(counts) == pytest.approx(alpha, rel=0.1)


def test_the_ceiling_is_what_the_best_predictor_reaches(public):
    _, truth, counts = public
    reached = np.mean(truth.argmax(1) == counts.argmax(1))
    found = agreement.ceiling(counts, draws=300).mean()
    assert found == pytest.approx(reached, abs=0.02)
    assert found < 0.95  # at their word, the votes would allow 1
    assert agreement.ceiling(counts[:50], draws=20, seed=3) == pytest.approx(
        agreement.ceiling(counts[:50], draws=20, seed=3)
    )


def test_a_wrong_label_lowers_the_ceiling():
    counts = np.array([[19, 1, 0], [1, 18, 1], [0, 1, 19]])
    right = agreement.ceiling(counts, alpha=[1, 1, 1], draws=200)
    wrong = agreement.ceiling(counts, labels=[1, 1, 2], alpha=[1, 1, 1], draws=200)
    assert right.min() > 0.99
    assert wrong[0] < 0.01
    assert wrong[1] == right[1]


def test_one_more_rater_agrees_with_the_public(public):
    _, truth, counts = public
    rng = np.random.default_rng(1)
    fresh = np.array([rng.choice(4, p=t) for t in truth])
    assert agreement.rater_against_majority(counts).mean() == pytest.approx(
        np.mean(fresh == counts.argmax(1)), abs=0.02
    )


def test_split_half_by_hand():
    # two against two: the halves are (2,0)+(0,2), never the same, or twice (1,1), the same half of the time;
    # of the 6 halves 4 are mixed: 4/6 · 1/2
    assert agreement.split_half([[2, 2]], draws=20000)[0] == pytest.approx(1 / 3, abs=0.02)
    assert agreement.split_half([[6, 0]], draws=10)[0] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: agreement.fleiss_kappa([[1, 0], [1, 1]]),
        lambda: agreement.pair_agreement([[0, 0]]),
        lambda: agreement.pair_agreement([[-1, 2]]),
        lambda: agreement.vote_counts([[0.5, 0.75]], 4),
        lambda: agreement.vote_counts([0.5], 4),
        lambda: agreement.fit_dirichlet([[1, 0], [0, 1]]),
        lambda: agreement.model_agreement([[1.0]], [[1, 2]]),
    ],
)
def test_votes_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="Expected"):
        wrong()
