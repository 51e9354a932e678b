"""Tab "About the models": the card of every set of trained weights, as tables that can be read."""

from __future__ import annotations

import dataclasses
import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import gradio as gr

from workbench import models
from workbench.core.errors import WorkbenchError
from workbench.service.platform import Platform
from workbench.styles.stylize import styles
from workbench.ui import documents
from workbench.ui.controls import SETTINGS

_KINDS = {
    "stylizer": "redraws photographs",
    "portrait_stylizer": "redraws people",
    "classifier": "reads paintings",
}
_COLUMNS = ("Model", "Does", "Licence", "Measured", "Limits")
_SENTENCE = re.compile(r"(?<=[.!?]) +")
_ESTIMATES = ("value", "mean", "estimate")
_INTERVALS = ("interval", "ci", "ci95", "interval_95")
# field names of cards, in words; others are shown with their underscores as spaces
_WORDS = {
    "data_licence": "licence of the data",
    "seconds": "time (s)",
    "kid": "KID",
    "kid_lite0": "KID-lite0 ×1000",
    "kid_lite1": "KID-lite1 ×1000",
    "kid_lite0_less_photo": "KID-lite0 ×1000, less the photos'",
    "kid_lite1_less_photo": "KID-lite1 ×1000, less the photos'",
    "color_drift": "colour drift (ΔE)",
    "ece": "ECE (calibration error)",
    "nll": "log-loss",
    "macro_f1": "macro-F1",
    "gmacs": "GMACs",
    "mb": "MB",
    "px": "px",
}


def in_words(key: str) -> str:
    """A field name as a person would write it."""
    key = str(key)
    words = _WORDS.get(key) or " ".join(_WORDS.get(part, part) for part in key.split("_"))
    return words[:1].upper() + words[1:]


def number(value: Any) -> str:
    """Numbers to three significant digits (integers whole), anything else as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) and abs(value) >= 10_000 else str(value)


def interval(value: Any) -> tuple[Any, Any, Any] | None:
    """(estimate, low, high) if ``value`` is a measurement with its interval, else None."""
    if not isinstance(value, Mapping):
        return None
    estimate = next((value[k] for k in _ESTIMATES if k in value), None)
    bounds = next((value[k] for k in _INTERVALS if k in value), (value.get("low"), value.get("high")))
    if estimate is None or len(bounds) != 2 or None in bounds:
        return None
    return estimate, bounds[0], bounds[1]


def find(metrics: Any, name: str) -> tuple[Any, Any, Any] | None:
    """The measurement called ``name`` with its interval, wherever in a card's metrics it stands."""
    if isinstance(metrics, Mapping):
        if metrics.get("metric") == name:
            return interval(metrics)
        inner = [interval(metrics.get(name)), *(find(v, name) for v in metrics.values())]
    else:
        inner = [find(v, name) for v in metrics] if isinstance(metrics, (list, tuple)) else []
    return next((found for found in inner if found), None)


