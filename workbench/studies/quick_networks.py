"""Classifiers trained in seconds: frozen ImageNet features with a fitted linear layer, as one network.

They serve studies that need a network whose correct explanation is known rather than an accurate one: the
atelier's pictures come with the regions that the network ought to use.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from tqdm import tqdm

from workbench import models
from workbench.classify.probes import STRENGTH
from workbench.data.atelier import MOODS, SEALS, paint
from workbench.data.transforms import Squeeze, Views

_BATCH = 16  # pictures per pass


@dataclasses.dataclass(frozen=True)
class Painted:
    """N pictures of the atelier, ready for a network."""

    x: Tensor  # (N, 3, S, S)
    moods: NDArray[np.int64]  # (N,) index into MOODS
    seals: NDArray[np.int64] | None  # (N,) index into the kinds of seals
    masks: Tensor  # (N, S, S) bool: where the mood is, or the seal if there are seals


def painted(n: int, size: int, first: int = 0, sealed: bool = False, stamped: bool = True) -> Painted:
    """Paint ``n`` pictures, cycling through the moods, with the seeds ``first`` … ``first + n - 1``.

    Args:
        n: pictures.
        size: pixels of a side, after painting at 256.
        first: seed of the first.
        sealed: each has a seal whose kind is independent of its mood (all combinations are equally frequent),
            and ``masks`` are those of the seals.
        stamped: False leaves out the seals and changes nothing else, for comparison.
    """
    views, kinds = Views((Squeeze(size),)), list(SEALS)
    parts, masks, moods, seals = [], [], [], []
    for i in tqdm(range(n), desc="painting", unit="picture", disable=None):
        mood, kind = i % len(MOODS), (i // len(MOODS)) % len(kinds)
        picture = paint(MOODS[mood], first + i, seal=kinds[kind] if sealed and stamped else None)
        parts.append(views(picture.image))
        mask = picture.mask if picture.seal_mask is None else picture.seal_mask
        masks.append(np.asarray(Image.fromarray(mask).resize((size, size), Image.Resampling.NEAREST)))
        moods.append(mood)
        seals.append(kind)
    return Painted(
        torch.cat(parts),
        np.array(moods),
        np.array(seals) if sealed else None,
        torch.from_numpy(np.stack(masks)),
    )


class Pooled(nn.Module):
    """A trunk, global pooling and a linear layer: (B, 3, H, W) to logits (B, C).

    Args:
        trunk: to a feature map (B, K, h, w).
        features: K.
        classes: C.
        peak: use the maximum of each channel instead of its mean, so that small objects count.
    """

    def __init__(self, trunk: nn.Sequential, features: int, classes: int, peak: bool = False):
        super().__init__()
        self.trunk, self.peak = trunk, peak
        self.classifier = nn.Linear(features, classes)

    def pooled(self, x: Tensor) -> Tensor:
        """(B, K)."""
        features = self.trunk(x)
        return features.amax((2, 3)) if self.peak else features.mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.pooled(x))


def mood_network(x: Tensor, labels: ArrayLike) -> Pooled:
    """All of EfficientNet-lite0, mean pooling, and a linear layer fitted to ``labels``, in eval mode."""
    lite0: Any = models.create("lite0_classifier", pretrained=True)
    trunk = nn.Sequential(lite0.conv_stem, lite0.bn1, *lite0.blocks, lite0.conv_head, lite0.bn2)
    return fit_head(Pooled(trunk, lite0.num_features, len(set(np.asarray(labels)))), x, labels)


def detail_network(x: Tensor, labels: ArrayLike) -> Pooled:
    """The first stages of EfficientNet-lite0, peak pooling, and a linear layer: sensitive to a small seal."""
    lite0: Any = models.create("lite0_classifier", pretrained=True)
    trunk = nn.Sequential(lite0.conv_stem, lite0.bn1, *lite0.blocks[:3])
    with torch.no_grad():
        features = trunk.eval()(x[:1]).shape[1]
    return fit_head(Pooled(trunk, features, len(set(np.asarray(labels))), peak=True), x, labels)


def fit_head(network: Pooled, x: Tensor, labels: ArrayLike) -> Pooled:
    """Fit the linear layer to the standardised features by logistic regression; the rest stays as it is."""
    network.eval().requires_grad_(False)
    features = np.concatenate([network.pooled(part).double().numpy() for part in x.split(_BATCH)])
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=2000))
    scaler, linear = (step for _, step in probe.fit(features, np.asarray(labels)).steps)
    weight, bias = linear.coef_ / scaler.scale_, linear.intercept_
    if len(weight) == 1:  # two classes: scikit-learn keeps one row
        weight, bias = np.stack([-weight[0], weight[0]]) / 2, np.array([-bias[0], bias[0]]) / 2
    bias = bias - weight @ scaler.mean_
    network.classifier.weight.copy_(torch.from_numpy(weight))
    network.classifier.bias.copy_(torch.from_numpy(bias))
    return network


@torch.no_grad()
def predictions(network: nn.Module, x: Tensor) -> Tensor:
    """(N,) most probable classes."""
    return torch.cat([network(part).argmax(1) for part in x.split(_BATCH)])


def share_right(answers: Tensor, labels: Sequence[int] | NDArray) -> float:
    """Accuracy."""
    return float((answers.numpy() == np.asarray(labels)).mean())
