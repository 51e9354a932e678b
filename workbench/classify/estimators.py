"""Base classes of the estimators (see :mod:`workbench.classify`)."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from torch import Tensor, nn

from workbench.classify.configs import OF_ARCHITECTURE, Config, FinetuneConfig
from workbench.core import options
from workbench.core.cache import Cache
from workbench.core.errors import DatasetError, UnknownNameError
from workbench.data.paintings import Paintings, PictureList
from workbench.models.novelty import COMPONENTS, attach
from workbench.models.registry import architecture_info, names

_NOT_LEARNT_FROM = ("folds", "split_seeds", "calibrate_to")  # settings of the cross-validation, not the fit


class Estimator(abc.ABC):
    """Takes settings; learns in :meth:`fit`.

    Args:
        config: the settings; a dataclass of the type :attr:`Config`.
        cache: for features of single pictures; None computes them again in each process.
        settings: changes to single fields of the config.
    """

    Config: ClassVar[type]
    version: ClassVar[int] = 1  # raise it when the same settings give another result
    parameters_: int  # number of fitted parameters

    def __init__(self, config: Any = None, *, cache: Cache | None = None, **settings: Any):
        self.config = self.Config(**settings) if config is None else dataclasses.replace(config, **settings)
        self.cache = cache

    @abc.abstractmethod
    def fit(self, paintings: Any, rows: ArrayLike, seed: int | None = None) -> Self:
        """Learn from the pictures ``rows``; ``seed`` defaults to the config's."""

    @abc.abstractmethod
    def predict(self, paintings: Any, rows: ArrayLike) -> NDArray:
        """(len(rows),) most probable classes, or ratings."""

    @abc.abstractmethod
    def outputs(self, paintings: Any, rows: ArrayLike) -> NDArray[np.float64]:
        """(len(rows), …) the predictions that a validation keeps of each picture."""

    def measures(self, paintings: PictureList, rows: ArrayLike) -> Mapping[str, float]:
        """Further measures of one fold, on its test pictures ``rows``, as columns of its table."""
        return {}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The settings by name; none are nested, so ``deep`` has no effect."""
        return {field.name: getattr(self.config, field.name) for field in dataclasses.fields(self.config)}

    def set_params(self, **settings: Any) -> Self:
        """Change settings; learnt attributes stay until the next :meth:`fit`."""
        for name in settings:
            if name not in self.get_params():
                raise UnknownNameError("setting", name, self.get_params())
        self.config = dataclasses.replace(self.config, **settings)
        return self

    @property
    def device(self) -> str:
        """Device on which it is fitted."""
        return "cpu"

    def clone(self) -> Self:
        """An unfitted estimator with the same settings and cache."""
        return type(self)(self.config, cache=self.cache)

    __sklearn_clone__ = clone

    def __repr__(self) -> str:
        changed = ", ".join(f"{k}={v!r}" for k, v in self.get_params().items() if v != self._defaults.get(k))
        return f"{type(self).__name__}({changed})"

    @property
    def _defaults(self) -> dict[str, Any]:
        return {f.name: f.default for f in dataclasses.fields(self.config)}

    @property
    def identity(self) -> tuple[str, int, Mapping[str, Any]]:
        """Everything that the fit depends on except the data: kind, version and settings."""
        settings = {k: v for k, v in self.get_params().items() if k not in _NOT_LEARNT_FROM}
        return type(self).__name__, self.version, settings


class ClassEstimator(Estimator):
    """Predicts classes; a validation keeps its logits."""

    @abc.abstractmethod
    def predict_logits(self, paintings: Paintings, rows: ArrayLike) -> NDArray[np.float64]:
        """(len(rows), C) logits, before calibration."""

    def outputs(self, paintings: Paintings, rows: ArrayLike) -> NDArray[np.float64]:
        return self.predict_logits(paintings, rows)

    def predict_proba(self, paintings: Paintings, rows: ArrayLike) -> NDArray[np.float64]:
        """(len(rows), C) probabilities, before calibration."""
        return softmax(self.predict_logits(paintings, rows), axis=1)

    def predict(self, paintings: Paintings, rows: ArrayLike) -> NDArray[np.int64]:
        return self.predict_logits(paintings, rows).argmax(1)


class NetworkEstimator(ClassEstimator):
    """An estimator whose result is a network that can be published with a card."""

    @abc.abstractmethod
    def network(self) -> nn.Module:
        """The fitted network, in eval mode, without a novelty score."""

    @abc.abstractmethod
    def embedded(self, paintings: Paintings, rows: ArrayLike) -> Tensor:
        """(len(rows), D) what the network's last layer gets of each picture, averaged over its views."""

    @property
    def novelty_components(self) -> int:
        """Of the novelty score that the published network has; 0 is none."""
        return getattr(self.config, "novelty_components", COMPONENTS)

    def published(self, paintings: Paintings, rows: ArrayLike) -> nn.Module:
        """The fitted network with a score of how unlike the pictures ``rows`` a picture is to it."""
        network, rows = self.network(), np.asarray(rows)
        if self.novelty_components:
            novelty = attach(network, self.novelty_components)
            novelty.fit(self.embedded(paintings, rows), paintings.groups[rows])
        return network

    @property
    @abc.abstractmethod
    def architecture(self) -> str:
        """Name of the network's architecture."""

    @abc.abstractmethod
    def arguments(self, num_classes: int) -> dict[str, Any]:
        """Arguments of the architecture."""

    @property
    @abc.abstractmethod
    def initial_weights(self) -> str:
        """Description of the initial weights, for the card."""

    @abc.abstractmethod
    def baselines(self) -> dict[str, Estimator]:
        """Baseline estimators by name; differences are relative to the last one."""


def config_for(model: str, changes: Mapping[str, Any]) -> Config:
    """The settings for the architecture ``model``, with ``changes`` to their fields.

    Defaults are adapted to the architecture: without ImageNet weights it starts from random ones;
    with a fixed input size it gets views of that size.

    Raises:
        UnknownNameError: unknown classifier or setting.
        WorkbenchError: a setting of the wrong type or out of range.
    """
    if model not in names("classifier"):
        raise UnknownNameError("classifier architecture", model, names("classifier"))
    kind = OF_ARCHITECTURE.get(model, FinetuneConfig)
    known = {option.name for option in options.options(kind)}
    unknown = [name for name in changes if name not in known]
    if unknown:
        raise UnknownNameError(f"setting of {model}", unknown[0], known - {"model"})
    if kind is not FinetuneConfig:
        return options.build(kind, changes)
    can = architecture_info(model)
    own: dict[str, Any] = {"model": model}
    if not can.pretrained:
        if changes.get("pretrained"):
            raise DatasetError(
                f"Expected no pretrained weights: there are none of {model}. Train it from scratch."
            )
        own["pretrained"] = False
    if "size" in can.defaults:
        own["size"] = can.defaults["size"]
    return options.build(kind, own | dict(changes))


def estimator_for(config: Config, cache: Cache | None = None) -> NetworkEstimator:
    """The estimator with the settings ``config``."""
    from workbench.classify.embedding import EmbeddingEstimator
    from workbench.classify.finetune import FinetuneEstimator
    from workbench.classify.statistics import StatisticsEstimator
    from workbench.classify.views import ViewsEstimator

    kinds: tuple[type[NetworkEstimator], ...] = (
        ViewsEstimator,
        StatisticsEstimator,
        EmbeddingEstimator,
        FinetuneEstimator,
    )
    return next(kind for kind in kinds if kind.Config is type(config))(config, cache=cache)
