"""ROC and precision-recall curves, one class against the rest, and the areas under them.

The areas are computed for many weightings at once, ties included, since a bootstrap needs thousands of them;
they equal scikit-learn's for each single one.

Source: Fawcett, "An introduction to ROC analysis", 2006; Davis and Goadrich, ICML 2006, for why the area
under precision-recall is a sum of steps (average precision) and not of trapezoids.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.metrics.checks import as_weights, check_labels, check_probabilities


class Curve(NamedTuple):
    """One class against the rest."""

    x: NDArray  # false positive rate, or recall; (K,)
    y: NDArray  # true positive rate, or precision; (K,)
    area: float  # under the curve


def roc_curves(probabilities: ArrayLike, labels: ArrayLike) -> dict[int, Curve]:
    """Receiver operating characteristic of every class that is true somewhere and not everywhere.

    Args:
        probabilities: (N, C), rows sum to 1.
        labels: (N,) true class indices.

    Returns:
        class index -> (false positive rate, true positive rate, area).
    """
    from sklearn.metrics import roc_curve

    p, y = _checked(probabilities, labels)
    curves = {}
    for c in _mixed(y, p.shape[1]):
        x, t, _ = roc_curve(y == c, p[:, c])
        curves[c] = Curve(x, t, float(_auc(p[:, c], y == c, np.ones((1, len(y))))[0]))
    return curves


def pr_curves(probabilities: ArrayLike, labels: ArrayLike) -> dict[int, Curve]:
    """Precision against recall of every class that is true somewhere and not everywhere, as
    :func:`roc_curves`; the area is the average precision.
    """
    from sklearn.metrics import precision_recall_curve

    p, y = _checked(probabilities, labels)
    curves = {}
    for c in _mixed(y, p.shape[1]):
        precision, recall, _ = precision_recall_curve(y == c, p[:, c])
        area = float(_average_precision(p[:, c], y == c, np.ones((1, len(y))))[0])
        curves[c] = Curve(recall[::-1], precision[::-1], area)
    return curves


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


def _mixed(labels: NDArray, num_classes: int) -> list[int]:
    counts = np.bincount(labels, minlength=num_classes)
    return [c for c in range(num_classes) if 0 < counts[c] < len(labels)]


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
