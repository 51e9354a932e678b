"""Proper scoring rules: losses that are least, on average, for the true probabilities and for no others.

Sources: Brier, "Verification of forecasts expressed in terms of probability", 1950; Gneiting and Raftery,
"Strictly Proper Scoring Rules, Prediction, and Estimation", JASA 2007.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.metrics.checks import as_weights, check_labels, check_probabilities, weighted_mean

_EPS = 1e-12


def log_loss(probabilities: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None):
    """Mean cross-entropy in nats, -Σ t log p.

    Args:
        probabilities: (N, C), rows sum to 1.
        targets: (N,) class indices, or (N, C) distributions such as vote shares. Against votes the loss can
            never be below the votes' own entropy.
        weights: None, (N,), or (S, N) for S losses at once.
    """
    p, t = _pair(probabilities, targets)
    return weighted_mean(-(t * np.log(np.maximum(p, _EPS))).sum(1), weights)


def brier(probabilities: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None):
    """Mean Σ_c (p_c - t_c)², in [0, 2] for hard labels: Brier's own sum over all classes, not halved.

    Args:
        probabilities: (N, C), rows sum to 1.
        targets: (N,) class indices, or (N, C) distributions.
        weights: None, (N,), or (S, N) for S scores at once.
    """
    p, t = _pair(probabilities, targets)
    return weighted_mean(((p - t) ** 2).sum(1), weights)


def d2_brier(probabilities: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None):
    """1 - brier / (brier of the classes' frequencies): 1 is perfect, 0 is knowing no more than how common
    the classes are, below 0 is worse than that. nan where all targets are equal.

    The frequencies are those of the same (weighted) pictures, so the yardstick is the best constant there is.
    """
    p, t = _pair(probabilities, targets)
    w = as_weights(weights, len(p))
    frequencies = w @ t / w.sum(-1, keepdims=True)
    # mean Σ_c (t_c - f_c)² = mean Σ_c t_c² - Σ_c f_c², as f is the weighted mean of t
    constant = weighted_mean((t**2).sum(1), w) - (frequencies**2).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.where(constant > 1e-12, 1 - brier(p, t, w) / constant, np.nan)
    return float(score) if w.ndim == 1 else score


def _pair(probabilities: ArrayLike, targets: ArrayLike) -> tuple[NDArray, NDArray]:
    """Probabilities and targets, (N, C) each."""
    targets = np.asarray(targets)
    p = check_probabilities(probabilities, rows=len(targets))
    if targets.ndim == 1:
        return p, np.eye(p.shape[1])[check_labels(targets, p.shape[1])]
    t = check_probabilities(targets, rows=len(p))
    if t.shape != p.shape:
        raise ValueError(f"Expected targets of shape {p.shape} but got {t.shape}.")
    return p, t
