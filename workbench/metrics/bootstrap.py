"""Confidence intervals by resampling groups.

Pictures by one painter resemble each other, so they are not independent draws: an interval that resamples
pictures is too narrow. The cluster bootstrap draws painters with replacement and takes all the pictures of
each.

Source: Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray


def resample_groups(groups: ArrayLike, rng: np.random.Generator) -> NDArray:
    """Indices of one sample: as many groups as there are, with replacement, each with all of it."""
    _, codes = np.unique(np.asarray(groups), return_inverse=True)
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    return np.concatenate([members[g] for g in rng.integers(len(members), size=len(members))])


def group_intervals(
    statistic: Callable[[NDArray], Mapping[str, float]],
    groups: ArrayLike,
    samples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, tuple[float, float, float]]:
    """Percentile intervals over groups.

    Args:
        statistic: maps indices of pictures (with repeats) to named numbers. A paired difference between two
            models is just another name: compute both on the same indices.
        groups: (N,) group of each picture.
        samples: bootstrap samples.
        level: coverage in (0, 1).
        seed: of the resampling.

    Returns:
        name -> (estimate on all pictures, low, high).
    """
    if not 0 < level < 1:
        raise ValueError(f"Expected `level` in (0, 1) but got {level}.")
    groups = np.asarray(groups)
    if groups.ndim != 1 or len(np.unique(groups)) < 2:
        raise ValueError("Expected at least 2 groups in a (N,) array: one group has no spread to resample.")
    estimate = dict(statistic(np.arange(len(groups))))
    rng = np.random.default_rng(seed)
    draws = {name: np.empty(samples) for name in estimate}
    for i in range(samples):
        for name, value in statistic(resample_groups(groups, rng)).items():
            draws[name][i] = value
    tails = 50 * (1 - level), 50 * (1 + level)
    return {k: (float(v), *map(float, np.nanpercentile(draws[k], tails))) for k, v in estimate.items()}
