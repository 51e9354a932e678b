"""Temperature scaling, never fitted on the pictures that it is evaluated on.

Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, arXiv:1706.04599.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.metrics.calibration import apply_temperature, fit_temperature

if TYPE_CHECKING:
    from workbench.classify.validation import Fold


def calibrate_across_folds(folds: Sequence[Fold], targets: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Probabilities of each fold, with the temperature fitted on the *other* folds of its split seed.

    Args:
        folds: of one or more split seeds.
        targets: (N, C) what the probabilities of every picture are to match: vote shares, or 1 for the label.
    """
    return [
        apply_temperature(
            own.outputs,
            shipped_temperature(
                [f for f in folds if f.split_seed == own.split_seed and f.fold != own.fold], targets
            ),
        )
        for own in folds
    ]


def shipped_temperature(folds: Sequence[Fold], targets: NDArray[np.float64]) -> float:
    """Temperature fitted on the logits of all folds, for the model trained on all pictures."""
    return fit_temperature(
        np.concatenate([fold.outputs for fold in folds]),
        np.concatenate([targets[fold.rows] for fold in folds]),
    )
