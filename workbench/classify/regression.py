"""Estimators of ratings: regression on any source of features, and the mean rating as the floor.

    rated = read_rated("paintings", "pleasure")
    validation = cross_validate(RatingProbe(features=MeasureFeatures()), rated, split_seeds=(0, 1, 2))

The regularisation is chosen by a grid search within the training pictures, painters kept apart there too.

Sources: Hoerl and Kennard, "Ridge Regression", 1970; Saunders, Gammerman and Vovk, "Ridge Regression Learning
Algorithm in Dual Variables", ICML 1998 (kernel ridge); Wold, Sjöström and Eriksson, "PLS-regression", 2001.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.cross_decomposition import PLSRegression
from sklearn.impute import SimpleImputer
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from workbench.classify.estimators import Estimator
from workbench.classify.features import Features, SqueezedFeatures
from workbench.data.rated import RatedPaintings
from workbench.data.splits import grouped_folds

_INNER_FOLDS = 5


class RatingEstimator(Estimator):
    """Predicts ratings."""

    def outputs(self, paintings: RatedPaintings, rows: ArrayLike) -> NDArray[np.float64]:
        return self.predict(paintings, rows)


@dataclasses.dataclass(frozen=True)
class RatingProbeConfig:
    """Features and method of a regression."""

    features: Features = dataclasses.field(default_factory=SqueezedFeatures)  # what is known of a picture
    # linear, Gaussian kernel, or partial least squares
    method: Literal["ridge", "kernel_ridge", "pls"] = "ridge"


class RatingProbe(RatingEstimator):
    """Regression on standardised features; missing ones become the training median.

    Attributes:
        search_: the grid search; its ``best_params_`` are the chosen settings.
    """

    Config: ClassVar[type] = RatingProbeConfig
    search_: GridSearchCV

    def fit(self, paintings: RatedPaintings, rows: ArrayLike, seed: int | None = None) -> Self:
        rows = np.asarray(rows)
        x = self.config.features.table(paintings, self.cache)[rows]
        y, groups = paintings.ratings[rows], paintings.groups[rows]
        folds = min(_INNER_FOLDS, len(np.unique(groups)))
        inner = grouped_folds(np.zeros(len(rows), dtype=np.int64), groups, folds, seed or 0)
        least = min(len(train) for train, _ in inner)
        regressor, grid = _method(self.config.method, x.shape[1], min(x.shape[1], least))
        pipeline = make_pipeline(
            SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler(), regressor
        )
        model = TransformedTargetRegressor(pipeline, transformer=StandardScaler())
        named = {f"regressor__{type(regressor).__name__.lower()}__{k}": v for k, v in grid.items()}
        self.search_ = GridSearchCV(model, named, scoring="neg_mean_squared_error", cv=inner).fit(x, y)
        self.parameters_ = x.shape[1] + 1 if self.config.method != "kernel_ridge" else len(rows)
        return self

    def predict(self, paintings: RatedPaintings, rows: ArrayLike) -> NDArray[np.float64]:
        x = self.config.features.table(paintings, self.cache)[np.asarray(rows)]
        return self.search_.predict(x).reshape(len(x))


def _method(name: str, columns: int, components: int) -> tuple[RegressorMixin, dict[str, list]]:
    """A regressor and its grid of settings."""
    if name == "ridge":
        return Ridge(), {"alpha": [float(columns) * 10.0**power for power in range(-2, 3)]}
    if name == "kernel_ridge":
        return KernelRidge(kernel="rbf"), {
            "alpha": [0.1, 1.0, 10.0],
            "gamma": [share / columns for share in (0.03, 0.1, 0.3)],
        }
    if name == "pls":
        return PLSRegression(), {"n_components": [n for n in (1, 2, 3, 5, 8) if n <= components]}
    raise ValueError(f"Expected ridge, kernel_ridge or pls but got {name!r}.")


@dataclasses.dataclass(frozen=True)
class MeanRatingConfig:
    """No settings."""


class MeanRating(RatingEstimator):
    """Predicts the mean of the training pictures' ratings for every picture."""

    Config: ClassVar[type] = MeanRatingConfig
    mean_: float

    def fit(self, paintings: RatedPaintings, rows: ArrayLike, seed: int | None = None) -> Self:
        self.mean_ = float(paintings.ratings[np.asarray(rows)].mean())
        self.parameters_ = 1
        return self

    def predict(self, paintings: RatedPaintings, rows: ArrayLike) -> NDArray[np.float64]:
        return np.full(len(np.asarray(rows)), self.mean_)
