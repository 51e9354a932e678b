"""Tab "Read a painting": the mood people would see in it, where the model looked, how far to trust it."""

from __future__ import annotations

import functools
import html
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gradio as gr

from workbench import models
from workbench.classify.results import DEFAULT_CLASSIFIER, Reading, classifiers
from workbench.core.errors import UnknownNameError, WeightsError, WorkbenchError
from workbench.interpret.catalogue import METHODS, methods
from workbench.interpret.measured import averages_of
from workbench.service.platform import Platform
from workbench.service.previews import Preview
from workbench.service.tasks import CLASSIFIER_FACTS, TASKS
from workbench.ui import (
    compare,
    explaining,
    expression,
    folder_table,
    inputs,
    pictures,
    remembering,
    report,
    several,
    visitor,
)
from workbench.ui.controls import SETTINGS
from workbench.ui.examples import paintings
from workbench.ui.moods import bars, choices, examples_read, shown, trust, waiting

_NONE = (
    "No trained classifier is installed. Put NAME.safetensors and its card NAME.json into workbench/weights, "
    "or train one with `workbench train classifier`, and start again."
)
_facts: dict[str, dict[str, Any]] = {}  # by the digest of a classifier's weights


def known_model(name: Any) -> str:
    """The name of a shipped classifier; raises in words on anything else."""
    known = classifiers()
    if not known:
        raise WeightsError(_NONE)
    if name not in list(known):
        raise UnknownNameError("model", str(name)[:80], known)
    return name


async def facts_of(platform: Platform, request: gr.Request, model: str, progress) -> dict[str, Any]:
    """What only the network itself can tell: methods, layers, and how far its maps can be trusted."""
    digest = models.card(known_model(model)).digest
    if digest not in _facts:
        preview = visitor.ask(platform, request, CLASSIFIER_FACTS, options={"model": model})
        _facts[digest] = await visitor.facts(preview, progress)
    return _facts[digest]


def ask_to_explain(
    platform: Platform, request: gr.Request, path, model, class_name, method, layer, reduce: bool
) -> Preview:
    """Have a reading explained; what is empty takes its usual value."""
    options = {
        "model": known_model(model),
        "class_name": class_name or "",
        "method": method or "",
        "layer": layer or "",
        "reduce": reduce,
    }
    return visitor.ask(platform, request, TASKS["explain_picture"], path, options)


def show_numbers(values, model, class_name) -> str:
    """The painting's descriptors beside the averages of a class."""
    card = models.card(model)
    names = {c["name"]: shown(c["name"]) for c in card.classes}
    known = {name: math.nan if value is None else value for name, value in values.items()}
    return expression.chart(known, averages_of(card.class_names), class_name or "", names)


def side_by_side(readings: list[Reading], model: str) -> str:
    """All models' readings of one painting."""
    cards = {reading.model: models.card(reading.model) for reading in readings}
    return compare.side_by_side(readings, cards, model) if len(readings) > 1 else ""


def _installed() -> tuple[dict[str, models.Card], str]:
    """The cards of the classifiers, and a notice if there is none or one of them is damaged."""
    try:
        found = {name: models.card(name) for name in classifiers()}
    except WorkbenchError as error:
        return {}, str(error)
    try:
        for name in found:
            models.check(name)
    except WorkbenchError as error:  # damaged weights: the page says so and lives on
        return found, str(error)
    return found, "" if found else _NONE


def _default(names) -> str | None:
    """The classifier that is chosen at first, of those there are."""
    return DEFAULT_CLASSIFIER if DEFAULT_CLASSIFIER in names else next(iter(names), None)


