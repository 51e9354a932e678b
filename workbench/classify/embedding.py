"""Fits a linear layer on the embeddings of a frozen network, which are computed once per picture."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from workbench.classify.configs import EmbeddingConfig
from workbench.classify.estimators import Estimator, NetworkEstimator
from workbench.classify.features import EmbeddedFeatures, SqueezedFeatures
from workbench.classify.probes import LinearProbe, PublishedProbe
from workbench.core.devices import resolve
from workbench.data.paintings import Paintings
from workbench.models.backbones import Backbone, BackboneProbe, load_backbone, weights_file


class EmbeddingEstimator(PublishedProbe, NetworkEstimator):
    """A soft probe on the embeddings of any network, see :mod:`workbench.models.backbones`."""

    Config = EmbeddingConfig
    architecture = "backbone_probe"

    @property
    def backbone(self) -> Backbone:
        """The network before the layer."""
        return load_backbone(self.config.backbone, self.config.weights or None)

    def features(self, paintings: Paintings) -> Tensor:
        source = EmbeddedFeatures(self.config.backbone, self.config.weights)
        return torch.from_numpy(source.table32(paintings, self.cache))

    def parts(self) -> None:
        return None

    @property
    def device(self) -> str:
        return resolve().type

    @property
    def identity(self) -> tuple:
        kind, version, settings = super().identity  # weights are known by content, not by name
        name, weights = self.config.backbone, self.config.weights or None
        return kind, version, {**settings, "weights": weights_file(name, weights)}

    def arguments(self, num_classes: int) -> dict[str, Any]:
        backbone = self.backbone
        return {
            "num_classes": num_classes,
            "backbone": backbone.architecture,
            "arguments": dict(backbone.arguments),
            "size": 0 if backbone.any_size else backbone.size,
        }

    @property
    def initial_weights(self) -> str:
        return f"{self.backbone.source}; they stay as they are"

    def untrained(self) -> nn.Module:
        rest = {
            k: v for k, v in self.arguments(len(self.bias_)).items() if k not in ("backbone", "arguments")
        }
        return BackboneProbe(copy.deepcopy(self.backbone.network).cpu(), **rest).eval()

    def baselines(self) -> dict[str, Estimator]:
        return {"linear_probe_squeezed": LinearProbe(features=SqueezedFeatures(224), cache=self.cache)}
