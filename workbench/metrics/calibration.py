"""How far stated probabilities can be believed, and the one number that repairs most of it.

Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, arXiv:1706.04599.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from workbench.metrics.classification import check_probabilities


def expected_calibration_error(probabilities: ArrayLike, labels: ArrayLike, bins: int = 15) -> float:
    """ECE = Σ_b (n_b / N) · |accuracy_b - confidence_b| over equal-width bins of the top probability.

    Args:
        probabilities: (N, C), rows sum to 1.
        labels: (N,) true class indices.
        bins: number of bins over [0, 1]. The estimate grows with it on small samples.

    Returns:
        A number in [0, 1]; 0 is perfect.
    """
    labels = np.asarray(labels)
    p = check_probabilities(probabilities, rows=len(labels))
    confidence, correct = p.max(1), p.argmax(1) == labels
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(which, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def apply_temperature(logits: ArrayLike, temperature: float) -> NDArray:
    """softmax(logits / temperature), (N, C). Above 1 softens; the top class never changes.

    Raises:
        ValueError: a temperature that is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"Expected a temperature above 0 but got {temperature}.")
    return softmax(np.asarray(logits, dtype=np.float64) / temperature, axis=-1)


def fit_temperature(logits: ArrayLike, targets: ArrayLike) -> float:
    """The temperature in [0.05, 20] with the least log-loss on logits the network was not fitted on.

    Args:
        logits: (N, C).
        targets: (N,) class indices, or (N, C) distributions.
    """
    logits, targets = np.asarray(logits, dtype=np.float64), np.asarray(targets)
    if logits.ndim != 2 or len(logits) == 0 or len(targets) != len(logits):
        raise ValueError(f"Expected logits (N, C) and N targets but got {logits.shape} and {targets.shape}.")
    hot = np.eye(logits.shape[1])[targets] if targets.ndim == 1 else targets

    def loss(log_temperature: float) -> float:
        return -(hot * log_softmax(logits / np.exp(log_temperature), axis=1)).sum(1).mean()

    return float(np.exp(minimize_scalar(loss, bounds=np.log((0.05, 20.0)), method="bounded").x))
