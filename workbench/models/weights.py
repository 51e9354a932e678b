"""Trained weights and their cards.

``NAME.safetensors`` (fp16) lies beside ``NAME.json``, the card. Nothing loads without its card: the
architecture, its arguments, the class names and the preprocessing travel with the weights, and the card's
digest ties the two files.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.core.errors import UnknownNameError, WeightsError

if TYPE_CHECKING:
    from torch import nn

SHIPPED = Path(__file__).resolve().parent.parent / "weights"


@dataclasses.dataclass(frozen=True)
class Card:
    """What must be known to use a set of weights, and to judge it."""

    name: str  # file stem and public name, e.g. "fsgan_pepper"
    kind: str  # "stylizer" or "classifier"
    title: str  # one line for menus
    description: str  # a paragraph for people
    architecture: str  # name in `models.names()`
    arguments: dict  # keyword arguments of the architecture
    preprocessing: dict  # stylizer: {"range": [-1, 1]}; classifier: mean, std, size, views ...
    training: dict  # data, licence of the data, recipe, command, seed, steps, seconds, device, versions
    metrics: dict  # what was measured, on which split, with intervals
    limitations: str  # what it must not be used for
    licence: str  # licence of the weights themselves
    sha256: str = ""  # of the safetensors file, filled in by `save`
    commit: str = ""  # of the code that trained it
    date: str = ""  # ISO date of training
    classes: tuple[dict, ...] = ()  # classifier: {"name", "name_zh", "description"} in logit order
    calibration: dict = dataclasses.field(default_factory=dict)  # classifier: {"temperature": T, ...}

    @property
    def class_names(self) -> list[str]:
        """Class names in logit order."""
        return [c["name"] for c in self.classes]


_FIELDS = {f.name: f for f in dataclasses.fields(Card)}
_REQUIRED = {
    n
    for n, f in _FIELDS.items()
    if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
}


def _locate(name_or_path: str | os.PathLike, folder: Path) -> Path:
    """Path of the safetensors file for a shipped name or for a user's own file."""
    path = Path(name_or_path)
    if path.suffix == ".safetensors":
        if not path.is_file():
            raise WeightsError(f"Expected a weights file at {path} but there is none. Check the path.")
        return path
    found = folder / f"{name_or_path}.safetensors"
    if not found.is_file() or found.parent.resolve() != folder.resolve():
        raise UnknownNameError("model", str(name_or_path), trained(folder=folder))
    return found


def card(name_or_path: str | os.PathLike, folder: Path = SHIPPED) -> Card:
    """The card of a shipped model (by name) or of a user's ``.safetensors`` file.

    Raises:
        UnknownNameError: no such shipped model.
        WeightsError: no file, no card beside it, or a card that is not valid.
    """
    path = _locate(name_or_path, folder).with_suffix(".json")
    if not path.is_file():
        raise WeightsError(
            f"Expected the card {path.name} beside {path.stem}.safetensors but there is none. Weights are "
            "only loaded with their card: copy it too, or train again with `workbench train`."
        )
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(
            f"Expected {path.name} to be JSON but it is not ({error}). Restore the card."
        ) from error
    missing = sorted(_REQUIRED - set(raw)) if isinstance(raw, dict) else sorted(_REQUIRED)
    if missing:
        raise WeightsError(
            f"Card {path.name} lacks {', '.join(missing)}. Restore the card that came with the weights."
        )
    values = {k: v for k, v in raw.items() if k in _FIELDS}
    values["classes"] = tuple(values.get("classes", ()))
    return Card(**values)


def trained(kind: str | None = None, folder: Path = SHIPPED) -> list[str]:
    """Sorted names of the models in ``folder`` that have weights and a card, of one card ``kind`` if
    given.
    """
    pairs = sorted(p for p in folder.glob("*.safetensors") if p.with_suffix(".json").is_file())
    return [p.stem for p in pairs if kind is None or card(p).kind == kind]


def check(name_or_path: str | os.PathLike, folder: Path = SHIPPED) -> Card:
    """The card of a model whose weights are as they were when the card was written; loads no network.

    Raises:
        UnknownNameError: no such shipped model.
        WeightsError: no card, or weights that do not belong to it.
    """
    path = _locate(name_or_path, folder)
    info = card(path)
    _matching(path, info)
    return info


def _matching(path: Path, info: Card) -> bytes:
    """The weights file's bytes, if its digest is the card's."""
    payload = path.read_bytes()
    digest = hashlib.sha256(payload).hexdigest()
    if info.sha256 and digest != info.sha256:
        raise WeightsError(
            f"{path.name} does not match its card (sha256 {digest[:12]}…, card says {info.sha256[:12]}…). "
            "One of the two files was replaced or damaged: restore both from the same place."
        )
    return payload


def load(name_or_path: str | os.PathLike, folder: Path = SHIPPED) -> tuple[nn.Module, Card]:
    """The network in eval mode with float32 weights, and its card.

    Raises:
        UnknownNameError: no such shipped model.
        WeightsError: no card, or weights that do not belong to it or do not fit the architecture.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load as load_bytes

    from workbench.models.registry import create

    path = _locate(name_or_path, folder)
    info = card(path)
    payload = _matching(path, info)
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
    return network.eval().requires_grad_(False), info


def save(network: nn.Module, info: Card, folder: str | os.PathLike) -> Path:
    """Write ``NAME.safetensors`` (fp16) and ``NAME.json`` into ``folder``, each atomically; return the
    weights' path.
    """
    import torch
    from safetensors.torch import save as to_bytes

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        k: v.detach().cpu().to(torch.float16 if v.is_floating_point() else v.dtype).contiguous()
        for k, v in network.state_dict().items()
    }
    payload = to_bytes(state)
    info = dataclasses.replace(info, sha256=hashlib.sha256(payload).hexdigest())
    path = folder / f"{info.name}.safetensors"
    text = json.dumps(dataclasses.asdict(info), indent=2, ensure_ascii=False) + "\n"
    for target, data in ((path, payload), (path.with_suffix(".json"), text.encode())):
        partial = target.with_suffix(target.suffix + ".part")
        partial.write_bytes(data)
        partial.replace(target)
    return path
