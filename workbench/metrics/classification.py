"""Scores of a classifier that gives probabilities, against hard labels and the votes of several raters."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_EPS = 1e-12


def check_probabilities(probabilities: ArrayLike, rows: int | None = None) -> NDArray:
    """(N, C) float64 with rows that sum to 1, or a ValueError."""
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 2 or p.shape[0] == 0 or (rows is not None and p.shape[0] != rows):
        raise ValueError(
            f"Expected probabilities of shape ({'N' if rows is None else rows}, C) but got {p.shape}."
        )
    if not np.isfinite(p).all() or p.min() < 0 or np.abs(p.sum(1) - 1).max() > 1e-3:
        raise ValueError("Expected rows of probabilities in [0, 1] that sum to 1. Apply a softmax first.")
    return p


def confusion_matrix(labels: ArrayLike, predictions: ArrayLike, num_classes: int) -> NDArray:
    """Counts (C, C): row the true class, column the predicted one."""
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    return np.bincount(labels * num_classes + predictions, minlength=num_classes**2).reshape(num_classes, -1)


def accuracy(matrix: NDArray) -> float:
    """Share of pictures on the diagonal of a confusion matrix (C, C)."""
    return float(np.trace(matrix) / matrix.sum())


def balanced_accuracy(matrix: NDArray) -> float:
    """Mean recall over the classes that occur: each class counts the same however many pictures it has."""
    support = matrix.sum(1)
    return float((np.diag(matrix)[support > 0] / support[support > 0]).mean())


def macro_f1(matrix: NDArray) -> float:
    """Mean over classes of 2 TP / (2 TP + FP + FN); a class neither true nor predicted is left out."""
    total = matrix.sum(1) + matrix.sum(0)
    return float((2 * np.diag(matrix)[total > 0] / total[total > 0]).mean())


def log_loss(probabilities: ArrayLike, targets: ArrayLike) -> float:
    """Mean cross-entropy in nats, -Σ t log p.

    Args:
        probabilities: (N, C), rows sum to 1.
        targets: (N,) class indices, or (N, C) distributions such as vote shares. Against votes the loss can
            never be below the votes' own entropy.
    """
    targets = np.asarray(targets)
    p = check_probabilities(probabilities, rows=len(targets))
    log_p = np.log(np.maximum(p, _EPS))
    if targets.ndim == 1:
        return float(-log_p[np.arange(len(p)), targets].mean())
    return float(-(check_probabilities(targets, rows=len(p)) * log_p).sum(1).mean())


def classification_report(
    probabilities: ArrayLike, labels: ArrayLike, votes: ArrayLike | None = None
) -> dict[str, float]:
    """accuracy, balanced_accuracy, macro_f1, ece, log_loss and, given votes, log_loss_votes.

    Args:
        probabilities: (N, C).
        labels: (N,) integers in 0 … C-1.
        votes: (N, C) vote shares that sum to 1, optional.
    """
    from workbench.metrics.calibration import expected_calibration_error

    labels = np.asarray(labels)
    p = check_probabilities(probabilities, rows=len(labels))
    matrix = confusion_matrix(labels, p.argmax(1), p.shape[1])
    scores = {
        "accuracy": accuracy(matrix),
        "balanced_accuracy": balanced_accuracy(matrix),
        "macro_f1": macro_f1(matrix),
        "ece": expected_calibration_error(p, labels),
        "log_loss": log_loss(p, labels),
    }
    if votes is not None:
        scores["log_loss_votes"] = log_loss(p, votes)
    return scores
