"""Cross-validation of any estimator, grouped by painter, with finished folds cached."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from tqdm import tqdm

from workbench.classify.calibration import calibrate_across_folds, shipped_temperature
from workbench.classify.configs import Calibration
from workbench.classify.estimators import Estimator
from workbench.core.cache import Cache, key
from workbench.core.provenance import provenance
from workbench.data.paintings import Paintings
from workbench.data.splits import grouped_folds

Variant = Estimator | Callable[[int], Estimator]  # or a function from the split seed


@dataclasses.dataclass(frozen=True)
class Fold:
    """Predictions of one training on its test pictures."""

    split_seed: int  # of the split
    fold: int  # number within the split
    rows: NDArray[np.int64]  # (n,) indices of the tested pictures
    logits: NDArray[np.float64]  # (n, C) before calibration
    labels: NDArray[np.int64]  # (n,) true classes
    seconds: float  # of fit and prediction
    parameters: int  # number of fitted parameters
    provenance: Mapping[str, str]  # commit, device, versions and date of the training
    measures: Mapping[str, float] = dataclasses.field(default_factory=dict)  # of the estimator's own


@dataclasses.dataclass(frozen=True)
class Validation:
    """Out-of-fold predictions: every picture tested once per split seed, by training on other painters."""

    paintings: Paintings
    folds: tuple[Fold, ...]
    calibrate_to: Calibration = "label"  # what calibrated probabilities match; votes need a table with votes

    @property
    def targets(self) -> NDArray[np.float64]:
        """(N, C) what calibrated probabilities match: vote shares, or 1 for the label."""
        votes = self.paintings.votes if self.calibrate_to == "votes" else None
        return self.paintings.onehot if votes is None else votes

    @property
    def split_seeds(self) -> list[int]:
        """Seeds of the splits, ascending."""
        return sorted({fold.split_seed for fold in self.folds})

    @functools.cached_property
    def temperature(self) -> float:
        """Fitted on all out-of-fold logits, for the model trained on all pictures."""
        return shipped_temperature(self.folds, self.targets)

    def by_fold(self, calibrated: bool = True) -> list[NDArray[np.float64]]:
        """Probabilities (n, C) of each fold, calibrated on the other folds of its split."""
        if calibrated:
            return calibrate_across_folds(self.folds, self.targets)
        return [softmax(fold.logits, axis=1) for fold in self.folds]

    def probabilities(self, calibrated: bool = True) -> NDArray[np.float64]:
        """(S, N, C) probabilities of every picture for every split seed.

        Raises:
            ValueError: some picture is in no test fold of a split seed.
        """
        seeds = self.split_seeds
        table = np.full((len(seeds), len(self.paintings), len(self.paintings.classes)), np.nan)
        for fold, probabilities in zip(self.folds, self.by_fold(calibrated), strict=True):
            table[seeds.index(fold.split_seed), fold.rows] = probabilities
        if np.isnan(table).any():
            raise ValueError(
                "Expected every picture in one test fold of each split seed but some are in none."
            )
        return table


def cross_validate(
    estimator: Variant,
    paintings: Paintings,
    *,
    folds: int = 5,
    split_seeds: Sequence[int] = (0,),
    calibrate_to: Calibration = "label",
    out: str | os.PathLike | None = None,
    desc: str = "folds",
) -> Validation:
    """Train and test on every fold of every split.

    Fold f of split s is trained with the estimator's seed (0 without one) + 1000 s + f.

    Args:
        estimator: it is cloned for each fold and not modified; or a function from the split seed to one.
        paintings: labelled pictures; folds keep their groups apart.
        folds: of each split.
        split_seeds: one split each.
        calibrate_to: what calibrated probabilities match: the label, or the raters' votes if there are any.
        out: cache folder of finished folds, and of features if the estimator has no cache. A fold is reused
            if pictures, labels, votes, groups, split and settings are the same.
        desc: of the progress bar.

    Raises:
        DatasetError: such folds are impossible.
    """
    cache = None if out is None else Cache(out)
    plan = [
        (seed, number, train, test)
        for seed in split_seeds
        for number, (train, test) in enumerate(grouped_folds(paintings.labels, paintings.groups, folds, seed))
    ]
    done = []
    for seed, number, train, test in tqdm(plan, desc=desc, unit="fold", disable=None):
        chosen = (estimator if isinstance(estimator, Estimator) else estimator(seed)).clone()
        chosen.cache = chosen.cache or cache
        own = getattr(chosen.config, "seed", 0) + 1000 * seed + number
        make = functools.partial(_train_and_test, chosen, paintings, train, test, own)
        if cache is None:
            kept = make()
        else:
            data = {"train": train, "test": test, "seed": own, **paintings.contents()}
            kept = cache.arrays(key("fold", 1, chosen.identity, **data), make)
        facts = json.loads(str(kept["facts"]))
        done.append(Fold(seed, number, test, kept["logits"], paintings.labels[test], **facts))
    return Validation(paintings, tuple(done), calibrate_to)


def _train_and_test(
    estimator: Estimator, paintings: Paintings, train: NDArray, test: NDArray, seed: int
) -> dict[str, NDArray]:
    start = time.perf_counter()
    logits = estimator.fit(paintings, train, seed).predict_logits(paintings, test)
    facts = {
        "seconds": time.perf_counter() - start,
        "parameters": estimator.parameters_,
        "provenance": provenance(estimator.device),
        "measures": dict(estimator.measures(paintings, test)),
    }
    return {"logits": logits, "facts": np.array(json.dumps(facts))}
