"""Figures of what layers encode and how faithful explanations are."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from workbench.plots.checks import check_table, in_order
from workbench.plots.panels import figure_legend, name_rows, panel_grid
from workbench.plots.style import heat_map, interval_points, look, new_figure, pretty, reference_line, styled

_MEASURES = {  # title and whether more is better
    "insertion": ("insertion", True),
    "deletion": ("deletion", False),
    "infidelity": ("infidelity", False),
    "randomisation": ("kept without\nthe weights", False),
    "sensitivity": ("sensitivity\nto noise", False),
    "pointing": ("pointing game", True),
    "mass": ("relevance mass", True),
}
_METHODS = ("grad_cam", "guided_grad_cam", "integrated_gradients", "occlusion", "edges", "random", "chance")
_NAMES = {
    "grad_cam": "Grad-CAM",
    "guided_grad_cam": "guided Grad-CAM",
    "edges": "edges (control)",
    "random": "random (control)",
    "chance": "chance",
}


def _name(method: str) -> str:
    return _NAMES.get(method, pretty(method))


def _with_network_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Cases measured on several networks get the network's name."""
    if "network" not in frame:
        return frame
    several = frame.groupby("case")["network"].transform("nunique") > 1
    names = frame["case"].where(~several, frame["case"] + ", " + frame["network"].astype(str))
    return frame.assign(case=names)


@styled
def layer_heat_map(table, kind: str = "descriptor", weights: str = "imagenet", title: str = "") -> Figure:
    """How well each layer predicts each characteristic: layers across, characteristics down.

    Args:
        table: columns part, weights, kind, layer, characteristic, score; the rows of part ``probe``.
        kind: "descriptor" (R², shades from 0) or "mood" (balanced accuracy, shades from chance, .5).
        weights: whose features, "imagenet" or "random".
    """
    frame = check_table(table, ("part", "weights", "kind", "layer", "characteristic", "score"))
    frame = frame[(frame["part"] == "probe") & (frame["weights"] == weights) & (frame["kind"] == kind)]
    frame = check_table(frame, ("score",))
    layers, names = in_order(frame["layer"]), in_order(frame["characteristic"])
    values = frame.pivot_table(index="characteristic", columns="layer", values="score").reindex(names)[layers]
    values = values.to_numpy(dtype=float)
    chance = 0.5 if kind == "mood" else 0.0
    texts = [[_short(v) for v in row] for row in values]
    figure, grid = new_figure(size=(2.4 + 0.48 * len(layers), 1.5 + 0.34 * len(names)))
    heat_map(
        grid[0, 0],
        np.where(np.isnan(values), np.nan, np.clip(values - chance, 0, None)),
        texts,
        [pretty(n) for n in names],
        [n.removeprefix("block") for n in layers],
        top=1 - chance,
    )
    what = "balanced accuracy (chance .5)" if kind == "mood" else "R² of a linear probe"
    grid[0, 0].set(xlabel="block, from the shallow end", title=title or what)
    return figure


def _short(value: float) -> str:
    if np.isnan(value):
        return ""
    return f"{value:.2f}".replace("0.", ".") if value > -0.995 else "<-1"


@styled
def similarity_map(table) -> Figure:
    """Similarity of layers, from the rows of part ``similarity``."""
    frame = check_table(table, ("part", "layer", "characteristic", "score"))
    frame = check_table(frame[frame["part"] == "similarity"], ("score",))
    layers = in_order(frame["layer"])
    values = frame.pivot_table(index="layer", columns="characteristic", values="score")
    values = values.reindex(layers)[layers].to_numpy(dtype=float)
    names = [n.removeprefix("block") for n in layers]
    figure, grid = new_figure(size=(1.8 + 0.46 * len(layers), 1.5 + 0.36 * len(layers)))
    heat_map(grid[0, 0], np.clip(values, 0, 1), [[_short(v) for v in r] for r in values], names, names, top=1)
    grid[0, 0].set(title="Representational similarity of layers (RSA)", xlabel="block", ylabel="block")
    return figure


@styled
def block_choices(table) -> Figure:
    """Balanced accuracy of the recommended, the deepest and random blocks: a point per seed, the mean, and
    its interval over painters if the table has it.

    Args:
        table: columns part, choice, seed, score; the rows of part ``test`` are drawn, and of ``comparison``
            (with measure, low and high) those on balanced accuracy.
    """
    frame = check_table(table, ("part", "choice", "seed", "score"))
    overall = frame[frame["part"] == "comparison"]
    if len(overall):
        overall = overall[overall["measure"] == "balanced_accuracy"].drop_duplicates("choice", keep="last")
    overall = overall.set_index("choice")
    frame = check_table(frame[frame["part"] == "test"], ("choice", "score"))
    choices = in_order(frame["choice"])
    figure, grid = new_figure(size=(6.0, 1.3 + 0.6 * len(choices)))
    axes = grid[0, 0]
    for place, choice in enumerate(choices):
        own = frame.loc[frame["choice"] == choice, "score"].astype(float)
        series = look(place, "linestyle")
        axes.plot(own, np.full(len(own), place + 0.22), linestyle="none", alpha=0.5, markersize=5, **series)
        mean = own.mean()
        if choice in overall.index:
            row = overall.loc[choice]
            mean = float(row["score"])
            interval_points(axes, [place], [mean], [float(row["low"])], [float(row["high"])], index=place)
        axes.plot(mean, place, linestyle="none", markersize=9, markeredgecolor="white", **series)
        axes.annotate(f"{mean:.3f}", (mean, place), (0, 10), textcoords="offset points", ha="center")
    axes.set(
        xlabel="balanced accuracy (small: a split seed, large: over all)", title="MAFR by choice of blocks"
    )
    name_rows(axes, [pretty(c) for c in choices])
    return figure


