"""Figures of a collection: its pictures on a map by similarity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from numpy.typing import ArrayLike
from PIL import Image

from workbench.plots.style import look, new_figure, pretty, styled

CELLS = 8  # thumbnails along each side at most, so that they do not overlap
_INCHES = 7.0
_THUMBNAIL = 44  # points of the longer side


def spread(x: ArrayLike, y: ArrayLike) -> list[int]:
    """Indices of well separated pictures: the first in each cell of a grid on the unit square."""
    places = np.stack([np.asarray(x, float), np.asarray(y, float)], 1)
    grid = (places * CELLS).astype(int).clip(0, CELLS - 1)
    return sorted(np.unique(grid, axis=0, return_index=True)[1].tolist())


@styled
def places(table, classes: Sequence[str], thumbnails: Mapping[int, Image.Image] | None = None) -> Figure:
    """A point per picture in the colour and shape of its class; some as small pictures in its colour's frame.

    Args:
        table: columns ``x`` and ``y``, in [0, 1], and ``label``.
        classes: their order.
        thumbnails: pictures by row number, see :func:`spread`.
    """
    figure, grid = new_figure(size=(_INCHES, _INCHES))
    axes = grid[0, 0]
    for index, name in enumerate(classes):
        own, style = table[table["label"] == name], look(index)
        axes.plot(
            own["x"], own["y"], linestyle="none", marker=style["marker"], color=style["color"],
            markeredgecolor="white", markersize=8, label=pretty(name),
        )  # fmt: skip
    for row, image in (thumbnails or {}).items():
        small = image.convert("RGB")
        small.thumbnail((2 * _THUMBNAIL, 2 * _THUMBNAIL))
        colour = look(list(classes).index(table["label"].iloc[row]))["color"]
        frame = {"edgecolor": colour, "linewidth": 2.2, "facecolor": "white"}
        picture = OffsetImage(np.asarray(small), zoom=_THUMBNAIL / max(small.size))
        at = (table["x"].iloc[row], table["y"].iloc[row])
        axes.add_artist(AnnotationBbox(picture, at, pad=0.05, bboxprops=frame))
    axes.set(xlim=(-0.06, 1.06), ylim=(-0.06, 1.06), xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    figure.legend(loc="outside lower center", ncols=min(len(classes), 5))
    return figure
