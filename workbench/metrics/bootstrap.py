"""Confidence intervals by resampling groups.

Pictures by one painter resemble each other, so they are not independent draws: an interval that resamples
pictures is too narrow. The cluster bootstrap draws painters with replacement and takes all the pictures of
each.

:func:`bootstrap` takes any metric. A metric of this package takes ``weights``, so that 2,000 resamples are
one product of matrices; any other function is called once a resample. Both see the same resamples.

Source: Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

_CELLS = 4_000_000  # weights held at once: 32 MB


class Interval(NamedTuple):
    """An estimate on all pictures with its percentile interval over resampled groups."""

    estimate: float
    low: float
    high: float


def bootstrap(
    metric: Callable | str,
    *arrays: ArrayLike,
    groups: ArrayLike | None = None,
    samples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval | dict[str, Interval]:
    """Interval of a metric by resampling groups of pictures.

    Args:
        metric: called as ``metric(*arrays)``; gives a number, or a mapping of names to numbers. If it has an
            argument ``weights`` it is asked for many resamples at once, with weights (S, N), and gives (S,).
            Or the name of a score of :mod:`workbench.metrics.scores`.
        arrays: (N, …) each: probabilities, labels, votes, …
        groups: (N,) group of each picture, e.g. its painter. None takes every picture for its own group.
        samples: resamples.
        level: coverage in (0, 1).
        seed: of the resampling.

    Returns:
        An :class:`Interval`, or one for each name. Resamples in which the metric is nan (a class that was not
        drawn, say) are left out of the percentiles.

    Raises:
        ValueError: fewer than 2 groups, arrays of different lengths, or a level outside (0, 1).
    """
    if isinstance(metric, str):
        from workbench.metrics import scores

        metric = scores.get(metric)
    estimate, draws = bootstrap_draws(metric, *arrays, groups=groups, samples=samples, seed=seed)
    found = {name: Interval(estimate[name], *percentiles(draws[name], level)) for name in estimate}
    return found[""] if list(found) == [""] else found


def bootstrap_draws(
    metric: Callable,
    *arrays: ArrayLike,
    groups: ArrayLike | None = None,
    samples: int = 2000,
    seed: int = 0,
) -> tuple[dict[Any, float], dict[Any, NDArray]]:
    """The numbers behind :func:`bootstrap`: estimates by name, and their (samples,) draws. A metric that
    gives one number has the name "".
    """
    data = [np.asarray(a) for a in arrays]
    if not data or samples < 1 or any(len(a) != len(data[0]) for a in data):
        raise ValueError(
            "Expected arrays of one length and 1 sample or more but got "
            f"{[a.shape for a in data]} and {samples}."
        )
    codes = _group_codes(np.arange(len(data[0])) if groups is None else groups, len(data[0]))
    count = codes.max() + 1
    rng = np.random.default_rng(seed)
    times = rng.multinomial(count, np.full(count, 1 / count), size=samples)  # (S, G)
    batched = "weights" in inspect.signature(metric).parameters
    estimate = {name: float(value) for name, value in _named(metric(*data)).items()}
    draws = {name: np.empty(samples) for name in estimate}
    step = max(1, _CELLS // len(codes)) if batched else 1
    for start in range(0, samples, step):
        weights = times[start : start + step, codes]  # (s, N): a group's pictures come all or not at all
        if batched:
            found = metric(*data, weights=weights)
        else:
            indices = np.repeat(np.arange(len(codes)), weights[0])
            found = metric(*(a[indices] for a in data))
        for name, value in _named(found).items():
            draws[name][start : start + step] = value
    return estimate, draws


def percentiles(draws: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """The central ``level`` of draws, nan left out; (nan, nan) if all are."""
    if not 0 < level < 1:
        raise ValueError(f"Expected `level` in (0, 1) but got {level}.")
    values = np.asarray(draws)
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.percentile(values, (50 * (1 - level), 50 * (1 + level)))
    return float(low), float(high)


def _named(value) -> Mapping:
    return value if isinstance(value, Mapping) else {"": value}


def _group_codes(groups: ArrayLike, rows: int) -> NDArray:
    groups = np.asarray(groups)
    distinct, codes = np.unique(groups, return_inverse=True)
    if groups.shape != (rows,) or len(distinct) < 2:
        raise ValueError(
            f"Expected at least 2 groups in a ({rows},) array but got {len(distinct)} in {groups.shape}: one "
            "group has no spread to resample."
        )
    return codes


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
    limits = {name: np.nanpercentile(draws[name], tails) for name in estimate}
    return {k: (float(v), float(limits[k][0]), float(limits[k][1])) for k, v in estimate.items()}
