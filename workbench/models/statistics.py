"""A linear classifier on the feature statistics of frozen EfficientNet-lite networks.

The last feature map, averaged over positions, describes the content. The mean and the standard deviation of
every channel of every stage describe the style: they determine the diagonal of the Gram matrices that style
transfer matches, from fine texture to layout. One stage may add the rest of its Gram matrix, the covariances
of its channels. Only a linear layer on all of them is trained; the networks keep their ImageNet weights.

Sources: Gatys, Ecker and Bethge, "Image Style Transfer Using CNNs", CVPR 2016; Huang and Belongie, "AdaIN",
ICCV 2017 (mean and deviation as style); Kornblith et al., CVPR 2019 (linear transfer).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import timm
import torch
from torch import Tensor, nn

from workbench.models.features import imagenet_state
from workbench.models.registry import register


class StageStatistics(nn.Module):
    """(B, 3, H, W) in [-1, 1] to (B, D): pooled final features, then means and standard deviations of all
    channels of every stage, then the covariances of one stage's channels.

    Args:
        variant: of EfficientNet, "lite0", "lite1" or "lite2".
        pretrained: ImageNet weights from the pip package of the variant.
        covariance_stage: 1 … 7, the stage of the covariances; 0 is none. C channels have C (C + 1) / 2.

    Attributes:
        parts: number of features before the covariances (2,848 for lite0) and of covariances, if any.
        dimensions: D, their sum.

    Raises:
        ValueError: no such stage.
    """

    def __init__(self, variant: str = "lite0", pretrained: bool = False, covariance_stage: int = 0):
        super().__init__()
        network = cast(Any, timm.create_model(f"tf_efficientnet_{variant}", num_classes=0))
        self.network = network
        if pretrained:
            own = self.network.state_dict()
            self.network.load_state_dict({k: v for k, v in imagenet_state(variant).items() if k in own})
        widths = [
            [m for m in s.modules() if isinstance(m, nn.Conv2d)][-1].out_channels for s in network.blocks
        ]
        if not 0 <= covariance_stage <= len(widths):
            raise ValueError(f"Expected a stage from 0 (none) to {len(widths)} but got {covariance_stage}.")
        self.covariance_stage = covariance_stage
        self.parts: tuple[int, ...] = (network.num_features + 2 * sum(widths),)
        if covariance_stage:
            width = widths[covariance_stage - 1]
            self.parts += (width * (width + 1) // 2,)
        self.dimensions = sum(self.parts)

    def forward(self, x: Tensor) -> Tensor:
        statistics, covariances = [], []
        y = self.network.bn1(self.network.conv_stem(x))
        for number, stage in enumerate(self.network.blocks, 1):
            y = stage(y)
            variance, mean = torch.var_mean(y, (2, 3), correction=0)
            statistics += [mean, (variance + 1e-6).sqrt()]
            if number == self.covariance_stage:
                covariances = [_covariances(y)]
        y = self.network.bn2(self.network.conv_head(y))
        return torch.cat([y.mean((2, 3)), *statistics, *covariances], 1)


def _covariances(y: Tensor) -> Tensor:
    """Upper triangle, row by row, of the channels' covariance over positions; (B, C (C + 1) / 2)."""
    y = y.flatten(2)
    y = y - y.mean(2, keepdim=True)
    row, column = torch.triu_indices(y.shape[1], y.shape[1])
    return (y @ y.transpose(1, 2) / y.shape[2])[:, row, column]


class StatisticsClassifier(nn.Module):
    """One linear layer on the concatenated statistics of several networks; see :func:`lite_statistics`."""

    def __init__(
        self,
        num_classes: int,
        variants: Sequence[str],
        pretrained: bool,
        covariance_stage: int = 0,
    ):
        super().__init__()
        if not variants:
            raise ValueError("Expected at least one variant of EfficientNet-lite but got none.")
        self.variants = tuple(variants)
        statistics = [
            StageStatistics(v, pretrained, 0 if i else covariance_stage) for i, v in enumerate(variants)
        ]
        self.statistics = nn.ModuleList(statistics)
        self.parts = tuple(size for s in statistics for size in s.parts)
        self.num_features = sum(self.parts)
        self.classifier = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()
        self.novelty_features = self.parts[0]  # what a novelty score judges: the first network's statistics

    def forward_features(self, x: Tensor) -> Tensor:
        """(B, D) statistics of all networks."""
        return torch.cat([statistics(x) for statistics in self.statistics], 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.forward_features(x))

    def get_classifier(self) -> nn.Module:
        """The linear layer (timm's convention)."""
        return self.classifier


@register("classifier")
def lite_statistics(
    num_classes: int = 5,
    variants: Sequence[str] = ("lite0", "lite1"),
    pretrained: bool = False,
    covariance_stage: int = 0,
) -> nn.Module:
    """Linear classifier on stage statistics: (B, 3, H, W) RGB in [-1, 1] to logits (B, num_classes).

    Args:
        num_classes: length of the logits; 0 gives the statistics.
        variants: the EfficientNets, each "lite0", "lite1" or "lite2".
        pretrained: ImageNet weights from the variants' pip packages.
        covariance_stage: 1 … 7, the stage of the first variant whose channels' covariances are read as well;
            0 is none.

    Raises:
        ValueError: no variant, an unknown one, or an unknown stage.
        WeightsError: a package is missing.
    """
    return StatisticsClassifier(num_classes, tuple(variants), pretrained, covariance_stage)
