"""Baselines of a fine-tuned network: linear probes on fixed features, and the majority class.

Sources: Kornblith, Shlens and Le, "Do Better ImageNet Models Transfer Better?", CVPR 2019; Peterson et al.,
"Human uncertainty makes classification more robust", ICCV 2019 (soft targets).
"""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn import functional as F

from workbench.classify.estimators import ClassEstimator
from workbench.classify.features import Features, SqueezedFeatures, StatisticsFeatures
from workbench.data.paintings import Paintings

STRENGTH = 0.01  # scikit-learn's C; strong shrinkage for 1,280 features of a few hundred pictures
_LEAST = -30.0  # logit of a class without training pictures


@dataclasses.dataclass(frozen=True)
class LinearProbeConfig:
    """Features and regularisation of a linear probe."""

    features: Features = dataclasses.field(default_factory=SqueezedFeatures)  # source of the features
    strength: float = STRENGTH  # scikit-learn's C; smaller shrinks more


class LinearProbe(ClassEstimator):
    """Logistic regression on standardised features; missing ones become the training median."""

    Config: ClassVar[type] = LinearProbeConfig
    pipeline_: Pipeline

    def fit(self, paintings: Paintings, rows: ArrayLike, seed: int | None = None) -> Self:
        rows = np.asarray(rows)
        x, y = self.config.features.table(paintings, self.cache)[rows], paintings.labels[rows]
        self.pipeline_ = linear_probe(self.config.strength).fit(x, y)
        self.classes_ = self.pipeline_.classes_
        self.parameters_ = (x.shape[1] + 1) * len(paintings.classes)
        return self

    def predict_logits(self, paintings: Paintings, rows: ArrayLike) -> NDArray[np.float64]:
        x = self.config.features.table(paintings, self.cache)[np.asarray(rows)]
        logits = np.full((len(x), len(paintings.classes)), _LEAST)
        with np.errstate(divide="ignore"):  # the logarithm of 0 is set to the least logit
            logits[:, self.classes_] = np.maximum(self.pipeline_.predict_log_proba(x), _LEAST)
        return logits


def linear_probe(strength: float = STRENGTH) -> Pipeline:
    """The pipeline of :class:`LinearProbe`: median imputation, standardisation, logistic regression."""
    return make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(C=strength, max_iter=2000),
    )


@dataclasses.dataclass(frozen=True)
class SoftProbeConfig:
    """Features, targets and regularisation of a soft probe."""

    features: Features = dataclasses.field(default_factory=SqueezedFeatures)  # source of the features
    hard_share: float = 0.5  # of the target that is the label; the rest is the raters' votes, if any
    class_weight_power: float = 0.5  # weight of a class = frequency ** -power
    penalty: float = 0.3  # squared norm of the weights on standardised features
    separately: bool = False  # fit each part of the features (see StatisticsFeatures) and average the logits


class SoftProbe(ClassEstimator):
    """Linear layer that minimises cross-entropy to a mixture of labels and raters' votes.

    Attributes:
        weight_, bias_: (C, D) and (C,).
    """

    Config: ClassVar[type] = SoftProbeConfig
    weight_: Tensor
    bias_: Tensor

    def features(self, paintings: Paintings) -> Tensor:
        """(N, D) float32."""
        return torch.from_numpy(self.config.features.table(paintings, self.cache)).float()

    def parts(self) -> tuple[int, ...] | None:
        """Sizes of the parts of D that are fitted separately; None fits them together."""
        features = self.config.features
        return features.sizes if self.config.separately and isinstance(features, StatisticsFeatures) else None

    def fit(self, paintings: Paintings, rows: ArrayLike, seed: int | None = None) -> Self:
        return self.fit_table(self.features(paintings), paintings, rows)

    def fit_table(self, table: Tensor, paintings: Paintings, rows: ArrayLike) -> Self:
        """:meth:`fit` on given (N, D) features."""
        rows = np.asarray(rows)
        targets, weights = soft_targets(
            paintings, rows, self.config.hard_share, self.config.class_weight_power
        )
        parts = [
            soft_probe(part[rows], targets[rows], weights[rows], self.config.penalty)
            for part in table.split(list(self.parts() or (table.shape[1],)), 1)
        ]
        self.weight_ = torch.cat([weight for weight, _ in parts], 1) / len(parts)
        self.bias_ = torch.stack([bias for _, bias in parts]).mean(0)
        self.parameters_ = self.weight_.numel() + self.bias_.numel()
        return self

    def predict_logits(self, paintings: Paintings, rows: ArrayLike) -> NDArray[np.float64]:
        return self.logits(self.features(paintings)[np.asarray(rows)])

    def logits(self, features: Tensor) -> NDArray[np.float64]:
        """(M, C) logits of any (M, D) features, e.g. of pictures outside the collection."""
        return (features @ self.weight_.T + self.bias_).double().numpy()


