"""Is one model better than another on the same pictures?

The paired bootstrap over groups answers it for any metric and is the one to believe where pictures come in
groups. McNemar's test knows only right and wrong, and takes pictures for independent draws: with several
pictures a painter its p is too small.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom

from workbench.metrics.bootstrap import bootstrap_draws, percentiles


class McNemar(NamedTuple):
    """Discordant pictures, and the two-sided p of "as many on either side"."""

    only_first: int  # pictures that only the first model has right
    only_second: int
    p: float


def mcnemar(first: ArrayLike, second: ArrayLike, method: str = "mid-p") -> McNemar:
    """McNemar's test on which pictures two models have right.

    Args:
        first: (N,) whether the first model is right.
        second: (N,) the same for the second.
        method: "exact" (binomial; conservative) or "mid-p" (counts half of the observed table's own
            probability; nearer to its nominal level on small samples).

    Source:
        Fagerland, Lydersen and Laake, "The McNemar test for binary matched-pairs data: mid-p and asymptotic
        are better than exact conditional", BMC Medical Research Methodology 2013.
    """
    first, second = np.asarray(first), np.asarray(second)
    if first.shape != second.shape or first.ndim != 1 or {first.dtype.kind, second.dtype.kind} != {"b"}:
        raise ValueError(
            f"Expected two boolean arrays (N,) of what is right but got {first.dtype} {first.shape} and "
            f"{second.dtype} {second.shape}."
        )
    if method not in ("exact", "mid-p"):
        raise ValueError(f'Expected `method` to be "exact" or "mid-p" but got {method!r}.')
    b, c = int((first & ~second).sum()), int((~first & second).sum())
    p = 2 * binom.cdf(min(b, c), b + c, 0.5)
    if method == "mid-p":
        p -= binom.pmf(min(b, c), b + c, 0.5)
    return McNemar(b, c, float(min(p, 1.0)))


class Difference(NamedTuple):
    """First minus second, with its interval and the two-sided p of "no difference"."""

    estimate: float
    low: float
    high: float
    p: float


def paired_bootstrap(
    metric: Callable,
    first: ArrayLike,
    second: ArrayLike,
    *shared: ArrayLike,
    groups: ArrayLike | None = None,
    samples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Difference | dict[str, Difference]:
    """metric(first, *shared) - metric(second, *shared), both on the same resampled groups.

    p is twice the smaller share of resamples on either side of 0 (those at 0 count on both), so p < 0.05
    where the 95 % interval leaves 0 out; it is never below 2 / (samples + 1).

    Args:
        metric: as for :func:`workbench.metrics.bootstrap.bootstrap`; may give a mapping.
        first: (N, …) predictions of the first model.
        second: (N, …) those of the second.
        shared: (N, …) each: labels, votes, …
        groups: (N,) group of each picture, or None.
        samples, level, seed: as for the bootstrap.

    Source:
        Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, sections 13.3 and 15.4.
    """
    value_first, draws_first = bootstrap_draws(
        metric, first, *shared, groups=groups, samples=samples, seed=seed
    )
    value_second, draws_second = bootstrap_draws(
        metric, second, *shared, groups=groups, samples=samples, seed=seed
    )
    found = {}
    for name, value in value_first.items():
        draws = draws_first[name] - draws_second[name]
        found[name] = Difference(
            value - value_second[name], *percentiles(draws, level), two_sided_p(draws[~np.isnan(draws)])
        )
    return found[""] if list(found) == [""] else found


def two_sided_p(draws: NDArray) -> float:
    """p of "no difference" from (S,) bootstrap draws of a difference; nan without draws."""
    if not len(draws):
        return float("nan")
    tail = min(np.count_nonzero(draws <= 0), np.count_nonzero(draws >= 0))
    return float(min(1.0, 2 * (tail + 1) / (len(draws) + 1)))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """p adjusted for asking several questions at once: below α, the chance of any false alarm is at most α.

    Source: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979.
    """
    adjusted, highest = {}, 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p))
        adjusted[name] = highest
    return {name: adjusted[name] for name in p_values}
