"""One painting, or a folder of pictures without labels, as one HTML file: what the models read and measure.

The pages need nothing else and no network. ``workbench report full`` is for folders with labels.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from workbench import __version__
from workbench.classify.classifier import Classifier
from workbench.classify.results import Reading, classifiers
from workbench.core.cards import Card, card
from workbench.data.neighbours import alike_pairs, outlier_scores
from workbench.interpret.collection_map import layout
from workbench.interpret.embedding import Embeddings
from workbench.interpret.measured import averages_of, reliance
from workbench.interpret.measuring import MEASURES, measure
from workbench.reporting import blocks
from workbench.reporting.blocks import Block, Shown

METHOD = "grad_cam"
SHOWN = 512  # pixels of the longer side of a painting on its page
SMALLEST = 16  # pixels of a side below which nothing can be measured
ALIKE = 0.95  # cosine from which two pictures count as near-duplicates
MOST_ROWS = 500  # of the table of a folder; its CSV has all
PAIRS = 12  # near-duplicates and lonely pictures that are shown
_TRACE = (
    "A mood is what people would name: a trace of the painter's psychology, never a diagnosis of anybody."
)


def words(name: str) -> str:
    """A class or a measure as words."""
    return name.replace("_", " ")


def painting_page(image: Image.Image, name: str, classifier: Classifier) -> str:
    """Everything that the models say of one painting.

    Args:
        image: the painting, RGB.
        name: of its file.
        classifier: the model that reads it; models of the same classes are asked beside it.
    """
    reading, info = classifier.classify(image), classifier.card
    explanation = classifier.explain(_small(image), None, METHOD)
    pair = Shown(
        [_small(image), explanation.overlay],
        [name, f"evidence for {words(reading.top)}"],
        words(reading.top),
        f"{100 * reading.probabilities[reading.top]:.0f} %",
    )
    body = {
        "": blocks.gallery([pair]),
        "The moods": _moods(reading, info),
        "Where the model looked": blocks.note(reliance(info.sha256, METHOD)),
        "Other models": _others(image, classifier),
        "In numbers": _numbers(image, info, reading.top),
        "The model": _about(info),
    }
    return blocks.page(f"A reading of {name}", _made(), body)


def reading_rows(image: Image.Image, classifier: Classifier) -> list[dict[str, Any]]:
    """The reading and the measures of one painting as a table: ``kind``, ``name``, ``value``, ``unit``."""
    reading = classifier.classify(image)
    rows: list[dict[str, Any]] = [
        {"kind": "mood", "name": label, "value": p, "unit": "1"} for label, p in reading.probabilities.items()
    ]
    if reading.novelty is not None:
        rows.append({"kind": "novelty", "name": "novelty", "value": reading.novelty, "unit": "1"})
    if min(image.size) >= SMALLEST:
        rows += [
            {"kind": "measure", "name": name, "value": value, "unit": MEASURES[name].unit}
            for name, value in measure(image).items()
        ]
    return rows


def folder_page(
    title: str,
    rows: Sequence[Mapping[str, Any]],
    pictures: Sequence[Image.Image],
    skipped: Mapping[str, str],
    embeddings: Embeddings,
    model: str,
) -> str:
    """Everything that was read and measured of a folder's pictures.

    Args:
        title: of the page.
        rows: N, one per picture: path, mood, p_MOOD …, novelty, unlike and the measures.
        pictures: N small ones.
        skipped: path -> reason, of files that were passed over.
        embeddings: of the pictures, by which they are alike; others may be among them.
        model: name of the classifier.
    """
    shown = {row["path"]: picture for row, picture in zip(rows, pictures, strict=True)}
    body = {
        "": _counts(rows, skipped),
        "The moods": _mood_shares(rows, shown),
        "The map": _map(embeddings, shown),
        "Alike and alone": _alike(embeddings, shown),
        "In numbers": _spread(rows),
        "Every picture": _listed(rows),
        "Passed over": blocks.bullets([f"{path}: {reason}" for path, reason in skipped.items()]),
        "The model": _about(card(model)),
    }
    if not skipped:
        del body["Passed over"]
    return blocks.page(title, _made(), body)


def _made() -> str:
    return f"Painter Psychology Workbench {__version__}, {datetime.date.today().isoformat()}"


def _small(image: Image.Image) -> Image.Image:
    copy = image.convert("RGB")
    copy.thumbnail((SHOWN, SHOWN), Image.Resampling.LANCZOS)
    return copy


def _moods(reading: Reading, info: Card) -> Block:
    known = {c["name"]: c for c in info.classes}
    body = [
        [words(name), known.get(name, {}).get("description", ""), f"{100 * p:.1f} %"]
        for name, p in sorted(reading.probabilities.items(), key=lambda item: -item[1])
    ]
    matches = info.calibration.get("matches", "")
    what = "The share of raters that would name each" if "votes" in matches else "How likely each is"
    shown = blocks.table(["mood", "what it means", "probability"], body, f"{what}. {_TRACE}")
    if reading.unlike:
        shown = (
            blocks.note(
                "This picture is unlike those that the model learnt from: its moods mean little.",
                warning=True,
            )
            + shown
        )
    if reading.novelty is not None:
        share = f"{100 * reading.novelty:.0f} %"
        shown += blocks.note(
            f"{share} of the pictures that the model learnt from are less unlike the others."
        )
    return shown


def _others(image: Image.Image, classifier: Classifier) -> Block:
    own = classifier.card.class_names
    names = [n for n in classifiers() if set(card(n).class_names) == set(own)]
    body = []
    for name in names:
        reading = Classifier.load(name).classify(image)
        score = card(name).metrics.get("accuracy") or {}
        right = f"{100 * score['estimate']:.0f} %" if score else "not measured"
        body.append([name, words(reading.top), f"{100 * reading.probabilities[reading.top]:.0f} %", right])
    if not body:
        return blocks.note("No other model tells these classes apart.")
    heads = ["model", "likeliest mood", "probability", "right, of unseen painters' pictures"]
    return blocks.table(heads, body, "All installed models of these moods.")


def _numbers(image: Image.Image, info: Card, top: str) -> Block:
    if min(image.size) < SMALLEST:
        return blocks.note(f"A side is below {SMALLEST} pixels: too small to be measured.")
    usual = {row["descriptor"]: row["mean"] for row in averages_of(info.class_names) if row["class"] == top}
    body = [
        [
            words(name),
            _number(value),
            MEASURES[name].unit,
            _number(usual.get(name)),
            MEASURES[name].description,
        ]
        for name, value in measure(image).items()
    ]
    heads = ["measure", "this picture", "unit", f"mean of {words(top)}", "definition"]
    return blocks.table(heads, body, "Image properties and descriptors of expression.")


def _number(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.3g}"


def _about(info: Card) -> Block:
    values = {"Model": f"{info.name}: {info.title}", "What it is": info.description}
    values["Trained on"] = f"{info.training.get('data', '')}, {info.training.get('pictures', '')} pictures"
    score = info.metrics.get("balanced_accuracy")
    if score:
        values["Measured"] = (
            f"balanced accuracy {score['estimate']:.3f} ({score['low']:.3f} to {score['high']:.3f}); "
            f"{info.metrics['split']}"
        )
    return blocks.facts(values | {"Limits": info.limitations, "Licence": info.licence})


def _counts(rows: Sequence[Mapping[str, Any]], skipped: Mapping[str, str]) -> Block:
    unlike = sum(bool(row["unlike"]) for row in rows)
    return blocks.big_numbers(
        {
            "pictures read": f"{len(rows)}",
            "are unlike those that the model learnt from: their moods mean little": f"{unlike}",
            "files passed over": f"{len(skipped)}",
        }
    )


def _mood_shares(rows: Sequence[Mapping[str, Any]], shown: Mapping[str, Image.Image]) -> Block:
    moods = [key[2:] for key in rows[0] if key.startswith("p_")]
    count = Counter(row["mood"] for row in rows)
    body, entries = [], []
    for mood in moods:
        probability = np.array([row[f"p_{mood}"] for row in rows])
        body.append([words(mood), f"{count[mood]}", f"{100 * probability.mean():.0f} %"])
        own = [i for i, row in enumerate(rows) if row["mood"] == mood]
        if own:
            best = rows[max(own, key=lambda i: probability[i])]
            sure = f"{100 * best[f'p_{mood}']:.0f} %"
            title = words(mood)
            entries.append(Shown([shown[best["path"]]], [best["path"]], title, sure, best["path"]))
    table = blocks.table(["mood", "pictures", "mean probability"], body, _TRACE)
    return table + blocks.gallery(entries)


def _map(embeddings: Embeddings, shown: Mapping[str, Image.Image]) -> Block:
    places = [(path, xy) for path, xy in zip(embeddings.paths, layout(embeddings.vectors), strict=True)]
    spots = [
        f'<img src="{blocks.thumbnail(shown[path], 56)}" alt="{blocks.escape(path)}" '
        f'title="{blocks.escape(path)}" style="left:{94 * x:.1f}%;top:{94 * (1 - y):.1f}%">'
        for path, (x, y) in places
        if path in shown
    ]
    said = blocks.note(
        "Pictures that look alike to a network trained on photographs lie side by side (t-SNE of "
        f"{embeddings.backbone}); distances between far groups mean little."
    )
    return said + Block(f'<div class="spots">{"".join(spots)}</div>', "(a map)")


def _alike(embeddings: Embeddings, shown: Mapping[str, Image.Image]) -> Block:
    names = embeddings.paths
    pairs = alike_pairs(embeddings.vectors, ALIKE)
    twins = [
        Shown(
            [shown[names[i]], shown[names[j]]],
            [names[i], names[j]],
            f"cosine {s:.3f}",
            "",
            f"{names[i]}, {names[j]}",
        )
        for i, j, s in list(zip(*pairs, strict=True))[:PAIRS]
        if names[i] in shown and names[j] in shown
    ]
    said = blocks.note(f"{len(pairs.first)} pairs of pictures have a cosine of {ALIKE} or more.")
    found = said + (blocks.gallery(twins) if twins else Block("", ""))
    scores = outlier_scores(embeddings.vectors, 5)
    if np.isnan(scores).any():
        return found
    alone = [names[i] for i in np.argsort(-scores)[: PAIRS // 2] if names[i] in shown]
    lonely = [Shown([shown[name]], [name], "far from all others", "", name) for name in alone]
    return found + blocks.gallery(lonely)


def _spread(rows: Sequence[Mapping[str, Any]]) -> Block:
    body = []
    for name, one in MEASURES.items():
        values = np.array([float(row.get(name, np.nan)) for row in rows])
        values = values[~np.isnan(values)]
        if len(values):
            row = [values.mean(), values.std(), values.min(), values.max()]
            body.append([words(name), *map(_number, row), one.unit, one.description])
    heads = ["measure", "mean", "deviation", "least", "most", "unit", "definition"]
    return blocks.table(heads, body, "Image properties and descriptors of expression over all pictures.")


def _listed(rows: Sequence[Mapping[str, Any]]) -> Block:
    body = [
        [
            row["path"],
            words(row["mood"]),
            f"{100 * row['p_' + row['mood']]:.0f} %",
            "yes" if row["unlike"] else "",
        ]
        for row in rows[:MOST_ROWS]
    ]
    more = f"The first {MOST_ROWS} of {len(rows)}." if len(rows) > MOST_ROWS else ""
    return blocks.table(["picture", "mood", "probability", "unlike"], body, more)