class PublishedProbe(SoftProbe):
    """A soft probe that becomes the last layer of a network, its ``classifier``."""

    @abc.abstractmethod
    def untrained(self) -> nn.Module:
        """The network, in eval mode, before its layer is set."""

    def network(self) -> nn.Module:
        """The fitted network."""
        network: Any = self.untrained()
        set_layer(network.classifier, self.weight_, self.bias_)
        return network

    def embedded(self, paintings: Paintings, rows: ArrayLike) -> Tensor:
        return self.features(paintings)[np.asarray(rows)]


def soft_targets(
    data: Paintings, indices: NDArray, hard_share: float = 0.5, class_weight_power: float = 0.5
) -> tuple[Tensor, Tensor]:
    """Targets (N, C) for all pictures, and weights (N,) from the class frequencies of ``indices``.

    Args:
        data: all pictures; without votes the targets are the labels.
        indices: the training pictures; the weights have mean 1 over them.
        hard_share: of a target that is the label, in [0, 1]; the rest are the votes.
        class_weight_power: weight of a class = frequency ** -power; 0 is none, 1 balances fully.
    """
    votes = data.onehot if data.votes is None else data.votes
    targets = hard_share * data.onehot + (1 - hard_share) * votes
    share = np.bincount(data.labels[indices], minlength=len(data.classes)) / len(indices)
    weights = np.where(share > 0, np.maximum(share, 1e-9) ** -class_weight_power, 0.0)
    weights /= (weights * share).sum()
    return torch.tensor(targets, dtype=torch.float32), torch.tensor(weights[data.labels], dtype=torch.float32)


def soft_probe(features: Tensor, targets: Tensor, weights: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """Linear layer that minimises weighted cross-entropy to soft targets, by L-BFGS.

    Args:
        features: (N, D); standardised for the fit, but the result applies to unstandardised features.
        targets: (N, C) distributions.
        weights: (N,) of the pictures.
        penalty: factor of the squared norm of the weights on standardised features.

    Returns:
        weight (C, D) and bias (C,), float32.
    """
    mean, std = features.mean(0), features.std(0) + 1e-6
    x = (features - mean) / std
    weight = torch.zeros(x.shape[1], targets.shape[1], requires_grad=True)
    bias = torch.zeros(targets.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=80, history_size=5, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = -(weights[:, None] * targets * F.log_softmax(x @ weight + bias, 1)).sum() / weights.sum()
        loss = loss + penalty * (weight**2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        raw = weight / std[:, None]
        return raw.T.contiguous(), bias - mean @ raw


@torch.no_grad()
def set_layer(layer: nn.Module, weight: Tensor, bias: Tensor) -> None:
    """Copy the weights of a probe into a linear layer."""
    assert isinstance(layer, nn.Linear)
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)


@dataclasses.dataclass(frozen=True)
class MajorityConfig:
    """No settings."""


class MajorityClass(ClassEstimator):
    """Predicts the class frequencies of the training pictures (plus one each) for every picture."""

    Config = MajorityConfig
    shares_: NDArray[np.float64]

    def fit(self, paintings: Paintings, rows: ArrayLike, seed: int | None = None) -> Self:
        labels, classes = paintings.labels[np.asarray(rows)], len(paintings.classes)
        self.shares_ = (np.bincount(labels, minlength=classes) + 1) / (len(labels) + classes)
        self.parameters_ = classes
        return self

    def predict_logits(self, paintings: Paintings, rows: ArrayLike) -> NDArray[np.float64]:
        return np.tile(np.log(self.shares_), (len(np.asarray(rows)), 1))
