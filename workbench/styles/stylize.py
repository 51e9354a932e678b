"""Find a style by name or by its weights, and redraw a picture in it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from workbench.core import devices
from workbench.core.errors import UnknownNameError, WeightsError
from workbench.core.registry import Registry
from workbench.data.images import as_rgb
from workbench.models import weights
from workbench.styles import computed, networks, people
from workbench.styles.names import DEFAULT_STYLE, RUNTIMES
from workbench.styles.options import DrawOptions
from workbench.styles.style import Progress, Style

if TYPE_CHECKING:
    from torch import nn

__all__ = ["DEFAULT_STYLE", "RUNTIMES", "get", "network_of", "styles", "stylize"]

_FORMER = {"afgan_portrait": "drawn_portrait", "portrait_and_scene": "drawn_portrait"}  # removed styles


def _check(name: str, entry: object) -> None:
    if not (isinstance(entry, Style) or callable(entry)):
        raise TypeError(f"expected a workbench.styles.style.Style but got {type(entry).__name__}")


_others: Registry[Any] = Registry("style", group="workbench.styles", check=_check)


def styles() -> dict[str, Style]:
    """All styles by name: the trained networks (the default first), those that redraw people, drawings
    without a network, the classical filters, and those of other packages.
    """
    folder = weights.SHIPPED
    cards = [weights.card(name, folder) for name in weights.trained(folder=folder)]
    cards.sort(key=lambda card: card.name != DEFAULT_STYLE)
    entries: list[Style] = [
        kind.of_card(card, folder / f"{card.name}.safetensors")
        for kind in (networks, people)
        for card in cards
        if card.kind == kind.KIND
    ]
    menu = {style.name: style for style in entries}
    menu[people.DRAWN.name] = people.DRAWN
    menu |= {style.name: style for style in computed.all_computed()}
    for name, entry in _others.items():
        style = entry if isinstance(entry, Style) else entry()
        menu.setdefault(name, dataclasses.replace(style, name=name))
    return menu


def get(style: str | Path | Style) -> Style:
    """The style of a name, or of a file of weights.

    Args:
        style: a name in :func:`styles`, the path of a ``.safetensors`` file with its card beside it or of an
            ``.onnx`` file that ``workbench export`` wrote, or a style, which is given back.

    Raises:
        UnknownNameError: no such style.
        WeightsError: the file is missing, has no card, or is not the weights of a style.
    """
    if isinstance(style, Style):
        return style
    path = Path(style)
    if path.suffix == ".onnx":
        return networks.of_onnx(path)
    if path.suffix == ".safetensors":
        card = weights.card(path)
        for kind in (networks, people):
            if card.kind == kind.KIND:
                return dataclasses.replace(kind.of_card(card, path), name=str(style))
        raise networks.not_a_style(path, card)
    menu, name = styles(), str(style)
    name = name if name in menu else _FORMER.get(name, name)
    if name not in menu:
        raise UnknownNameError("style", name, menu)
    return menu[name]


def stylize(
    image: Image.Image,
    style: str | Path | Style = DEFAULT_STYLE,
    strength: float = 1.0,
    progress: Progress | None = None,
    *,
    preserve_color: float = 0.0,
    detail: float = 1.0,
    deform: float = DrawOptions.deform,
    runtime: str = "torch",
    device: str | None = None,
) -> Image.Image:
    """Redraw a picture of any size; lines and regions grow with it, and there are no seams.

    Args:
        image: picture; modes other than "RGB" are converted.
        style: a name in :func:`styles`, or the path of a ``.safetensors`` file with its card beside it, or of
            an ``.onnx`` file that ``workbench export`` wrote.
        strength: 1 is the drawing, 0 the photo, between them a linear blend of the two pixel values.
        progress: called with the share done, in (0, 1]; an exception that it raises stops the work.
        preserve_color: 0 leaves the drawing's colours, 1 gives it the photo's under its own lights and
            shades: see :func:`workbench.styles.style.with_chroma_of`.
        detail: pictures with a short side of more than 512 pixels times this are drawn at that size, and the
            drawing is enlarged with hard borders: 2 gives lines half as wide and regions half as large, and
            16 draws every pixel. People that a portrait style draws are always drawn in crops of one size.
        deform: of faces in the style "drawn_portrait": 0 keeps their shape, 1 exaggerates it.
        runtime: "torch"; "onnx" for ONNX Runtime (a network is exported the first time, which compares the
            two); or "torch-bf16", faster where the processor has bfloat16 instructions and not bit-identical.
            See :mod:`workbench.styles.runtimes`.
        device: "auto", "cpu", "cuda" ("cuda:1" …) or "mps"; by default ``WORKBENCH_DEVICE``, or "auto".

    Returns:
        New picture in mode "RGB" of the same size.

    Raises:
        UnknownNameError: no such style or runtime.
        WeightsError: the user's weights are missing, have no card, are damaged or are not a stylizer's.
        ImageError: the style needs what the picture does not show, as a portrait style needs a face.
        WorkbenchError: ``strength``, ``preserve_color`` or ``deform`` outside [0, 1], ``detail`` outside
            [0.25, 16], a device that is not there, or a runtime that cannot run this style or whose packages
            are missing.
    """
    pixels = np.asarray(as_rgb(image))
    drawn = get(style).draw(
        pixels,
        strength,
        progress,
        preserve_color=preserve_color,
        detail=detail,
        deform=deform,
        runtime=runtime,
        device=device,
    )
    return Image.fromarray(drawn)


def network_of(style: str | Path, runtime: str = "torch", device: str | None = None) -> nn.Module:
    """The network of a style, ready to be run in tiles.

    Args:
        style: name of a trained stylizer, or a ``.safetensors`` or ``.onnx`` file.
        runtime: of :data:`RUNTIMES`. An ``.onnx`` file always runs in ONNX Runtime.
        device: as for :func:`stylize`.

    Raises:
        UnknownNameError, WeightsError, WorkbenchError: as :func:`stylize`; also for a style without such a
            network.
    """
    entry = get(style)
    if not isinstance(entry, networks.NetworkStyle):
        if Path(style).suffix:
            raise WeightsError(
                f"Expected weights that can work in tiles but {Path(style).name} is a {entry.kind} style. "
                "Choose weights made by `workbench train stylizer`."
            )
        raise UnknownNameError("network", str(style), [n for n, s in styles().items() if s.kind == "network"])
    return entry.network(runtime, devices.resolve(device))
