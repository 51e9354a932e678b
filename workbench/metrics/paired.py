"""Tests beside the paired bootstrap (:func:`workbench.metrics.bootstrap.paired_bootstrap`).

The paired bootstrap over groups answers for any metric whether one model is better than another on the same
pictures, and is the one to believe where pictures come in groups. McNemar's test looks at right and wrong
only and takes pictures for independent draws: with several pictures per painter its p is too small.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom

Name = TypeVar("Name", bound=Hashable)


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


def holm(p_values: Mapping[Name, float]) -> dict[Name, float]:
    """p adjusted for asking several questions at once: below α, the chance of any false alarm is at most α.

    A question without an answer (p is nan) stays nan and does not count as one that was asked.

    Source: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979.
    """
    asked = sorted(((p, name) for name, p in p_values.items() if p == p), key=lambda pair: pair[0])
    adjusted, highest = dict.fromkeys(p_values, float("nan")), 0.0
    for rank, (p, name) in enumerate(asked):
        highest = max(highest, min(1.0, (len(asked) - rank) * p))
        adjusted[name] = highest
    return adjusted
