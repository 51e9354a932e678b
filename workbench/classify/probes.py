"""Linear layers on features as they are, and the majority class: what a tuned network must beat.

Sources: Kornblith, Shlens and Le, "Do Better ImageNet Models Transfer Better?", CVPR 2019; Peterson et al.,
"Human uncertainty makes classification more robust", ICCV 2019 (soft targets).
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn import functional as F

from workbench.classify.estimators import Estimator
from workbench.classify.features import Features, SqueezedFeatures
from workbench.data.paintings import Paintings

STRENGTH = 0.01  # scikit-learn's C: strong shrinkage, as 1,280 features of a few hundred pictures need
_LEAST = -30.0  # logit of a class that was never seen


@dataclasses.dataclass(frozen=True)
class LinearProbeConfig:
    """What a linear probe is fitted on, and how strongly it is shrunk."""

    features: Features = dataclasses.field(default_factory=SqueezedFeatures)  # what is known of a picture
    strength: float = STRENGTH  # scikit-learn's C; smaller shrinks more


class LinearProbe(Estimator):
    """Logistic regression on standardised features; a missing one is the training pictures' median."""

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
    """The scikit-learn pipeline of :class:`LinearProbe`: median, standardisation, logistic regression."""
    return make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(C=strength, max_iter=2000),
    )


@dataclasses.dataclass(frozen=True)
class SoftProbeConfig:
    """What a soft probe is fitted on, and how."""

    features: Features = dataclasses.field(default_factory=SqueezedFeatures)  # what is known of a picture
    hard_share: float = 0.5  # of the target that is the label; the rest is the raters' votes, if any
    class_weight_power: float = 0.5  # weight of a class = frequency ** -power
    penalty: float = 0.3  # squared norm of the weights on standardised features


class SoftProbe(Estimator):
    """The linear layer with the least cross-entropy to labels softened by the raters' votes.

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
        """How D is divided into parts that are fitted alone; None is undivided."""
        return None

    def fit(self, paintings: Paintings, rows: ArrayLike, seed: int | None = None) -> Self:
        return self.fit_table(self.features(paintings), paintings, rows)

    def fit_table(self, table: Tensor, paintings: Paintings, rows: ArrayLike) -> Self:
        """:meth:`fit` on (N, D) features that are at hand."""
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
        """(M, C) of any (M, D) features, e.g. of pictures that are no paintings of the collection."""
        return (features @ self.weight_.T + self.bias_).double().numpy()


def soft_targets(
    data: Paintings, indices: NDArray, hard_share: float = 0.5, class_weight_power: float = 0.5
) -> tuple[Tensor, Tensor]:
    """Targets (N, C) for all pictures, and weights (N,) from the class frequencies of ``indices``.

    Args:
        data: all pictures; without votes the targets are the labels.
        indices: the training pictures; the weights have mean 1 over them.
        hard_share: of a target that is the label, in [0, 1]; the rest are the votes.
        class_weight_power: weight of a class is its frequency to the minus this; 0 is none, 1 balances fully.
    """
    votes = data.onehot if data.votes is None else data.votes
    targets = hard_share * data.onehot + (1 - hard_share) * votes
    share = np.bincount(data.labels[indices], minlength=len(data.classes)) / len(indices)
    weights = np.where(share > 0, np.maximum(share, 1e-9) ** -class_weight_power, 0.0)
    weights /= (weights * share).sum()
    return torch.tensor(targets, dtype=torch.float32), torch.tensor(weights[data.labels], dtype=torch.float32)


def soft_probe(features: Tensor, targets: Tensor, weights: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """The linear layer with the least weighted cross-entropy to soft targets, found by L-BFGS.

    Args:
        features: (N, D); standardised inside, and the result is for features as given.
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
    """Set a linear layer to the weights of a probe."""
    assert isinstance(layer, nn.Linear)
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)


@dataclasses.dataclass(frozen=True)
class MajorityConfig:
    """The majority class has no settings."""


class MajorityClass(Estimator):
    """The frequencies of the training pictures' classes (plus one each), whatever the picture: the floor."""

    Config = MajorityConfig
    shares_: NDArray[np.float64]

    def fit(self, paintings: Paintings, rows: ArrayLike, seed: int | None = None) -> Self:
        labels, classes = paintings.labels[np.asarray(rows)], len(paintings.classes)
        self.shares_ = (np.bincount(labels, minlength=classes) + 1) / (len(labels) + classes)
        self.parameters_ = classes
        return self

    def predict_logits(self, paintings: Paintings, rows: ArrayLike) -> NDArray[np.float64]:
        return np.tile(np.log(self.shares_), (len(np.asarray(rows)), 1))
