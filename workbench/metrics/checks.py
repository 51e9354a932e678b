"""Checks of the arguments of metrics, and a weighted mean for fast resampling.

Throughout :mod:`workbench.metrics`, ``weights`` is the number of times that each picture counts: None (once
each), (N,), or (S, N) for S resamples at once, which give S numbers in one matrix product instead of S calls.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


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


def check_labels(labels: ArrayLike, num_classes: int, rows: int | None = None) -> NDArray:
    """(N,) integers in 0 … num_classes - 1, or a ValueError."""
    y = np.asarray(labels)
    if y.ndim != 1 or (rows is not None and len(y) != rows) or y.dtype.kind not in "iu":
        raise ValueError(
            f"Expected integer labels ({'N' if rows is None else rows},) but got {y.dtype} {y.shape}."
        )
    if len(y) and (y.min() < 0 or y.max() >= num_classes):
        raise ValueError(f"Expected labels in 0 … {num_classes - 1} but got {y.min()} … {y.max()}.")
    return y


def as_weights(weights: ArrayLike | None, rows: int) -> NDArray:
    """(N,) or (S, N) float64 of 0 or more; ones for None."""
    if weights is None:
        return np.ones(rows)
    w = np.asarray(weights, dtype=np.float64)
    if w.ndim not in (1, 2) or w.shape[-1] != rows or w.min(initial=0) < 0:
        raise ValueError(f"Expected weights of 0 or more, ({rows},) or (S, {rows}), but got {w.shape}.")
    return w


def weighted_mean(values: ArrayLike, weights: ArrayLike | None = None):
    """Mean of (N,) values: a float, or (S,) for (S, N) weights; nan where the weights are all 0."""
    values = np.asarray(values, dtype=np.float64)
    w = as_weights(weights, len(values))
    total = w.sum(-1)
    mean = np.divide(w @ values, total, out=np.full(np.shape(total), np.nan), where=total > 0)
    return float(mean) if w.ndim == 1 else mean