def build(platform: Platform, blocks: gr.Blocks, tab: gr.Tab) -> None:
    """Add the tab's contents to ``tab``, which is open."""
    cards, notice = _installed()
    chosen = _default(cards)
    gr.Markdown(
        "Drop in a painting: the model tells which mood people would see in it, and shows which parts of "
        "the picture spoke for that mood.",
        elem_classes="lead",
    )
    if notice:
        gr.HTML(f'<div class="notice" role="status">{html.escape(notice)}</div>')
    page = SimpleNamespace()
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=300):
            _upload(platform, page, cards, chosen)
        with gr.Column(scale=3, min_width=280):
            page.moods = gr.HTML(
                waiting(cards.get(chosen or "")),
                elem_id="read-moods",
                label="Moods",
                container=True,
                padding=True,
            )
        with gr.Column(scale=4, min_width=300):
            _explanation(page, cards.get(chosen or ""))
    if chosen:
        _folder(platform, blocks, tab, page)
    page.numbers = gr.HTML("", elem_id="read-numbers", css_template=expression.CSS)
    page.together = gr.HTML("", elem_id="read-compare")
    page.certainty = gr.HTML(trust(cards[chosen]) if chosen else "")
    page.reading, page.values = gr.State(), gr.State({})
    read_after = _painting_events(platform, page, cards)
    if chosen:
        tab.select(*_choice_events(platform, page, cards, read_after), **SETTINGS)
        remembering.remember(platform, "read", page.painting, [page.model], blocks.load)
    _api(platform, page)


def _folder(platform: Platform, blocks: gr.Blocks, tab: gr.Tab, page: SimpleNamespace) -> None:
    with gr.Accordion("Read a folder", open=False, elem_id="read-many"):
        gr.Markdown(
            "Drop in several paintings, or a ZIP of them: a table of their moods and measures, to sort, "
            "to put two side by side, and to take away as CSV, JSON, Parquet or one report. Reading goes on "
            "while you are away.",
            elem_classes="fine",
        )
        several.add(
            platform,
            blocks,
            tab,
            "read_pictures",
            "Read all of them",
            {"model": page.model},
            functools.partial(folder_table.of_job, platform),
        )


def _upload(
    platform: Platform, page: SimpleNamespace, cards: dict[str, models.Card], chosen: str | None
) -> None:
    page.painting = pictures.picture_input("Your painting", "The painting to read")
    label = "Painted by this program, one for each mood"
    pictures.to_try(page.painting, paintings().values(), label, "read-examples")
    page.examples_read = gr.HTML(_examples_line(cards.get(chosen or "")), elem_id="read-examples-read")
    page.model = pictures.unchecked(gr.Dropdown)(
        [(card.title, name) for name, card in cards.items()],
        value=chosen,
        label="Model",
        filterable=False,
        elem_id="read-model",
    )
    page.button = gr.Button("Read", variant="primary", size="lg")
    if chosen:
        report.add(platform, page.painting, page.model)


def _examples_line(card: models.Card | None) -> str:
    """How the chosen model reads the example paintings."""
    return f'<p class="fine">{examples_read(card)}</p>' if card else ""


def _explanation(page: SimpleNamespace, card: models.Card | None) -> None:
    page.overlay = gr.Image(
        label="Where the model looked",
        alt_text="The painting under a heat map: bright where it spoke for the chosen mood",
        format="png",
        interactive=False,
        height=320,
        buttons=["download", "fullscreen"],
        elem_id="read-overlay",
    )
    page.class_name = pictures.unchecked(gr.Radio)(
        choices(card) if card else [],
        label="Explain",
        info="The brighter and yellower a place, the more it spoke for this mood.",
        elem_id="read-class",
    )
    page.method = pictures.unchecked(gr.Dropdown)(
        explaining.method_choices(methods()) if card else [],
        value=explaining.DEFAULT_METHOD if card else None,
        label="Method",
        filterable=False,
        elem_id="read-method",
    )
    page.layer = pictures.unchecked(gr.Dropdown)(
        explaining.NO_LAYER_YET if card else [],
        value=explaining.DEFAULT_LAYER if card else None,
        label="Layer",
        filterable=False,
        elem_id="read-layer",
    )
    page.reliance = gr.HTML("", elem_id="read-reliance")


