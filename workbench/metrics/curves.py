"""Areas under the ROC and precision-recall curves, one class against the rest.

They are computed for many weightings at once, ties included, since a bootstrap needs thousands of them,
and equal scikit-learn's for each single one.

Source: Fawcett, "An introduction to ROC analysis", 2006; Davis and Goadrich, ICML 2006, for why the area
under precision-recall is a sum of steps (average precision) and not of trapezoids.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.metrics.checks import as_weights, check_labels, check_probabilities


def roc_auc(
    probabilities: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None, average: str = "macro"
):
    """Area under the ROC curve, one class against the rest: the chance that a picture of the class gets a
    higher probability of it than a picture of another.

    Args:
        probabilities: (N, C), rows sum to 1.
        labels: (N,) true class indices.
        weights: None, (N,), or (S, N) for S areas at once.
        average: "macro" for the mean over the classes that can be scored, or "none" for all, (…, C), with
            nan for a class that is true nowhere or everywhere.
    """
    return _over_classes(_auc, probabilities, labels, weights, average)


def average_precision(
    probabilities: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None, average: str = "macro"
):
    """Area under the precision-recall curve, Σ (R_k - R_{k-1}) P_k, one class against the rest.

    Its chance level is the share of the class, not 1/2. Arguments as for :func:`roc_auc`.
    """
    return _over_classes(_average_precision, probabilities, labels, weights, average)


def _checked(probabilities: ArrayLike, labels: ArrayLike) -> tuple[NDArray, NDArray]:
    p = check_probabilities(probabilities, rows=len(np.asarray(labels)))
    return p, check_labels(labels, p.shape[1])


def _over_classes(area, probabilities, labels, weights, average):
    if average not in ("macro", "none"):
        raise ValueError(f'Expected `average` to be "macro" or "none" but got {average!r}.')
    p, y = _checked(probabilities, labels)
    w = as_weights(weights, len(y))
    areas = np.stack([area(p[:, c], y == c, np.atleast_2d(w)) for c in range(p.shape[1])], axis=-1)  # (S, C)
    if average == "macro":
        scored = np.isfinite(areas)
        total = np.where(scored, areas, 0).sum(-1)
        areas = np.divide(total, scored.sum(-1), out=np.full(len(areas), np.nan), where=scored.any(-1))
    areas = areas[0] if w.ndim == 1 else areas
    return float(areas) if np.ndim(areas) == 0 else areas


def _steps(scores: NDArray, positive: NDArray, weights: NDArray) -> tuple[NDArray, NDArray]:
    """Weight of positives and of negatives at each distinct score, from the highest down, (S, K) each."""
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) != 0])
    sorted_weights, sign = weights[:, order], positive[order]
    return (
        np.add.reduceat(sorted_weights * sign, starts, axis=1),
        np.add.reduceat(sorted_weights * ~sign, starts, axis=1),
    )


def _auc(scores: NDArray, positive: NDArray, weights: NDArray) -> NDArray:
    tp, fp = _steps(scores, positive, weights)
    below = fp.sum(1, keepdims=True) - np.cumsum(fp, axis=1)  # negatives with a lower score
    pairs = tp.sum(1) * fp.sum(1)
    won = (tp * (below + fp / 2)).sum(1)  # a tie is half a win
    return np.divide(won, pairs, out=np.full(len(weights), np.nan), where=pairs > 0)


def _average_precision(scores: NDArray, positive: NDArray, weights: NDArray) -> NDArray:
    tp, fp = _steps(scores, positive, weights)
    hits, named = np.cumsum(tp, axis=1), np.cumsum(tp + fp, axis=1)
    precision = np.divide(hits, named, out=np.zeros_like(hits), where=named > 0)
    total, others = tp.sum(1), fp.sum(1)
    valid = (total > 0) & (others > 0)
    return np.divide((tp * precision).sum(1), total, out=np.full(len(weights), np.nan), where=valid)
