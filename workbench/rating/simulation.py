"""Simulated raters, who answer through the same interface as people: for tests, notebooks and planning."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.rating.collection import Collection
from workbench.rating.plan import ATTENTION
from workbench.rating.stimuli import Stimulus
from workbench.rating.study import SLIDER, Scale

Feel = Callable[[str, Stimulus, np.random.Generator], float]


def simulate(
    collection: Collection, raters: int, feel: Feel | None = None, noise: float = 0.15, seed: int = 0
) -> None:
    """Let simulated raters answer a whole study.

    A rater's answer is ``feel`` plus the rater's own bias plus noise, both normal with standard deviation
    ``noise``, rounded to the nearest value of the scale. Of a pair the higher one is preferred.

    Args:
        collection: the study.
        raters: number of raters.
        feel: of a scale's name, a picture and a random generator, where 0 is the scale's low end (its first
            option) and 1 its high end; without it every picture has a hidden value on every scale.
        noise: standard deviation, on the scale from 0 to 1.
        seed: of the raters.
    """
    for number in range(raters):
        rng = np.random.default_rng([seed, number])
        code = collection.begin(f"simulated-{seed}-{number}")
        rater = collection.rater(code)
        assert rater is not None
        bias = {scale.name: rng.normal(0, noise) for scale in collection.study.scales}
        for place, trial in enumerate(rater.trials):
            shown = [collection.stimuli[i] for i in trial.stimuli]
            values: dict[str, Any] = {}
            for scale in collection.scales_of(trial):
                if trial.phase == ATTENTION:
                    values[scale.name] = trial.answer
                    continue
                felt = [
                    (feel or hidden_value)(scale.name, s, rng) + bias[scale.name] + rng.normal(0, noise)
                    for s in shown
                ]
                values[scale.name] = _answer(scale, felt)
            collection.answer(rater, place, values, float(np.round(rng.lognormal(1.5, 0.4), 2)))


def hidden_value(scale: str, stimulus: Stimulus, rng: np.random.Generator) -> float:
    """A value in [0, 1] that a picture has on a scale, the same for all raters."""
    return zlib.crc32(f"{scale} {stimulus.picture}".encode()) / 2**32


def _answer(scale: Scale, felt: list[float]) -> Any:
    if scale.kind == "preference":
        return 1 if felt[0] >= felt[1] else 2
    share = min(max(felt[0], 0.0), 1.0)
    if scale.kind == "slider":
        return round(SLIDER[0] + share * (SLIDER[1] - SLIDER[0]), 1)
    return scale.values[min(int(share * len(scale.values)), len(scale.values) - 1)]
