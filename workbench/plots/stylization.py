"""Figures of stylizers: what they cost against how near they come, spectra, and moods before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from workbench.plots.checks import check_table, in_order
from workbench.plots.panels import (
    INTERVAL,
    figure_legend,
    interval_panels,
    name_rows,
    panel_grid,
    signed_heat_map,
)
from workbench.plots.style import (
    GRAY,
    heat_map,
    interval_points,
    look,
    new_figure,
    percent,
    pretty,
    reference_line,
    show_picture,
    styled,
)

COST_TITLES = {
    "parameters": ("parameters", 1e-6, "M", "{:.2f}"),
    "gmacs_512": ("GMACs at 512²", 1, "", "{:.1f}"),
    "ms_512": ("latency at 512²", 1, "ms", "{:.0f}"),
    "peak_mb_512": ("extra memory at 512²", 1, "MB", "{:.0f}"),
}
SCENE_TITLES = {
    "kid_lite0": ("KID-lite0 × 1000 to the style", "lower is nearer"),
    "spectral_distance": ("spectral profile, distance", "nats"),
    "content": ("content distance", "0 is the photo's"),
    "edge_f1": ("edge F1 with the photo", "1 keeps all lines"),
    "color_drift": ("colour drift", "ΔE2000"),
    "region_variance": ("variance inside regions", "levels²"),
}
PORTRAIT_TITLES = {
    "background_psnr": ("background PSNR", "dB; higher leaves more alone"),
    "skin_lightness_correlation": ("lightness of the skin", "correlation with the photos'"),
}
PAIRED_TITLES = {
    "kid_lite0_less_photo": ("KID-lite0 × 1000 less the photos'", "below 0 is nearer than they are")
}
QUALITY_TITLES = SCENE_TITLES | PAIRED_TITLES | PORTRAIT_TITLES


@styled
def costs(table) -> Figure:
    """The paper's figure 4: the costs of each network, a panel per cost, on a logarithmic axis.

    Args:
        table: columns ``stylizer`` and those of :data:`COST_TITLES`; empty rows and columns are left out.
    """
    frame = check_table(table, ("stylizer", *COST_TITLES)).dropna(subset=list(COST_TITLES), how="all")
    columns = [c for c in COST_TITLES if frame[c].notna().any()]
    frame = check_table(frame, ("stylizer", *columns))
    size = (2.5, 0.9 + 0.36 * len(frame))
    figure, axes = panel_grid(len(columns), size, len(columns), margin=(1.2, 0), sharey=True)
    for ax, column in zip(axes, columns, strict=True):
        title, factor, unit, form = COST_TITLES[column]
        values = frame[column].to_numpy(float) * factor
        ax.hlines(range(len(values)), np.nanmin(values) / 2, values, color=GRAY, linewidth=1)
        for place, value in enumerate(values):
            if not np.isfinite(value):
                continue
            ax.plot(value, place, **look(place, "linestyle"), linestyle="none", markersize=9)
            text = f"{form.format(value)} {unit}".strip()
            ax.annotate(
                text, (value, place), xytext=(8, 0), textcoords="offset points", va="center", fontsize="small"
            )
        ax.set_xscale("log")
        ax.set_xlim(np.nanmin(values) / 2, np.nanmax(values) * 5)
        ax.set_title(title)
        ax.set_xlabel(unit)
        ax.minorticks_off()
        name_rows(ax, list(frame["stylizer"]))
    return figure


@styled
def qualities(table, measures: Sequence[str] = tuple(SCENE_TITLES), references: Sequence[str] = ()) -> Figure:
    """One panel per measure, one row per stylizer; intervals (KID: standard errors) if the table has them.

    Args:
        table: rows of ``stylizer``, the measures, and their ``_low`` and ``_high`` or ``_error``.
        measures: of :data:`QUALITY_TITLES`.
        references: stylizers that are drawn as lines and not as rows: the photo, the style itself.
    """
    frame = check_table(table, ("stylizer", *measures))
    frame = frame[frame[list(measures)].notna().any(axis=1)]
    rows = check_table(frame[~frame["stylizer"].isin(references)], ("stylizer",))
    long = pd.concat([_bounds(rows, measure) for measure in measures])
    figure, panels = interval_panels(long, "measure", "stylizer", measures)
    for measure, ax in panels.items():
        for r, name in enumerate(references):
            own = frame.loc[frame["stylizer"] == name, measure]
            if len(own) and np.isfinite(own.iloc[0]):
                reference_line(ax, float(own.iloc[0]), name, index=r)
        title, unit = QUALITY_TITLES[measure]
        ax.set(title=title, xlabel=unit)
    figure_legend(figure)
    return figure


def _bounds(rows: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Stylizer, measure, estimate, low and high of one measure."""
    value = rows[measure].astype(float)
    error = rows.get(f"{measure}_error", 0.0)
    return pd.DataFrame(
        {
            "stylizer": rows["stylizer"],
            "measure": measure,
            "estimate": value,
            "low": rows.get(f"{measure}_low", value - error),
            "high": rows.get(f"{measure}_high", value + error),
        }
    )


