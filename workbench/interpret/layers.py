"""Stages and residual blocks of a classifier by name, and their activations.

A timm EfficientNet has ``stem``, ``stage1`` … ``stage7`` and ``head``; a timm ResNet has ``stem`` and
``stage1`` … ``stage4``; their MAFR variants likewise. lite0 and ResNet-50 have 16 residual blocks, ``block0``
(the shallowest) … ``block15``, numbered as in MAFR's ``aggregated``. Any other convolutional network is
divided at its top-level modules.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from workbench.core.errors import UnknownNameError
from workbench.interpret.attribution import AttributionError, check_request


def stages(network: Any) -> dict[str, nn.Module]:
    """Stages by name, from shallow to deep; each outputs a feature map (B, K, h, w).

    Raises:
        AttributionError: a network without any 2-D convolution.
    """
    if isinstance(getattr(network, "backbone", None), nn.Module):  # backbone_probe: those of the network
        return stages(network.backbone)
    if isinstance(getattr(network, "deepest", None), nn.Module):  # of a stylizer, what its statistics are of
        return {network.layer: network.deepest}
    if isinstance(getattr(network, "statistics", None), nn.ModuleList):  # lite_statistics: several of them
        parts = zip(network.variants, network.statistics, strict=True)
        return {f"{v}.{name}": m for v, part in parts for name, m in stages(part.network).items()}
    if hasattr(network, "conv_stem") and hasattr(network, "blocks"):  # timm's EfficientNets
        modules = {"stem": getattr(network, "bn1", network.conv_stem)}
        modules |= {f"stage{i}": stage for i, stage in enumerate(network.blocks, start=1)}
        return modules | ({"head": network.bn2} if hasattr(network, "bn2") else {})
    if hasattr(network, "layer1") and hasattr(network, "layer4"):  # ResNets
        stem = next((n for n in ("maxpool", "act1", "relu", "bn1", "conv1") if hasattr(network, n)), None)
        modules = {"stem": getattr(network, stem)} if stem else {}
        return modules | {f"stage{i}": getattr(network, f"layer{i}") for i in range(1, 5)}
    return _by_structure(network)


def _by_structure(network: nn.Module) -> dict[str, nn.Module]:
    """Top-level modules that hold a convolution; a Sequential of several such modules is opened."""
    modules: dict[str, nn.Module] = {}
    for name, module in network.named_children():
        if not _convolves(module):
            continue
        parts = [(f"{name}.{key}", part) for key, part in module.named_children() if _convolves(part)]
        if isinstance(module, (nn.Sequential, nn.ModuleList)) and len(parts) > 1:
            modules.update(parts)
        else:
            modules[name] = module
    if not modules:
        raise AttributionError("Expected a network with 2-D convolutions but it has none.")
    return modules


def _convolves(module: nn.Module) -> bool:
    return any(isinstance(part, nn.Conv2d) for part in module.modules())


def blocks(network: Any) -> dict[str, nn.Module]:
    """The residual blocks ``block0`` … from shallow to deep; the stages of a network without any."""
    if hasattr(network, "conv_stem") and hasattr(network, "blocks"):
        modules = [block for stage in network.blocks for block in stage]
    elif hasattr(network, "layer1") and hasattr(network, "layer4"):
        modules = [block for i in range(1, 5) for block in getattr(network, f"layer{i}")]
    else:
        return stages(network)
    return {f"block{i}": block for i, block in enumerate(modules)}


def find(network: nn.Module, name: str) -> nn.Module:
    """The stage or block of that name, or the module at that dotted path.

    Raises:
        UnknownNameError: no such stage, block or module.
    """
    known = {**blocks(network), **stages(network)}
    if name in known:
        return known[name]
    with contextlib.suppress(AttributeError):
        if name:
            return network.get_submodule(name)
    raise UnknownNameError("layer", name, known)


@contextlib.contextmanager
def recording(modules: Mapping[str, nn.Module], pooled: bool = False) -> Iterator[dict[str, Tensor]]:
    """Record the outputs of ``modules`` while a network runs; with ``pooled``, their means over positions."""
    outputs: dict[str, Tensor] = {}

    def keep(name: str):
        def hook(_module, _args, output):
            if not isinstance(output, Tensor) or output.ndim != 4:
                shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
                raise AttributionError(
                    f"Expected layer {name} to output (B, K, h, w) but it outputs {shape}. Choose another."
                )
            outputs[name] = output.mean((2, 3)) if pooled else output.clone()  # later layers may overwrite it

        return hook

    handles = [module.register_forward_hook(keep(name)) for name, module in modules.items()]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def activations(network: nn.Module, x: Tensor, modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Feature maps (B, K, h, w) of every named module in one pass, copied.

    Raises:
        AttributionError: training mode, a wrong ``x``, or a module without a feature map.
    """
    check_request(network, x, 0)
    with recording(modules) as outputs:
        network(x)
    return {name: outputs[name] for name in modules if name in outputs}


@torch.no_grad()
def pooled_activations(network: nn.Module, x: Tensor, modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Means over positions (B, K) of every named module's feature map, in one pass."""
    check_request(network, x, 0)
    with recording(modules, pooled=True) as outputs:
        network(x)
    return {name: outputs[name] for name in modules if name in outputs}
