"""Styles without a network: classical filters, and drawings whose lines, areas and tones are computed."""

from __future__ import annotations

import dataclasses
from typing import Any

from workbench.drawing import filters
from workbench.styles.style import Draw, Style


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
    keeps_gray = True
    limits = (
        "It runs on the processor alone and takes longer than a network.",
        "It knows no objects: lines follow edges of lightness and colour, wherever they are.",
    )
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


def all_computed() -> list[Style]:
    """The drawings, then the filters."""
    slow = "Computed without a network: half a second for a small picture."
    drawings = [
        DrawnStyle(f"drawn_{look}", title, f"{description} {slow}", "Apache-2.0", look)
        for look, (title, description) in _LOOKS.items()
    ]
    return drawings + [
        FilterStyle(one.name, one.title, one.description, "Apache-2.0", one)
        for one in filters.FILTERS.values()
    ]