def _painting_events(
    platform: Platform, page: SimpleNamespace, cards: dict[str, models.Card]
) -> Callable[[Any], None]:
    """A painting comes: the mood is there first; the map and the numbers follow. Gives what has it read again
    after another event.
    """

    async def read(path, model, request: gr.Request, progress=gr.Progress()):  # noqa: B008
        """(bars, class choice, the reading for what follows), and the rest of the painting before empty"""
        gone = (None, "", "")
        if path is None:  # the box was cleared
            return waiting(cards.get(model)), gr.Radio(value=None), None, *gone
        with pictures.one_line_errors("Not read"):
            options = {"model": known_model(model)}
            preview = visitor.ask(platform, request, TASKS["classify_picture"], path, options)
            reading = Reading.from_dict(
                visitor.read_facts(await visitor.result(preview, progress), "reading.json")
            )
            return bars(reading, models.card(model)), gr.Radio(value=reading.top), reading, *gone

    async def read_on_click(path, model, request: gr.Request, progress=gr.Progress()):  # noqa: B008
        """As `read`, but a missing picture is an error worth telling."""
        with pictures.one_line_errors("Not read"):
            pictures.needed(path)
        return await read(path, model, request, progress)

    async def look(path, model, class_name, method, layer, request: gr.Request, progress=gr.Progress()):  # noqa: B008
        """The overlay for a class, method and layer."""
        if path is None or class_name is None:
            return None
        with pictures.one_line_errors("Not explained"):
            preview = ask_to_explain(platform, request, path, model, class_name, method, layer, reduce=True)
            folder = await visitor.result(preview, progress)
        return pictures.named(folder / "picture.png", class_name, method)

    async def compare_all(path, model, reading, class_name, request: gr.Request, progress=gr.Progress()):  # noqa: B008
        """What comes after the mood: (descriptors for what follows, their chart, all models side by side)"""
        if path is None or reading is None:
            return {}, "", ""
        with pictures.one_line_errors("Read, but not measured"):
            options = {"model": known_model(model)}
            preview = visitor.ask(platform, request, TASKS["measure_picture"], path, options)
            found = await visitor.facts(preview, progress)
        numbers = show_numbers(found["values"], model, class_name or reading.top)
        table = side_by_side([reading, *map(Reading.from_dict, found["readings"])], model)
        return found["values"], numbers, table

    shared = {"concurrency_limit": None, "api_visibility": "private"}
    again = {"trigger_mode": "always_last", **shared}
    asked = [page.painting, page.model, page.class_name, page.method, page.layer]
    rest = [page.painting, page.model, page.reading, page.class_name]
    found = [page.moods, page.class_name, page.reading, page.overlay, page.numbers, page.together]
    mood = {"inputs": asked[:2], "outputs": found, "show_progress_on": [page.moods], **shared}

    def and_so_on(event):
        """What still runs for the painting before is asked for again when it ends: by default the page would
        drop the second call, and keep the map of the first.
        """
        event.success(look, asked, page.overlay, **again).success(
            compare_all, rest, [page.values, page.numbers, page.together], **again
        )
        remembering.forget_unreadable("read", page.painting, event.failure)

    and_so_on(page.painting.change(read, trigger_mode="always_last", **mood))
    and_so_on(page.button.click(read_on_click, **mood))
    for choice in (page.class_name.input, page.method.select, page.layer.select):
        choice(look, asked, page.overlay, **again)
    return lambda event: and_so_on(event.success(read, **mood))


