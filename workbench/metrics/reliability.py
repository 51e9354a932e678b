"""Agreement of raters on numeric scales, and the ceiling for predictors of their mean.

All take a table (N, K) of N targets by K raters, nan where a rater did not rate a target.

Sources: Shrout and Fleiss, "Intraclass correlations: uses in assessing rater reliability", 1979;
Krippendorff, "Computing Krippendorff's alpha-reliability", 2011; Spearman, "Correlation calculated from
faulty data", 1910, and Brown, 1910 (split halves).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Level = Literal["nominal", "ordinal", "interval", "ratio"]


def icc(ratings: ArrayLike) -> dict[str, float]:
    """Intraclass correlations of a table without gaps; see Shrout and Fleiss for which to use.

    ``ICC(2,k)`` is the reliability of the mean of these k raters, taken as a random sample of raters.

    Returns:
        "ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(1,k)", "ICC(2,k)" and "ICC(3,k)"; nan where all ratings are
        equal. Below 0 targets differ less than by chance.

    Raises:
        ValueError: fewer than 2 targets or raters, or a gap.
    """
    x = _table(ratings)
    if np.isnan(x).any():
        raise ValueError("Expected a rating of every target by every rater but some are missing.")
    n, k = x.shape
    targets, raters = x.mean(1), x.mean(0)
    between = k * ((targets - x.mean()) ** 2).sum() / (n - 1)
    judges = n * ((raters - x.mean()) ** 2).sum() / (k - 1)
    within = ((x - targets[:, None]) ** 2).sum() / (n * (k - 1))
    error = ((x - targets[:, None] - raters + x.mean()) ** 2).sum() / ((n - 1) * (k - 1))
    return {
        "ICC(1,1)": _ratio(between - within, between + (k - 1) * within),
        "ICC(2,1)": _ratio(between - error, between + (k - 1) * error + k * (judges - error) / n),
        "ICC(3,1)": _ratio(between - error, between + (k - 1) * error),
        "ICC(1,k)": _ratio(between - within, between),
        "ICC(2,k)": _ratio(between - error, between + (judges - error) / n),
        "ICC(3,k)": _ratio(between - error, between),
    }


def krippendorff_alpha(ratings: ArrayLike, level: Level = "interval") -> float:
    """1 - observed over expected disagreement: 1 is perfect agreement, 0 is chance. Gaps are allowed.

    Args:
        ratings: (N, K); targets with fewer than two ratings do not count.
        level: of measurement, which says how far two values disagree.

    Returns:
        nan if there are no two different values to compare.
    """
    x = _table(ratings)
    x = x[(~np.isnan(x)).sum(1) > 1]
    if level == "interval":  # by sums of squares: as many values as a slider has need no matrix
        return _interval_alpha(x)
    values = np.unique(x[~np.isnan(x)])
    if len(values) < 2:
        return float("nan")
    counts = (x[:, :, None] == values).sum(1).astype(float)  # (N, V) ratings of each value
    per_target = counts.sum(1, keepdims=True)
    weights = counts / (per_target - 1)
    coincidence = weights.T @ counts - np.diag(weights.sum(0))  # (V, V)
    totals = coincidence.sum(0)
    disagreement = _disagreement(values, totals, level)
    expected = (np.outer(totals, totals) - np.diag(totals)) * disagreement
    observed = coincidence * disagreement
    return float(1 - (totals.sum() - 1) * observed.sum() / expected.sum())


def split_half(ratings: ArrayLike, draws: int = 200, seed: int = 0) -> float:
    """Reliability of the mean over raters, from two random halves of the raters of each target.

    The correlation of the halves' means, averaged over ``draws``, is corrected after Spearman and Brown,
    2 r / (1 + r). Gaps are allowed.

    Returns:
        nan with fewer than 3 targets that two raters or more have rated, or if the means do not vary.
    """
    x = _table(ratings)
    x = x[(~np.isnan(x)).sum(1) > 1]
    if len(x) < 3:
        return float("nan")
    rng, correlations = np.random.default_rng(seed), []
    for _ in range(draws):
        order = np.argsort(np.where(np.isnan(x), np.inf, rng.random(x.shape)), axis=1)
        rank = np.argsort(order, axis=1)  # of each rater among those who rated the target
        half = (~np.isnan(x)).sum(1, keepdims=True) // 2
        first = np.where(rank < half, x, np.nan)
        second = np.where((rank >= half) & (rank < 2 * half), x, np.nan)
        a, b = np.nanmean(first, 1), np.nanmean(second, 1)
        if a.std() > 0 and b.std() > 0:
            correlations.append(np.corrcoef(a, b)[0, 1])
    if not correlations:
        return float("nan")
    r = float(np.mean(correlations))
    return 2 * r / (1 + r) if r > -1 else float("nan")


def ceiling(reliability: float) -> float:
    """The greatest correlation that a predictor can have with means of this reliability: its square root."""
    return float(np.sqrt(max(reliability, 0.0)))


def _table(ratings: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(ratings, dtype=np.float64)
    if x.ndim != 2 or min(x.shape) < 2:
        raise ValueError(f"Expected ratings of 2 targets by 2 raters or more but got the shape {x.shape}.")
    return x


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if abs(whole) > 1e-12 else float("nan")


def _interval_alpha(x: NDArray[np.float64]) -> float:
    x = x - np.nanmean(x) if len(x) else x
    m, total, squares = (~np.isnan(x)).sum(1), np.nansum(x, 1), np.nansum(x**2, 1)
    observed = ((m * squares - total**2) / (m - 1)).sum()
    n = m.sum()
    expected = (n * squares.sum() - total.sum() ** 2) / (n - 1) if n else 0.0
    return float(1 - observed / expected) if expected > 1e-12 else float("nan")


def _disagreement(values: NDArray, totals: NDArray, level: Level) -> NDArray[np.float64]:
    """(V, V) squared difference of two values."""
    if level == "nominal":
        return 1.0 - np.eye(len(values))
    if level == "ratio":
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.nan_to_num(((values[:, None] - values) / (values[:, None] + values)) ** 2)
    if level == "ordinal":
        upto = np.cumsum(totals) - totals / 2  # ranks of the values, in ratings
        return (upto[:, None] - upto) ** 2
    raise ValueError(f"Expected nominal, ordinal, interval or ratio but got {level!r}.")
