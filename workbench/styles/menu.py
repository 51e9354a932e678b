"""Every style by its name: trained networks, portrait styles, classical filters, other packages' styles."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from workbench.core.errors import UnknownNameError
from workbench.core.registry import Registry
from workbench.drawing import filters
from workbench.models import weights
from workbench.styles import networks, people
from workbench.styles.names import DEFAULT_STYLE
from workbench.styles.style import Draw, Style

_FORMER = {"afgan_portrait": "drawn_portrait", "portrait_and_scene": "drawn_portrait"}  # those that are gone


@dataclasses.dataclass(frozen=True)
class FilterStyle(Style):
    """A classical filter."""

    filter: filters.Filter
    kind = "filter"
    flickers = False

    def load(self, runtime: str, device: Any) -> Draw:
        """See :meth:`Style.load`."""
        return lambda pixels, progress: self.filter.apply(pixels)


@dataclasses.dataclass(frozen=True)
class DrawnStyle(Style):
    """A look of :mod:`workbench.drawing`: lines, flat areas and tones computed, without a network."""

    look: str
    kind = "drawing"
    grows = True

    def load(self, runtime: str, device: Any) -> Draw:
        """See :meth:`Style.load`."""
        return self.load_at(1.0, runtime, device)

    def load_at(self, detail: float, runtime: str, device: Any) -> Draw:
        """See :meth:`Style.load_at`: lines and areas are enlarged apart."""
        from workbench import drawing

        return lambda pixels, progress: drawing.draw(pixels, self.look, detail)


_LOOKS = {
    "comic": ("Comic, drawn", "Flat colours, folded shadows and dark outlines on real edges."),
    "anime": ("Anime, drawn", "Few tones, light shadows, rich skies and thin tinted lines."),
    "ink": ("Ink, drawn", "Black strokes and pale washes on paper."),
}


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
    for look, (title, description) in _LOOKS.items():
        slow = f"{description} Computed without a network: half a second for a small picture."
        menu[f"drawn_{look}"] = DrawnStyle(f"drawn_{look}", title, slow, "Apache-2.0", look)
    for one in filters.FILTERS.values():
        menu[one.name] = FilterStyle(one.name, one.title, one.description, "Apache-2.0", one)
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
