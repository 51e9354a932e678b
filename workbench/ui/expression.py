"""How a painting is painted, in numbers: its descriptors beside the averages of each mood, as HTML."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import numpy as np

from workbench.interpret.expression import DESCRIPTORS
from workbench.ui import about

_GROUPS = {
    "Line": (
        "line_straightness", "stroke_width", "stroke_width_variation", "line_density", "line_continuity",
        "brush_dryness", "orientation_entropy",
    ),
    "Ink and colour": (
        "lightness", "ink_depth", "colour_warmth", "pigment_warmth", "saturation", "pigment_saturation",
        "palette_size",
    ),
    "Edge and texture": (
        "edge_contrast", "texture_fine", "texture_medium", "texture_coarse", "texture_broad",
        "spectral_slope",
    ),
    "Space": ("blank_share", "composition_balance", "left_right_balance"),
}  # fmt: skip
_SETS = {"chinese_mood": "Chinese paintings"}
# of one element: Gradio nests it in a rule, in which "&" is that element
CSS = """
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.3rem; margin: .7rem 0 .2rem; font-size: .88rem; }
.legend span { display: inline-flex; align-items: center; gap: .5rem; }
.legend i { position: relative !important; flex: none; left: auto !important; top: auto !important; }
.groups { columns: 2; column-gap: 2.6rem; }
.group { break-inside: avoid; padding-top: .9rem; }
.group h3 { margin-top: 0; }
.measure { display: grid; grid-template-columns: 1fr auto; column-gap: .8rem; align-items: baseline;
  padding: .28rem 0; font-size: .9rem; }
.measure small { color: var(--body-text-color-subdued); font-size: .78rem; margin-left: .25rem; }
.measure .number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.measure .number small { display: inline-block; min-width: 3.1rem; text-align: right; }
.track { grid-column: 1 / -1; position: relative; height: 1rem; }
.track::before { content: ""; position: absolute; left: 0; right: 0; top: calc(.5rem - 1px); height: 2px;
  background: var(--neutral-300); border-radius: 1px; }
.dark & .track::before { background: var(--neutral-600); }
.track i, .legend i { position: absolute; display: block; box-sizing: border-box; }
i.other { width: 2px; height: .6rem; top: .2rem; margin-left: -1px; background: var(--neutral-500); }
i.band { height: .6rem; top: .2rem; min-width: 2px; background: var(--primary-300); opacity: .75; }
i.mean { width: 4px; height: 1rem; top: 0; margin-left: -2px; background: var(--primary-600); }
.dark & i.band { background: var(--primary-700); }
.dark & i.mean { background: var(--primary-400); }
i.here { width: .68rem; height: .68rem; top: .16rem; margin-left: -.34rem; transform: rotate(45deg);
  background: var(--body-text-color); border: 2px solid var(--block-background-fill); }
i.here.out { border-radius: 50% 50% 50% 0; }
i.here.out.more { border-radius: 50% 0 50% 50%; }
.legend i.band { width: 1.6rem; }
.legend i.band::after { content: ""; position: absolute; left: calc(50% - 2px); top: -.2rem; width: 4px;
  height: 1rem; background: var(--primary-600); }
