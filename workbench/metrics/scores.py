"""Scores of probabilities against labels, by name.

    >>> names()[:4]
    ['accuracy', 'average_precision', 'balanced_accuracy', 'brier']
    >>> get("accuracy")([[0.8, 0.2], [0.4, 0.6]], [0, 0])
    0.5

Another package adds one through an entry point of the group ``workbench.metrics``: a function
``score(probabilities, labels, weights=None)`` that gives a number, or (S,) numbers for (S, N) weights.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from numpy.typing import ArrayLike, NDArray

from workbench.core.registry import Registry
from workbench.metrics import classification, curves, proper_scores
from workbench.metrics.calibration import expected_calibration_error
from workbench.metrics.checks import check_probabilities

Score = Callable[..., Any]


def _check(name: str, score: object) -> None:
    if not callable(score) or list(inspect.signature(score).parameters)[:2] != ["probabilities", "labels"]:
        raise TypeError("expected a function score(probabilities, labels, weights=None)")


_registry: Registry[Score] = Registry("score", group="workbench.metrics", check=_check)


def names() -> list[str]:
    """Sorted names of all scores."""
    return _registry.names()


def get(name: str) -> Score:
    """The score of a name: called with (N, C) probabilities, (N,) labels and, optionally, ``weights``.

    Raises:
        UnknownNameError: there is none.
    """
    return _registry.get(name)


def _of_matrix(measure: Callable[[NDArray], Any]) -> Score:
    """A measure of the confusion matrix as a score of probabilities."""

    @functools.wraps(measure)
    def score(probabilities: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> Any:
        p = check_probabilities(probabilities)
        return measure(classification.confusion_matrix(labels, p.argmax(1), p.shape[1], weights))

    return score


for _measure in (classification.accuracy, classification.balanced_accuracy, classification.macro_f1):
    _registry.add(_measure.__name__, _of_matrix(_measure))
for _score in (
    proper_scores.log_loss,
    proper_scores.brier,
    proper_scores.d2_brier,
    curves.roc_auc,
    curves.average_precision,
):
    _registry.register(_score)
_registry.add("ece", expected_calibration_error)
