"""Simulated raters with known effects, which an analysis of ratings must recover.

    rows = simulate_ratings(paths, {"warmth": warmth}, {"warmth": 2.0}, seed=1)

A rating is the middle of the scale plus the effects, random effects of rater, painter and picture, and noise.
The scale is not cut off at its ends, so that the effects are not biased.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from workbench.core.errors import DatasetError

MIDDLE = 5.0  # of a scale from 1 to 9


def simulate_ratings(
    pictures: Sequence[str],
    measures: Mapping[str, ArrayLike],
    effects: Mapping[str, float],
    *,
    painters: Sequence[str] | None = None,
    scale: str = "pleasure",
    raters: int = 20,
    share: float = 1.0,
    rater_sd: float = 0.7,
    painter_sd: float = 0.0,
    picture_sd: float = 0.5,
    noise: float = 1.0,
    seed: int = 0,
) -> list[dict[str, str | float]]:
    """Ratings of N pictures in long format: rater, path, painter if known, and the rating.

    Args:
        pictures: N paths.
        measures: (N,) values of each measure that has an effect.
        effects: points of the scale per unit of a measure.
        painters: N names, for an effect of each.
        scale: name of the column of ratings.
        raters: how many.
        share: of the pictures that each rater sees, drawn anew for each; at least one.
        rater_sd, painter_sd, picture_sd, noise: standard deviations of the random effects and of single
            answers.
        seed: of everything random.

    Raises:
        DatasetError: an effect without its measure, or measures of another length.
    """
    count = len(pictures)
    lacking = [name for name in effects if name not in measures]
    if lacking or any(len(np.asarray(measures[name])) != count for name in effects):
        raise DatasetError(f"Expected {count} values of each of {', '.join(effects)} for their effects.")
    if raters < 1 or not 0 < share <= 1:
        raise DatasetError(f"Expected 1 rater or more and a share in (0, 1] but got {raters} and {share}.")
    rng = np.random.default_rng(seed)
    mean = np.full(count, MIDDLE) + rng.normal(0, picture_sd, count)
    for name, effect in effects.items():
        mean += effect * np.asarray(measures[name], dtype=np.float64)
    if painters is not None:
        _, codes = np.unique(np.asarray(painters), return_inverse=True)
        mean += rng.normal(0, painter_sd, codes.max() + 1)[codes]
    rows = []
    for number in range(raters):
        habit = rng.normal(0, rater_sd)
        for i in rng.permutation(count)[: max(1, round(share * count))]:
            row: dict[str, str | float] = {"rater": f"r{number + 1:03d}", "path": pictures[i]}
            if painters is not None:
                row["painter"] = painters[i]
            rows.append(row | {scale: float(mean[i] + habit + rng.normal(0, noise))})
    return rows
