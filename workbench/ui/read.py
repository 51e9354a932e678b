"""Tab "Read a painting": the mood people would see in it, where the model looked, how far to trust it."""

from __future__ import annotations

import html
import logging
from typing import TYPE_CHECKING

import gradio as gr

from workbench import models
from workbench.classify.readings import DEFAULT_CLASSIFIER, Explanation, classifiers
from workbench.core.errors import UnknownNameError, WeightsError, WorkbenchError
from workbench.interpret.catalogue import METHODS, methods
from workbench.interpret.descriptors import describe
from workbench.ui import compare, explaining, expression, pictures
from workbench.ui.examples import paintings
from workbench.ui.moods import bars, choices, shown, trust, waiting
from workbench.ui.redraw import MODELS

if TYPE_CHECKING:
    from workbench.classify.reading import Classifier

log = logging.getLogger(__name__)

SMALLEST = 16  # pixels of a side below which nothing can be measured
_NONE = (
    "No trained classifier is installed. Put NAME.safetensors and its card NAME.json into workbench/weights, "
    "or train one with `workbench train classifier`, and start again."
)


def _classifier(name) -> Classifier:
    from workbench.classify.reading import Classifier  # brings torch: with the first painting

    known = classifiers()
    if not known:
        raise WeightsError(_NONE)
    if name not in known:  # `Classifier.load` would open any weights file by its path: not for visitors
        raise UnknownNameError("model", name, known)
    return Classifier.load(name)


def classify_file(image, model, progress=gr.Progress()):  # noqa: B008 (Gradio looks for it in the signature)
    """Estimate the mood that people would see in a painting. It is no diagnosis of the painter or of others.

    Args:
        image: the painting (JPEG, PNG, WebP, TIFF, BMP or GIF).
        model: name of the classifier, for example "mood_statistics" for Chinese paintings.

    Returns:
        the moods with their probabilities, the likeliest mood, and whether the probabilities are calibrated
    """
    with pictures.one_line_errors():
        progress(0.1, desc="Reading the picture")
        reading = _classifier(model).classify(pictures.read_upload(image))
        return {
            "model": reading.model,
            "classes": list(reading.probabilities),
            "probabilities": dict(reading.probabilities),
            "top": reading.top,
            "calibrated": bool(reading.calibrated),
        }


def explain_file(image, model, class_name, method, layer, progress=gr.Progress()):  # noqa: B008
    """Show which parts of a painting spoke for a mood, as a heat map over the painting.

    Args:
        image: the painting (JPEG, PNG, WebP, TIFF, BMP or GIF).
        model: name of the classifier, for example "mood_statistics" for Chinese paintings.
        class_name: the mood to explain; empty for the likeliest.
        method: name of the method of explanation; empty for Grad-CAM.
        layer: layer that Grad-CAM and guided Grad-CAM look at; empty for their usual one.

    Returns:
        a PNG: the painting under the heat map, the brighter the more it spoke for the mood
    """
    with pictures.one_line_errors():
        progress(0.1, desc="Looking where the model looked")
        painting = pictures.read_upload(image)
        explanation = _explain(painting, model, class_name, method, layer, progress)
        return pictures.save_png(explanation.overlay, pictures.stem_of(image), explanation.class_name)


def _explain(painting, model, class_name, method, layer, progress) -> Explanation:
    classifier = _classifier(model)
    method = method or explaining.DEFAULT_METHOD
    return classifier.explain(
        painting,
        class_name or None,
        method,
        (layer or None) if method not in METHODS or METHODS[method].layered else None,
        progress=lambda share: progress(share, desc="Looking where the model looked"),
    )


def read(path, model, progress=gr.Progress()):  # noqa: B008
    """The mood, at once: (bars, class choice, the reading for what follows), and the rest empty."""
    gone = (None, "", "")  # the overlay, the numbers and the table of the painting before
    if path is None:  # the box was cleared
        return waiting(models.card(model) if model else None), gr.Radio(value=None), None, *gone
    with pictures.one_line_errors():
        progress(0.1, desc="Reading the picture")
        classifier = _classifier(model)
        reading = classifier.classify(pictures.read_upload(path))
        return bars(reading, classifier.card), gr.Radio(value=reading.top), reading, *gone


