"""Figures of expression descriptors by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from workbench.plots.checks import check_table, in_order
from workbench.plots.panels import figure_legend, interval_panels, signed_heat_map
from workbench.plots.style import new_figure, pretty, reference_line, styled

COLUMNS = ("descriptor", "class", "mean", "low", "high")


@styled
def class_averages(
    table, classes: Sequence[str] | None = None, picture: Mapping[str, float] | None = None, columns: int = 4
) -> Figure:
    """One panel a descriptor: the mean of every class with its interval.

    Args:
        table: rows of ``descriptor``, ``class``, ``mean``, ``low`` and ``high``.
        classes: their order, from the top; as they come in the table if not given.
        picture: descriptors of one picture, drawn as a dashed line in every panel.
        columns: panels in a row.

    Raises:
        ValueError: a column is missing, or no row is left to draw.
    """
    frame = check_table(table, COLUMNS)
    frame = frame.rename(columns={"mean": "estimate"})
    figure, panels = interval_panels(frame, "descriptor", "class", None, classes, columns)
    for name, panel in panels.items():
        if picture is not None and np.isfinite(picture.get(name, np.nan)):
            reference_line(panel, picture[name], "this picture")
        panel.locator_params(axis="x", nbins=4)
    figure_legend(figure, place="outside lower right")
    return figure


@styled
def class_profile(table, classes: Sequence[str] | None = None) -> Figure:
    """Heat map, descriptor by class: how far a class lies from the mean of all classes, in deviations.

    Cells whose interval does not contain that mean are printed in bold, the others in gray.

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
    grids = {
        c: frame.pivot(index="descriptor", columns="class", values=c).loc[names, order].to_numpy(float)
        for c in ("mean", "low", "high", "spread")
    }
    middle = np.nanmean(grids["mean"], axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = (grids["mean"] - middle) / grids["spread"]
    apart = (grids["low"] > middle) | (grids["high"] < middle)
    figure, axes = new_figure(1, 1, (2.6 + 1.0 * len(order), 1.2 + 0.27 * len(names)))
    rows, columns = [pretty(n) for n in names], [pretty(c) for c in order]
    signed_heat_map(axes[0, 0], shift, apart, rows, columns, "deviations from the mean of classes")
    return figure