def text(value: Any) -> str:
    """One field's value as escaped HTML."""
    measured = interval(value)
    if measured:
        extra = "".join(
            f"; {html.escape(in_words(k).lower())} {html.escape(number(v))}"
            for k, v in value.items()
            if k not in (*_ESTIMATES, *_INTERVALS, "low", "high") and not isinstance(v, (Mapping, list))
        )
        estimate, low, high = (html.escape(number(v)) for v in measured)
        return f"<strong>{estimate}</strong> <span>(95 % interval {low} to {high}{extra})</span>"
    if isinstance(value, Mapping) and len(value) > 8:
        return f"<details><summary>{len(value)} settings</summary>{facts(value.items())}</details>"
    if isinstance(value, Mapping):
        return "<br>".join(f"{html.escape(in_words(k))}: {text(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)) and value and all(isinstance(v, Mapping) for v in value):
        return "<br>".join(map(_line, value))
    if isinstance(value, (list, tuple)):
        return ", ".join(text(v) for v in value)
    return html.escape(number(value))


def _line(value: Mapping) -> str:
    if interval(value):
        return text(value)
    return ", ".join(f"{html.escape(in_words(k).lower())} {text(v)}" for k, v in value.items())


def _is_table(value: Any) -> bool:
    if not isinstance(value, (list, tuple)) or len(value) < 2:
        return False
    return all(isinstance(v, Mapping) and tuple(v) == tuple(value[0]) for v in value)


def scrolling(table: str) -> str:
    """A table in a box that scrolls sideways where it is too wide, by keyboard too."""
    return f'<div class="scroll" tabindex="0">{table}</div>'


def rows_table(rows: Sequence[Mapping]) -> str:
    """Rows with the same keys as a table with a header; columns ``x_low`` and ``x_high`` join ``x`` as its
    interval."""
    ends = [f"{k}{end}" for k in rows[0] for end in ("_low", "_high")]
    columns = [k for k in rows[0] if k not in ends]

    def cell(row: Mapping, key: str) -> str:
        low, high = (row.get(f"{key}{end}", "") for end in ("_low", "_high"))
        known = low not in ("", None) and high not in ("", None)
        return text(row[key]) + (f" ({text(low)} to {text(high)})" if known else "")

    head = "".join(f'<th scope="col">{html.escape(in_words(k))}</th>' for k in columns)
    body = "".join("<tr>" + "".join(f"<td>{cell(row, k)}</td>" for k in columns) + "</tr>" for row in rows)
    table = f'<table class="rows"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return scrolling(table)


def facts(rows: Iterable[tuple[str, Any]]) -> str:
    """A two-column table of escaped rows, tables within it below; empty values are left out."""
    pairs, tables = "", ""
    for key, value in rows:
        if value in (None, "", (), [], {}):
            continue
        if _is_table(value):
            tables += rows_table(value)
        else:
            pairs += f'<tr><th scope="row">{html.escape(in_words(key))}</th><td>{text(value)}</td></tr>'
    return scrolling(f'<table class="facts"><tbody>{pairs}</tbody></table>') + tables


def class_table(classes: Iterable[Mapping]) -> str:
    """Class names in English and Chinese with what they mean."""
    rows = "".join(
        f'<tr><th scope="row">{html.escape(c["name"])} '
        f'<span lang="zh">{html.escape(c.get("name_zh", ""))}</span></th>'
        f"<td>{html.escape(c.get('description', ''))}</td></tr>"
        for c in classes
    )
    return scrolling(f'<table class="facts"><tbody>{rows}</tbody></table>')


def render(card: models.Card) -> str:
    """One card as HTML. Every string of the card is escaped: cards may come with a stranger's weights."""
    sections = [
        ("What was measured", facts(card.metrics.items())),
        ("How it was trained", facts(card.training.items())),
    ]
    if card.classes:
        sections.insert(0, ("The classes", class_table(card.classes)))
    if card.calibration:
        sections.insert(-1, ("Calibration", facts(card.calibration.items())))
    identity = facts(
        [
            ("name", card.name),
            ("architecture", card.architecture),
            ("licence of the weights", card.licence),
            ("date", card.date),
            ("preprocessing", card.preprocessing),
        ]
    )
    raw = html.escape(json.dumps(dataclasses.asdict(card), indent=2, ensure_ascii=False))
    return (
        f'<details class="card" lang="en" translate="no" id="card-{html.escape(card.name)}">'
        f"<summary>{html.escape(card.title)}"
        f'<span class="tag">{html.escape(_KINDS.get(card.kind, card.kind))}</span></summary>'
        f"<p>{html.escape(card.description)}</p>"
        f"<h3>What it must not be used for</h3><p>{html.escape(card.limitations)}</p>"
        + "".join(f"<h3>{title}</h3>{table}" for title, table in sections)
        + f"<h3>Identity</h3>{identity}"
        + f"<details><summary>The whole card as JSON</summary><pre tabindex='0'>{raw}</pre></details>"
        "</details>"
    )


def one_number(card: models.Card) -> str:
    """The measurement that says most about a model, in words; empty if its card has none."""
    found = find(card.metrics, "balanced_accuracy")
    if found:
        right, low, high = (100 * float(value) for value in found)
        return f"{right:.0f} of 100 right, each class counting alike (95 % interval {low:.0f} to {high:.0f})"
    rows = card.metrics.get("rows", ())
    own: Mapping = next((row for row in rows if row.get("pictures") == card.name), {})
    if "color_drift" not in own:
        return ""
    photos = f" on {number(own['photos'])} photos it had not seen" if "photos" in own else ""
    return f"Colours move by {number(own['color_drift'])} ΔE{photos}"


def overview(cards: Sequence[models.Card]) -> str:
    """One row a model: what it does, its licence, one number, and the first three of its limits."""
    rows: list[tuple[str, str, str, str, Sequence[str]]] = [
        (
            card.title,
            _first(card.description, 1)[0],
            card.licence,
            one_number(card),
            _first(card.limitations, 3),
        )
        for card in cards
    ]
    rows += [
        (style.title, style.description, style.licence, "Nothing trained: no weights, no data", style.limits)
        for style in styles().values()
        if style.kind not in ("network", "filter") and style.name not in {card.name for card in cards}
    ]
    head = "".join(f'<th scope="col">{words}</th>' for words in _COLUMNS)
    return scrolling(
        f'<table class="facts overview"><thead><tr>{head}</tr></thead><tbody>'
        + "".join(map(_row, rows))
        + "</tbody></table>"
    )


def _row(row: tuple[str, str, str, str, Sequence[str]]) -> str:
    title, *cells = row[:-1]
    limits = "".join(f"<li>{html.escape(limit)}</li>" for limit in row[-1])
    body = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
    return f'<tr><th scope="row">{html.escape(title)}</th>{body}<td><ul>{limits}</ul></td></tr>'


def _first(words: str, sentences: int) -> list[str]:
    """The first sentences of a text."""
    return _SENTENCE.split(words)[:sentences]


def cards() -> str:
    """Every trained model in one table, and its card folded below; a notice where there is none or one is
    damaged.
    """
    try:
        kinds = ("stylizer", "portrait_stylizer", "classifier")
        found = [models.card(name) for kind in kinds for name in models.trained(kind)]
    except WorkbenchError as error:
        return f'<div class="notice" role="alert">{html.escape(str(error))}</div>'
    if not found:
        return (
            '<div class="notice" role="status">No trained model is installed. Weights and their cards lie in '
            "<code>workbench/weights</code>; <code>workbench train</code> makes them.</div>"
        )
    return overview(found) + "<h2>The whole cards</h2>" + "".join(map(render, found))


def build(platform: Platform, blocks: gr.Blocks, tab: gr.Tab) -> None:
    """Add the tab's contents to ``tab``, which is open in ``blocks``."""
    gr.Markdown(
        "Weights never travel without their card: what the model is, what it learnt from and under which "
        "licence, what was measured and on which pictures, and what it must not be used for.",
        elem_classes="lead",
    )
    gr.HTML(documents.links(), elem_id="about-links")
    shown = gr.HTML("", elem_id="about-cards")  # filled when it is looked at: it is long
    tab.select(cards, None, shown, **SETTINGS)
