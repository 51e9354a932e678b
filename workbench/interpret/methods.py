"""Attribution methods with one interface: network, pictures, class and, for some, a layer to raw maps.

>>> maps = attribute("occlusion", network, x, target=2)  # (B, H, W)  # doctest: +SKIP

Two controls ignore the network: ``random`` and ``edges``. A method should do better than both on every
measure (Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018). Maps are not min-max scaled, so
that they can be compared with one another.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from workbench.core.errors import UnknownNameError
from workbench.interpret import layers
from workbench.interpret.attribution import (
    AttributionError,
    check_classes,
    check_request,
    default_layer,
    grad_cam,
    upsample,
)
from workbench.interpret.catalogue import METHODS, Method, methods

__all__ = ["FILLS", "METHODS", "Method", "attribute", "available", "filled", "guidable", "methods", "passes"]

FILLS = ("mean", "blur", "zero")
_SMOOTH = ("gelu", "silu", "swish", "mish", "softplus", "celu", "selu", "leakyrelu", "prelu", "tanh")


def filled(x: Tensor, fill: str = "mean") -> Tensor:
    """Replacement for the pixels that a method removes.

    Args:
        x: (B, 3, H, W).
        fill: ``mean``, each picture's own mean colour; ``blur``, the picture blurred so that only layout and
            tone remain; ``zero``, the middle of the network's input range.

    Returns:
        (B, 3, H, W).
    """
    if fill == "mean":
        return x.mean((2, 3), keepdim=True).expand_as(x)
    if fill == "zero":
        return torch.zeros_like(x)
    if fill != "blur":
        raise UnknownNameError("fill", fill, FILLS)
    from torchvision.transforms.functional import gaussian_blur

    size = 2 * (min(x.shape[-2:]) // 8) + 1  # a quarter of the shorter side
    return gaussian_blur(x, [size, size], [size / 4, size / 4])


def _grad_cam(network, x, target, layer, _seed) -> Tensor:
    maps = grad_cam(network, x, target, layer)
    if not maps.any():
        raise AttributionError(
            "The Grad-CAM map is zero everywhere: nothing of this layer reaches the class. That is so for an "
            "untrained network whose last batch norm starts at zero. Train it, or choose another layer."
        )
    return maps


class _ClippedReLU(nn.ReLU):
    """ReLU6 as a subclass of ``nn.ReLU``, the only module that captum's guided backpropagation handles."""

    def forward(self, x: Tensor) -> Tensor:
        return F.hardtanh(x, 0.0, 6.0)


def guidable(network: nn.Module) -> nn.Module:
    """A copy of ``network`` whose ReLU and ReLU6 modules work with captum's guided backpropagation.

    Raises:
        AttributionError: activations other than ReLU, for which guided backpropagation is undefined and would
            silently give the plain gradient.
    """
    smooth = {
        type(m).__name__
        for m in network.modules()
        if type(m).__name__ == "ELU" or any(word in type(m).__name__.lower() for word in _SMOOTH)
    }
    if smooth:
        raise AttributionError(
            f"Expected a network with ReLU activations but it has {', '.join(sorted(smooth))}: guided "
            "backpropagation would be the plain gradient. Use grad_cam, integrated_gradients or occlusion."
        )
    copied = copy.deepcopy(network)
    for module in copied.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU6):
                setattr(module, name, _ClippedReLU().eval())
            elif isinstance(child, nn.ReLU):
                child.inplace = False  # captum's hooks need the value
    if not any(isinstance(m, nn.ReLU) for m in copied.modules()):
        raise AttributionError(
            "Expected a network with ReLU modules but it has none: guided backpropagation would be the plain "
            "gradient. Use grad_cam, integrated_gradients or occlusion."
        )
    return copied


