"""Parts of several figures: panels with intervals, named rows, legend, grouped bars, signed heat maps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from numpy.typing import NDArray

from workbench.plots.checks import in_order
from workbench.plots.style import COLOURS, GRAY, HATCHES, interval_points, new_figure, no_frame, pretty

INTERVAL = ("estimate", "low", "high")


def panel_grid(
    count: int, size: tuple[float, float], most: int = 3, margin: tuple[float, float] = (0, 0), **options
) -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` panels in rows of at most ``most``.

    Args:
        count: panels.
        size: (width, height) of a panel in inches.
        most: panels in a row.
        margin: (width, height) in inches that the figure needs besides its panels.
        options: of ``Figure.subplots``.
    """
    columns = min(most, count)
    rows = -(-count // columns)
    whole = (columns * size[0] + margin[0], rows * size[1] + margin[1])
    figure, grid = new_figure(rows, columns, whole, **options)
    for unused in grid.flat[count:]:
        unused.remove()
    return figure, list(grid.flat[:count])


def interval_panels(
    frame: pd.DataFrame,
    panel: str,
    row: str,
    panels: Iterable | None = None,
    rows: Iterable | None = None,
    most: int = 3,
    **options,
) -> tuple[Figure, dict[Any, Axes]]:
    """One panel per value of a column and one row per value of another: points with their intervals as bars.

    Args:
        frame: columns ``panel``, ``row``, estimate, low and high.
        panel: column of the panels.
        row: column of the rows.
        panels: values of ``panel`` to draw, in order; None draws all.
        rows: values of ``row`` to draw, from the top; None draws all.
        most: panels beside each other.
        options: of ``Figure.subplots``.

    Returns:
        The figure, and the axes by value of ``panel``.

    Raises:
        ValueError: the table has none of the values asked for.
    """
    shown, names = in_order(frame[panel], panels), in_order(frame[row], rows)
    if not shown or not names:
        raise ValueError(f"Expected a {panel} and a {row} of the table but none of those asked for is in it.")
    labels = [pretty(name) for name in names]
    size, margin = (2.9, 1.0 + 0.34 * len(names)), (0.6 + 0.08 * max(map(len, labels)), 0.2)
    figure, grid = panel_grid(len(shown), size, most, margin, sharey=True, **options)
    for axes, value in zip(grid, shown, strict=True):
        own = frame[frame[panel] == value].set_index(row).reindex(names)
        for place, (estimate, low, high) in enumerate(own[list(INTERVAL)].astype(float).to_numpy()):
            if np.isfinite(estimate):
                interval_points(axes, [place], [estimate], [low], [high], place)
        axes.set_title(pretty(value))
        name_rows(axes, labels)
    return figure, dict(zip(shown, grid, strict=True))


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Name the rows 0, 1, … from the top, without grid lines between them."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(False, axis="y")


def figure_legend(figure: Figure, columns: int = 2, place: Any = "outside lower center") -> None:
    """One legend for all panels, each label once; none if nothing has a label."""
    handles = {
        label: handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    if handles:
        figure.legend([*handles.values()], [*handles], loc=place, ncols=columns, fontsize="small")


def grouped_bars(
    axes: Axes, frame: pd.DataFrame, group: str, series: str, value: str
) -> Mapping[Any, tuple[BarContainer, NDArray, pd.DataFrame]]:
    """Bars of ``value``, side by side in every ``group``, one per ``series``.

    Returns:
        By series: the bars, their places, and the rows of the table in the order of the groups.
    """
    groups, names = in_order(frame[group]), in_order(frame[series])
    width, drawn = 0.8 / len(names), {}
    for index, name in enumerate(names):
        own = frame[frame[series] == name].set_index(group).reindex(groups)
        places = np.arange(len(groups)) + (index - (len(names) - 1) / 2) * width
        colour, hatch = COLOURS[index % len(COLOURS)], HATCHES[index % len(HATCHES)]
        bars = axes.bar(
            places, own[value], 0.93 * width, color=colour, hatch=hatch, edgecolor="white", label=pretty(name)
        )
        drawn[name] = bars, places, own
    axes.set_xticks(range(len(groups)), [pretty(g) for g in groups])
    axes.grid(False, axis="x")
    return drawn


def signed_heat_map(
    axes: Axes, values: NDArray, sure: NDArray, rows: Sequence[str], columns: Sequence[str], label: str
) -> None:
    """Values around 0, red above and blue below, with a colour bar; bold where ``sure``, else gray.

    Args:
        axes: to draw on.
        values: (R, C); nan is left white.
        sure: (R, C) bool.
        rows: R names.
        columns: C names, written at the top.
        label: of the colour bar.
    """
    top = float(np.clip(np.nanmax(np.abs(values), initial=0), 0.5, 1.5))
    image = axes.imshow(values, cmap="RdBu_r", vmin=-top, vmax=top, aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            colour = "white" if abs(value) > 0.62 * top else "black" if sure[i, j] else GRAY
            weight = "bold" if sure[i, j] else "normal"
            axes.text(
                j, i, f"{value:+.2f}", ha="center", va="center", color=colour, weight=weight, fontsize="small"
            )
    axes.set_xticks(range(len(columns)), columns, rotation=20, ha="left")
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(rows)), rows)
    no_frame(axes)
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.5, extend="both")
    bar.set_label(label)
    bar.outline.set_visible(False)
