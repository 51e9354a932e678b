"""Figures of the ratings: numbers of pictures, votes, and moods by the feelings they evoke."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from numpy.typing import ArrayLike

from workbench.plots.checks import check_table, in_order
from workbench.plots.panels import figure_legend, grouped_bars, panel_grid
from workbench.plots.style import heat_map, look, new_figure, pretty, styled


@styled
def counts(table, title: str = "") -> Figure:
    """Bars of how many pictures, painters, … each mood has, with the number on each.

    Args:
        table: columns mood, what, count.
    """
    frame = check_table(table, ("mood", "what", "count"))
    figure, grid = new_figure(size=(1.8 + 1.1 * frame["mood"].nunique(), 3.4))
    axes = grid[0, 0]
    for bars, _, own in grouped_bars(axes, frame, "mood", "what", "count").values():
        axes.bar_label(bars, [f"{n:g}" for n in own["count"]], fontsize="small", padding=2)
    axes.set(title=title)
    axes.margins(y=0.12)
    axes.yaxis.get_major_locator().set_params(integer=True)
    figure_legend(figure, columns=frame["what"].nunique())
    return figure


@styled
def votes_heat_map(
    shares: ArrayLike,
    rows: Sequence[str],
    columns: Sequence[str],
    row_label: str = "label",
    column_label: str = "votes",
    title: str = "",
) -> Figure:
    """Shares of votes in per cent, each row a distribution.

    Args:
        shares: (R, C) in [0, 1].
        rows: R names.
        columns: C names.
    """
    shares = np.asarray(shares, dtype=float)
    if shares.shape != (len(rows), len(columns)):
        raise ValueError(f"Expected shares of shape ({len(rows)}, {len(columns)}) but got {shares.shape}.")
    texts = [["" if np.isnan(v) else f"{100 * v:.0f} %" for v in row] for row in shares]
    figure, grid = new_figure(size=(2.4 + 0.75 * len(columns), 1.6 + 0.55 * len(rows)))
    heat_map(grid[0, 0], shares, texts, [pretty(r) for r in rows], [pretty(c) for c in columns])
    grid[0, 0].set(xlabel=column_label, ylabel=row_label, title=title)
    return figure


@styled
def mood_space(table, correlations=None, across: str = "pleasure") -> Figure:
    """Where moods lie by what people feel: ``across`` against each other dimension.

    A cross is a mood's mean with its interval either way; the ellipse is one standard deviation of its
    pictures, tilted by their correlation where that is given.

    Args:
        table: columns mood, dimension, estimate, low, high, sd.
        correlations: columns mood, first, second, r; optional.
        across: the dimension on the horizontal axes.
    """
    frame = check_table(table, ("mood", "dimension", "estimate", "low", "high", "sd"))
    moods = in_order(frame["mood"])
    others = [d for d in in_order(frame["dimension"]) if d != across]
    if across not in set(frame["dimension"]) or not others:
        raise ValueError(f"Expected {across} and another dimension but got {in_order(frame['dimension'])}.")
    tilt = {}
    if correlations is not None:
        pairs = check_table(correlations, ("mood", "first", "second", "r"))
        tilt = {
            (m, frozenset((a, b))): r for m, a, b, r in pairs[["mood", "first", "second", "r"]].to_numpy()
        }
    cells = frame.set_index(["mood", "dimension"])
    figure, grid = panel_grid(len(others), (4.3, 4.6), len(others), margin=(0.4, 0))
    for axes, other in zip(grid, others, strict=True):
        for index, mood in enumerate(moods):
            x, y = cells.loc[(mood, across)], cells.loc[(mood, other)]
            style = look(index)
            axes.add_patch(_one_sd(x, y, tilt.get((mood, frozenset((across, other))), 0.0), style))
            axes.hlines(y["estimate"], x["low"], x["high"], colors=style["color"], linewidth=2.2)
            axes.vlines(x["estimate"], y["low"], y["high"], colors=style["color"], linewidth=2.2)
            axes.plot(
                x["estimate"], y["estimate"], linestyle="none", marker=style["marker"], color=style["color"],
                markeredgecolor="white", markersize=9, label=pretty(mood),
            )  # fmt: skip
        axes.autoscale_view()
        axes.set(xlabel=pretty(across), ylabel=pretty(other))
    figure_legend(figure, columns=min(len(moods), 5))
    return figure


def _one_sd(x, y, r: float, style) -> Ellipse:
    covariance = np.array(
        [[x["sd"] ** 2, r * x["sd"] * y["sd"]], [r * x["sd"] * y["sd"], y["sd"] ** 2]], float
    )
    variances, axes = np.linalg.eigh(covariance)
    width, height = 2 * np.sqrt(np.maximum(variances, 0))
    angle = np.degrees(np.arctan2(axes[1, 0], axes[0, 0]))
    return Ellipse(
        (x["estimate"], y["estimate"]), width, height, angle=angle, fill=False,
        edgecolor=style["color"], linestyle=style["linestyle"], linewidth=1.2, alpha=0.8,
    )  # fmt: skip
