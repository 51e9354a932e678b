"""Model cards: all that is needed to use a set of weights and to assess it.

``NAME.safetensors`` lies beside ``NAME.json``, the card. A card is parsed once, and again only when its file
changes.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import json
import os
from pathlib import Path

from workbench.core.cache import digest
from workbench.core.errors import UnknownNameError, WeightsError
from workbench.core.files import Identity, identity

SHIPPED = Path(__file__).resolve().parent.parent / "weights"


@dataclasses.dataclass(frozen=True)
class Card:
    """All that is needed to use a set of weights and to assess it."""

    name: str  # file stem and public name, e.g. "fsgan_comic"
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
    network_sha256: str = ""  # of that file without the novelty score; empty if it has none, and on old cards
    commit: str = ""  # of the code that trained it
    date: str = ""  # ISO date of training
    classes: tuple[dict, ...] = ()  # classifier: {"name", "name_zh", "description"} in logit order
    calibration: dict = dataclasses.field(default_factory=dict)  # classifier: {"temperature": T, ...}

    @property
    def network_digest(self) -> str:
        """Name of the weights, without their novelty score, in tables of what was measured of them."""
        return self.network_sha256 or self.sha256

    @property
    def digest(self) -> str:
        """What all that a model makes depends on: the key of what is kept of it."""
        return digest(
            (
                self.sha256,
                self.architecture,
                self.arguments,
                self.preprocessing,
                self.class_names,
                self.calibration,
            )
        )

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


def locate(name_or_path: str | os.PathLike, folder: Path) -> Path:
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
    path = locate(name_or_path, folder).with_suffix(".json")
    file = identity(path)
    if file is None:
        raise WeightsError(
            f"Expected the card {path.name} beside {path.stem}.safetensors but there is none. Weights are "
            "only loaded with their card: copy it too, or train again with `workbench train`."
        )
    return copy.deepcopy(_parsed(file))  # its dictionaries are the caller's to change


@functools.lru_cache(maxsize=256)
def _parsed(file: Identity) -> Card:
    path = Path(file[0])
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
    """Sorted names of the models in ``folder`` that have weights and a card, of one ``kind`` if given."""
    pairs = sorted(p for p in folder.glob("*.safetensors") if p.with_suffix(".json").is_file())
    return [p.stem for p in pairs if kind is None or card(p).kind == kind]