.dark & .legend i.band::after { background: var(--primary-400); }
.legend i.other, .legend i.here { margin-left: .2rem; }
details { margin-top: 1rem; }
details p { font-size: .88rem; }
@media (max-width: 640px) { .groups { columns: 1; } }
"""


def chart(
    values: Mapping[str, float], averages: Sequence[Mapping], chosen: str, names: Mapping[str, str]
) -> str:
    """A line for each descriptor: where this painting lies, and where the moods' averages do.

    Args:
        values: of ``describe``; nan is left out.
        averages: of ``measured.averages_of``; empty if the model's classes were not measured.
        chosen: the class whose mean and interval are drawn large.
        names: class -> its name for people.
    """
    if not values:
        return ""
    rows = {(r["descriptor"], r["class"]): r for r in averages}
    groups = ""
    for title, members in _GROUPS.items():
        lines = "".join(_line(name, values, rows, chosen, names) for name in members)
        groups += f'<div class="group"><h3>{title}</h3>{lines}</div>'
    return (
        '<section class="card" aria-label="How it is painted, in numbers"><h2>How it is painted, in numbers'
        f"</h2>{_legend(averages, chosen, names)}"
        f'<div class="groups">{groups}</div>{_details(averages, names)}</section>'
    )


def _legend(averages: Sequence[Mapping], chosen: str, names: Mapping[str, str]) -> str:
    here = '<span><i class="here"></i>this painting</span>'
    if not averages:
        return (
            f'<div class="legend">{here}</div><p class="fine">There are no averages to compare with: the '
            "classes of this model were not measured.</p>"
        )
    one = averages[0]
    of = html.escape(_SETS.get(one["data"], str(one["data"]).replace("_", " ")))
    return (
        f"<p>A line runs over what nine of ten of {one['paintings']:.0f} {of} by {one['painters']:.0f} "
        f"painters have.</p>"
        f'<div class="legend">{here}<span><i class="band"></i>mean of those that people called '
        f"{html.escape(names.get(chosen, chosen).lower())}, with its 95 % interval</span>"
        '<span><i class="other"></i>means of the other moods</span></div>'
    )


def _line(name: str, values: Mapping, rows: Mapping, chosen: str, names: Mapping[str, str]) -> str:
    entry, value = DESCRIPTORS[name], values.get(name, np.nan)
    unit = "" if entry.unit == "1" else entry.unit
    known = value == value
    text = short(value) if known else "none here"
    row = rows.get((name, chosen))
    beside, track = "", ""
    if row is not None:
        beside = f"<small>{short(row['mean'])}</small>"
        said = (
            f"this painting {text}, {names.get(chosen, chosen)} {short(row['mean'])} "
            f"({short(row['low'])} to {short(row['high'])})"
        )
        others = [r for (n, c), r in rows.items() if n == name and c != chosen]
        marks = "".join(f'<i class="other" style="left:{_place(r["mean"], row):.1f}%"></i>' for r in others)
        low, high = _place(row["low"], row), _place(row["high"], row)
        marks += f'<i class="band" style="left:{low:.1f}%;width:{high - low:.1f}%"></i>'
        marks += f'<i class="mean" style="left:{_place(row["mean"], row):.1f}%"></i>'
        if known:
            marks += f'<i class="{_side(value, row)}" style="left:{_place(value, row):.1f}%"></i>'
        track = f'<div class="track" role="img" aria-label="{html.escape(said)}">{marks}</div>'
    return (
        f'<div class="measure" title="{html.escape(entry.description)}"><span>{_words(name)}'
        f"<small>{html.escape(unit)}</small></span>"
        f'<span class="number"><strong>{text}</strong>{beside}</span>{track}</div>'
    )


def _place(value: float, row: Mapping) -> float:
    """Per cent along the line; what lies beyond its ends stands at them."""
    width = max(row["p95"] - row["p5"], 1e-12)
    return float(np.clip(100 * (value - row["p5"]) / width, 0, 100))


def _side(value: float, row: Mapping) -> str:
    """Class of this painting's mark: a drop that points outwards where it lies beyond the line."""
    return "here" + (" out" if value < row["p5"] else " out more" if value > row["p95"] else "")


def _details(averages: Sequence[Mapping], names: Mapping[str, str]) -> str:
    classes = list(dict.fromkeys(r["class"] for r in averages))
    rows = {(r["descriptor"], r["class"]): r for r in averages}
    table = []
    for name in (n for members in _GROUPS.values() for n in members):
        entry, line = DESCRIPTORS[name], {"measure": _words(name)}
        for c in classes:
            r = rows[name, c]
            line[names.get(c, c)] = f"{short(r['mean'])} ({short(r['low'])} to {short(r['high'])})"
        unit = "" if entry.unit == "1" else f" ({entry.unit})"
        line["what it is"] = entry.description + unit
        table.append(line)
    means = about.rows_table([{k: v for k, v in row.items() if k != "what it is"} for row in table])
    what = about.facts([(row["measure"], row["what it is"]) for row in table])
    shown = (
        f"<details><summary>All means with their 95 % intervals over painters</summary>{means}</details>"
        if classes
        else ""
    )
    return f"{shown}<details><summary>What each number is</summary>{what}</details>"


def _words(name: str) -> str:
    return html.escape(name.replace("_", " ").capitalize())


def short(value: float) -> str:
    """Three digits, or the whole number."""
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