def _guided_grad_cam(network, x, target, layer, _seed) -> Tensor:
    from captum.attr import GuidedGradCam  # imported late, as it loads matplotlib

    layer = default_layer(network) if layer is None else layer
    _grad_cam(network, x, target, layer, _seed)  # for its checks
    name = next(n for n, m in network.named_modules() if m is layer)
    copied = guidable(network)
    guided = GuidedGradCam(copied, copied.get_submodule(name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # captum warns of hooks that it removes itself
        parts = guided.attribute(x, target=target, interpolate_mode="bilinear")
    return parts.abs().sum(1)  # the sign of a colour channel's gradient is not evidence for or against


def _integrated_gradients(network, x, target, _layer, _seed, fill="mean", steps=16) -> Tensor:
    from captum.attr import IntegratedGradients

    method = IntegratedGradients(network)
    batch = max(len(x), 8 * 224 * 224 // (x.shape[-1] * x.shape[-2]))  # bounds the memory
    parts = method.attribute(
        x, baselines=filled(x, fill), target=target, n_steps=steps, internal_batch_size=batch
    )
    return parts.sum(1)


def _window(size: tuple[int, int], window: int | None = None, stride: int | None = None) -> tuple[int, int]:
    """Side and stride of the occluding square; by default a quarter of the picture and half of that."""
    window = min(window or max(1, round((size[0] * size[1]) ** 0.5 / 4)), *size)
    return window, stride or max(1, window // 2)


def _occlusion(network, x, target, _layer, _seed, fill="mean", window=None, stride=None) -> Tensor:
    from captum.attr import Occlusion

    window, stride = _window(tuple(x.shape[-2:]), window, stride)
    with torch.no_grad():
        parts = Occlusion(network).attribute(
            x,
            sliding_window_shapes=(x.shape[1], window, window),
            strides=(x.shape[1], stride, stride),
            baselines=filled(x, fill),
            target=target,
        )
    return parts.mean(1)


def _random(_network, x, _target, _layer, seed) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(len(x), 7, 7, generator=generator)


def _edges(_network, x, _target, _layer, _seed) -> Tensor:
    gray = x.mean(1, keepdim=True)
    sobel = torch.tensor([[1.0, 2.0, 1.0], [0.0, 0.0, 0.0], [-1.0, -2.0, -1.0]]) / 8
    kernels = torch.stack([sobel, sobel.T])[:, None].to(x)  # (2, 1, 3, 3)
    return F.conv2d(F.pad(gray, (1, 1, 1, 1), mode="replicate"), kernels).norm(dim=1)


# computes each entry of the catalogue
_FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "grad_cam": _grad_cam,
    "guided_grad_cam": _guided_grad_cam,
    "integrated_gradients": _integrated_gradients,
    "occlusion": _occlusion,
    "random": _random,
    "edges": _edges,
}


def available(network: nn.Module) -> list[str]:
    """The methods that suit this network; guided backpropagation needs ReLU."""
    try:
        guidable(network)
    except AttributionError:
        return [name for name in methods() if name != "guided_grad_cam"]
    return methods()


def passes(method: str, size: tuple[int, int], steps: int = 16) -> int:
    """Approximate number of pictures that the network processes for one map, for a progress bar.

    Args:
        method: a name in :data:`METHODS`.
        size: (H, W) of the picture.
        steps: of integrated gradients.
    """
    if method == "integrated_gradients":
        return steps + 1
    if method != "occlusion":
        return 3
    window, stride = _window(size)
    return math.prod(math.ceil((side - window) / stride) + 1 for side in size) + 2


def attribute(
    method: str,
    network: nn.Module,
    x: Tensor,
    target: int | Tensor,
    layer: nn.Module | str | None = None,
    seed: int = 0,
    size: tuple[int, int] | None = None,
    **options,
) -> Tensor:
    """Raw maps of one method at the size of the pictures.

    Args:
        method: a name in :data:`METHODS`.
        network: in eval mode, (B, 3, H, W) to logits (B, C).
        x: (B, 3, H, W), preprocessed as the network expects.
        target: class index, or one per picture (B,).
        layer: for layered methods, a module or its name (see :mod:`workbench.interpret.layers`); by default
            the last feature map.
        seed: of the random control; the methods are deterministic.
        size: (H, W) of the maps, by default that of ``x``; coarser maps are upsampled bilinearly.
        options: ``fill`` (:data:`FILLS`) and ``steps`` of integrated gradients; ``fill``, ``window`` and
            ``stride`` (pixels; by default a quarter of the picture's side, and half of that) of occlusion;
            ``grid`` of random.

    Returns:
        (B, H, W) float32, in the units of the method's catalogue entry.

    Raises:
        UnknownNameError: unknown method, layer or fill.
        AttributionError: training mode, an ``x`` or ``target`` that does not fit, a layer for a method
            without layers, a layer without spatial extent, guided backpropagation with activations other than
            ReLU, or a Grad-CAM that is zero everywhere.
    """
    if method not in METHODS:
        raise UnknownNameError("method", method, METHODS)
    entry = METHODS[method]
    check_request(network, x, target)
    if isinstance(layer, str):
        layer = layers.find(network, layer)
    if layer is not None and not entry.layered:
        layered = ", ".join(name for name, m in METHODS.items() if m.layered)
        raise AttributionError(
            f"Expected no layer for {method}, which looks at the input. Layers are for {layered}."
        )
    with torch.inference_mode(False), torch.enable_grad():
        x = x.detach().clone()
        if not entry.control:
            with torch.no_grad():
                check_classes(target, network(x[:1]).shape[1])
        x.requires_grad_(not entry.control)
        maps = _FUNCTIONS[method](network, x, target, layer, seed, **options).detach().float()
    return upsample(maps, size or (x.shape[-2], x.shape[-1]))
