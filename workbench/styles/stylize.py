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

from workbench.core.errors import UnknownNameError, WeightsError, WorkbenchError
from workbench.drawing import filters
from workbench.models import weights
from workbench.styles import portrait_styles
from workbench.styles.names import DEFAULT_STYLE, RUNTIMES

if TYPE_CHECKING:
    from torch import nn

LUMA = (0.299, 0.587, 0.114)  # BT.601, of R, G and B
_MOST_LOADED = 4

_loaded: OrderedDict[tuple, nn.Module] = OrderedDict()
_lock = threading.Lock()


@dataclasses.dataclass(frozen=True)
class Style:
    """One entry of the style menu."""

    name: str
    title: str
    description: str
    kind: str  # "network", "portrait" or "filter"
    licence: str


def styles() -> dict[str, Style]:
    """All styles by name: the trained networks (the default first), those that redraw people, then the
    classical filters.
    """
    cards = [weights.card(name, weights.SHIPPED) for name in weights.trained("stylizer", weights.SHIPPED)]
    cards.sort(key=lambda card: card.name != DEFAULT_STYLE)
    networks = [Style(c.name, c.title, c.description, "network", c.licence) for c in cards]
    people = [Style(c.name, c.title, c.description, "portrait", c.licence) for c in portrait_styles.cards()]
    if portrait_styles.has_fusion():
        both = portrait_styles.FUSION, portrait_styles.FUSION_TITLE, portrait_styles.FUSION_DESCRIPTION
        people.append(Style(*both, "portrait", "as both networks: non-commercial"))
    classical = [
        Style(f.name, f.title, f.description, "filter", "Apache-2.0") for f in filters.FILTERS.values()
    ]
    return {style.name: style for style in (*networks, *people, *classical)}


def stylize(
    image: Image.Image,
    style: str = DEFAULT_STYLE,
    strength: float = 1.0,
    progress: Callable[[float], None] | None = None,
    *,
    preserve_color: float = 0.0,
    runtime: str = "torch",
) -> Image.Image:
    """Redraw a picture of any size; large ones are drawn in tiles without seams.

    Args:
        image: picture; modes other than "RGB" are converted.
        style: a name in :func:`styles`, or the path of a ``.safetensors`` file with its card beside it, or of
            an ``.onnx`` file that ``workbench export`` wrote.
        strength: 1 is the drawing, 0 the photo, between them a linear blend of the two pixel values.
        progress: called with the share done, in (0, 1]; an exception that it raises stops the work.
        preserve_color: 0 leaves the drawing's colours, 1 gives it the photo's under its own lights and
            shades: see :func:`with_chroma_of`.
        runtime: "torch"; "onnx" for ONNX Runtime (a network is exported the first time, which compares the
            two); or "torch-bf16", faster where the processor has bfloat16 instructions and not the same
            picture to the last level. See :mod:`workbench.styles.runtimes`.

    Returns:
        New picture in mode "RGB" of the same size.

    Raises:
        UnknownNameError: no such style or runtime.
        WeightsError: the user's weights are missing, have no card, are damaged or are not a stylizer's.
        WorkbenchError: ``strength`` or ``preserve_color`` outside [0, 1], or "onnx" for a filter or without
            its packages.
    """
    strength = _checked_strength(strength)
    preserve_color = _checked_share(preserve_color, "preserve_color", "the drawing's colours", "the photo's")
    draw = _drawer(str(style), runtime)
    pixels = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    drawn = draw(pixels, progress) if strength > 0 else pixels
    if strength > 0 and preserve_color > 0:
        drawn = with_chroma_of(pixels, drawn, preserve_color)
    if 0 < strength < 1:
        drawn = cv2.addWeighted(drawn, strength, pixels, 1 - strength, 0)
    if progress is not None:
        progress(1.0)
    return Image.fromarray(drawn)


