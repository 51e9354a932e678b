"""Scores of a predictor of ratings, and how high they can be if the ratings are only so reliable."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.metrics.checks import as_weights, weighted_mean

__all__ = ["regression_ceilings", "regression_report"]


def regression_report(
    predictions: ArrayLike, ratings: ArrayLike, weights: ArrayLike | None = None
) -> dict[str, float]:
    """r2, spearman and rmse.

    R² is 1 - (mean squared error) / (variance of the ratings): 0 for a predictor that always says the mean of
    these ratings, below 0 for a worse one. Spearman's correlation is that of the ranks, ties sharing theirs.

    Args:
        predictions: (N,).
        ratings: (N,).
        weights: None, (N,), or (S, N) to have each score of S resamples as an array (S,).

    Returns:
        rmse in the unit of the ratings. R² is nan where the ratings do not vary, Spearman's correlation where
        one of the two does not.

    Raises:
        ValueError: other shapes, or values that are not finite.
    """
    p, y = np.asarray(predictions, dtype=np.float64), np.asarray(ratings, dtype=np.float64)
    if p.ndim != 1 or p.shape != y.shape or not len(p):
        raise ValueError(f"Expected predictions and ratings of one shape (N,) but got {p.shape}, {y.shape}.")
    if not (np.isfinite(p).all() and np.isfinite(y).all()):
        raise ValueError("Expected finite predictions and ratings but some are NaN or infinite.")
    squared = weighted_mean((p - y) ** 2, weights)
    centre = y.mean()  # any constant; near the mean for the precision of the variance
    variance = weighted_mean((y - centre) ** 2, weights) - weighted_mean(y - centre, weights) ** 2
    scores = {
        "r2": 1 - _ratio(squared, variance),
        "spearman": _correlation(p, y, as_weights(weights, len(y))),
        "rmse": np.sqrt(squared),
    }
    return {name: float(v) if np.ndim(v) == 0 else v for name, v in scores.items()}


def regression_ceilings(reliability: float, sd: float) -> dict[str, float]:
    """The best that can be expected of each score of :func:`regression_report` against unreliable means.

    A perfect predictor of the pictures' true ratings explains the true share of the variance: R² is the
    reliability, the correlation its square root, the error what is left of the standard deviation.

    Args:
        reliability: of the mean ratings (:func:`workbench.metrics.reliability.split_half`); nan if unknown.
        sd: standard deviation of the mean ratings.

    Source: Spearman, "The proof and measurement of association between two things", 1904 (attenuation).
    """
    known = float(np.clip(reliability, 0, 1))
    return {"r2": known, "spearman": known**0.5, "rmse": sd * (1 - known) ** 0.5}


def _ratio(part: ArrayLike, whole: ArrayLike) -> NDArray[np.float64]:
    whole = np.asarray(whole, dtype=np.float64)
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 1e-12)


def _correlation(p: NDArray, y: NDArray, weights: NDArray) -> NDArray[np.float64]:
    """Spearman's, (…) for weights (…, N)."""
    a, b = _ranks(p, weights), _ranks(y, weights)
    total = weights.sum(-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        a = a - (weights * a).sum(-1, keepdims=True) / total
        b = b - (weights * b).sum(-1, keepdims=True) / total
    covariance, va, vb = ((weights * x).sum(-1) for x in (a * b, a * a, b * b))
    return _ratio(covariance, np.sqrt(va * vb))


def _ranks(values: NDArray, weights: NDArray) -> NDArray[np.float64]:
    """(…, N) ranks if every value stood there as often as its weight says; equal ones share the mean."""
    _, codes = np.unique(values, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(codes.max() + 1))
    together = np.add.reduceat(weights[..., order], starts, axis=-1)  # (…, U) weight of each value
    return (np.cumsum(together, -1) - together / 2 + 0.5)[..., codes]
