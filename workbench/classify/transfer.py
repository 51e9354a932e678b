"""Transfer learning: initial weights, trained layers, and learning rates per layer.

Layers are grouped from shallow to deep by timm's ``group_matcher``: transfer "frozen" trains the
linear head only, "partial" the deepest share of the groups, "full" all, with learning rates that fall by
``layer_decay`` from a group to the next shallower one. Pretrained batch-norm statistics stay frozen, since
batches here are small.

Sources: Howard and Ruder, "ULMFiT", ACL 2018 (discriminative rates); Bao et al., "BEiT", ICLR 2022 (decay).
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from timm.models import group_parameters
from torch import nn

from workbench import models
from workbench.classify.configs import FinetuneConfig
from workbench.core.errors import DatasetError
from workbench.models.novelty import head_name
from workbench.models.registry import architecture_info


def new_network(config: FinetuneConfig, num_classes: int) -> nn.Module:
    """The architecture with its initial weights and a new head, frozen according to ``transfer``.

    Raises:
        DatasetError: invalid arguments of the architecture, or its weights are unavailable or do not fit.
    """
    extra: dict[str, Any] = {"pretrained": True} if config.pretrained and not config.initial else {}
    if "size" in architecture_info(config.model).defaults:
        extra["size"] = config.size
    try:
        network = models.create(config.model, num_classes=num_classes, **(extra | dict(config.arguments)))
    except (TypeError, ValueError) as error:
        raise DatasetError(f"Expected other arguments of {config.model}: {error}") from error
    except (OSError, RuntimeError) as error:
        raise DatasetError(
            f"Expected ImageNet weights of {config.model} but they cannot be fetched ({error}). "
            "Go online, give `initial` weights, or train without pretrained ones."
        ) from error
    if config.initial:
        state = models.load(config.initial)[0].state_dict()
        own = network.state_dict()
        kept = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
        if len(kept) < len(own) // 2:
            raise DatasetError(f"Expected weights of {config.model} in {config.initial} but few tensors fit.")
        network.load_state_dict(kept, strict=False)
    depth = layer_groups(network)
    last = max(depth.values())
    partial = last - round(config.partial_share * last) + 1
    first = {"frozen": last, "partial": partial, "full": 0}[config.transfer]
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(depth[name] >= first or ".rescale." in name)
    return network


def layer_groups(network: nn.Module) -> dict[str, int]:
    """Index of every parameter's layer group, from 0 at the input to the head (last linear layer)."""
    matcher: Any = getattr(network, "group_matcher", None)
    if matcher is not None:
        depth = group_parameters(network, matcher(coarse=False), reverse=True)
    else:  # one group per module that holds parameters, in order
        owners = list(dict.fromkeys(name.rpartition(".")[0] for name, _ in network.named_parameters()))
        depth = {name: owners.index(name.rpartition(".")[0]) for name, _ in network.named_parameters()}
    head = head_name(network)
    last = max(depth.values()) + 1
    return {n: last if n.rpartition(".")[0] == head else depth[n] for n, _ in network.named_parameters()}


def parameter_groups(network: nn.Module, config: FinetuneConfig) -> list[dict]:
    """Optimiser groups with their peak learning rates; no weight decay on biases and norms."""
    depth = layer_groups(network)
    last = max(depth.values())
    groups: dict[tuple[int, bool], dict] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        level = last if ".rescale." in name else depth[name]  # new layers learn at the head's rate
        decayed = parameter.ndim > 1
        entry = groups.setdefault(
            (level, decayed),
            {
                "params": [],
                "lr": config.learning_rate * config.layer_decay ** (last - level),
                "weight_decay": config.weight_decay if decayed else 0.0,
            },
        )
        entry["params"].append(parameter)
    return list(groups.values())


def set_training_mode(network: nn.Module, config: FinetuneConfig) -> None:
    """Set training mode, except for pretrained batch norm, which keeps its statistics."""
    network.train()
    if config.pretrained or config.initial:
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


def take_out_stem(network: nn.Module, size: int) -> tuple[nn.Sequential, nn.Module] | None:
    """(stem, rest): the layers below the first trained one, and a copy of the network without them.

    A picture that is always seen alike passes the stem once instead of once an epoch. None if the network is
    no chain of its children, as timm's EfficientNets and ResNets are, or if nothing lies below.

    Args:
        network: with ``requires_grad`` off for what is not trained.
        size: pixels of a view's side, of the picture on which it is checked that both give the same.
    """
    rest = copy.deepcopy(network).eval()
    stem = []
    for parent, name in _chain(rest):
        layer = parent.get_submodule(name)
        if any(p.requires_grad for p in layer.parameters()) or isinstance(layer, nn.Linear):
            break
        stem.append(layer)
        setattr(parent, name, nn.Identity())
    taken = nn.Sequential(*stem).eval()
    if not any(True for _ in taken.parameters()):
        return None
    x = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        try:
            same = torch.equal(rest(taken(x)), copy.deepcopy(network).eval()(x))
        except RuntimeError:  # shapes that do not fit: no chain
            return None
    return (taken, rest) if same else None


def _chain(network: nn.Module) -> list[tuple[nn.Module, str]]:
    """(parent, name) of the children in order; those of a ``Sequential`` in its place."""
    slots: list[tuple[nn.Module, str]] = []
    for name, child in network.named_children():
        slots += _chain(child) if isinstance(child, nn.Sequential) else [(network, name)]
    return slots
