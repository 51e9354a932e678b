"""What every shipped classifier says of the same painting, beside how often each has been right."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from workbench import models
from workbench.classify.results import Reading
from workbench.ui import about

_SCORES = (("accuracy", "Right, of 100"), ("balanced_accuracy", "… each mood counting alike"))


def side_by_side(readings: Sequence[Reading], cards: Mapping[str, models.Card], chosen: str) -> str:
    """A table with one row per model: its likeliest class for this painting, and its scores with intervals.

    Args:
        readings: one per model, of the same painting.
        cards: the models' cards by name.
        chosen: name of the model whose reading is shown at length; its row is marked.
    """
    rows = ""
    for reading in readings:
        card = cards[reading.model]
        known = {c["name"]: c for c in card.classes}[reading.top]
        mood = (
            f"{html.escape(reading.top.replace('_', ' ').capitalize())} "
            f'<span class="zh" lang="zh">{html.escape(known.get("name_zh", ""))}</span> '
            f"<strong>{100 * reading.probabilities[reading.top]:.0f} %</strong>"
        )
        if reading.unsure and not reading.unlike:
            mood += " (unsure)"
        scores = "".join(f"<td>{_score(card, name)}</td>" for name, _ in _SCORES)
        mark = ' aria-current="true"' if reading.model == chosen else ""
        likeness = f"<td>{_likeness(reading)}</td>"
        head = f'<th scope="row">{html.escape(card.title)}</th>'
        rows += f"<tr{mark}>{head}<td>{mood}</td>{likeness}{scores}</tr>"
    head = "".join(f'<th scope="col">{html.escape(words)}</th>' for _, words in _SCORES)
    return (
        '<section class="card" aria-label="All models side by side"><h2>All models side by side</h2>'
        f"<p>{_verdict(readings)} The scores are of paintings by painters that the model had not seen, with "
        "95 % intervals over painters.</p>"
        + about.scrolling(
            '<table class="rows"><thead><tr><th scope="col">Model</th><th scope="col">This painting</th>'
            f'<th scope="col">Its training pictures</th>{head}</tr></thead><tbody>{rows}</tbody></table>'
        )
        + "</section>"
    )


def _verdict(readings: Sequence[Reading]) -> str:
    """Whether the models agree, and whether that means anything."""
    agree = len({reading.top for reading in readings}) == 1
    strange = sum(reading.unlike for reading in readings)
    if strange:
        same = "They name the same mood" if agree else "They do not agree"
        to = "any of these" if strange == len(readings) else f"{strange} of these {len(readings)}"
        return f"{same}, but the picture is unlike those that {to} models learnt from: it means little."
    return "They agree." if agree else "They do not agree: take each with care."


def _likeness(reading: Reading) -> str:
    """Whether the picture is like what a model learnt from, for a cell."""
    if reading.novelty is None:
        return "not measured"
    share = f"{100 * reading.novelty:.0f} %"
    if reading.unlike:
        return f"<strong>unlike them</strong>: more so than {share}"
    return f"like them: less so than {share}"


def _score(card: models.Card, name: str) -> str:
    found = about.find(card.metrics, name)
    if not found:
        return "not measured"
    estimate, low, high = (100 * float(v) for v in found)
    return f"<strong>{estimate:.0f}</strong> ({low:.0f} to {high:.0f})"
