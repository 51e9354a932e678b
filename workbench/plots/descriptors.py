"""Figures of expression descriptors: what tells the classes apart, and where one picture stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from workbench.plots.checks import check_table, in_order
from workbench.plots.style import GRAY, interval_points, new_figure, pretty, reference_line, styled

COLUMNS = ("descriptor", "class", "mean", "low", "high")


@styled
def class_averages(
    table,
    classes: Sequence[str] | None = None,
    descriptors: Sequence[str] | None = None,
    picture: Mapping[str, float] | None = None,
    units: Mapping[str, str] | None = None,
    columns: int = 4,
) -> Figure:
    """One panel a descriptor: the mean of every class with its interval.

    Args:
        table: rows of ``descriptor``, ``class``, ``mean``, ``low`` and ``high``.
        classes: their order, from the top; as they come in the table if not given.
        descriptors: which, in order; all if not given.
        picture: descriptors of one picture, drawn as a dashed line in every panel.
        units: unit of each descriptor, written below its panel.
        columns: panels in a row.

    Raises:
        ValueError: a column is missing, or no row is left to draw.
    """
    frame = check_table(table, COLUMNS)
    order = in_order(frame["class"], classes)
    names = in_order(frame["descriptor"], descriptors)
    if not order or not names:
        raise ValueError(
            "Expected classes and descriptors of the table but none of those asked for is in it."
        )
    columns = min(columns, len(names))
    rows = -(-len(names) // columns)
    figure, axes = new_figure(
        rows, columns, (3.1 * columns, 0.9 + 0.27 * rows * (len(order) + 3)), sharey=True
    )
    position = np.arange(len(order))
    for panel, name in zip(axes.flat, names, strict=False):
        part = frame[frame["descriptor"] == name].set_index("class").reindex(order)
        for i, row in enumerate(part.itertuples()):
            interval_points(panel, [i], [row.mean], [row.low], [row.high], index=i)
        if picture is not None and np.isfinite(picture.get(name, np.nan)):
            reference_line(panel, picture[name], "this picture")
        panel.set_title(pretty(name))
        panel.set_xlabel((units or {}).get(name, ""), color=GRAY, fontsize="small")
        panel.set_yticks(position, [pretty(c) for c in order])
        panel.set_ylim(len(order) - 0.5, -0.5)
        panel.locator_params(axis="x", nbins=4)
    for panel in axes.flat[len(names) :]:
        panel.remove()
    if picture is not None:
        handles, labels = axes.flat[0].get_legend_handles_labels()
        if handles:
            figure.legend(handles[:1], labels[:1], loc="outside lower right")
    return figure


@styled
def class_profile(table, classes: Sequence[str] | None = None) -> Figure:
    """Heat map, descriptor by class: how far a class lies from the mean of all classes, in deviations.

    Cells whose interval does not contain that mean are printed in bold.

    Args:
        table: rows of ``descriptor``, ``class``, ``mean``, ``low``, ``high`` and ``spread`` (the standard
            deviation of the descriptor over all pictures).
        classes: their order, from the left.

    Raises:
        ValueError: a column is missing, or no row is left to draw.
    """
    frame = check_table(table, (*COLUMNS, "spread"))
    order = in_order(frame["class"], classes)
    names = in_order(frame["descriptor"])
    if not order:
        raise ValueError("Expected classes of the table but none of those asked for is in it.")
    grids = {}
    for column in ("mean", "low", "high", "spread"):
        grids[column] = (
            frame.pivot(index="descriptor", columns="class", values=column).loc[names, order].to_numpy()
        )
    middle = np.nanmean(grids["mean"], axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = (grids["mean"] - middle) / grids["spread"]
    apart = (grids["low"] > middle) | (grids["high"] < middle)
    figure, axes = new_figure(1, 1, (2.6 + 1.0 * len(order), 1.2 + 0.27 * len(names)))
    panel = axes[0, 0]
    top = max(float(np.nanmax(np.abs(shift), initial=0)), 0.5)
    image = panel.imshow(shift, cmap="RdBu_r", vmin=-top, vmax=top, aspect="auto")
    for (i, j), value in np.ndenumerate(shift):
        if np.isfinite(value):
            strong = abs(value) > 0.62 * top
            panel.text(
                j, i, f"{value:+.2f}", ha="center", va="center", fontsize="small",
                color="white" if strong else "black", fontweight="bold" if apart[i, j] else "normal",
            )  # fmt: skip
    panel.set_xticks(range(len(order)), [pretty(c) for c in order])
    panel.xaxis.tick_top()
    panel.set_yticks(range(len(names)), [pretty(n) for n in names])
    panel.tick_params(length=0)
    panel.grid(False)
    panel.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=panel, shrink=0.5)
    bar.set_label("deviations from the mean of classes")
    bar.outline.set_visible(False)
    return figure
