"""Trained weights, loaded and saved with their cards.

``NAME.safetensors`` (fp16) lies beside its card ``NAME.json``, without which it cannot be loaded. The card
holds the architecture, its arguments, the class names, the preprocessing and the digest of the weights.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.core.cards import SHIPPED, Card, card, locate, trained
from workbench.core.errors import WeightsError
from workbench.core.files import file_digest, write_whole

if TYPE_CHECKING:
    from torch import nn

__all__ = ["SHIPPED", "Card", "card", "check", "load", "save", "trained"]


def check(name_or_path: str | os.PathLike, folder: Path = SHIPPED) -> Card:
    """The card of a model, after a check of its weights against the card's digest; loads no network.

    Raises:
        UnknownNameError: no such shipped model.
        WeightsError: no card, or weights that do not belong to it.
    """
    path = locate(name_or_path, folder)
    info = card(path)
    _match(path, info, file_digest(path))
    return info


def _match(path: Path, info: Card, digest: str) -> None:
    """Raise WeightsError unless the weights have the card's digest."""
    if info.sha256 and digest != info.sha256:
        raise WeightsError(
            f"{path.name} does not match its card (sha256 {digest[:12]}…, card says {info.sha256[:12]}…). "
            "One of the two files was replaced or damaged: restore both from the same place."
        )


def load(name_or_path: str | os.PathLike, folder: Path = SHIPPED) -> tuple[nn.Module, Card]:
    """The network in eval mode with float32 weights, and its card.

    Raises:
        UnknownNameError: no such shipped model.
        WeightsError: no card, or weights that do not belong to it or do not fit the architecture.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load as load_bytes

    from workbench.models.registry import create, set_preprocessing

    path = locate(name_or_path, folder)
    info = card(path)
    payload = path.read_bytes()
    _match(path, info, hashlib.sha256(payload).hexdigest())
    try:
        state = {
            k: v.to(torch.float32) if v.is_floating_point() else v for k, v in load_bytes(payload).items()
        }
    except SafetensorError as error:
        raise WeightsError(
            f"{path.name} is not a readable safetensors file ({error}). Restore it."
        ) from error
    network = create(info.architecture, **info.arguments)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(
            f"{path.name} does not fit {info.architecture}({info.arguments}): {error}"
        ) from error
    if info.kind == "classifier":
        known = {k: info.preprocessing[k] for k in ("mean", "std", "size") if k in info.preprocessing}
        set_preprocessing(
            network, info.architecture, num_classes=len(info.classes), classes=info.class_names, **known
        )
    return network.eval().requires_grad_(False), info


def save(network: nn.Module, info: Card, folder: str | os.PathLike) -> Path:
    """Write ``NAME.safetensors`` (fp16, but for tensors beyond its range) and ``NAME.json`` into ``folder``,
    each atomically.

    Returns:
        Path of the weights.
    """
    import torch
    from safetensors.torch import save as to_bytes

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    state = {}
    for name, tensor in network.state_dict().items():
        whole = tensor.detach().cpu()
        half = whole.to(torch.float16 if whole.is_floating_point() else whole.dtype)
        fits = torch.equal(torch.isfinite(half), torch.isfinite(whole))
        state[name] = (half if fits else whole).contiguous()
    payload = to_bytes(state)
    alone = {k: v for k, v in state.items() if not k.startswith("novelty.")}
    of_network = hashlib.sha256(to_bytes(alone)).hexdigest() if len(alone) < len(state) else ""
    info = dataclasses.replace(info, sha256=hashlib.sha256(payload).hexdigest(), network_sha256=of_network)
    path = folder / f"{info.name}.safetensors"
    text = json.dumps(dataclasses.asdict(info), indent=2, ensure_ascii=False) + "\n"
    write_whole(payload, path)
    write_whole(text.encode(), path.with_suffix(".json"))
    return path
