"""Cross-validation of any estimator, grouped by painter, with finished folds cached."""

from __future__ import annotations

import abc
import dataclasses
import functools
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from tqdm import tqdm

from workbench.classify.calibration import calibrate_across_folds, shipped_temperature
from workbench.classify.configs import Calibration
from workbench.classify.estimators import Estimator
from workbench.core.cache import Cache, key
from workbench.core.provenance import provenance
from workbench.data.paintings import Paintings, PictureList
from workbench.data.rated import RatedPaintings
from workbench.data.splits import grouped_folds
from workbench.metrics.classification import classification_report
from workbench.metrics.regression import regression_ceilings, regression_report

Variant = Estimator | Callable[[int], Estimator]  # or a function from the split seed


@dataclasses.dataclass(frozen=True)
class Fold:
    """Predictions of one fitted estimator on its test pictures."""

    split_seed: int  # of the split
    fold: int  # number within the split
    rows: NDArray[np.int64]  # (n,) indices of the tested pictures
    outputs: NDArray[np.float64]  # (n, C) logits before calibration, or (n,) ratings
    truth: NDArray  # (n,) true classes or ratings
    seconds: float  # of fit and prediction
    parameters: int  # number of fitted parameters
    provenance: Mapping[str, str]  # commit, device, versions and date of the training
    measures: Mapping[str, float] = dataclasses.field(default_factory=dict)  # of the estimator's own


class Tested(abc.ABC):
    """Out-of-fold predictions: every picture tested once per split seed, by training on other painters."""

    paintings: PictureList
    folds: tuple[Fold, ...]

    def with_folds(self, folds: Sequence[Fold]) -> Self:
        """The same with other folds."""
        return dataclasses.replace(self, folds=tuple(folds))  # type: ignore[type-var]

    @property
    def split_seeds(self) -> list[int]:
        """Seeds of the splits, ascending."""
        return sorted({fold.split_seed for fold in self.folds})

    @abc.abstractmethod
    def by_fold(self, calibrated: bool = True) -> list[NDArray[np.float64]]:
        """Answers of each fold: probabilities (n, C), calibrated on the other folds, or ratings (n,)."""

    def answers(self, calibrated: bool = True) -> NDArray[np.float64]:
        """(S, N, …) answers for every picture and split seed.

        Raises:
            ValueError: some picture is in no test fold of a split seed.
        """
        seeds, parts = self.split_seeds, self.by_fold(calibrated)
        table = np.full((len(seeds), len(self.paintings), *parts[0].shape[1:]), np.nan)
        for fold, part in zip(self.folds, parts, strict=True):
            table[seeds.index(fold.split_seed), fold.rows] = part
        if np.isnan(table).any():
            raise ValueError(
                "Expected every picture in one test fold of each split seed but some are in none."
            )
        return table

    @abc.abstractmethod
    def scores(self, answers: NDArray, rows: NDArray, weights: NDArray | None = None) -> dict[str, Any]:
        """Scores of the answers for the pictures ``rows``; weights (S, n) give S of each."""

    def ceilings(self) -> dict[str, float]:
        """The best that can be expected of a score, where that is known to be less than perfect."""
        return {}


@dataclasses.dataclass(frozen=True)
class Validation(Tested):
    """Of classes."""

    paintings: Paintings
    folds: tuple[Fold, ...]
    calibrate_to: Calibration = "label"  # what calibrated probabilities match; votes need a table with votes

    @property
    def targets(self) -> NDArray[np.float64]:
        """(N, C) what calibrated probabilities match: vote shares, or 1 for the label."""
        votes = self.paintings.votes if self.calibrate_to == "votes" else None
        return self.paintings.onehot if votes is None else votes

    @functools.cached_property
    def temperature(self) -> float:
        """Fitted on all out-of-fold logits, for the model trained on all pictures."""
        return shipped_temperature(self.folds, self.targets)

    def by_fold(self, calibrated: bool = True) -> list[NDArray[np.float64]]:
        if calibrated:
            return calibrate_across_folds(self.folds, self.targets)
        return [softmax(fold.outputs, axis=1) for fold in self.folds]

    def probabilities(self, calibrated: bool = True) -> NDArray[np.float64]:
        """(S, N, C) probabilities of every picture for every split seed; see :meth:`Tested.answers`."""
        return self.answers(calibrated)

    def scores(self, answers: NDArray, rows: NDArray, weights: NDArray | None = None) -> dict[str, Any]:
        data = self.paintings
        votes = None if data.votes is None else data.votes[rows]
        return classification_report(answers, data.labels[rows], votes, weights)


@dataclasses.dataclass(frozen=True)
class RatingValidation(Tested):
    """Of ratings."""

    paintings: RatedPaintings
    folds: tuple[Fold, ...]

    def by_fold(self, calibrated: bool = True) -> list[NDArray[np.float64]]:
        return [fold.outputs for fold in self.folds]

    def scores(self, answers: NDArray, rows: NDArray, weights: NDArray | None = None) -> dict[str, Any]:
        return regression_report(answers, self.paintings.ratings[rows], weights)

    def ceilings(self) -> dict[str, float]:
        return regression_ceilings(self.paintings.reliability, float(self.paintings.ratings.std()))


@overload
def cross_validate(
    estimator: Variant,
    paintings: Paintings,
    *,
    folds: int = 5,
    split_seeds: Sequence[int] = (0,),
    calibrate_to: Calibration = "label",
    out: str | os.PathLike | None = None,
    desc: str = "folds",
) -> Validation: ...


@overload
def cross_validate(
    estimator: Variant,
    paintings: RatedPaintings,
    *,
    folds: int = 5,
    split_seeds: Sequence[int] = (0,),
    calibrate_to: Calibration = "label",
    out: str | os.PathLike | None = None,
    desc: str = "folds",
) -> RatingValidation: ...


def cross_validate(
    estimator: Variant,
    paintings: Paintings | RatedPaintings,
    *,
    folds: int = 5,
    split_seeds: Sequence[int] = (0,),
    calibrate_to: Calibration = "label",
    out: str | os.PathLike | None = None,
    desc: str = "folds",
) -> Validation | RatingValidation:
    """Train and test on every fold of every split.

    Fold f of split s is trained with the estimator's seed (0 without one) + 1000 s + f.

    Args:
        estimator: it is cloned for each fold and not modified; or a function from the split seed to one.
        paintings: labelled or rated pictures; folds keep their groups apart.
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
        for number, (train, test) in enumerate(grouped_folds(paintings.strata, paintings.groups, folds, seed))
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
            kept = cache.arrays(key("fold", 2, chosen.identity, **data), make)
        facts = json.loads(str(kept["facts"]))
        done.append(Fold(seed, number, test, kept["outputs"], paintings.truth[test], **facts))
    if isinstance(paintings, RatedPaintings):
        return RatingValidation(paintings, tuple(done))
    return Validation(paintings, tuple(done), calibrate_to)


def _train_and_test(
    estimator: Estimator, paintings: PictureList, train: NDArray, test: NDArray, seed: int
) -> dict[str, NDArray]:
    start = time.perf_counter()
    outputs = estimator.fit(paintings, train, seed).outputs(paintings, test)
    facts = {
        "seconds": time.perf_counter() - start,
        "parameters": estimator.parameters_,
        "provenance": provenance(estimator.device),
        "measures": dict(estimator.measures(paintings, test)),
    }
    return {"outputs": outputs, "facts": np.array(json.dumps(facts))}
