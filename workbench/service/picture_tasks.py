"""Tasks on one picture. Imports decoders and networks, so only workers import it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from workbench.classify.classifier import Classifier, classifiers
from workbench.core.errors import UnknownNameError, WeightsError, WorkbenchError
from workbench.core.files import replacing, write_image, write_whole
from workbench.core.tables import write_table
from workbench.data.images import MAX_PIXELS, MOST_DRAWN, read_image
from workbench.drawing.faces import find_faces
from workbench.interpret.catalogue import METHODS
from workbench.interpret.descriptors import describe
from workbench.interpret.measured import reliance
from workbench.models import card
from workbench.reporting import readings
from workbench.reporting.readings import SMALLEST
from workbench.service.engines.worker import Context
from workbench.service.tasks import (
    THUMBNAIL,
    ExplainOptions,
    PhotoOptions,
    ReadOptions,
    ReportOptions,
    TilesOptions,
    WarmUpOptions,
)
from workbench.styles.options import DrawOptions
from workbench.styles.stylize import DEFAULT_STYLE, get, stylize

FACTS, PICTURE, BEFORE, AFTER = "facts.json", "picture.png", "before.jpg", "after.jpg"
SMALLER = "picture.jpg"  # the same drawing in a tenth of the bytes
JPEG_SIDE = 65_500  # pixels, the longest that the format holds
TILE_SIDE = 320  # pixels, the longer side of a drawing that shows what a style does
FACES_SIDE = 1024  # pixels, the longer side of the picture in which faces are looked for
PREVIEW_SIDE = 1600  # pixels, the longer side of what a page shows; the whole picture is downloaded
THUMBNAIL_SIDE = 480  # pixels, the longer side
QUICK_PIXELS = 2_200_000  # larger pictures would delay the visitors with small ones
_SLOW_METHODS = ("integrated_gradients", "occlusion")  # they run the network some fifty times


def stylize_picture(inputs: tuple[Path, ...], options: PhotoOptions, context: Context) -> None:
    """Redraw a picture: ``picture.png``, and a small one of it for lists or two to compare on a page, where
    the drawing is a JPEG as well.
    """
    get(options.style)  # refuses an unknown style before the upload is opened
    image = open_picture(inputs[0], context, max_pixels=MOST_DRAWN)
    drawn = draw(image, options, lambda share: context.progress(0.05 + 0.85 * share, "Drawing"))
    context.progress(0.9, "Writing the PNG")
    write_png(drawn, context.out / PICTURE)
    if not options.compare:
        thumbnail(drawn, context.out / f"{Path(PICTURE).stem}{THUMBNAIL}")
        return
    small = reduced(drawn)
    if max(drawn.size) <= JPEG_SIDE:
        write_image(drawn, context.out / SMALLER)
    write_shown(reduced(image), context.out / BEFORE)
    write_shown(small, context.out / AFTER)
    write_facts(context, {"size": drawn.size, "shown": small.size})


def try_styles(inputs: tuple[Path, ...], options: TilesOptions, context: Context) -> None:
    """Draw a photo small in each of several styles: ``STYLE.jpg``; ``facts.json`` says which, and whether
    there is a face, for which the portrait style takes the place of the last.
    """
    image = open_picture(inputs[0], context, any_size=True)
    has_face = bool(find_faces(np.asarray(reduced(image, FACES_SIDE))))
    names = list(options.styles)
    if has_face and options.portrait:
        names[-1] = options.portrait
    small = reduced(image, TILE_SIDE)
    for done, name in enumerate(names):
        context.progress(0.2 + 0.8 * done / len(names), "Trying the styles")
        write_shown(stylize(small, name), context.out / f"{name}.jpg")
    write_facts(context, {"styles": names, "face": has_face})


def classify_picture(inputs: tuple[Path, ...], options: ReadOptions, context: Context) -> None:
    """Classify a painting: ``reading.json`` with the probability of each class."""
    classifier = load_classifier(options.model)
    image = open_picture(inputs[0], context)
    context.progress(0.2, "Reading")
    write_json(context.out / "reading.json", classifier.classify(image).as_dict())


def explain_picture(inputs: tuple[Path, ...], options: ExplainOptions, context: Context) -> None:
    """Explain a classification: ``picture.png``, the painting under a heat map, and ``facts.json``."""
    classifier = load_classifier(options.model)
    method = options.method or "grad_cam"
    if method in _SLOW_METHODS:
        context.expect_long()
    image = open_picture(inputs[0], context, any_size=options.reduce)
    layered = method not in METHODS or METHODS[method].layered
    explanation = classifier.explain(
        reduced(image) if options.reduce else image,
        options.class_name or None,
        method,
        (options.layer or None) if layered else None,
        progress=lambda share: context.progress(share, "Looking where the model looked"),
    )
    write_png(explanation.overlay, context.out / PICTURE)
    write_facts(context, {"class": explanation.class_name})


def measure_picture(inputs: tuple[Path, ...], options: ReadOptions, context: Context) -> None:
    """Descriptors of a painting, and the results of other models with the same classes: ``facts.json``."""
    image = open_picture(inputs[0], context)
    context.progress(0.1, "Measuring")
    values = describe(image) if min(image.size) >= SMALLEST else {}
    classes = set(card(options.model).class_names)
    others = [n for n in classifiers() if n != options.model and set(card(n).class_names) == classes]
    readings = []
    for done, name in enumerate(others):
        context.progress(0.5 + 0.5 * done / len(others), "Asking the other models")
        readings.append(Classifier.load(name).classify(image).as_dict())
    known = {name: None if value != value else float(value) for name, value in values.items()}
    write_facts(context, {"values": known, "readings": readings})


def report_picture(inputs: tuple[Path, ...], options: ReportOptions, context: Context) -> None:
    """Full report on a painting: ``report.html``, ``reading.json`` and ``reading.csv``."""
    classifier = load_classifier(options.model)
    context.expect_long()  # it measures, explains and runs every model
    image = open_picture(inputs[0], context, any_size=True)
    context.progress(0.1, "Reading and measuring")
    write_json(context.out / "reading.json", classifier.classify(image).as_dict())
    write_table(readings.reading_rows(image, classifier), context.out / "reading.csv")
    context.progress(0.5, "Writing the report")
    page = readings.painting_page(image, options.title[:200], classifier)
    write_whole(page.encode(), context.out / "report.html")


def classifier_facts(inputs: tuple[Path, ...], options: ReadOptions, context: Context) -> None:
    """Properties that need the loaded network: methods, layers, and reliability of its maps."""
    write_facts(context, facts_of(load_classifier(options.model)))


def facts_of(classifier: Classifier) -> dict[str, Any]:
    """``methods``, ``layers``, the usual ``layer``, and ``reliance``: per method two sentences on how far its
    maps can be trusted, at another layer and at the usual one.
    """
    trust = {
        method: [reliance(classifier.card.network_digest, method, usual) for usual in (False, True)]
        for method in classifier.methods
    }
    facts = {"methods": classifier.methods, "layers": classifier.layers, "layer": classifier.default_layer}
    return facts | {"reliance": trust}


def warm_up(inputs: tuple[Path, ...], options: WarmUpOptions, context: Context) -> None:
    """Load the most used models; their errors are reported to the first visitor who needs them."""
    blank = Image.new("RGB", (64, 64))
    with contextlib.suppress(WorkbenchError):
        if options.what == "drawing":
            stylize(blank, DEFAULT_STYLE)
        else:
            Classifier.load().explain(blank)
    context.out.rmdir()  # there is no result


def open_picture(
    path: Path, context: Context, any_size: bool = False, max_pixels: int = MAX_PIXELS
) -> Image.Image:
    """The picture as RGB, upright; a large one only in the worker for slow tasks, unless ``any_size``."""
    context.progress(0.0, "Opening the picture")
    if not any_size:
        size = (0, 0)
        with contextlib.suppress(Exception), Image.open(path) as header:  # `read_image` says what is wrong
            size = header.size
        if size[0] * size[1] > QUICK_PIXELS:
            context.expect_long()
    return read_image(path, max_pixels)


def draw(image: Image.Image, options: DrawOptions, progress: Callable[[float], None]) -> Image.Image:
    """Redraw a picture with the options of a task."""
    chosen = {field.name: getattr(options, field.name) for field in dataclasses.fields(DrawOptions)}
    return stylize(image, progress=progress, **chosen)


def load_classifier(name: str) -> Classifier:
    """A shipped classifier, loaded once a worker; never a file by its path."""
    known = classifiers()
    if not known:
        raise WeightsError(
            "No trained classifier is installed. Put NAME.safetensors and its card NAME.json into "
            "workbench/weights, or train one with `workbench train classifier`, and start again."
        )
    if name not in known:
        raise UnknownNameError("model", name, known)
    return Classifier.load(name)


def reduced(image: Image.Image, side: int = PREVIEW_SIDE) -> Image.Image:
    """``image``, with its longer side at most ``side`` pixels."""
    if max(image.size) <= side:
        return image
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small


def thumbnail(image: Image.Image, path: Path) -> None:
    """Write a small JPEG of a result, for lists."""
    write_image(reduced(image.convert("RGB"), THUMBNAIL_SIDE), path)


def write_png(image: Image.Image, path: Path) -> None:
    """Write a picture at twice the speed of Pillow's default for a tenth more bytes."""
    with replacing(path) as partial:
        image.save(partial, "PNG", compress_level=3)


def write_shown(image: Image.Image, path: Path) -> None:
    """Write a JPEG for the page, a fifth of a PNG's size, without colour subsampling because of the lines."""
    with replacing(path) as partial:
        image.save(partial, "JPEG", quality=88, subsampling=0)


def write_facts(context: Context, facts: dict[str, Any]) -> None:
    """Write ``facts.json``."""
    write_json(context.out / FACTS, facts)


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Write JSON whole or not at all."""
    write_whole((json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode(), path)
