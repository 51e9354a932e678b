"""Tab "Read a painting": the mood people would see in it, where the model looked, how far to trust it."""

from __future__ import annotations

import html

import gradio as gr

from workbench import models
from workbench.errors import UnknownNameError, WeightsError, WorkbenchError
from workbench.inference.classify import DEFAULT_CLASSIFIER, Classifier, Reading, classifiers
from workbench.ui import about, compare, pictures
from workbench.ui.examples import paintings
from workbench.ui.redraw import MODELS

# what a card's `training` may say of its data
_DATA = ("data", "dataset", "pictures", "painters", "raters", "agreement", "labels", "data_licence")
_NONE = (
    "No trained classifier is installed. Put NAME.safetensors and its card NAME.json into workbench/weights, "
    "or train one with `workbench train classifier`, and start again."
)


def waiting(card: models.Card | None) -> str:
    """Before there is a painting: the moods that the model knows and what they mean."""
    known = "".join(
        f'<li><div class="head"><span class="name">{html.escape(_shown(c["name"]))}</span>'
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
            f'<span class="name">{html.escape(_shown(name))}</span>'
            f'<span class="zh" lang="zh">{html.escape(info.get("name_zh", ""))}</span>'
            f'<span class="percent">{percent}</span></div>'
            f'<div class="bar" aria-hidden="true"><span style="width:{100 * probability:.1f}%"></span></div>'
            f'<div class="what">{html.escape(info.get("description", ""))}</div></li>'
        )
    return f'<ul class="moods" aria-label="Moods and their probabilities">{"".join(items)}</ul>'


def _shown(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _choices(card: models.Card) -> list[tuple[str, str]]:
    return [(f"{_shown(c['name'])} {c.get('name_zh', '')}".strip(), c["name"]) for c in card.classes]


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
    trained_on = [(k, card.training[k]) for k in _DATA if k in card.training]
    return (
        '<section class="card" aria-label="How far to trust this"><h2>How far to trust this</h2>'
        "<p>The model estimates the mood that <em>people who look at the painting</em> would name. That is a "
        "trace of the painter’s hand and mind, not a diagnosis of the painter, nor of anyone else.</p>"
        f"{headline}<p>{html.escape(card.limitations)}</p>"
        f"<h3>What it learnt from</h3>{about.facts(trained_on)}"
        f"<h3>How often it is right</h3>{about.facts(card.metrics.items())}"
        + (f"<h3>Calibration</h3>{about.facts(card.calibration.items())}" if card.calibration else "")
        + "</section>"
    )


def _classifier(name) -> Classifier:
    known = classifiers()
    if not known:
        raise WeightsError(_NONE)
    if name not in known:  # `Classifier.load` would open any weights file by its path: not for visitors
        raise UnknownNameError("model", name, known)
    return Classifier.load(name)


def classify_file(image, model, progress=gr.Progress()):  # noqa: B008 (Gradio looks for it in the signature)
    """Read a painting. Takes an image file and a model's name; returns the classes' probabilities."""
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


def explain_file(image, model, class_name, progress=gr.Progress()):  # noqa: B008
    """Where the model looked for one class (the likeliest if none is named): the painting with a heat map."""
    with pictures.one_line_errors():
        progress(0.1, desc="Looking where the model looked")
        painting = pictures.read_upload(image)
        explanation = _classifier(model).explain(painting, class_name or None)
        return pictures.save_png(explanation.overlay, pictures.stem_of(image), explanation.class_name)


def read(path, model, progress=gr.Progress()):  # noqa: B008
    """What the page shows: (bars, class choice, overlay, all models side by side)."""
    if path is None:  # the box was cleared
        return waiting(models.card(model) if model else None), gr.Radio(value=None), None, ""
    with pictures.one_line_errors():
        progress(0.1, desc="Reading the picture")
        painting = pictures.read_upload(path)
        classifier = _classifier(model)
        reading, *others = compare.read_with_all(painting, compare.same_task(classifiers(), model))
        progress(0.5, desc="Looking where the model looked")
        overlay = classifier.explain(pictures.preview(painting), reading.top).overlay
        shown = pictures.save_png(overlay, reading.top)
        cards = {r.model: models.card(r.model) for r in (reading, *others)}
        table = compare.side_by_side((reading, *others), cards, model) if others else ""
        return bars(reading, classifier.card), gr.Radio(value=reading.top), shown, table


def read_on_click(path, model, progress=gr.Progress()):  # noqa: B008
    """As :func:`read`, but a missing picture is an error worth telling."""
    with pictures.one_line_errors():
        if path is None:
            pictures.read_upload(path)
    return read(path, model, progress)


def show_class(path, model, class_name, progress=gr.Progress()):  # noqa: B008
    """The overlay for another class."""
    if path is None or class_name is None:
        return None
    with pictures.one_line_errors():
        progress(0.1, desc="Looking where the model looked")
        painting = pictures.preview(pictures.read_upload(path))
        return pictures.save_png(_classifier(model).explain(painting, class_name).overlay, class_name)


def _installed() -> tuple[dict[str, models.Card], str]:
    """The cards of the classifiers, and a notice if there is none."""
    try:
        found = {name: models.card(name) for name in classifiers()}
    except WorkbenchError as error:
        return {}, str(error)
    return found, "" if found else _NONE


def build() -> None:
    """Add the tab's contents to the open ``gr.Blocks``."""
    cards, notice = _installed()
    chosen = DEFAULT_CLASSIFIER if DEFAULT_CLASSIFIER in cards else next(iter(cards), None)
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
                    _choices(cards[chosen]) if chosen else [],
                    label="Explain",
                    info="The brighter and yellower a place, the more it spoke for this mood (Grad-CAM).",
                    elem_id="read-class",
                )
            )
    together = gr.HTML("", elem_id="read-compare")
    certainty = gr.HTML(trust(cards[chosen]) if chosen else "")

    def about_model(name):
        return trust(cards[name]), gr.Radio(choices=_choices(cards[name]), value=None)

    shared = {"concurrency_id": MODELS, "concurrency_limit": 1}
    outputs = [moods, class_name, overlay, together]
    page = {**shared, "api_visibility": "private", "show_progress_on": [moods, overlay]}
    gr.on([painting.change], read, [painting, model], outputs, trigger_mode="always_last", **page)
    button.click(read_on_click, [painting, model], outputs, **page)
    model.input(about_model, model, [certainty, class_name], api_visibility="private").then(
        read, [painting, model], outputs, **page
    )
    class_name.input(
        show_class,
        [painting, model, class_name],
        overlay,
        trigger_mode="always_last",
        api_visibility="private",
        **shared,
    )
    # the API has events of its own: data out, nothing of the page
    gr.Button(visible=False).click(
        classify_file,
        [painting, model],
        gr.JSON(visible=False, label="Reading"),
        api_name="classify",
        **shared,
    )
    gr.Button(visible=False).click(
        explain_file,
        [painting, model, class_name],
        gr.File(visible=False, label="Overlay"),
        api_name="explain",
        **shared,
    )
