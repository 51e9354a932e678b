"""Grad-CAM: which parts of a picture are evidence for a class.

The map is Σ_k w_k A_k over the channels k of a late feature map A, with w_k the mean over positions of the
gradient of the class's logit with respect to A_k. Departures from the paper: negative values, which are
evidence against the class, are kept unless ``relu`` is set; and maps are not min-max scaled, so that they can
be compared with one another.

Source: Selvaraju et al., "Grad-CAM", ICCV 2017, arXiv:1610.02391, through captum's ``LayerGradCam``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from workbench.core.errors import WorkbenchError

OPACITY = 0.6  # of the strongest evidence, so that the picture always stays visible


class AttributionError(WorkbenchError):
    """The requested explanation would be meaningless, or does not fit the network."""


def default_layer(network: Any) -> nn.Module:
    """The module with the last feature map.

    That is an EfficientNet's head, the last stage of a ResNet or of a sequence of blocks, else the last
    convolution. For ``lite_statistics`` it is the fifth stage of the first network;
    the map does not show the evidence of the other networks.

    Raises:
        AttributionError: a network without any 2-D convolution.
    """
    if isinstance(getattr(network, "backbone", None), nn.Module):  # backbone_probe
        return default_layer(network.backbone)
    if isinstance(getattr(network, "deepest", None), nn.Module):  # of a stylizer
        return network.deepest
    for name in ("bn2", "conv_head"):  # timm's EfficientNets: head convolution, its norm and activation
        if hasattr(network, "conv_head") and isinstance(getattr(network, name, None), nn.Module):
            return getattr(network, name)
    if isinstance(getattr(network, "statistics", None), nn.ModuleList):
        # its linear layer uses every stage; a middle one has its own evidence and that of deeper stages
        return network.statistics[0].network.blocks[4]
    if isinstance(getattr(network, "layer4", None), nn.Module):  # a ResNet: after the shortcut and its ReLU
        return network.layer4
    if isinstance(getattr(network, "blocks", None), nn.Sequential):  # its convolutions may sit in a branch
        return network.blocks[-1]
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    if not convolutions:
        raise AttributionError(
            "Expected a network with 2-D convolutions but it has none. Grad-CAM needs a feature map."
        )
    return convolutions[-1]


def check_request(network: nn.Module, x: Tensor, target: int | Tensor) -> None:
    """Raise for a request that no method can explain.

    Raises:
        AttributionError: a network in training mode (dropout and batch statistics would change the map from
            call to call), or an ``x`` or ``target`` of another shape than (B, 3, H, W) and int or (B,).
    """
    if any(module.training for module in network.modules()):
        raise AttributionError(
            "Expected a network in eval mode but it is in training mode. Call network.eval() first."
        )
    if x.ndim != 4:
        raise AttributionError(f"Expected `x` of shape (B, 3, H, W) but got {tuple(x.shape)}.")
    if isinstance(target, Tensor) and target.shape != x.shape[:1]:
        raise AttributionError(
            f"Expected one class or one per picture ({len(x)}) as `target` but got {tuple(target.shape)}."
        )


def check_classes(target: int | Tensor, classes: int) -> None:
    """Raise for a class that the network does not have.

    Raises:
        AttributionError: outside 0 … classes - 1.
    """
    targets = target.tolist() if isinstance(target, Tensor) else [target]
    wrong = [t for t in targets if not 0 <= t < classes]
    if wrong:
        raise AttributionError(f"Expected `target` in 0 … {classes - 1} but got {wrong[0]}.")


def grad_cam(
    network: nn.Module, x: Tensor, target: int | Tensor, layer: nn.Module | None = None, relu: bool = False
) -> Tensor:
    """Raw Grad-CAM map at the resolution of the layer.

    Args:
        network: in eval mode, (B, 3, H, W) to logits (B, C).
        x: (B, 3, H, W), preprocessed as the network expects.
        target: class index in 0 … C-1, or one per picture (B,).
        layer: module of ``network`` with output (B, K, h, w); by default :func:`default_layer`.
        relu: keep only evidence for the class, as in the paper.

    Returns:
        (B, h, w) float32. The values are in units of logit × activation; they are comparable between pictures
        and classes of one network and layer. Upsample with :func:`upsample`.

    Raises:
        AttributionError: a network in training mode, an ``x`` or ``target`` that does not fit, or a layer
            that is not in the network or has no spatial extent.
    """
    from captum.attr import LayerGradCam  # imported late, as it loads matplotlib

    check_request(network, x, target)
    layer = default_layer(network) if layer is None else layer
    if not any(m is layer for m in network.modules()):
        raise AttributionError("Expected `layer` to be a module of the network but it is not part of it.")
    with torch.inference_mode(False), torch.enable_grad():
        x = x.detach().clone().requires_grad_(True)  # gives a frozen network a gradient path
        feature, logits = _probe(network, x, layer)
        if feature is None or feature.ndim != 4 or feature.shape[-1] * feature.shape[-2] < 2:
            shape = None if feature is None else tuple(feature.shape)
            raise AttributionError(
                f"Expected a layer with output (B, K, h, w) and h × w of 2 or more but got {shape}."
            )
        check_classes(target, logits.shape[1])
        target = target if isinstance(target, Tensor) else int(target)
        maps = LayerGradCam(network, layer).attribute(x, target=target, relu_attributions=relu)
    return maps.detach()[:, 0].float()  # (B, h, w)


def _probe(network: nn.Module, x: Tensor, layer: nn.Module) -> tuple[Tensor | None, Tensor]:
    """Output of ``layer`` and of the network."""
    outputs: list[Tensor] = []
    handle = layer.register_forward_hook(lambda _module, _args, output: outputs.append(output))
    try:
        with torch.no_grad():
            logits = network(x)
    finally:
        handle.remove()
    feature = outputs[-1] if outputs else None
    return (feature if isinstance(feature, Tensor) else None), logits


def upsample(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear (B, h, w) to (B, *size); values stay within the range of ``maps``."""
    larger = torch.nn.functional.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)
    return larger[:, 0]


def overlay(picture: Image.Image, heatmap: NDArray) -> Image.Image:
    """The picture with a heat map over it, more opaque where the evidence is stronger.

    Only evidence for the class is shown: the largest value of the map has the brightest colour and
    :data:`OPACITY`; where values are 0 or below, the picture is unchanged. For measurements use the raw map.

    Args:
        picture: mode RGB, W × H.
        heatmap: (H, W) raw values.

    Returns:
        RGB, W × H.
    """
    from matplotlib import colormaps

    if heatmap.shape != (picture.height, picture.width):
        raise ValueError(f"Expected a heat map of {(picture.height, picture.width)} but got {heatmap.shape}.")
    heatmap = np.asarray(heatmap, dtype=np.float32)
    if not np.isfinite(heatmap).all():
        raise ValueError("Expected finite values in the heat map but got NaN or infinity.")
    strength = np.clip(heatmap, 0, None)
    strength /= max(float(strength.max()), 1e-12)
    index = np.round(255 * strength).astype(np.uint8)
    table = np.round(255 * colormaps["inferno"].resampled(256)(np.arange(256))[:, :3]).astype(np.uint8)
    color = Image.fromarray(table[index])
    mask = Image.fromarray(np.round(255 * OPACITY * np.sqrt(strength)).astype(np.uint8))
    return Image.composite(color, picture.convert("RGB"), mask)
