"""What channels respond to, as one sheet of small pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from workbench.plots.style import new_figure, show_picture, styled


@styled
def feature_sheet(rows: Sequence[Mapping], picture) -> Figure:
    """One row a channel: where it is active on a picture, what excites it most, and where it is strongest.

    Args:
        rows: mappings of ``title``, ``map`` (h, w) raw activations on ``picture``, ``exciting`` (an RGB
            picture found by optimisation) and ``found``, the pictures of a collection in which it is
            strongest, as many in every row.
        picture: RGB, that the maps belong to; they are laid over it, bright where the channel is active.

    Raises:
        ValueError: no row, or rows with different numbers of pictures.
    """
    if not rows or len({len(row["found"]) for row in rows}) != 1:
        raise ValueError("Expected one row or more, each with as many found pictures.")
    count = 2 + len(rows[0]["found"])
    figure, grid = new_figure(len(rows), count, size=(1.4 + 1.55 * count, 0.7 + 1.6 * len(rows)))
    height, width = np.asarray(picture).shape[:2]
    for axes, row in zip(grid, rows, strict=True):
        for panel, image in zip(axes, (picture, row["exciting"], *row["found"]), strict=True):
            show_picture(panel, image)
        whole = (0, width, height, 0)
        axes[0].imshow(row["map"], cmap="inferno", alpha=0.65, extent=whole, interpolation="bilinear")
        axes[0].set_ylabel(row["title"], rotation=0, ha="right", va="center", fontsize="small")
    heads = ["where it is active\nin a picture", "what excites\nit most", "strongest in"]
    for panel, head in zip(grid[0], heads, strict=False):
        panel.set_title(head, fontsize="small", loc="left")
    return figure
