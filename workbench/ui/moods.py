"""Moods and a model's card in words: probabilities with bars, choices, how far to trust the model."""

from __future__ import annotations

import html

from workbench import models
from workbench.classify.results import Reading
from workbench.ui import about

# what a card's `training` may say of its data
_DATA = ("data", "dataset", "pictures", "painters", "raters", "agreement", "labels", "data_licence")


def waiting(card: models.Card | None) -> str:
    """Before there is a painting: the moods that the model knows and what they mean."""
    known = "".join(
        f'<li><div class="head"><span class="name">{html.escape(shown(c["name"]))}</span>'
        f'<span class="zh" lang="zh">{html.escape(c.get("name_zh", ""))}</span></div>'
        f'<div class="what">{html.escape(c.get("description", ""))}</div></li>'
        for c in (card.classes if card else ())
    )
    lead = (
        "The moods it tells apart. How likely each is appears here." if card else "Nothing to read with yet."
    )
    return f'<p class="fine lead-in">{lead}</p><ul class="moods">{known}</ul>'


def bars(reading: Reading, card: models.Card) -> str:
    """Probabilities as a list with bars, largest first. Values are text as well, for screen readers."""
    known = {c["name"]: c for c in card.classes}
    items = []
    for name, probability in sorted(reading.probabilities.items(), key=lambda item: -item[1]):
        info = known.get(name, {})
        percent = f"{100 * probability:.0f} %"
        items.append(
            f'<li class="{"top" if name == reading.top else ""}"><div class="head">'
            f'<span class="name">{html.escape(shown(name))}</span>'
            f'<span class="zh" lang="zh">{html.escape(info.get("name_zh", ""))}</span>'
            f'<span class="percent">{percent}</span></div>'
            f'<div class="bar" aria-hidden="true"><span style="width:{100 * probability:.1f}%"></span></div>'
            f'<div class="what">{html.escape(info.get("description", ""))}</div></li>'
        )
    of_raters = card.calibration.get("matches") == "the raters' votes"
    what = "The share of raters that would name each mood." if of_raters else "How likely each mood is."
    return (
        f'{likeness(reading)}<p class="fine lead-in">{what}</p>'
        f'<ul class="moods" aria-label="Moods and their probabilities">{"".join(items)}</ul>'
    )


def likeness(reading: Reading) -> str:
    """How like the training pictures the picture is, in a sentence; empty if the model cannot tell."""
    if reading.novelty is None:
        return ""
    share = f"{100 * reading.novelty:.0f}\N{NO-BREAK SPACE}%"
    if reading.unlike:
        return (
            '<div class="notice" role="note"><strong>Unlike the pictures that the model learnt from.</strong>'
            f" {share} of those are closer to each other than this one is to them. It is probably no such "
            "picture, and the moods below mean little.</div>"
        )
    return (
        f'<p class="fine">Like the pictures that the model learnt from: {share} of them are more typical.</p>'
    )


def shown(name: str) -> str:
    """A class name as people would write it."""
    return name.replace("_", " ").capitalize()


def choices(card: models.Card) -> list[tuple[str, str]]:
    """(label, name) of the card's classes, for a choice."""
    return [(f"{shown(c['name'])} {c.get('name_zh', '')}".strip(), c["name"]) for c in card.classes]


def trust(card: models.Card) -> str:
    """What the model learnt from and how sure to be of it, from its card."""
    accuracy = about.find(card.metrics, "accuracy")
    headline = ""
    if accuracy:
        estimate, low, high = (f"{100 * float(v):.0f}" for v in accuracy)
        headline = (
            "<p>On pictures held back from its training it named the right class for about "
            f"<strong>{estimate} of 100</strong> (95 % interval {low} to {high}).</p>"
        )
    scores = [
        (k, v) for k, v in card.metrics.items() if not isinstance(v, list | tuple)
    ]  # others are on its card
    trained_on = [(k, card.training[k]) for k in _DATA if k in card.training]
    return (
        '<section class="card" aria-label="How far to trust this"><h2>How far to trust this</h2>'
        "<p>The model estimates the mood that <em>people who look at the painting</em> would name. That is a "
        "trace of the painter’s hand and mind, not a diagnosis of the painter, nor of anyone else.</p>"
        f"{headline}<p>{html.escape(card.limitations)}</p>"
        "<details><summary>What it learnt from, and how often it is right</summary>"
        f"<h3>What it learnt from</h3>{about.facts(trained_on)}"
        f"<h3>How often it is right</h3>{about.facts(scores)}"
        + (f"<h3>Calibration</h3>{about.facts(card.calibration.items())}" if card.calibration else "")
        + "</details></section>"
    )
