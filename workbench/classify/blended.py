"""A second source of logits beside the mood reader, weighted by its benefit within the training pictures.

The share of the second source is chosen by a painter-grouped cross-validation of the training pictures
alone: it may be 0, and scores on the test pictures are unbiased whatever was chosen.

Sources: Caruana, "Multitask Learning", Machine Learning 1997 (auxiliary targets); Wolpert, "Stacked
Generalization", Neural Networks 1992.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from workbench.classify.configs import StatisticsConfig
from workbench.classify.estimators import ClassEstimator
from workbench.classify.features import Features, StatisticsFeatures
from workbench.classify.nested import INNER, fitted_logits, least_loss, out_of_fold
from workbench.classify.probes import SoftProbe
from workbench.classify.statistics import StatisticsEstimator
from workbench.data.paintings import Paintings, PictureList
from workbench.data.rated import read_rated
from workbench.data.splits import grouped_folds

_FEW = 1e-3  # penalty of the second source where its inputs are a few predicted ratings


@dataclasses.dataclass(frozen=True)
class BlendedConfig:
    """The reader, the second source, and the shares of it that are tried."""

    reader: StatisticsConfig = dataclasses.field(default_factory=StatisticsConfig)  # the first source
    features: Features = dataclasses.field(default_factory=StatisticsFeatures)  # of the second source
    # columns of numbers in the folder's ratings.csv: the second source reads the mood from their prediction
    # by its features; without any it reads the mood from its features themselves
    auxiliary: tuple[str, ...] = ()
    shares: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.5)  # of the second source in the logits


class BlendedProbe(ClassEstimator):
    """Logits of the mood reader and of a second source, averaged with a share chosen in nested folds.

    Attributes:
        share_: of the second source.
    """

    Config: ClassVar[type] = BlendedConfig
    share_: float

    def fit(self, paintings: Paintings, rows: ArrayLike, seed: int | None = None) -> Self:
        rows = np.asarray(rows)
        self._tables(paintings)
        logits = out_of_fold(
            lambda train, held: self._fitted(paintings, train, held, seed or 0), paintings, rows, seed or 0
        )
        mixtures = {share: _mixed(logits, share) for share in self.config.shares}
        self.share_ = least_loss(mixtures, paintings, rows)
        self._train = rows, seed or 0
        self.parameters_ = 0
        return self

    def predict_logits(self, paintings: Paintings, rows: ArrayLike) -> NDArray[np.float64]:
        return _mixed(self._fitted(paintings, self._train[0], np.asarray(rows), self._train[1]), self.share_)

    def measures(self, paintings: PictureList, rows: ArrayLike) -> Mapping[str, float]:
        """``share``: of the second source."""
        return {"share": self.share_}

    def _tables(self, paintings: Paintings) -> None:
        self._features = self.config.features.table(paintings, self.cache).astype(np.float32)
        columns = []
        for name in self.config.auxiliary:
            rated = read_rated(paintings.root, name)
            known = dict(zip(rated.paths, rated.ratings, strict=True))
            columns.append([known[path] for path in paintings.paths])
        self._ratings = np.array(columns).T

    def _fitted(self, paintings: Paintings, train: NDArray, test: NDArray, seed: int) -> NDArray:
        """(2, len(test), C) logits of both sources, fitted on ``train``."""
        found = self._features
        if self.config.auxiliary:
            found = self._predicted(paintings, train, test, seed)
        second = SoftProbe(
            hard_share=self.config.reader.hard_share,
            class_weight_power=self.config.reader.class_weight_power,
            penalty=_FEW if self.config.auxiliary else self.config.reader.penalty,
        ).fit_table(torch.from_numpy(found).float(), paintings, train)
        own = second.logits(torch.from_numpy(found[test]).float())
        reader = StatisticsEstimator(self.config.reader, cache=self.cache)
        return np.stack([fitted_logits(reader, paintings, train, test), own])

    def _predicted(self, paintings: Paintings, train: NDArray, test: NDArray, seed: int) -> NDArray:
        """(N, A) ratings predicted by ridge regression, those of ``train`` out of fold; others are 0."""
        x, y, groups = self._features[train], self._ratings[train], paintings.groups[train]
        ridge = make_pipeline(StandardScaler(), Ridge(alpha=float(x.shape[1])))
        inner = grouped_folds(np.zeros(len(train), dtype=np.int64), groups, INNER, seed)
        found = np.zeros((len(paintings), y.shape[1]), np.float32)
        found[train] = cross_val_predict(ridge, x, y, cv=inner).reshape(y.shape)  # one rating comes as (N,)
        found[test] = ridge.fit(x, y).predict(self._features[test]).reshape(len(test), -1)
        return found


def _mixed(logits: NDArray, share: float) -> NDArray:
    return (1 - share) * logits[0] + share * logits[1]
