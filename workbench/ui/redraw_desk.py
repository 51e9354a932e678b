"""What stands on the tab "Redraw a photo": the upload box, the result, and what is chosen."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import gradio as gr

from workbench.service.tasks import PhotoOptions
from workbench.styles.stylize import styles
from workbench.ui import controls, first_look, pictures, style_tiles
from workbench.ui.examples import examples

_RUNTIMES = {  # in words; none says which is the quickest, for that depends on the processor
    "torch": "PyTorch, as it was trained",
    "torch-bf16": "PyTorch in bfloat16: rounds a little, quick where the processor has instructions for it",
    "onnx": "ONNX Runtime: the same picture, waits once for the export",
}


def desk() -> SimpleNamespace:
    """The upload box, the result, and what is chosen."""
    page = SimpleNamespace()
    with gr.Row(equal_height=False, elem_id="redraw-desk"):
        with gr.Column(elem_id="redraw-yours"):
            page.photo = pictures.picture_input("Your photo", "The photo to redraw", height=240)
            files = [e.path for e in examples() if e.path is not None]
            pictures.to_try(page.photo, files, "Or try one of these", "redraw-examples")
        with gr.Column(elem_id="redraw-drawn"):
            _result(page)
        with gr.Column(elem_id="redraw-choices"):
            _controls(page)
    _more_controls(page)
    return page


def _result(page: SimpleNamespace) -> None:
    page.tiles = gr.HTML(
        style_tiles.show(None, first_look.STYLE),
        elem_id="redraw-tiles",
        js_on_load=style_tiles.SCRIPT,
        css_template=style_tiles.CSS,
    )
    page.result = gr.ImageSlider(
        label="Before | after",
        format="png",
        interactive=False,
        max_height=600,
        slider_position=35,
        buttons=["fullscreen"],
        elem_id="redraw-result",
    )
    with gr.Row(elem_classes="under-result"):
        page.caption = gr.Markdown("", elem_classes="fine", elem_id="redraw-caption")
        page.png, page.jpeg = (
            gr.DownloadButton(
                f"Download {kind}",
                interactive=False,
                size="md",
                scale=0,
                min_width=150,
                elem_id=f"redraw-{kind.lower()}",
            )
            for kind in ("PNG", "JPEG")
        )


def _controls(page: SimpleNamespace) -> None:
    page.style = controls.style_menu(PhotoOptions, first_look.STYLE, filters=False, elem_id="redraw-menu")
    page.about = gr.Markdown(about_style(page.style.value), elem_classes="fine", elem_id="redraw-style")
    page.strength = controls.slider(PhotoOptions, "strength", "Strength")
    page.colours = controls.slider(
        PhotoOptions,
        "preserve_color",
        "Keep colours",
        info="0 takes the drawing's colours, 1 keeps the photo's.",
        elem_id="redraw-colours",
    )
    with gr.Row():
        page.button = gr.Button("Redraw", variant="primary", size="lg", min_width=120)
        page.stopper = gr.Button("Cancel", visible=False, size="lg", min_width=120, elem_id="redraw-cancel")


def _more_controls(page: SimpleNamespace) -> None:
    with gr.Accordion("Classical filters", open=False, elem_id="redraw-filters"):
        page.filter = pictures.unchecked(gr.Radio)(
            controls.style_choices(filters=True),
            label="Filter",
            info="They change colours or shapes and draw nothing: what a drawing is to be compared with.",
        )
    with gr.Accordion("Advanced", open=False, elem_id="redraw-advanced"):
        page.detail = controls.slider(
            PhotoOptions,
            "detail",
            "Detail of large photos",
            info="1 draws a photo of any size like a small one. More gives finer lines and smaller areas.",
            elem_id="redraw-detail",
        )
        page.runtime = controls.dropdown(
            PhotoOptions,
            "runtime",
            "Runtime",
            _runtime_choices(),
            info="What runs the network. Which is the quickest depends on this computer’s processor: "
            "workbench bench stylizers measures it.",
            interactive=has_runtimes(page.style.value),
            elem_id="redraw-runtime",
        )
        page.deform = controls.slider(
            PhotoOptions,
            "deform",
            "Exaggerate faces",
            info="In drawn portraits: larger eyes, a smaller nose and jaw.",
            elem_id="redraw-deform",
        )


def has_runtimes(style: str) -> bool:
    """Whether there is a choice of what runs it: people are drawn in crops, and filters have no network."""
    return len(styles()[style].runtimes) > 1


def about_style(name: str) -> str:
    """The style in a sentence or two."""
    style = styles()[name]
    return f"{style.description} Licence: {style.licence}."


def _runtime_choices() -> list[tuple[str, str]]:
    """(words, name) of what this installation can run."""
    has_onnx = all(map(importlib.util.find_spec, ("onnx", "onnxscript", "onnxruntime")))
    known = controls.option(PhotoOptions, "runtime").choices
    return [(_RUNTIMES[name], name) for name in known if name != "onnx" or has_onnx]