def read_on_click(path, model, progress=gr.Progress()):  # noqa: B008
    """As :func:`read`, but a missing picture is an error worth telling."""
    with pictures.one_line_errors():
        if path is None:
            pictures.read_upload(path)
    return read(path, model, progress)


def look(path, model, class_name, method, layer, progress=gr.Progress()):  # noqa: B008
    """The overlay for a class, method and layer."""
    if path is None or class_name is None:
        return None
    with pictures.one_line_errors():
        progress(0, desc="Looking where the model looked")
        painting = pictures.preview(pictures.read_upload(path))
        overlay = _explain(painting, model, class_name, method, layer, progress).overlay
        return pictures.save_png(overlay, class_name, method)


def compare_all(path, model, reading, class_name):
    """What comes after the mood: (descriptors for what follows, their chart, all models side by side)."""
    if path is None or reading is None:
        return {}, "", ""
    with pictures.one_line_errors():
        painting = pictures.read_upload(path)
        values = describe(painting) if min(painting.size) >= SMALLEST else {}
        others = compare.read_with_all(painting, compare.same_task(classifiers(), model)[1:])
        cards = {r.model: models.card(r.model) for r in (reading, *others)}
        table = compare.side_by_side((reading, *others), cards, model) if others else ""
        return values, show_numbers(values, model, class_name or reading.top), table


def show_numbers(values, model, class_name) -> str:
    """The painting's descriptors beside the averages of a class."""
    from workbench.interpret.measured import averages_of  # brings torch

    card = models.card(model)
    names = {c["name"]: shown(c["name"]) for c in card.classes}
    return expression.chart(values, averages_of(card.class_names), class_name or "", names)


def _installed() -> tuple[dict[str, models.Card], str]:
    """The cards of the classifiers, and a notice if there is none or one of them is damaged."""
    try:
        found = {name: models.card(name) for name in classifiers()}
    except WorkbenchError as error:
        return {}, str(error)
    return found, "" if found else _NONE


def _default(names) -> str | None:
    """The classifier that is chosen at first, of those there are."""
    return DEFAULT_CLASSIFIER if DEFAULT_CLASSIFIER in names else next(iter(names), None)


def warm_up() -> None:
    """Load what a reading needs before the first painting comes."""
    try:
        if name := _default(classifiers()):
            explaining.trust_line(_classifier(name), explaining.DEFAULT_METHOD)
    except WorkbenchError:  # nobody asked for anything yet: told when they do
        log.exception("the classifier could not be loaded")


