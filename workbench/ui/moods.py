"""Moods and a model's card in words: probabilities with bars, choices, how far to trust the model."""

from __future__ import annotations

import html

from workbench import models
from workbench.classify.results import LEAST, PAINTED_HERE, Reading
from workbench.interpret.measured import examples_of
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
        f'{likeness(reading, card)}{sureness(reading, card)}<p class="fine lead-in">{what}</p>'
        f'<ul class="moods" aria-label="Moods and their probabilities">{"".join(items)}</ul>'
    )


def likeness(reading: Reading, card: models.Card) -> str:
    """How like the training pictures the picture is, and how little that proves; or that it is not known."""
    if reading.novelty is None:
        return '<p class="fine">This model cannot tell if the picture is like those that it learnt from.</p>'
    share = f"{100 * reading.novelty:.0f}\N{NO-BREAK SPACE}%"
    if reading.unlike:
        return (
            '<div class="notice" role="note"><strong>Unlike the pictures that the model learnt from.</strong>'
            f" {share} of those are closer to each other than this one is to them. It is probably no such "
            "picture, and the moods below mean little.</div>"
        )
    return (
        f'<p class="fine">Like the pictures that the model learnt from: {share} of them are more typical. '
        f"{_passed(card)}</p>"
    )


def _passed(card: models.Card) -> str:
    """How many pictures of other kinds are called like the training pictures, too, as the card says."""
    counts = {
        row["set"]: (round(row["pictures"] * (1 - row["called_unlike"])), row["pictures"])
        for row in card.metrics.get("novelty", ())
        if row["set"] != PAINTED_HERE  # after such pictures: they may be like them
    }
    if not counts:
        return "That alone proves little: how often it is said of other pictures was not measured."
    most = sorted(counts.items(), key=lambda item: -item[1][0] / item[1][1])
    listed = "; ".join(f"{some} of {all_} {name}" for name, (some, all_) in most if some)
    if not listed:
        return ""
    return f"That alone proves little: it is said of {html.escape(listed, quote=False)}, too."


def sureness(reading: Reading, card: models.Card) -> str:
    """A notice where no mood is likely, or two nearly alike: how often the model is right then. Else empty.

    A picture unlike the training pictures has none: what was measured on those says nothing of it.
    """
    if reading.unlike or not reading.unsure:
        return ""
    faint = reading.probabilities[reading.top] < LEAST
    why = "even the likeliest mood is not likely" if faint else "two moods are nearly as likely"
    known = [
        about.interval(card.metrics.get(name)) for name in ("unsure", "right_if_unsure", "right_if_sure")
    ]
    text = "How often it is right then was not measured."
    if all(known):
        often, right, others = ([round(100 * float(v)) for v in measured] for measured in known if measured)
        text = (
            f"Of 100 paintings held back from its training it was as unsure of {often[0]}. It is right about "
            f"{right[0]} of 100 such paintings (95 % interval {right[1]} to {right[2]}), and about "
            f"{others[0]} of 100 of the others ({others[1]} to {others[2]})."
        )
    return f'<div class="notice" role="note"><strong>The model is unsure: {why}.</strong> {text}</div>'


def examples_read(card: models.Card) -> str:
    """How a model reads the page's example paintings, and the atelier's pictures at large."""
    found, share = examples_of(card.network_digest), card.metrics.get("atelier_as_meant")
    if found:
        right = sum(meant == top for meant, top in found.items())
        text = f"This model reads {right} of these {len(found)} as the mood that each was painted for."
    else:
        text = "How this model reads these was not measured."
    if share:
        low, high = (f"{100 * share[end]:.0f}" for end in ("low", "high"))
        text += (
            f" Of {share['pictures']} such pictures it reads {100 * share['estimate']:.1f} % so "
            f"(95 % interval {low} to {high}); guessing gives {100 / len(card.classes):.0f} %."
        )
    return f"{text} They were not chosen by how they look or are read."


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