@styled
def sheet(rows: Mapping[str, Sequence[NDArray[np.uint8]]], columns: Sequence[str] = ()) -> Figure:
    """Contact sheet: a row per stylizer (its name at the left), a column per picture.

    Args:
        rows: name -> pictures (H, W, 3), as many in every row; those of a column have one shape.
        columns: a caption for each column, say the picture's title and licence.
    """
    if not rows or len({len(pictures) for pictures in rows.values()}) != 1:
        raise ValueError("Expected rows with the same number of pictures each.")
    first = next(iter(rows.values()))
    shapes = [p.shape[1] / p.shape[0] for p in first]
    tall = 1.55
    size = (tall * sum(shapes) + 1.3, (tall + 0.06) * len(rows) + 0.3)
    figure, axes = new_figure(len(rows), len(first), size, width_ratios=shapes)
    for i, (name, pictures) in enumerate(rows.items()):
        for j, picture in enumerate(pictures):
            show_picture(axes[i, j], picture)
            if i == 0 and columns:
                axes[i, j].set_title(columns[j], fontsize="small", fontweight="normal")
        axes[i, 0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize="small")
    return figure


@styled
def spectrograms(examples: Mapping[str, tuple[NDArray[np.uint8], NDArray]]) -> Figure:
    """Pictures above their spectrograms, all in one scale of shades: the paper's figure 3.

    Args:
        examples: name -> picture (H, W, 3), log amplitude (S, S) with zero in the middle.
    """
    if not examples:
        raise ValueError("Expected a picture with its spectrogram but got none.")
    figure, axes = new_figure(2, len(examples), (2.35 * len(examples) + 0.8, 4.5))
    low, high = np.percentile([s for _, s in examples.values()], (1, 99.8))
    for j, (name, (picture, spectrum)) in enumerate(examples.items()):
        side = min(picture.shape[:2])
        top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
        axes[0, j].imshow(picture[top : top + side, left : left + side])
        axes[0, j].set_title(name, fontsize="small")
        image = axes[1, j].imshow(spectrum, cmap="gray", vmin=low, vmax=high, extent=(-0.5, 0.5, -0.5, 0.5))
        axes[0, j].set_axis_off()
        axes[1, j].grid(False)
        axes[1, j].set_xticks([-0.5, 0, 0.5])
        axes[1, j].set_yticks([-0.5, 0, 0.5] if j == 0 else [])
        axes[1, j].set_xlabel("cycles / pixel", fontsize="small")
    figure.colorbar(image, ax=axes[1, :], shrink=0.85, label="log amplitude (nats)")
    return figure


@styled
def radial_profiles(table) -> Figure:
    """Mean log amplitude by frequency (left) and its difference from the photos' (right), with intervals.

    Args:
        table: rows of set, measure ("profile" ones are drawn), kind, radius, estimate, low and high.
    """
    columns = ("set", "measure", "kind", "radius", "estimate", "low", "high")
    frame = check_table(table, columns)
    frame = check_table(frame[frame["measure"] == "profile"], columns)
    names = in_order(frame["set"])
    figure, axes = new_figure(1, 2, (9.4, 3.7))
    for kind, ax in zip(("mean", "difference"), axes[0], strict=True):
        for i, name in enumerate(names):
            own = frame[(frame["set"] == name) & (frame["kind"] == kind)]
            if not len(own):
                continue
            x = own["radius"].to_numpy(float)
            series = look(i, "marker")
            ax.plot(x, own["estimate"], label=name, **series)
            ax.fill_between(x, own["low"], own["high"], color=series["color"], alpha=0.18, linewidth=0)
        ax.set_xlabel("cycles / pixel of the reduced picture")
    axes[0, 0].set_xscale("log")
    axes[0, 0].set_xticks([0.04, 0.1, 0.2, 0.4], ["0.04", "0.1", "0.2", "0.4"])
    axes[0, 0].minorticks_off()
    axes[0, 0].set_ylabel("log amplitude (nats)")
    axes[0, 0].set_title("Mean radial profile")
    axes[0, 1].axhline(0, color=GRAY, linewidth=1)
    axes[0, 1].set_title("Less the photos' profile")
    figure_legend(figure, columns=5)
    return figure


