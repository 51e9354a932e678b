"""One look for every figure: readable in gray, by colour-blind readers, and on a page a column wide.

Series differ in colour, in lightness, in marker and in dashes, so that no one of these is needed alone; a
shade in a heat map always has its number on it. Figures are made without pyplot, so nothing stays open.

Source: the colours are those of Okabe and Ito, "Color Universal Design", 2008.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
import numpy as np
import seaborn
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import ArrayLike

from workbench.core.pixels import luma

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#000000", "#CC79A7", "#7F7F7F")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (7, 2)), (0, (3, 4)))
HATCHES = ("", "///", "...", "\\\\\\", "xxx", "++", "oo", "--")
SHADES = "Blues"  # light to dark: its order survives print
GRAY = "#595959"
# Fonts with Chinese characters, for names of classes and painters. Of a collection (.ttc) matplotlib knows
# the first font alone, which in Noto's is the Japanese one
_CHINESE = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN"),
    *("Microsoft YaHei", "SimHei", "PingFang SC", "Heiti TC", "Hiragino Sans GB", "Arial Unicode MS"),
    *("WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback", "Noto Serif CJK SC"),
    "Noto Serif CJK JP",
)

STYLE = {
    **seaborn.axes_style("ticks"),
    **seaborn.plotting_context("notebook", font_scale=0.85),
    "figure.dpi": 110,
    "savefig.dpi": 160,
    "figure.constrained_layout.use": True,
    # families, and no "sans-serif": what that means is looked up when a figure is saved, under other settings
    "font.family": ["DejaVu Sans", *[font for font in _CHINESE if font in get_font_names()]],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.8,
    "axes.titlesize": "medium",
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "hatch.linewidth": 0.6,
}


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Draw under :data:`STYLE`, whatever the caller's own settings are, and leave those alone."""

    @functools.wraps(draw)
    def drawn(*args, **kwargs) -> Figure:
        with matplotlib.rc_context(STYLE):
            return draw(*args, **kwargs)

    return drawn


class Plot(Figure):
    """A figure that a notebook shows as the value of a cell, though pyplot does not know it."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=self.dpi)
        return file.getvalue()


def new_figure(
    rows: int = 1, columns: int = 1, size: tuple[float, float] = (6.4, 4.0), **options
) -> tuple[Figure, np.ndarray]:
    """A figure of ``size`` inches and its axes, always an array (rows, columns)."""
    figure = Plot(figsize=size)
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def look(index: int, without: str = "") -> dict[str, Any]:
    """Colour, marker and dashes of the series number ``index``; no two of the first 64 are alike.

    Args:
        index: of the series.
        without: "marker" for lines alone, "linestyle" for points alone.
    """
    place, turn = index % len(COLOURS), index // len(COLOURS)
    properties = {
        "color": COLOURS[place],
        "marker": MARKERS[(place + turn) % len(MARKERS)],
        "linestyle": DASHES[(place + turn) % len(DASHES)],
    }
    return {name: value for name, value in properties.items() if name != without}


def interval_points(
    axes: Axes,
    position: ArrayLike,
    estimate: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    index: int = 0,
    label: str | None = None,
) -> None:
    """Points with horizontal bars from ``low`` to ``high``, as the look of series ``index``.

    The bars are drawn as given, even where an interval does not contain its estimate.
    """
    position, estimate, low, high = (np.asarray(v, dtype=float) for v in (position, estimate, low, high))
    points = look(index, "linestyle") | {"linestyle": "none", "markersize": 8}
    axes.hlines(position, low, high, colors=points["color"], linewidth=2.2)
    for end in (low, high):
        axes.plot(end, position, **points | {"marker": "|"}, markeredgewidth=1.6)
    axes.plot(estimate, position, **points, markeredgecolor="white", markeredgewidth=0.6, label=label)


def reference_line(axes: Axes, value: float, label: str, across: bool = False, index: int = 0) -> None:
    """A thin dashed line at ``value`` that names itself in the legend: chance, a ceiling, a baseline."""
    draw = axes.axhline if across else axes.axvline
    dashes = DASHES[1:][index % (len(DASHES) - 1)]
    draw(value, color=GRAY, linewidth=1.3, linestyle=dashes, label=label, zorder=1)


def heat_map(
    axes: Axes,
    values: ArrayLike,
    texts: Sequence[Sequence[str]],
    rows: Sequence[str],
    columns: Sequence[str],
    top: float | None = None,
) -> None:
    """A grid of shades from 0 to ``top`` with a text in every cell; nan is left white."""
    values = np.ma.masked_invalid(np.asarray(values, dtype=float))
    top = float(values.max()) if top is None else top
    image = axes.imshow(values, cmap=SHADES, vmin=0, vmax=max(top, 1e-9), aspect="auto")
    for (i, j), value in np.ndenumerate(values.filled(0)):
        light = luma(np.array(image.cmap(image.norm(value))[:3])) > 0.55
        axes.text(
            j, i, texts[i][j], ha="center", va="center", color="black" if light else "white", fontsize="small"
        )
    axes.set_xticks(range(len(columns)), columns, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(rows)), rows)
    no_frame(axes)


def no_frame(axes: Axes) -> None:
    """Take the frame, the grid and the ticks off a picture or a heat map; its labels stay."""
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def show_picture(axes: Axes, picture: ArrayLike) -> None:
    """A picture without frame, ticks and numbers."""
    axes.imshow(picture)
    axes.set(xticks=[], yticks=[])
    no_frame(axes)


def percent(axes: Axes, which: str = "y") -> None:
    """Write an axis of shares in per cent. On a horizontal one numbers are few, so that they do not touch."""
    axis = getattr(axes, f"{which}axis")
    axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    if which == "x":
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))


def pretty(name: str) -> str:
    """A column's name as words: ``balanced_accuracy`` is "balanced accuracy"."""
    return _WORDS.get(str(name), str(name).replace("_", " "))


_WORDS = {"ece": "ECE", "f1": "F1", "macro_f1": "macro F1", "roc_auc": "ROC AUC", "r2": "R²", "rmse": "RMSE"}
