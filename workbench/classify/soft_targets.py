"""What a classifier of paintings is trained towards: labels softened by the raters' votes, rare classes
weighted.

Source: Peterson et al., "Human uncertainty makes classification more robust", ICCV 2019.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.data.paintings import Paintings


def soft_targets(
    data: Paintings, indices: NDArray, hard_share: float = 0.5, class_weight_power: float = 0.5
) -> tuple[Tensor, Tensor]:
    """Targets (N, C) for all pictures, and weights (N,) from the class frequencies of ``indices``.

    Args:
        data: all pictures; without votes the targets are the labels.
        indices: the training pictures; the weights have mean 1 over them.
        hard_share: of a target that is the label, in [0, 1]; the rest are the votes.
        class_weight_power: weight of a class is its frequency to the minus this; 0 is none, 1 balances fully.
    """
    votes = data.onehot if data.votes is None else data.votes
    targets = hard_share * data.onehot + (1 - hard_share) * votes
    share = np.bincount(data.labels[indices], minlength=len(data.classes)) / len(indices)
    weights = np.where(share > 0, np.maximum(share, 1e-9) ** -class_weight_power, 0.0)
    weights /= (weights * share).sum()
    return torch.tensor(targets, dtype=torch.float32), torch.tensor(weights[data.labels], dtype=torch.float32)
