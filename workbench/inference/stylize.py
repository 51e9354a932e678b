"""Redraw a picture in a style found by name: a trained network, a classical filter, or a user's own
weights.
"""

from __future__ import annotations

import dataclasses
import math
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from workbench.errors import UnknownNameError, WeightsError, WorkbenchError
from workbench.inference import filters
from workbench.models import weights

if TYPE_CHECKING:
    from torch import nn

DEFAULT_STYLE = "fsgan_pepper"
_MOST_LOADED = 4

_loaded: OrderedDict[tuple, nn.Module] = OrderedDict()
_lock = threading.Lock()


@dataclasses.dataclass(frozen=True)
class Style:
    """One entry of the style menu."""

    name: str
    title: str
    description: str
    kind: str  # "network" or "filter"
    licence: str


def styles() -> dict[str, Style]:
    """All styles by name: the trained networks (the default first), then the classical filters."""
    cards = [weights.card(name, weights.SHIPPED) for name in weights.trained("stylizer", weights.SHIPPED)]
    cards.sort(key=lambda card: card.name != DEFAULT_STYLE)
    networks = [Style(c.name, c.title, c.description, "network", c.licence) for c in cards]
    classical = [
        Style(f.name, f.title, f.description, "filter", "Apache-2.0") for f in filters.FILTERS.values()
    ]
    return {style.name: style for style in (*networks, *classical)}


def stylize(
    image: Image.Image,
    style: str = DEFAULT_STYLE,
    strength: float = 1.0,
    progress: Callable[[float], None] | None = None,
) -> Image.Image:
    """Redraw a picture of any size; large ones are drawn in tiles without seams.

    Args:
        image: picture; modes other than "RGB" are converted.
        style: a name in :func:`styles`, or the path of a ``.safetensors`` file with its card beside it.
        strength: 1 is the drawing, 0 the photo, between them a linear blend of the two pixel values.
        progress: called with the share done, in (0, 1]; an exception that it raises stops the work.

    Returns:
        New picture in mode "RGB" of the same size.

    Raises:
        UnknownNameError: no such style.
        WeightsError: the user's weights are missing, have no card, are damaged or are not a stylizer's.
        WorkbenchError: ``strength`` outside [0, 1].
    """
    strength = _checked_strength(strength)
    draw = _drawer(str(style))
    pixels = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    drawn = draw(pixels, progress) if strength > 0 else pixels
    if 0 < strength < 1:
        drawn = cv2.addWeighted(drawn, strength, pixels, 1 - strength, 0)
    if progress is not None:
        progress(1.0)
    return Image.fromarray(drawn)


def _checked_strength(strength: float) -> float:
    try:
        value = float(strength)
    except (TypeError, ValueError):
        value = math.nan
    if not 0 <= value <= 1:
        raise WorkbenchError(
            f"Expected a strength between 0 (the photo) and 1 (the drawing) but got {strength!r}. "
            "Choose one within."
        )
    return value


def _drawer(style: str) -> Callable[[np.ndarray, Callable[[float], None] | None], np.ndarray]:
    """The function that draws in ``style``. Whatever is wrong with the style shows here, before the work."""
    if style in filters.FILTERS:
        return lambda pixels, progress: filters.apply(style, pixels)
    if style not in weights.trained("stylizer", weights.SHIPPED) and Path(style).suffix != ".safetensors":
        raise UnknownNameError("style", style, styles())
    network = _network(style)

    def draw(pixels: np.ndarray, progress: Callable[[float], None] | None) -> np.ndarray:
        from workbench.inference.tiling import run_tiled

        return run_tiled(network, pixels, progress=progress)

    return draw


def _network(name_or_path: str) -> nn.Module:
    """The network, loaded once and shared by all threads (its forward pass keeps no state).

    A file that has been replaced since is loaded again; the least recently used network goes first.
    """
    is_path = Path(name_or_path).suffix == ".safetensors"
    path = Path(name_or_path) if is_path else weights.SHIPPED / f"{name_or_path}.safetensors"
    with _lock:
        key = _identity(path)
        if key not in _loaded:
            _loaded[key] = _load(path)
            while len(_loaded) > _MOST_LOADED:
                _loaded.popitem(last=False)
        _loaded.move_to_end(key)
        return _loaded[key]


def _identity(path: Path) -> tuple:
    """Changes whenever the weights or their card do."""
    stats = [os.stat(file) if file.is_file() else None for file in (path, path.with_suffix(".json"))]
    return (str(path.absolute()), *((s.st_mtime_ns, s.st_size, s.st_ino) if s else None for s in stats))


def _load(path: Path) -> nn.Module:
    import torch

    network, card = weights.load(path)
    if card.kind != "stylizer" or not (hasattr(network, "halo") and hasattr(network, "stride")):
        raise WeightsError(
            f"Expected the weights of a stylizer that can work in tiles but {path.name} is a {card.kind} "
            f"({card.architecture}). Choose weights made by `workbench train stylizer`."
        )
    return network.to(memory_format=torch.channels_last)