def _choice_events(
    platform: Platform,
    page: SimpleNamespace,
    cards: dict[str, models.Card],
    read_after: Callable[[Any], None],
) -> tuple:
    """What a choice of model, class, method or layer changes beside the pictures. Gives the function, inputs
    and outputs for when the tab is first looked at.
    """

    async def about_network(model, method, layer, request: gr.Request, progress=gr.Progress()):  # noqa: B008
        """What only the network itself can tell: its methods and layers, and how far to trust them."""
        with pictures.one_line_errors():
            facts = await facts_of(platform, request, model, progress)
        return (
            gr.Dropdown(choices=explaining.method_choices(facts["methods"])),
            gr.Dropdown(choices=explaining.layer_choices(facts)),
            explaining.trust_line(facts, method, layer),
        )

    async def about_model(model, request: gr.Request, progress=gr.Progress()):  # noqa: B008
        """What depends on the model alone: its card, its classes, methods and layers."""
        with pictures.one_line_errors():
            facts = await facts_of(platform, request, model, progress)
        usual = explaining.DEFAULT_METHOD, explaining.DEFAULT_LAYER
        return (
            trust(cards[model]),
            _examples_line(cards[model]),
            gr.Radio(choices=choices(cards[model]), value=None),
            gr.Dropdown(choices=explaining.method_choices(facts["methods"]), value=usual[0]),
            gr.Dropdown(choices=explaining.layer_choices(facts), value=usual[1], visible=True),
            explaining.trust_line(facts, *usual),
        )

    async def about_method(model, method, layer, request: gr.Request, progress=gr.Progress()):  # noqa: B008
        """Whether there is a layer to choose, and how far to trust the method."""
        with pictures.one_line_errors():
            facts = await facts_of(platform, request, model, progress)
        return gr.Dropdown(visible=METHODS[method].layered), explaining.trust_line(facts, method, layer)

    asked = [page.model, page.method, page.layer]
    model_parts = [
        page.certainty,
        page.examples_read,
        page.class_name,
        page.method,
        page.layer,
        page.reliance,
    ]
    read_after(page.model.select(about_model, page.model, model_parts, **SETTINGS))
    page.class_name.input(show_numbers, [page.values, page.model, page.class_name], page.numbers, **SETTINGS)
    for choice in (page.method, page.layer):
        choice.select(about_method, asked, [page.layer, page.reliance], **SETTINGS)
    return about_network, asked, [page.method, page.layer, page.reliance]


def _api(platform: Platform, page: SimpleNamespace) -> None:
    """The same for programs: data out, nothing of the page."""

    @inputs.takes("image", "model")
    async def classify_file(image, model, request, progress):
        """Estimate the mood that people would see in a painting. It is no diagnosis of the painter or others.

        Returns:
            the moods with their probabilities, the likeliest, and whether the probabilities are calibrated
        """
        with pictures.one_line_errors("Not read"):
            options = {"model": known_model(model)}
            preview = visitor.ask(platform, request, TASKS["classify_picture"], image, options)
            return visitor.read_facts(await visitor.result(preview, progress), "reading.json")

    @inputs.takes("image", "model", "class_name", "method", "layer")
    async def explain_file(image, *rest):
        """Show which parts of a painting spoke for a mood, as a heat map over the painting.

        Returns:
            a PNG: the painting under the heat map, the brighter the more it spoke for the mood
        """
        with pictures.one_line_errors("Not explained"):
            model, class_name, method, layer, request, progress = rest
            preview = ask_to_explain(platform, request, image, model, class_name, method, layer, reduce=False)
            folder = await visitor.result(preview, progress)
        made = visitor.read_facts(folder)["class"]
        return pictures.named(folder / "picture.png", pictures.stem_of(image), made)

    gr.Button(visible=False).click(
        classify_file,
        [page.painting, page.model],
        gr.JSON(visible=False, label="Reading"),
        api_name="classify",
        concurrency_limit=None,
    )
    of_any_model = [
        gr.Textbox("", visible=False, label=label) for label in ("Class", "Method", "Layer")
    ]  # the page's choices are those of one model
    gr.Button(visible=False).click(
        explain_file,
        [page.painting, page.model, *of_any_model],
        gr.File(visible=False, label="Overlay"),
        api_name="explain",
        concurrency_limit=None,
    )
