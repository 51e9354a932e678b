"""Scores of a classifier that gives probabilities, against hard labels and the votes of several raters.

Functions of a confusion matrix also take a stack of them (…, C, C), so that an interval over resamples costs
one call (see :mod:`workbench.metrics.bootstrap`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.metrics.calibration import expected_calibration_error
from workbench.metrics.checks import as_weights, check_labels, check_probabilities, weighted_mean
from workbench.metrics.curves import average_precision, roc_auc
from workbench.metrics.proper_scores import brier, d2_brier, log_loss

__all__ = [
    "accuracy",
    "balanced_accuracy",
    "check_probabilities",
    "classification_report",
    "confusion_matrix",
    "log_loss",
    "macro_f1",
    "per_class",
]


def confusion_matrix(
    labels: ArrayLike, predictions: ArrayLike, num_classes: int, weights: ArrayLike | None = None
) -> NDArray:
    """Counts (C, C): row the true class, column the predicted one; (S, C, C) for (S, N) weights."""
    labels = check_labels(labels, num_classes)
    cell = labels * num_classes + check_labels(predictions, num_classes, rows=len(labels))
    if weights is None:
        return np.bincount(cell, minlength=num_classes**2).reshape(num_classes, -1)
    w = as_weights(weights, len(labels))
    return (w @ np.eye(num_classes**2)[cell]).reshape(*w.shape[:-1], num_classes, num_classes)


def accuracy(matrix: NDArray):
    """Share of pictures on the diagonal of a confusion matrix (…, C, C)."""
    return _number(np.trace(matrix, axis1=-2, axis2=-1) / np.sum(matrix, axis=(-2, -1)))


def balanced_accuracy(matrix: NDArray):
    """Mean recall over the classes that occur: each class counts the same however many pictures it has."""
    return _number(np.nanmean(per_class(matrix)["recall"], axis=-1))


def macro_f1(matrix: NDArray):
    """Mean over classes of 2 TP / (2 TP + FP + FN); a class neither true nor predicted is left out."""
    return _number(np.nanmean(per_class(matrix)["f1"], axis=-1))


def per_class(matrix: NDArray) -> dict[str, NDArray]:
    """precision, recall, f1 and support of each class, (…, C) each.

    A ratio with nothing to count is nan, not 0: the precision of a class that is never predicted, the recall
    of one that does not occur, the F1 of one that is neither.
    """
    matrix = np.asarray(matrix)
    hits = np.diagonal(matrix, axis1=-2, axis2=-1)
    support, predicted = matrix.sum(-1), matrix.sum(-2)
    return {
        "precision": _ratio(hits, predicted),
        "recall": _ratio(hits, support),
        "f1": _ratio(2 * hits, support + predicted),
        "support": support,
    }


def classification_report(
    probabilities: ArrayLike,
    labels: ArrayLike,
    votes: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    extended: bool = False,
) -> dict[str, float]:
    """accuracy, balanced_accuracy, macro_f1, ece, log_loss and, given votes, log_loss_votes.

    Args:
        probabilities: (N, C).
        labels: (N,) integers in 0 … C-1.
        votes: (N, C) vote shares that sum to 1, optional.
        weights: None, (N,), or (S, N) to have each score of S resamples as an array (S,).
        extended: also brier, d2_brier, roc_auc, average_precision and, given votes, rater_agreement: the
            probability that a random rater names the predicted class.
    """
    labels = np.asarray(labels)
    p = check_probabilities(probabilities, rows=len(labels))
    top = p.argmax(1)
    matrix = confusion_matrix(labels, top, p.shape[1], weights)
    scores = {
        "accuracy": accuracy(matrix),
        "balanced_accuracy": balanced_accuracy(matrix),
        "macro_f1": macro_f1(matrix),
        "ece": expected_calibration_error(p, labels, weights=weights),
        "log_loss": log_loss(p, labels, weights),
    }
    if votes is not None:
        scores["log_loss_votes"] = log_loss(p, votes, weights)
    if extended:
        scores |= {
            "brier": brier(p, labels, weights),
            "d2_brier": d2_brier(p, labels, weights),
            "roc_auc": roc_auc(p, labels, weights),
            "average_precision": average_precision(p, labels, weights),
        }
        if votes is not None:
            scores["rater_agreement"] = weighted_mean(np.asarray(votes)[np.arange(len(p)), top], weights)
    return scores


def _ratio(part: NDArray, whole: NDArray) -> NDArray:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def _number(value):
    return float(value) if np.ndim(value) == 0 else value
