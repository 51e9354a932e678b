"""Figures of the ratings: how many pictures, what raters named, where moods lie in feeling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from numpy.typing import ArrayLike

from workbench.plots.checks import check_table, in_order
from workbench.plots.style import COLOURS, HATCHES, heat_map, look, new_figure, pretty, styled


@styled
def counts(table, title: str = "") -> Figure:
    """Bars of how many pictures, painters, … each mood has, with the number on each.

    Args:
        table: columns mood, what, count.
    """
    frame = check_table(table, ("mood", "what", "count"))
    moods, what = in_order(frame["mood"]), in_order(frame["what"])
    figure, grid = new_figure(size=(1.8 + 1.1 * len(moods), 3.4))
    axes, width = grid[0, 0], 0.8 / len(what)
    for index, kind in enumerate(what):
        own = frame[frame["what"] == kind].set_index("mood")["count"].reindex(moods)
        at = np.arange(len(moods)) + (index - (len(what) - 1) / 2) * width
        bars = axes.bar(
            at,
            own,
            width * 0.94,
            color=COLOURS[index],
            hatch=HATCHES[index],
            edgecolor="white",
            label=pretty(kind),
        )
        axes.bar_label(bars, [f"{n:g}" for n in own], fontsize="small", padding=2)
    axes.set_xticks(range(len(moods)), [pretty(m) for m in moods])
    axes.set(title=title)
    axes.margins(y=0.12)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.grid(False, axis="x")
    figure.legend(loc="outside lower center", ncols=len(what))
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
def mood_space(table, correlations=None, across: str = "pleasure", title: str = "") -> Figure:
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
        found = check_table(correlations, ("mood", "first", "second", "r"))
        tilt = {
            (m, frozenset((a, b))): r for m, a, b, r in found[["mood", "first", "second", "r"]].to_numpy()
        }
    cells = frame.set_index(["mood", "dimension"])
    figure, grid = new_figure(1, len(others), (4.3 * len(others) + 0.4, 4.6))
    for axes, other in zip(grid[0], others, strict=True):
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
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(len(moods), 5))
    if title:
        figure.suptitle(title, x=0.02, ha="left", fontweight="bold", fontsize="medium")
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
