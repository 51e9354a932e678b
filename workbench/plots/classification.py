"""Figures of classifiers: scores with intervals, curves, confusion, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from workbench.plots.checks import check_table, in_order
from workbench.plots.panels import INTERVAL, figure_legend, grouped_bars, interval_panels
from workbench.plots.style import (
    COLOURS,
    GRAY,
    heat_map,
    look,
    new_figure,
    percent,
    pretty,
    reference_line,
    styled,
)


@styled
def metric_intervals(
    table,
    metrics: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
    references: Mapping[str, Mapping[str, float]] | None = None,
) -> Figure:
    """One panel per metric, one row per model: the estimate as a point, its interval as a bar.

    Args:
        table: columns model, metric, estimate, low, high.
        metrics: panels, in order; None shows all of the table.
        models: rows from the top, in order; None shows all of the table.
        references: metric -> label -> value, drawn as dashed lines: a ceiling, chance, another's number.
    """
    frame = check_table(table, ("model", "metric", *INTERVAL))
    frame = frame.assign(model=frame["model"].astype(str))
    figure, panels = interval_panels(frame, "metric", "model", metrics, models)
    for metric, axes in panels.items():
        lines = (references or {}).get(metric, {})
        for i, (label, value) in enumerate(lines.items()):
            reference_line(axes, value, label, index=i)
        if lines:
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize="small")
    return figure


@styled
def score_against(
    table,
    x: str,
    series: str | None = None,
    references: Mapping[str, float] | None = None,
    xlabel: str = "",
    ylabel: str = "",
    title: str = "",
) -> Figure:
    """A score against a number (aggregated blocks, epochs, pictures) with the band of its interval.

    Args:
        table: columns ``x``, ``series``, estimate, low and high.
        x: column of the number.
        series: column with a line per value, or None for one line.
        references: label -> value of horizontal dashed lines.
    """
    frame = check_table(table, (x, *INTERVAL, *((series,) if series else ())))
    figure, grid = new_figure(size=(6.4, 4.0))
    axes = grid[0, 0]
    names = in_order(frame[series]) if series else [None]
    for index, name in enumerate(names):
        own = (frame if name is None else frame[frame[series] == name]).sort_values(x)
        style = look(index)
        axes.fill_between(own[x], own["low"], own["high"], color=style["color"], alpha=0.16, linewidth=0)
        axes.plot(own[x], own["estimate"], **style, markersize=6, label=name and pretty(name))
    for i, (label, value) in enumerate((references or {}).items()):
        reference_line(axes, value, label, across=True, index=i + len(names) - 1)
    if series or references:
        axes.legend()
    if frame[x].dtype.kind in "iu":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel=xlabel or pretty(x), ylabel=ylabel or "estimate", title=title)
    return figure


@styled
def confusion(matrix: ArrayLike, classes: Sequence[str], title: str = "") -> Figure:
    """Counts and, under them, the share of the row's class; the shade is that share.

    Args:
        matrix: (C, C) counts, row the true class, column the predicted one.
        classes: C names.
    """
    matrix = np.asarray(matrix)
    if matrix.shape != (len(classes), len(classes)):
        raise ValueError(
            f"Expected a matrix of {len(classes)}×{len(classes)} for the classes but got {matrix.shape}."
        )
    support = matrix.sum(1, keepdims=True)
    shares = np.divide(matrix, support, out=np.full(matrix.shape, np.nan), where=support > 0)
    texts = [
        [
            f"{n:g}" if np.isnan(share) else f"{n:g}\n{100 * share:.0f} %"
            for n, share in zip(*row, strict=True)
        ]
        for row in zip(matrix, shares, strict=True)
    ]
    side = 2.2 + 0.75 * len(classes)
    figure, grid = new_figure(size=(side, side * 0.9))
    rows = [f"{pretty(c)} ({n:g})" for c, n in zip(classes, support[:, 0], strict=True)]
    heat_map(grid[0, 0], shares, texts, rows, [pretty(c) for c in classes], top=1.0)
    grid[0, 0].set(xlabel="predicted", ylabel="true (pictures)", title=title)
    return figure


@styled
def reliability(edges: ArrayLike, count: ArrayLike, confidence: ArrayLike, accuracy: ArrayLike) -> Figure:
    """Reliability diagram: accuracy against predicted probability, and the number of pictures in each bin.

    Args:
        edges: (B + 1,) of the bins.
        count: (B,) pictures.
        confidence: (B,) mean top probability, nan where the bin is empty.
        accuracy: (B,) share that is right, nan where the bin is empty.
    """
    edges, count, confidence, accuracy = (np.asarray(v, float) for v in (edges, count, confidence, accuracy))
    if not len(edges) - 1 == len(count) == len(confidence) == len(accuracy):
        raise ValueError("Expected one count, confidence and accuracy a bin, and one edge more.")
    figure, (above, below) = new_figure(2, 1, (4.8, 5.6), sharex=True, gridspec_kw={"height_ratios": (3, 1)})
    above, below = above[0], below[0]
    above.plot([0, 1], [0, 1], color=GRAY, linestyle="--", linewidth=1.3, label="perfectly calibrated")
    filled = count > 0
    above.vlines(
        confidence[filled], confidence[filled], accuracy[filled], colors=COLOURS[1], linewidth=2, label="gap"
    )
    above.plot(confidence[filled], accuracy[filled], **look(0), markersize=7, label="model")
    above.set(ylabel="accuracy", ylim=(0, 1))
    above.legend(loc="upper left")
    bars = below.bar(edges[:-1], count, np.diff(edges), align="edge", color="#b8cfe0", edgecolor="white")
    below.bar_label(bars, [f"{n:g}" if n else "" for n in count], fontsize="x-small", color="#333333")
    below.set(xlabel="probability of the predicted class", ylabel="pictures", xlim=(0, 1))
    below.margins(y=0.25)
    return figure


@styled
def per_class(table) -> Figure:
    """Bars by class, one per metric, with their intervals where the table has them.

    Args:
        table: columns class, metric, estimate and optionally low and high.
    """
    frame = check_table(table, ("class", "metric", "estimate"))
    width = 1.6 + 1.15 * frame["class"].nunique()
    figure, grid = new_figure(size=(width, 3.8))
    axes = grid[0, 0]
    for _, places, own in grouped_bars(axes, frame, "class", "metric", "estimate").values():
        if {"low", "high"} <= set(own.columns):
            axes.vlines(places, own["low"], own["high"], colors="black", linewidth=1.4)
    axes.set(ylim=(0, 1))
    percent(axes)
    figure_legend(figure, columns=frame["metric"].nunique())
    return figure
