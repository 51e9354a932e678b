"""Agreement of raters with each other and with a model, and the ceiling that their disagreement sets.

Raters name different moods for the same painting. The label that comes with it is usually, and not always,
what most of them named: of the 396 Chinese paintings 35 have a label for which fewer voted than for another
mood. Labels are therefore uncertain, and no model can agree with all of them: there is a ceiling. The
accuracy of a model should be compared with it, and with the accuracy of one more rater.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import gammaln

from workbench.metrics.checks import as_weights, check_labels, weighted_mean


def vote_counts(shares: ArrayLike, raters: int) -> NDArray[np.int64]:
    """(N, C) counts from the shares of ``raters`` raters.

    Rows may sum to less than ``raters``: a rater who named nothing is not counted.

    Raises:
        ValueError: shares that are no multiples of 1 / raters, or rows of more than ``raters``.
    """
    shares = np.asarray(shares, dtype=np.float64)
    if shares.ndim != 2 or raters < 1 or not np.isfinite(shares).all() or shares.min(initial=0) < 0:
        raise ValueError(
            f"Expected shares (N, C) of 0 or more and raters ≥ 1 but got {shares.shape}, {raters}."
        )
    counts = np.rint(shares * raters)
    if np.abs(counts - shares * raters).max(initial=0) > 0.01 or counts.sum(1).max(initial=0) > raters:
        raise ValueError(
            f"Expected shares of {raters} raters but some are not. Give the right number of raters."
        )
    return counts.astype(np.int64)


def number_of_raters(shares: ArrayLike) -> int | None:
    """The least number of raters that gives such shares (N, C), or None if no number up to 60 does."""
    shares = np.asarray(shares, dtype=np.float64)
    for raters in range(2, 61):
        try:
            vote_counts(shares, raters)
        except ValueError:
            continue
        return raters
    return None


def vote_entropy(shares: ArrayLike) -> NDArray:
    """Entropy of each row of (N, C) vote shares in nats, (N,): the least log-loss a model can have."""
    shares = np.asarray(shares, dtype=np.float64)
    return -np.where(shares > 0, shares * np.log(np.where(shares > 0, shares, 1)), 0).sum(1)


def pair_agreement(counts: ArrayLike) -> NDArray:
    """(N,) probability that two different raters of a picture name the same class; nan below two raters."""
    n = _counts(counts)
    total = n.sum(1)
    pairs = total * (total - 1)
    return np.divide((n * (n - 1)).sum(1), pairs, out=np.full(len(n), np.nan), where=pairs > 0)


def fleiss_kappa(counts: ArrayLike, weights: ArrayLike | None = None):
    """Agreement beyond chance: (P - P_e) / (1 - P_e), 1 if all agree, 0 at chance.

    P is the mean of :func:`pair_agreement`, P_e = Σ_c f_c² with f the classes' shares of all votes.

    Args:
        counts: (N, C) raters who named the class, at least 2 per picture, not the same number for each.
        weights: None, (N,), or (S, N) for S kappas at once.

    Source:
        Fleiss, "Measuring nominal scale agreement among many raters", 1971.
    """
    n = _counts(counts)
    w = as_weights(weights, len(n))
    if len(n) == 0 or n.sum(1).min() < 2:
        raise ValueError("Expected at least 2 raters per picture: a single one has nobody to agree with.")
    votes = w @ n
    chance = ((votes / votes.sum(-1, keepdims=True)) ** 2).sum(-1)
    observed = weighted_mean(pair_agreement(n), w)
    with np.errstate(divide="ignore", invalid="ignore"):
        kappa = np.where(chance < 1, (observed - chance) / (1 - chance), np.nan)
    return float(kappa) if w.ndim == 1 else kappa


def rater_confusion(counts: ArrayLike) -> NDArray:
    """(C, C): given that one rater named the row's class, the chance that another rater of the same picture
    named the column's. Rows sum to 1; nan for a class nobody named.
    """
    n = _counts(counts)
    others = n.sum(1, keepdims=True) - 1
    n, others = n[others[:, 0] > 0], others[others[:, 0] > 0]
    pairs = (n / others).T @ n - np.diag((n / others).sum(0))
    named = n.sum(0)[:, None]
    return np.divide(pairs, named, out=np.full(pairs.shape, np.nan), where=named > 0)


def model_agreement(predictions: ArrayLike, counts: ArrayLike) -> NDArray:
    """(N,) probability that a random rater names the class that the model names. If its mean equals that of
    :func:`pair_agreement`, the model agrees with raters as they do with each other.

    Args:
        predictions: (N,) class indices, or (N, C) probabilities to draw the model's answer from.
        counts: (N, C) raters who named the class, or their shares.
    """
    n = _counts(counts)
    shares = n / n.sum(1, keepdims=True)
    predictions = np.asarray(predictions)
    if predictions.ndim == 1:
        return shares[np.arange(len(n)), check_labels(predictions, n.shape[1], rows=len(n))]
    if predictions.shape != n.shape:
        raise ValueError(f"Expected predictions (N,) or {n.shape} but got {predictions.shape}.")
    return (shares * predictions).sum(1)


def rater_against_majority(counts: ArrayLike) -> NDArray:
    """(N,) probability that a rater names what most of the *other* raters named: the accuracy of a person.

    Each rater is left out in turn; where the others are tied, each of the tied classes is the label with
    equal probability. nan below two raters.
    """
    n = _counts(counts)
    hits = np.zeros(len(n))
    for c in range(n.shape[1]):
        rest = n - np.eye(n.shape[1])[c]
        top = rest == rest.max(1, keepdims=True)
        hits += n[:, c] * top[:, c] / top.sum(1)
    total = n.sum(1)
    return np.divide(hits, total, out=np.full(len(n), np.nan), where=total > 1)


def fit_dirichlet(counts: ArrayLike) -> NDArray:
    """(C,) concentrations α of the Dirichlet from which pictures' vote distributions come, by maximum
    likelihood of the Dirichlet-multinomial.

    Source: Minka, "Estimating a Dirichlet distribution", 2000 (the model; the optimiser is L-BFGS).
    """
    n = _counts(counts)
    total = n.sum(1)
    if len(n) < 2 or total.max() < 2:
        raise ValueError("Expected at least 2 pictures and 2 raters: less shows no spread to fit.")

    def loss(log_alpha: NDArray) -> float:
        alpha = np.exp(log_alpha)
        mass = alpha.sum()
        each = gammaln(mass) - gammaln(total + mass) + (gammaln(n + alpha) - gammaln(alpha)).sum(1)
        return -float(each.mean())

    start = np.log(np.maximum(n.sum(0) / n.sum(), 1e-3) * n.shape[1])
    return np.exp(minimize(loss, start, method="L-BFGS-B", bounds=[(-7, 7)] * n.shape[1]).x)


def ceiling(
    counts: ArrayLike,
    labels: ArrayLike | None = None,
    alpha: ArrayLike | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> NDArray:
    """(N,) probability that the label is the class that most people would name: the expected accuracy of the
    best possible predictor, which knows the votes of the whole public on each picture.

    The votes are a sample. Without shrinkage the ceiling would be 1, so they are shrunk: a
    picture's vote distribution π is drawn from its posterior Dirichlet(α + counts), α fitted on all
    pictures, and the predictor that answers argmax π is right where this is the label. The mean over
    pictures is the ceiling on accuracy, the mean over classes' means that on balanced accuracy (for this
    predictor). It assumes one Dirichlet for all pictures, and raters drawn from one public.

    Args:
        counts: (N, C) raters who named the class.
        labels: (N,) the label each picture has; None takes the class with the most votes, ties to the first.
        alpha: (C,) concentrations; None fits them.
        draws: posterior draws.
        seed: of the draws.
    """
    n = _counts(counts)
    labels = n.argmax(1) if labels is None else check_labels(labels, n.shape[1], rows=len(n))
    posterior = n + (fit_dirichlet(n) if alpha is None else np.asarray(alpha, dtype=np.float64))
    rng = np.random.default_rng(seed)
    hits = np.zeros(len(n))
    for _ in range(draws):  # gamma draws have the argmax of the Dirichlet draws they are scaled to
        hits += rng.standard_gamma(posterior).argmax(1) == labels
    return hits / draws


def split_half(counts: ArrayLike, draws: int = 500, seed: int = 0) -> NDArray:
    """(N,) probability that two halves of the raters have the same majority: the repeatability of a panel of
    half the size. A tie within a half goes to one of the tied classes at random.
    """
    n = _counts(counts).astype(np.int64)
    rng = np.random.default_rng(seed)
    same = np.zeros(len(n))
    for i, row in enumerate(n):
        first = rng.multivariate_hypergeometric(row, row.sum() // 2, size=draws)  # (draws, C)
        second = row - first
        noise = rng.random((2, *first.shape)) / 2  # below 1/2: breaks ties and nothing else
        same[i] = np.mean((first + noise[0]).argmax(1) == (second + noise[1]).argmax(1))
    return same


def _counts(counts: ArrayLike) -> NDArray:
    n = np.asarray(counts, dtype=np.float64)
    if n.ndim != 2 or not np.isfinite(n).all() or n.min(initial=0) < 0 or (len(n) and n.sum(1).min() <= 0):
        raise ValueError(f"Expected votes (N, C) of 0 or more with one at least a row but got {n.shape}.")
    return n
