"""Figures of study 01: accuracy by part, saturation and gradient by layer, what a GAP head saves."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from workbench.plots import style
from workbench.plots.panels import figure_legend, interval_panels, name_rows

LAYERS = ("C1", "C3", "C5", "F6")
ACTIVATIONS = ("sigmoid", "tanh", "relu")
MOMENTS = ("at the start", "after training")


@style.styled
def scores(summary: pd.DataFrame, metric: str = "balanced_accuracy") -> Figure:
    """Each network's score with its 95 % interval, one panel a data set, and the reference's as a line.

    Args:
        summary: columns dataset, network, metric, estimate, low, high, chance; the first network of a data
            set is the reference.
        metric: which rows to draw.
    """
    rows = summary[summary["metric"] == metric]
    figure, panels = interval_panels(rows, "dataset", "network")
    for dataset, ax in panels.items():
        first = rows[rows["dataset"] == dataset].iloc[0]
        style.reference_line(ax, first["chance"], "chance")
        style.reference_line(ax, first["estimate"], "reference", index=1)
        ax.set_title(f"{dataset} ({first['pictures']})")
        ax.set_xlabel(style.pretty(metric))
        style.percent(ax, "x")
    figure_legend(figure)
    return figure


@style.styled
def saturation(table: pd.DataFrame, value: str = "flat") -> Figure:
    """Share of flat units by layer: a row of panels for each size of the first weights, a column a moment.

    Args:
        table: columns activation, gain, seed, moment, layer and ``value``. Points are means over seeds, bars
            reach from the least to the greatest.
        value: "flat" or "stuck".
    """
    what = {"flat": "flat units", "stuck": "units flat for every picture"}[value]
    return _by_layer(table, value, MOMENTS, what, share=True)


@style.styled
def gradients(table: pd.DataFrame) -> Figure:
    """Root mean square of the gradient over each layer's weights before training, on a logarithmic axis.

    Args:
        table: as for :func:`saturation`, with a column gradient.
    """
    return _by_layer(table, "gradient", MOMENTS[:1], "gradient (RMS)", share=False)


@style.styled
def savings(parameters: pd.DataFrame) -> Figure:
    """Parameters with fully connected layers and with a GAP head, on a logarithmic axis.

    Args:
        parameters: columns network, fc_parameters, gap_parameters, saved.
    """
    figure, axes = style.new_figure(size=(6.4, 1.2 + 0.42 * len(parameters)))
    ax = axes[0, 0]
    places = range(len(parameters))
    ax.hlines(
        places, parameters["gap_parameters"], parameters["fc_parameters"], color=style.GRAY, linewidth=1.3
    )
    for index, (column, label) in enumerate(
        (("fc_parameters", "fully connected"), ("gap_parameters", "GAP"))
    ):
        points = style.look(index, "linestyle")
        ax.plot(parameters[column], places, **points, markersize=8, linestyle="none", label=label)
    for place, row in zip(places, parameters.itertuples(), strict=True):
        ax.annotate(
            f"−{row.saved:.1%}" if row.saved > 0.99 else f"−{row.saved:.0%}",
            (row.fc_parameters, place),
            xytext=(10, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
        )
    ax.set_xscale("log")
    ax.margins(x=0.12)
    name_rows(ax, list(parameters["network"]))
    ax.set_xlabel("parameters")
    ax.xaxis.set_major_formatter(EngFormatter(sep=" "))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure


def _by_layer(table: pd.DataFrame, value: str, moments: Iterable[str], what: str, share: bool) -> Figure:
    gains, moments = sorted(table["gain"].unique()), list(moments)
    across = len(moments) > 1  # else the gains lie side by side
    shape = (len(gains), len(moments)) if across else (1, len(gains))
    figure, axes = style.new_figure(*shape, (6.8, 0.8 + 2.3 * shape[0]), sharex=True, sharey=True)
    for i, gain in enumerate(gains):
        for j, moment in enumerate(moments):
            ax = axes[i, j] if across else axes[0, i]
            part = table[(table["gain"] == gain) & (table["moment"] == moment)]
            for k, activation in enumerate(ACTIVATIONS):
                _series(ax, part[part["activation"] == activation], value, k, activation)
            weights = "first weights after Glorot" if gain == 1 else f"first weights {gain:g} × larger"
            ax.set_title(f"{weights}, {moment}" if across else weights, fontsize="small")
            ax.set_xticks(range(len(LAYERS)), LAYERS)
            if share:
                style.percent(ax)
                ax.set_ylim(-0.03, 1.03)
            else:
                ax.set_yscale("log")
    figure.supylabel(what, fontsize="medium")
    figure_legend(figure, columns=len(ACTIVATIONS))
    return figure


def _series(ax: Axes, part: pd.DataFrame, value: str, index: int, label: str) -> None:
    spread = part.groupby("layer")[value].agg(["mean", "min", "max"]).reindex(LAYERS)
    places = [i + 0.08 * (index - 1) for i in range(len(LAYERS))]
    ax.vlines(places, spread["min"], spread["max"], color=style.look(index)["color"], linewidth=1.4)
    ax.plot(places, spread["mean"], **style.look(index), markersize=6, label=label)
