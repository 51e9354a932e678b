"""Choices that are made within the training pictures, so that scores on the test pictures are unbiased
whatever was chosen.

Source: Varma and Simon, "Bias in error estimation when using cross-validation for model selection", BMC
Bioinformatics 2006 (nested cross-validation).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.classify.configs import StatisticsConfig
from workbench.classify.estimators import ClassEstimator
from workbench.classify.statistics import StatisticsEstimator
from workbench.core.cache import key
from workbench.data.paintings import Paintings, PictureList
from workbench.data.splits import grouped_folds
from workbench.metrics.calibration import apply_temperature, fit_temperature
from workbench.metrics.proper_scores import log_loss

INNER = 4  # folds within the training pictures


def out_of_fold(
    predict: Callable[[NDArray, NDArray], NDArray], paintings: Paintings, rows: NDArray, seed: int
) -> NDArray[np.float64]:
    """(…, len(rows), C) logits of the pictures ``rows``, each fitted without those of its group.

    Args:
        predict: from the pictures to learn from and those to predict, the latter's (…, M, C) logits.
        paintings, rows: all pictures, and the training pictures among them.
        seed: of the folds.
    """
    folds = grouped_folds(paintings.labels[rows], paintings.groups[rows], INNER, seed)
    found = [(held, predict(rows[train], rows[held])) for train, held in folds]
    order = np.argsort(np.concatenate([held for held, _ in found]))
    return np.concatenate([logits for _, logits in found], -2)[..., order, :]


def least_loss(options: Mapping[Any, NDArray], paintings: Paintings, rows: NDArray) -> Any:
    """The name whose (len(rows), C) logits, calibrated, are nearest to the votes, or to the labels without
    any, by log-loss.
    """
    targets = (paintings.onehot if paintings.votes is None else paintings.votes)[rows]
    losses = {
        name: log_loss(apply_temperature(logits, fit_temperature(logits, targets)), targets)
        for name, logits in options.items()
    }
    return min(losses, key=lambda name: losses[name])


def fitted_logits(
    estimator: ClassEstimator, paintings: Paintings, train: NDArray, test: NDArray
) -> NDArray[np.float64]:
    """(len(test), C) logits of an estimator fitted on ``train``; kept in its cache, if it has one."""

    def make() -> dict[str, NDArray]:
        return {"logits": estimator.fit(paintings, train).predict_logits(paintings, test)}

    if estimator.cache is None:
        return make()["logits"]
    run = key("reader", 1, estimator.identity, train=train, test=test, **paintings.contents())
    return estimator.cache.arrays(run, make)["logits"]


@dataclasses.dataclass(frozen=True)
class ChosenConfig:
    """The recipes that are chosen from: a reader, the steps towards it, and changes of single settings."""

    reader: StatisticsConfig = dataclasses.field(default_factory=StatisticsConfig)
    hard_shares: tuple[float, ...] = (0.0, 1.0)  # tried in place of the reader's
    penalties: tuple[float, ...] = (0.1, 1.0)  # the same


class ChosenProbe(ClassEstimator):
    """The mood reader, a step towards it or a change of it: whichever is best within the training pictures.

    Attributes:
        recipe_: name of the one that was chosen.
    """

    Config: ClassVar[type] = ChosenConfig
    recipe_: str

    def recipes(self) -> dict[str, ClassEstimator]:
        """What is chosen from, by name: steps from the simplest on, the reader, and its changes."""
        reader = StatisticsEstimator(self.config.reader, cache=self.cache)
        steps = {name: step for name, step in reader.baselines().items() if isinstance(step, ClassEstimator)}
        tried = {"hard_share": self.config.hard_shares, "penalty": self.config.penalties}
        changes = {
            f"{setting}={value:g}": StatisticsEstimator(
                self.config.reader, cache=self.cache, **{setting: value}
            )
            for setting, values in tried.items()
            for value in values
        }
        return {**steps, reader.architecture: reader, **changes}

    def fit(self, paintings: Paintings, rows: ArrayLike, seed: int | None = None) -> Self:
        rows, recipes, logits = np.asarray(rows), self.recipes(), {}
        for name, recipe in recipes.items():
            predict = functools.partial(fitted_logits, recipe, paintings)
            logits[name] = out_of_fold(predict, paintings, rows, seed or 0)
        self.recipe_ = least_loss(logits, paintings, rows)
        self._chosen = recipes[self.recipe_].fit(paintings, rows)
        self.parameters_ = self._chosen.parameters_
        return self

    def predict_logits(self, paintings: Paintings, rows: ArrayLike) -> NDArray[np.float64]:
        return self._chosen.predict_logits(paintings, rows)

    def measures(self, paintings: PictureList, rows: ArrayLike) -> Mapping[str, float]:
        """``recipe``: place of the chosen recipe among :meth:`recipes`, from 0."""
        return {"recipe": float(list(self.recipes()).index(self.recipe_))}
