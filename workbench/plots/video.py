"""Figures of videos: frames side by side, warping error, spectra of flicker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from workbench.plots.checks import check_table, in_order
from workbench.plots.panels import figure_legend, name_rows, panel_grid
from workbench.plots.style import look, new_figure, reference_line, styled


@styled
def frame_strip(rows: Mapping[str, Sequence[NDArray[np.uint8]]]) -> Figure:
    """Every third frame, four frames, a row per method.

    Args:
        rows: title -> frames (H, W, 3); a row shorter than that shows what it has.
    """
    every, count = 3, 4
    if not rows or not all(len(frames) for frames in rows.values()):
        raise ValueError("Expected rows of frames but got none.")
    height, width = next(iter(rows.values()))[0].shape[:2]
    size = 9.0, 9.0 / count * height / width * len(rows) + 0.28 * len(rows)
    figure, axes = new_figure(len(rows), count, size)
    for i, (title, frames) in enumerate(rows.items()):
        for j, ax in enumerate(axes[i]):
            ax.set_axis_off()
            if j * every < len(frames):
                ax.imshow(frames[j * every])
                ax.set_title(f"{title}" if j == 0 else f"+{j * every}", fontsize="small")
    return figure


@styled
def time_slices(rows: Mapping[str, Sequence[NDArray[np.uint8]]]) -> Figure:
    """The middle row of pixels of each frame below that of the frame before: steady strokes are smooth,
    flicker is jagged.

    Args:
        rows: title -> frames (H, W, 3).
    """
    count = len(next(iter(rows.values())))
    figure, axes = new_figure(len(rows), 1, (7.2, 0.95 * len(rows) + 0.3))
    for ax, (title, frames) in zip(axes[:, 0], rows.items(), strict=True):
        ax.imshow(np.stack([f[len(f) // 2] for f in frames]), aspect="auto", interpolation="nearest")
        ax.set_title(title, fontsize="small")
        ax.set_axis_off()
    figure.supylabel(f"time, {count} frames ↓", fontsize="small")
    return figure


@styled
def measure_bars(table, measure: str, title: str, reference: float | None = None) -> Figure:
    """A measure of each method, a bar a clip.

    Args:
        table: rows (clip, method, measure, value).
        measure: which.
        title: of the figure.
        reference: a line, for example 1 where values are relative to the photo's.
    """
    frame = check_table(table, ("clip", "method", "measure", "value"))
    frame = check_table(frame[frame["measure"] == measure], ("clip", "method", "value"))
    clips, methods = in_order(frame["clip"]), in_order(frame["method"])
    figure, axes = new_figure(1, 1, (7.2, 0.32 * len(methods) * max(1, len(clips) / 2) + 1.2))
    ax, thick = axes[0, 0], 0.8 / len(clips)
    for c, clip in enumerate(clips):
        own = frame[frame["clip"] == clip].set_index("method")["value"].astype(float)
        places = np.arange(len(methods)) + (c - (len(clips) - 1) / 2) * thick
        values = [own.get(m, np.nan) for m in methods]
        ax.barh(places, values, thick * 0.92, color=look(c)["color"], label=clip)
    if reference is not None:
        reference_line(ax, reference, "the clip itself")
    name_rows(ax, methods)
    ax.set_xlabel(measure)
    ax.set_title(title)
    figure_legend(figure, columns=1, place="outside right upper")
    return figure


@styled
def spectra(table) -> Figure:
    """Power of the changes of a pixel's brightness by rate, a panel per clip and a line per method.

    Args:
        table: rows (clip, method, measure, hertz, value) of which those of the measure "spectrum" are drawn.
    """
    frame = check_table(table, ("clip", "method", "measure", "hertz", "value"))
    frame = check_table(frame[frame["measure"] == "spectrum"], ("clip", "method", "hertz", "value"))
    shown, methods = in_order(frame["clip"]), in_order(frame["method"])
    figure, axes = panel_grid(len(shown), (3.1, 2.6), margin=(0.6, 0.9), sharey=True)
    for ax, clip in zip(axes, shown, strict=True):
        for m, method in enumerate(methods):
            own = frame[(frame["clip"] == clip) & (frame["method"] == method)]
            if len(own):
                hertz, power = own["hertz"].astype(float), own["value"].astype(float)
                ax.plot(hertz, power, label=method, **look(m, "marker"))
        ax.set_yscale("log")
        ax.set_title(clip)
        ax.set_xlabel("hertz")
    figure.supylabel("levels² / hertz", fontsize="small")
    figure_legend(figure, columns=3)
    return figure
