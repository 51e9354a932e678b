"""Styles that are trained networks: fully convolutional generators, drawn in tiles of bounded memory."""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.core import cards
from workbench.core.errors import WeightsError
from workbench.core.files import identity
from workbench.models import weights
from workbench.styles.names import RUNTIMES
from workbench.styles.style import Draw, Drawer, Pixels, Progress, Style

if TYPE_CHECKING:
    import torch
    from torch import nn

KIND = "stylizer"  # of the cards
_MOST_LOADED = 4

_loaded: OrderedDict[tuple, nn.Module] = OrderedDict()
_lock = threading.Lock()


@dataclasses.dataclass(frozen=True)
class NetworkStyle(Style):
    """A generator of scenes, by its weights; an ``.onnx`` file always runs in ONNX Runtime."""

    path: Path  # of the .safetensors or .onnx file
    kind = "network"
    runtimes = RUNTIMES
    keeps_gray = True
    grows = True

    def load(self, runtime: str, device: torch.device) -> Draw:
        """See :meth:`Style.load`."""
        network = self.network(runtime, device)

        def draw(pixels: Pixels, progress: Progress | None) -> Pixels:
            from workbench.styles.tiling import run_tiled

            return run_tiled(network, pixels, progress=progress)

        return draw

    def load_frames(self, runtime: str, device: torch.device) -> Drawer:
        """See :meth:`Style.load_frames`: small frames together, large ones in tiles."""
        network = self.network(runtime, device)

        def draw(frames: Sequence[Pixels]) -> list[Pixels]:
            from workbench.styles.tiling import run_together

            return run_together(network, frames)

        return draw

    @property
    def halo(self) -> int:
        """See :attr:`Style.halo`."""
        import torch

        from workbench.styles.tiling import reach

        return reach(self.network("torch", torch.device("cpu")))[1]

    def network(self, runtime: str, device: torch.device) -> nn.Module:
        """The network, ready to be run in tiles: in eval mode, with attributes ``halo`` and ``stride``."""
        if runtime == "torch" and self.path.suffix != ".onnx":
            return load_network(self.path, device, KIND)
        from workbench.styles import runtimes

        if self.path.suffix == ".onnx":
            return runtimes.onnx_file(self.path, device)
        network = load_network(self.path, device, KIND)
        if runtime == "torch-bf16":
            return runtimes.Bfloat16Network(network)
        return runtimes.onnx_network(self.path, network, device)


def of_card(card: cards.Card, path: Path) -> NetworkStyle:
    """The style of a generator's weights."""
    return NetworkStyle(card.name, card.title, card.description, card.licence, path)


def of_onnx(path: Path) -> NetworkStyle:
    """The style of a file that ``workbench export`` wrote."""
    return NetworkStyle(path.stem, path.stem, "An exported network.", "that of its weights", path)


def load_network(path: Path, device: torch.device, kind: str) -> nn.Module:
    """The network of a weights file, loaded once and shared by all threads (its forward pass keeps no state).

    A file that has been replaced since is loaded again; the least recently used network goes first.

    Raises:
        WeightsError: the weights are missing, have no card, are damaged or are not of this ``kind``.
    """
    with _lock:
        key = (kind, str(device), str(path), identity(path), identity(path.with_suffix(".json")))
        if key not in _loaded:
            _loaded[key] = _load(path, device, kind)
            while len(_loaded) > _MOST_LOADED:
                _loaded.popitem(last=False)
        _loaded.move_to_end(key)
        return _loaded[key]


def _load(path: Path, device: torch.device, kind: str) -> nn.Module:
    import torch

    network, card = weights.load(path)
    if card.kind != kind or (kind == KIND and not (hasattr(network, "halo") and hasattr(network, "stride"))):
        raise not_a_style(path, card)
    return network.to(device).to(memory_format=torch.channels_last)


def not_a_style(path: Path, card: cards.Card) -> WeightsError:
    """The error for weights that are not those of a style."""
    return WeightsError(
        f"Expected the weights of a stylizer that can work in tiles but {path.name} is a {card.kind} "
        f"({card.architecture}). Choose weights made by `workbench train stylizer`."
    )