def with_chroma_of(photo: np.ndarray, drawing: np.ndarray, amount: float = 1.0) -> np.ndarray:
    """The drawing with its luma kept and its chroma moved towards the photo's, in YUV (BT.601).

    At 1 the colours are the photo's, but where they cannot be had at the drawing's luma (blue in white), and
    there they are clamped. Meant for styles that leave things in their place.

    Args:
        photo: (H, W, 3) uint8.
        drawing: the same shape.
        amount: share of the way, 0 to 1.

    Source: Gatys, Bethge, Hertzmann and Shechtman, "Preserving color in neural artistic style transfer",
        2016, section 3 (luminance-only transfer).
    """
    chroma = np.eye(3) - np.tile(LUMA, (3, 1))  # takes the luma of a difference away
    output = np.empty_like(drawing)
    step = max(1, 1_000_000 // drawing.shape[1])  # rows at a time: no float copy of a large picture
    for top in range(0, len(drawing), step):
        band = slice(top, top + step)
        change = cv2.transform(photo[band].astype(np.float32) - drawing[band], chroma)
        output[band] = np.clip(np.rint(drawing[band] + np.float32(amount) * change), 0, 255)
    return output


def _checked_strength(strength: float) -> float:
    return _checked_share(strength, "strength", "the photo", "the drawing")


def _checked_share(value: float, name: str, none: str, full: str) -> float:
    try:
        share = float(value)
    except (TypeError, ValueError):
        share = math.nan
    if not 0 <= share <= 1:
        raise WorkbenchError(
            f"Expected a {name} between 0 ({none}) and 1 ({full}) but got {value!r}. Choose one within."
        )
    return share


def _drawer(
    style: str, runtime: str = "torch"
) -> Callable[[np.ndarray, Callable[[float], None] | None], np.ndarray]:
    """The function that draws in ``style``. Whatever is wrong with the style shows here, before the work."""
    if runtime not in RUNTIMES:
        raise UnknownNameError("runtime", runtime, RUNTIMES)
    if style in filters.FILTERS:
        if runtime != "torch":
            raise WorkbenchError(
                f"Expected a network for the runtime {runtime} but {style} is a filter. Use torch."
            )
        return lambda pixels, progress: filters.apply(style, pixels)
    if portrait_styles.is_portrait(style):
        return portrait_styles.drawer(style, runtime, _network)
    network = network_of(style, runtime)

    def draw(pixels: np.ndarray, progress: Callable[[float], None] | None) -> np.ndarray:
        from workbench.styles.tiling import run_tiled

        return run_tiled(network, pixels, progress=progress)

    return draw


def network_of(style: str, runtime: str = "torch") -> nn.Module:
    """The network of a style, ready to be run in tiles.

    Args:
        style: name of a trained stylizer, or a ``.safetensors`` or ``.onnx`` file.
        runtime: of :data:`RUNTIMES`. An ``.onnx`` file always runs in ONNX Runtime.

    Raises:
        UnknownNameError, WeightsError, WorkbenchError: as :func:`stylize`.
    """
    suffix = Path(style).suffix
    if style not in weights.trained("stylizer", weights.SHIPPED) and suffix not in (".safetensors", ".onnx"):
        raise UnknownNameError("style", style, styles())
    if runtime == "torch" and suffix != ".onnx":
        return _network(style)
    from workbench.styles import runtimes

    if suffix == ".onnx":
        return runtimes.onnx_file(style)
    if runtime == "torch-bf16":
        return runtimes.Bfloat16Network(_network(style))
    return runtimes.onnx_network(_file(style), _network(style))


def _file(name_or_path: str) -> Path:
    is_path = Path(name_or_path).suffix == ".safetensors"
    return Path(name_or_path) if is_path else weights.SHIPPED / f"{name_or_path}.safetensors"


def _network(name_or_path: str, kind: str = "stylizer") -> nn.Module:
    """The network, loaded once and shared by all threads (its forward pass keeps no state).

    A file that has been replaced since is loaded again; the least recently used network goes first.
    """
    path = _file(name_or_path)
    with _lock:
        key = (kind, *_identity(path))
        if key not in _loaded:
            _loaded[key] = _load(path, kind)
            while len(_loaded) > _MOST_LOADED:
                _loaded.popitem(last=False)
        _loaded.move_to_end(key)
        return _loaded[key]


def _identity(path: Path) -> tuple:
    """Changes whenever the weights or their card do."""
    stats = [os.stat(file) if file.is_file() else None for file in (path, path.with_suffix(".json"))]
    return (str(path.absolute()), *((s.st_mtime_ns, s.st_size, s.st_ino) if s else None for s in stats))


def _load(path: Path, kind: str) -> nn.Module:
    import torch

    network, card = weights.load(path)
    tiles = hasattr(network, "halo") and hasattr(network, "stride")
    if card.kind != kind or not (tiles or kind == portrait_styles.KIND):
        raise WeightsError(
            f"Expected the weights of a stylizer that can work in tiles but {path.name} is a {card.kind} "
            f"({card.architecture}). Choose weights made by `workbench train stylizer`."
        )
    return network.to(memory_format=torch.channels_last)
