"""Calibration of probabilities: its error, reliability diagrams and temperature scaling.

Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, arXiv:1706.04599.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax, softmax

from workbench.metrics.checks import as_weights, check_labels, check_probabilities


def expected_calibration_error(
    probabilities: ArrayLike, labels: ArrayLike, bins: int = 15, weights: ArrayLike | None = None
):
    """ECE = Σ_b (n_b / N) · |accuracy_b - confidence_b| over equal-width bins of the top probability.

    Args:
        probabilities: (N, C), rows sum to 1.
        labels: (N,) true class indices.
        bins: number of bins over [0, 1]. The estimate grows with it on small samples.
        weights: None, (N,), or (S, N) for S errors at once.

    Returns:
        A number in [0, 1]; 0 is perfect. (S,) for (S, N) weights.
    """
    confidence, correct, which = _binned(probabilities, labels, bins)
    w = as_weights(weights, len(which))
    gaps = w @ (np.eye(bins)[which] * (correct - confidence)[:, None])
    error = np.abs(gaps).sum(-1) / w.sum(-1)
    return float(error) if w.ndim == 1 else error


class ReliabilityBins(NamedTuple):
    """Equal-width bins of the top probability; nan in an empty bin."""

    edges: NDArray  # (B + 1,), 0 … 1
    count: NDArray  # type: ignore[assignment]  # (B,) pictures; hides the tuple's method
    confidence: NDArray  # (B,) mean top probability
    accuracy: NDArray  # (B,) accuracy


def reliability_bins(probabilities: ArrayLike, labels: ArrayLike, bins: int = 10) -> ReliabilityBins:
    """Data of a reliability diagram: mean confidence and accuracy in each bin.

    Args:
        probabilities: (N, C), rows sum to 1.
        labels: (N,) true class indices.
        bins: number of bins over [0, 1].
    """
    confidence, correct, which = _binned(probabilities, labels, bins)
    count = np.bincount(which, minlength=bins)

    def mean(values: NDArray) -> NDArray:
        total = np.bincount(which, weights=values, minlength=bins)
        return np.divide(total, count, out=np.full(bins, np.nan), where=count > 0)

    return ReliabilityBins(np.linspace(0, 1, bins + 1), count, mean(confidence), mean(correct))


def _binned(probabilities: ArrayLike, labels: ArrayLike, bins: int) -> tuple[NDArray, NDArray, NDArray]:
    """Top probability, whether it is right, and the bin it falls into, (N,) each."""
    if bins < 1:
        raise ValueError(f"Expected at least 1 bin but got {bins}.")
    p = check_probabilities(probabilities, rows=len(np.asarray(labels)))
    confidence, correct = p.max(1), p.argmax(1) == check_labels(labels, p.shape[1])
    return confidence, correct, np.minimum((confidence * bins).astype(int), bins - 1)


def apply_temperature(logits: ArrayLike, temperature: float) -> NDArray:
    """softmax(logits / temperature), (N, C). Above 1 softens; the top class never changes.

    Raises:
        ValueError: a temperature that is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"Expected a temperature above 0 but got {temperature}.")
    return softmax(np.asarray(logits, dtype=np.float64) / temperature, axis=-1)


def fit_temperature(logits: ArrayLike, targets: ArrayLike) -> float:
    """The temperature in [0.05, 20] with the lowest log-loss on logits of held-out pictures.

    Args:
        logits: (N, C).
        targets: (N,) class indices, or (N, C) distributions.
    """
    from scipy.optimize import minimize_scalar  # slow to import; applying one needs none

    logits, targets = np.asarray(logits, dtype=np.float64), np.asarray(targets)
    if logits.ndim != 2 or len(logits) == 0 or len(targets) != len(logits):
        raise ValueError(f"Expected logits (N, C) and N targets but got {logits.shape} and {targets.shape}.")
    hot = np.eye(logits.shape[1])[targets] if targets.ndim == 1 else targets

    def loss(log_temperature: float) -> float:
        return -(hot * log_softmax(logits / np.exp(log_temperature), axis=1)).sum(1).mean()

    return float(np.exp(minimize_scalar(loss, bounds=np.log((0.05, 20.0)), method="bounded").x))