@styled
def differences(
    table,
    group: str,
    name: str,
    titles: Mapping[str, str] | None = None,
    xlabel: str = "",
    same_scale: bool = False,
) -> Figure:
    """A panel for every ``name``, a row for every ``group``: a difference with its interval, against 0.

    Args:
        table: rows of ``group``, ``name``, estimate, low and high.
        group: column of the rows of a panel.
        name: column of the panels.
        titles: of the panels, and which.
        xlabel: below every panel.
        same_scale: one axis for all panels, where all have one unit.
    """
    frame = check_table(table, (group, name, *INTERVAL))
    figure, panels = interval_panels(frame, name, group, titles, sharex=same_scale)
    for panel, ax in panels.items():
        ax.axvline(0, color=GRAY, linewidth=1, zorder=1)
        if titles:
            ax.set_title(titles[panel])
        ax.set_xlabel(xlabel, fontsize="small")
        ax.tick_params(labelbottom=True)
        ax.locator_params(axis="x", nbins=5)
    return figure


@styled
def transitions(table, styles: Sequence[str] | None = None) -> Figure:
    """Transition matrices, one panel per style: of the pictures read as the row's mood before, the share
    that is read as the column's after, with its interval. Rows sum to 1.

    Args:
        table: rows of style, measure ("transition" ones are drawn), name (before), other (after), estimate,
            low, high and pictures.
        styles: which, in order; all if not given.
    """
    columns = ("style", "measure", "name", "other", "estimate", "low", "high", "pictures")
    frame = check_table(table, columns)
    frame = check_table(frame[frame["measure"] == "transition"], columns)
    names, moods = in_order(frame["style"], styles), in_order(frame["name"])
    width = 0.95 * len(moods)
    figure, axes = new_figure(1, len(names), (width * len(names) + 1.6, 0.62 * len(moods) + 1.6), sharey=True)
    for ax, style in zip(axes[0], names, strict=True):
        own = frame[frame["style"] == style]
        grids = {
            c: own.pivot(index="name", columns="other", values=c)
            .reindex(index=moods, columns=moods)
            .to_numpy(float)
            for c in ("estimate", "low", "high")
        }
        count = own.groupby("name")["pictures"].first().reindex(moods)
        texts = [
            [
                "" if not np.isfinite(e) else f"{e:.2f}\n{lo:.2f}-{hi:.2f}" if np.isfinite(lo) else f"{e:.2f}"
                for e, lo, hi in zip(*(grids[c][i] for c in ("estimate", "low", "high")), strict=True)
            ]
            for i in range(len(moods))
        ]
        rows = (
            [f"{pretty(m)} ({int(n)})" for m, n in count.items()]
            if len(names) == 1
            else [*map(pretty, moods)]
        )
        heat_map(ax, grids["estimate"], texts, rows, [*map(pretty, moods)], top=1.0)
        ax.set_title(style)
        ax.set_xlabel("read after")
    axes[0, 0].set_ylabel("read before")
    return figure


@styled
def descriptor_changes(table) -> Figure:
    """Heat map, descriptor by style: paired change in deviations of the untouched pictures. What is not
    significant after correction is gray.

    Args:
        table: rows of style, measure ("descriptor" ones are drawn), name, estimate and p.
    """
    columns = ("style", "measure", "name", "estimate", "p")
    frame = check_table(table, columns)
    frame = check_table(frame[frame["measure"] == "descriptor"], columns)
    names, descriptors = in_order(frame["style"]), in_order(frame["name"])
    grid, p = (
        frame.pivot(index="name", columns="style", values=c)
        .reindex(index=descriptors, columns=names)
        .to_numpy(float)
        for c in ("estimate", "p")
    )
    figure, axes = new_figure(1, 1, (3.0 + 1.15 * len(names), 1.3 + 0.27 * len(descriptors)))
    labels = [pretty(n) for n in descriptors]
    signed_heat_map(axes[0, 0], grid, p < 0.05, labels, names, "deviations of the untouched pictures")
    return figure


@styled
def shares(table) -> Figure:
    """How often each mood is read before and after, with intervals, a panel per style.

    Args:
        table: rows of style, measure ("share before" and "share after" are drawn), name, estimate, low, high.
    """
    when = ("share before", "share after")
    columns = ("style", "measure", "name", "estimate", "low", "high")
    frame = check_table(table, columns)
    frame = check_table(frame[frame["measure"].isin(when)], columns)
    names, moods = in_order(frame["style"]), in_order(frame["name"])
    figure, axes = new_figure(
        1, len(names), (2.9 * len(names) + 1.0, 0.36 * len(moods) + 1.5), sharey=True, sharex=True
    )
    for ax, style in zip(axes[0], names, strict=True):
        for i, measure in enumerate(when):
            own = frame[(frame["style"] == style) & (frame["measure"] == measure)]
            own = own.set_index("name").reindex(moods)
            places = np.arange(len(moods)) + 0.3 * (i - (len(when) - 1) / 2)
            interval_points(ax, places, own["estimate"], own["low"], own["high"], i, label=measure)
        ax.set_title(style)
        percent(ax, "x")
        name_rows(ax, [pretty(m) for m in moods])
    figure_legend(figure)
    return figure
