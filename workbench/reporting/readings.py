"""Results for one painting, or for a folder of pictures without labels, as one HTML file.

The pages are self-contained. ``workbench report full`` is for folders with labels.
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
from workbench.reporting.blocks import Block, GalleryEntry

METHOD = "grad_cam"
SHOWN = 512  # pixels of the longer side of a painting on its page
SMALLEST = 16  # pixels of a side below which nothing can be measured
ALIKE = 0.95  # cosine from which two pictures count as near-duplicates
MOST_ROWS = 500  # of the table of a folder; its CSV has all
PAIRS = 12  # near-duplicates shown, and twice the number of outliers
_TRACE = (
    "A mood is what people would name: a trace of the painter's psychology, never a diagnosis of anybody."
)


def words(name: str) -> str:
    """A class or a measure as words."""
    return name.replace("_", " ")


def painting_page(image: Image.Image, name: str, classifier: Classifier) -> str:
    """All results for one painting.

    Args:
        image: the painting, RGB.
        name: of its file.
        classifier: the model whose results are explained; other models of the same classes are listed.
    """
    reading, info = classifier.classify(image), classifier.card
    explanation = classifier.explain(_thumbnail(image), None, METHOD)
    pair = GalleryEntry(
        [_thumbnail(image), explanation.overlay],
        [name, f"evidence for {words(reading.top)}"],
        words(reading.top),
        f"{100 * reading.probabilities[reading.top]:.0f} %",
    )
    body = {
        "": blocks.gallery([pair]),
        "The moods": _mood_table(reading, info),
        "How far the heat map can be trusted": blocks.note(reliance(info.network_digest, METHOD)),
        "Other models": _other_models(image, classifier),
        "Measures": _measure_table(image, info, reading.top),
        "The model": blocks.facts(card_facts(info)),
    }
    return blocks.page(f"A reading of {name}", _subtitle(), body)


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
    """All results for the pictures of a folder.

    Args:
        title: of the page.
        rows: N, one per picture: path, mood, p_MOOD …, novelty, unlike and the measures.
        pictures: N small ones.
        skipped: path -> reason, of files that could not be read.
        embeddings: of the pictures, for their similarity; may include other pictures.
        model: name of the classifier.
    """
    shown = {row["path"]: picture for row, picture in zip(rows, pictures, strict=True)}
    body = {
        "": _counts(rows, skipped),
        "The moods": _mood_shares(rows, shown),
        "The map": _map(embeddings, shown),
        "Near-duplicates and outliers": _near_duplicates_and_outliers(embeddings, shown),
        "Measures": _measure_summary(rows),
        "All pictures": _picture_table(rows),
        "Skipped files": blocks.bullets([f"{path}: {reason}" for path, reason in skipped.items()]),
        "The model": blocks.facts(card_facts(card(model))),
    }
    if not skipped:
        del body["Skipped files"]
    return blocks.page(title, _subtitle(), body)


def _subtitle() -> str:
    return f"Painter Psychology Workbench {__version__}, {datetime.date.today().isoformat()}"


def _thumbnail(image: Image.Image) -> Image.Image:
    copy = image.convert("RGB")
    copy.thumbnail((SHOWN, SHOWN), Image.Resampling.LANCZOS)
    return copy


def _mood_table(reading: Reading, info: Card) -> Block:
    known = {c["name"]: c for c in info.classes}
    body = [
        [words(name), known.get(name, {}).get("description", ""), f"{100 * p:.1f} %"]
        for name, p in sorted(reading.probabilities.items(), key=lambda item: -item[1])
    ]
    matches = info.calibration.get("matches", "")
    what = "The share of raters that would name each" if "votes" in matches else "How likely each is"
    shown = blocks.table(["mood", "meaning", "probability"], body, f"{what}. {_TRACE}")
    if reading.unlike:
        shown = (
            blocks.note(
                "This picture is unlike the training pictures of the model: its result is not reliable.",
                warning=True,
            )
            + shown
        )
    elif reading.unsure:
        score = info.metrics.get("right_if_unsure")
        right = f": it is right about {100 * score['estimate']:.0f} of 100 such paintings" if score else ""
        shown = blocks.note(f"The model is unsure of this picture{right}.", warning=True) + shown
    if reading.novelty is not None:
        share = f"{100 * reading.novelty:.0f} %"
        shown += blocks.note(
            f"The picture is more unusual for the model than {share} of its training pictures."
        )
    return shown


def _other_models(image: Image.Image, classifier: Classifier) -> Block:
    own = classifier.card.class_names
    names = [n for n in classifiers() if set(card(n).class_names) == set(own)]
    body = []
    for name in names:
        reading = Classifier.load(name).classify(image)
        score = card(name).metrics.get("accuracy") or {}
        right = f"{100 * score['estimate']:.0f} %" if score else "not measured"
        strange = "not measured" if reading.novelty is None else "unlike" if reading.unlike else "like"
        share = f"{100 * reading.probabilities[reading.top]:.0f} %"
        body.append([name, words(reading.top), share, strange, right])
    if not body:
        return blocks.note("There is no other model for these classes.")
    heads = [
        "model",
        "most probable mood",
        "probability",
        "its training pictures",
        "accuracy on unseen painters",
    ]
    return blocks.table(heads, body, "All installed models of these moods.")


def _measure_table(image: Image.Image, info: Card, top: str) -> Block:
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


def card_facts(info: Card) -> dict[str, str]:
    """What a card says of its model, for :func:`workbench.reporting.blocks.facts`."""
    values = {"Model": f"{info.name}: {info.title}", "What it is": info.description}
    values["Architecture"] = info.architecture
    if info.kind == "classifier":
        first = info.training.get("initial_weights", "")
        values["Trained on"] = (
            f"{info.training.get('data', '')}, {info.training.get('pictures', '')} pictures"
            + (f"; first weights: {first}" if first else "")
        )
        if score := info.metrics.get("balanced_accuracy"):
            values["Measured"] = (
                f"balanced accuracy {score['estimate']:.3f} ({score['low']:.3f} to {score['high']:.3f}); "
                f"{info.metrics['split']}"
            )
    else:
        learnt = (info.training.get(pictures, "none") for pictures in ("photo", "style"))
        values["Trained on"] = "; ".join(text for text in learnt if text != "none")
        values["Measured"] = info.metrics["split"]
    return values | {"Limits": info.limitations, "Licence": info.licence}


def _counts(rows: Sequence[Mapping[str, Any]], skipped: Mapping[str, str]) -> Block:
    unlike, unsure = (sum(bool(row[name]) for row in rows) for name in ("unlike", "unsure"))
    return blocks.big_numbers(
        {
            "pictures": f"{len(rows)}",
            "are unlike the training pictures of the model: their results are not reliable": f"{unlike}",
            "leave the model unsure: no mood is likely, or two are nearly as likely": f"{unsure}",
            "files skipped": f"{len(skipped)}",
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
            entries.append(GalleryEntry([shown[best["path"]]], [best["path"]], title, sure, best["path"]))
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
    note = blocks.note(
        "Pictures that look alike to a network trained on photographs are close together (t-SNE of "
        f"{embeddings.backbone}); large distances have no meaning."
    )
    return note + Block(f'<div class="spots">{"".join(spots)}</div>', "(a map)")


def _near_duplicates_and_outliers(embeddings: Embeddings, shown: Mapping[str, Image.Image]) -> Block:
    names = embeddings.paths
    pairs = alike_pairs(embeddings.vectors, ALIKE)
    pairs_shown = [
        GalleryEntry(
            [shown[names[i]], shown[names[j]]],
            [names[i], names[j]],
            f"cosine {s:.3f}",
            "",
            f"{names[i]}, {names[j]}",
        )
        for i, j, s in list(zip(*pairs, strict=True))[:PAIRS]
        if names[i] in shown and names[j] in shown
    ]
    note = blocks.note(f"{len(pairs.first)} pairs of pictures have a cosine of {ALIKE} or more.")
    found = note + (blocks.gallery(pairs_shown) if pairs_shown else Block("", ""))
    scores = outlier_scores(embeddings.vectors, 5)
    if np.isnan(scores).any():
        return found
    far = [names[i] for i in np.argsort(-scores)[: PAIRS // 2] if names[i] in shown]
    outliers = [GalleryEntry([shown[name]], [name], "far from all others", "", name) for name in far]
    return found + blocks.gallery(outliers)


def _measure_summary(rows: Sequence[Mapping[str, Any]]) -> Block:
    body = []
    for name, one in MEASURES.items():
        values = np.array([float(row.get(name, np.nan)) for row in rows])
        values = values[~np.isnan(values)]
        if len(values):
            row = [values.mean(), values.std(), values.min(), values.max()]
            body.append([words(name), *map(_number, row), one.unit, one.description])
    heads = ["measure", "mean", "sd", "smallest", "largest", "unit", "definition"]
    return blocks.table(heads, body, "Image properties and descriptors of expression over all pictures.")


def _picture_table(rows: Sequence[Mapping[str, Any]]) -> Block:
    body = [
        [
            row["path"],
            words(row["mood"]),
            f"{100 * row['p_' + row['mood']]:.0f} %",
            "yes" if row["unlike"] else "",
            "yes" if row["unsure"] else "",
        ]
        for row in rows[:MOST_ROWS]
    ]
    more = f"The first {MOST_ROWS} of {len(rows)}." if len(rows) > MOST_ROWS else ""
    return blocks.table(["picture", "mood", "probability", "unlike", "unsure"], body, more)