def build(tab: gr.Tab) -> None:
    """Add the tab's contents to ``tab``, which is open. No network is loaded before the tab is looked at."""
    cards, notice = _installed()
    chosen = _default(cards)
    try:
        for name in cards:
            models.check(name)
    except WorkbenchError as error:  # damaged weights: the page says so and lives on
        notice = str(error)
    gr.Markdown(
        "Drop in a painting: the model tells which mood people would see in it, and shows which parts of "
        "the picture spoke for that mood.",
        elem_classes="lead",
    )
    if notice:
        gr.HTML(f'<div class="notice" role="status">{html.escape(notice)}</div>')
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=300):
            painting = pictures.picture_input("Your painting", "The painting to read")
            gr.Examples(
                [[str(path)] for path in paintings().values()],
                inputs=painting,
                label="Painted by this program, one for each mood that it meant",
                elem_id="read-examples",
                api_visibility="private",
            )
            model = pictures.unchecked(
                gr.Dropdown(
                    [(card.title, name) for name, card in cards.items()],
                    value=chosen,
                    label="Model",
                    filterable=False,
                    elem_id="read-model",
                )
            )
            button = gr.Button("Read", variant="primary", size="lg")
        with gr.Column(scale=3, min_width=280):
            moods = gr.HTML(
                waiting(cards.get(chosen)), elem_id="read-moods", label="Moods", container=True, padding=True
            )
        with gr.Column(scale=4, min_width=300):
            overlay = gr.Image(
                label="Where the model looked",
                alt_text="The painting under a heat map: bright where it spoke for the chosen mood",
                format="png",
                interactive=False,
                height=320,
                buttons=["download", "fullscreen"],
                elem_id="read-overlay",
            )
            class_name = pictures.unchecked(
                gr.Radio(
                    choices(cards[chosen]) if chosen else [],
                    label="Explain",
                    info="The brighter and yellower a place, the more it spoke for this mood.",
                    elem_id="read-class",
                )
            )
            method = pictures.unchecked(
                gr.Dropdown(
                    explaining.method_choices(methods()) if chosen else [],
                    value=explaining.DEFAULT_METHOD if chosen else None,
                    label="Method",
                    filterable=False,
                    elem_id="read-method",
                )
            )
            layer = pictures.unchecked(
                gr.Dropdown(
                    explaining.NO_LAYER_YET if chosen else [],
                    value=explaining.DEFAULT_LAYER if chosen else None,
                    label="Layer",
                    filterable=False,
                    elem_id="read-layer",
                )
            )
            reliance = gr.HTML("", elem_id="read-reliance")
    numbers = gr.HTML("", elem_id="read-numbers", css_template=expression.CSS)
    together = gr.HTML("", elem_id="read-compare")
    certainty = gr.HTML(trust(cards[chosen]) if chosen else "")
    reading, values = gr.State(), gr.State({})

    def about_network(name, chosen_method, chosen_layer):
        """What only the network itself can tell: its methods and layers, and how far they can be trusted."""
        with pictures.one_line_errors():
            classifier = _classifier(name)
        return (
            gr.Dropdown(choices=explaining.method_choices(classifier.methods)),
            gr.Dropdown(choices=explaining.layer_choices(classifier)),
            explaining.trust_line(classifier, chosen_method, chosen_layer),
        )

    def about_model(name):
        """What depends on the model alone: its card, its classes, methods and layers."""
        classifier = _classifier(name)
        return (
            trust(cards[name]),
            gr.Radio(choices=choices(cards[name]), value=None),
            gr.Dropdown(
                choices=explaining.method_choices(classifier.methods), value=explaining.DEFAULT_METHOD
            ),
            gr.Dropdown(
                choices=explaining.layer_choices(classifier), value=explaining.DEFAULT_LAYER, visible=True
            ),
            explaining.trust_line(classifier, explaining.DEFAULT_METHOD),
        )

    def about_method(name, chosen_method, chosen_layer):
        """Whether there is a layer to choose, and how far to trust the method."""
        layered = METHODS[chosen_method].layered
        line = explaining.trust_line(_classifier(name), chosen_method, chosen_layer)
        return gr.Dropdown(visible=layered), line

    page = {"concurrency_id": MODELS, "concurrency_limit": 1, "api_visibility": "private"}
    quick = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}
    asked = [painting, model, class_name, method, layer]
    found = [moods, class_name, reading, overlay, numbers, together]
    mood = {"inputs": [painting, model], "outputs": found, "show_progress_on": [moods], **page}

    def and_so_on(event):
        """The mood is there first; the map and the numbers follow.

        What still runs for the painting before is asked for again when it ends: by default the page would
        drop the second call, and keep the map of the first.
        """
        again = {"trigger_mode": "always_last", **page}
        event.success(look, asked, overlay, **again).success(
            compare_all, [painting, model, reading, class_name], [values, numbers, together], **again
        )

    and_so_on(painting.change(read, trigger_mode="always_last", **mood))
    and_so_on(button.click(read_on_click, **mood))
    if chosen:
        tab.select(about_network, [model, method, layer], [method, layer, reliance], **quick)
    changed = model.select(about_model, model, [certainty, class_name, method, layer, reliance], **quick)
    and_so_on(changed.success(read, **mood))
    class_name.input(show_numbers, [values, model, class_name], numbers, **quick)
    class_name.input(look, asked, overlay, trigger_mode="always_last", **page)
    for choice in (method, layer):
        choice.select(about_method, [model, method, layer], [layer, reliance], **quick)
        choice.select(look, asked, overlay, trigger_mode="always_last", **page)
    # the API has events of its own: data out, nothing of the page
    shared = {"concurrency_id": MODELS, "concurrency_limit": 1}
    gr.Button(visible=False).click(
        classify_file,
        [painting, model],
        gr.JSON(visible=False, label="Reading"),
        api_name="classify",
        **shared,
    )
    of_any_model = [
        gr.Textbox("", visible=False, label=label) for label in ("Class", "Method", "Layer")
    ]  # the page's choices are those of one model
    gr.Button(visible=False).click(
        explain_file,
        [painting, model, *of_any_model],
        gr.File(visible=False, label="Overlay"),
        api_name="explain",
        **shared,
    )