@styled
def faithfulness_plot(table) -> Figure:
    """Every measure of every method in one figure: a panel per measure, a row per method, a series per case.

    Args:
        table: columns case, method, measure, part, estimate, low, high.
    """
    frame = check_table(table, ("case", "method", "measure", "part", "estimate", "low", "high"))
    frame = frame[frame["measure"].isin(list(_MEASURES)) & (frame["method"].astype(str) != "")]
    frame = _with_network_names(check_table(frame, ("case",)))
    cases = in_order(frame["case"])
    measures, rows = in_order(frame["measure"], _MEASURES), in_order(frame["method"], _METHODS)
    size = (2.35, 0.9 + 0.36 * len(rows))
    figure, grid = panel_grid(len(measures), size, most=4, margin=(1.6, 0.9), sharey=True)
    for axes, measure in zip(grid, measures, strict=True):
        name, more = _MEASURES[measure]
        for index, case in enumerate(cases):
            own = frame[(frame["measure"] == measure) & (frame["case"] == case)]
            if not len(own):
                continue
            place = [rows.index(m) + 0.62 * ((index + 0.5) / len(cases) - 0.5) for m in own["method"]]
            estimate, low, high = (own[c].astype(float) for c in ("estimate", "low", "high"))
            interval_points(axes, place, estimate, low, high, index, label=case)
        axes.set_title(f"{name} {'→ better' if more else '← better'}", fontsize="small")
        name_rows(axes, [_name(m) for m in rows])
    figure_legend(figure, columns=len(cases))
    return figure


@styled
def cascade_plot(table) -> Figure:
    """Rank correlation with the original map while parts are randomised from the logits down.

    One panel per case.

    Args:
        table: columns case, method, measure, part, estimate; the rows of measure ``cascade`` are drawn.
    """
    frame = check_table(table, ("case", "method", "measure", "part", "estimate"))
    frame = _with_network_names(check_table(frame[frame["measure"] == "cascade"], ("case",)))
    cases, names = in_order(frame["case"]), in_order(frame["method"], _METHODS)
    figure, grid = panel_grid(len(cases), (3.1, 3.9), len(cases), margin=(1.4, 0), sharey=True)
    for axes, case in zip(grid, cases, strict=True):
        for index, method in enumerate(names):
            own = frame[(frame["case"] == case) & (frame["method"] == method)]
            parts = sorted(own["part"], key=lambda p: int(str(p).split()[0]))
            values = own.set_index("part")["estimate"].astype(float).reindex(parts)
            axes.plot(range(len(parts) + 1), [1.0, *values], label=_name(method), markersize=6, **look(index))
        labels = [str(p).split(maxsplit=1)[1] for p in parts]
        axes.set_xticks(range(len(parts) + 1), ["none", *labels], rotation=30, ha="right")
        axes.set_title(case)
        axes.axhline(0, color="#595959", linewidth=1)
    grid[0].set_ylabel("rank correlation")
    figure.supxlabel("randomised from the logits down to", fontsize="small")
    figure_legend(figure, columns=1, place="outside right center")
    figure.suptitle("Cascading randomisation of the network", fontsize="medium", fontweight="bold")
    return figure


@styled
def seal_plot(table) -> Figure:
    """Relevance mass inside the seal: of the network that needs it, and of one that does not.

    Args:
        table: columns case, method, measure, estimate, low, high, with the cases ``seal`` and ``no cue``.
    """
    frame = check_table(table, ("case", "method", "measure", "estimate", "low", "high"))
    frame = check_table(
        frame[(frame["measure"] == "mass") & frame["case"].isin(["seal", "no cue"])], ("case",)
    )
    rows = in_order(frame.loc[frame["method"] != "chance", "method"], _METHODS)
    figure, grid = new_figure(size=(7.2, 1.5 + 0.5 * len(rows)))
    axes = grid[0, 0]
    labels = {"seal": "taught the seal", "no cue": "taught the mood"}
    for index, (case, label) in enumerate(labels.items()):
        own = frame[(frame["case"] == case) & frame["method"].isin(rows)]
        place = [rows.index(m) + (index - 0.5) * 0.3 for m in own["method"]]
        estimate, low, high = (own[c].astype(float) for c in ("estimate", "low", "high"))
        interval_points(axes, place, estimate, low, high, index=index, label=label)
    area = frame.loc[frame["method"] == "chance", "estimate"]
    if len(area):
        reference_line(axes, float(pd.to_numeric(area).iloc[0]), "the seal's area")
    name_rows(axes, [_name(m) for m in rows])
    axes.set(xlabel="share of the positive relevance inside the seal", title="Relevance on the planted seal")
    axes.legend(loc="lower right")
    return figure
