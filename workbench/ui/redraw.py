"""Tab "Redraw a photo": a photograph in, the same picture in a chosen style out, both to compare."""

from __future__ import annotations

import contextlib
import html
import importlib.util
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr

from workbench.core.errors import CancelledError, WorkbenchError
from workbench.service.platform import Platform
from workbench.service.previews import LARGE, Preview
from workbench.service.tasks import TASKS, PhotoOptions
from workbench.service.uploads import NOBODY
from workbench.styles.stylize import DEFAULT_STYLE, styles
from workbench.ui import controls, pictures, visitor
from workbench.ui.controls import SETTINGS
from workbench.ui.examples import credits, examples

TASK = TASKS["stylize_picture"]
_LONG = 2.0  # seconds after which there is a button to stop
_RUNTIMES = {  # in words; none says which is the quickest, for that depends on the processor
    "torch": "PyTorch, as it was trained",
    "torch-bf16": "PyTorch in bfloat16: rounds a little, quick where the processor has instructions for it",
    "onnx": "ONNX Runtime: the same picture, waits once for the export",
}
_HIDDEN = gr.update(visible=False)


def ask(platform: Platform, request: gr.Request, path, choices, compare: bool) -> Preview:
    """Have a photo drawn; ``choices`` are those of the controls, in their order."""
    names = ("style", "strength", "preserve_color", "runtime", "detail", "deform")
    options = dict(zip(names, choices, strict=True))
    runtimes = visitor.style_of(options["style"]).runtimes
    if compare and len(runtimes) == 1:  # nor has the page a choice then
        options["runtime"] = runtimes[0]
    return visitor.ask(platform, request, TASK, path, options | {"compare": compare})


def shown(folder: Path, facts: dict[str, Any], path: str, style: str, seconds: float) -> tuple:
    """(before and after, download, caption) of a drawing."""
    download = pictures.named(folder / "picture.png", pictures.stem_of(path), style)
    caption = "{} × {} px in ".format(*facts["size"]) + f"{seconds:.1f} s."
    if facts["shown"] != facts["size"]:
        caption += " Shown at {} × {} px; the download has every pixel.".format(*facts["shown"])
    return pair_of(folder), gr.DownloadButton(value=download, interactive=True), caption


def pair_of(folder: Path) -> tuple[str, str]:
    """Before and after as a page shows them."""
    return str(folder / "before.jpg"), str(folder / "after.jpg")


def has_runtimes(style: str) -> bool:
    """Whether there is a choice of what runs it: people are drawn in crops, and filters have no network."""
    return len(styles()[style].runtimes) > 1


def about_style(name: str) -> str:
    """The style in a sentence."""
    style = styles()[name]
    return f"{style.description} Licence: {style.licence}."


def _runtime_choices() -> list[tuple[str, str]]:
    """(words, name) of what this installation can run."""
    has_onnx = all(map(importlib.util.find_spec, ("onnx", "onnxscript", "onnxruntime")))
    known = controls.option(PhotoOptions, "runtime").choices
    return [(_RUNTIMES[name], name) for name in known if name != "onnx" or has_onnx]


def build(platform: Platform, blocks: gr.Blocks, tab: gr.Tab) -> None:
    """Add the tab's contents to ``tab``, which is open in ``blocks``."""
    gr.Markdown(
        "Drop in a photograph and see it drawn as a comic, as anime or in ink, people with their own faces. "
        "Pull the handle across the result to compare.",
        elem_classes="lead",
    )
    if not any(style.kind == "network" for style in styles().values()):
        gr.HTML(
            '<div class="notice" role="status">No trained drawing style is installed, so only the classical '
            "filters are offered. Put <code>NAME.safetensors</code> and its card <code>NAME.json</code> into "
            "<code>workbench/weights</code>, or train one with <code>workbench train stylizer</code>, and "
            "start again.</div>"
        )
    page = _pictures()
    _controls(page)
    gr.HTML(f'<p class="fine">{html.escape(credits())}</p>')
    _events(platform, page)
    blocks.load(
        _first_look(platform),
        None,
        [page.result, page.caption],
        show_progress="hidden",
        concurrency_limit=None,
        api_visibility="private",
    )
    _api(platform, page)


def _pictures() -> SimpleNamespace:
    """The upload box and the result."""
    page = SimpleNamespace()
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=300):
            page.photo = pictures.picture_input("Your photo", "The photo to redraw")
            gr.Examples(
                [[str(e.path)] for e in examples()],
                inputs=page.photo,
                label="Or try one of these",
                elem_id="redraw-examples",
                api_visibility="private",
            )
        with gr.Column(scale=6, min_width=300):
            page.result = gr.ImageSlider(
                label="Before | after",
                format="png",
                interactive=False,
                max_height=600,
                buttons=["fullscreen"],
                elem_id="redraw-result",
            )
            with gr.Row(elem_classes="under-result"):
                page.caption = gr.Markdown("", elem_classes="fine", elem_id="redraw-caption")
                page.download = gr.DownloadButton(
                    "Download PNG",
                    interactive=False,
                    size="md",
                    scale=0,
                    min_width=180,
                    elem_id="redraw-download",
                )
    return page


def _controls(page: SimpleNamespace) -> None:
    with gr.Row(equal_height=False, elem_classes="controls"):
        page.style = controls.style_menu(PhotoOptions, scale=5, min_width=300)
        page.strength = controls.slider(PhotoOptions, "strength", "Strength", scale=4, min_width=240)
        page.colours = controls.slider(
            PhotoOptions, "preserve_color", "Keep colours", scale=4, min_width=240, elem_id="redraw-colours"
        )
        page.button = gr.Button("Redraw", variant="primary", size="lg", scale=2, min_width=160)
        page.stopper = gr.Button(
            "Cancel", visible=False, size="lg", scale=1, min_width=120, elem_id="redraw-cancel"
        )
    chosen = page.style.value
    page.about = gr.Markdown(about_style(chosen), elem_classes="fine", elem_id="redraw-style")
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
            interactive=has_runtimes(chosen),
            elem_id="redraw-runtime",
        )
        page.deform = controls.slider(
            PhotoOptions,
            "deform",
            "Exaggerate faces",
            info="In drawn portraits: larger eyes, a smaller nose and jaw.",
            elem_id="redraw-deform",
        )


async def _redrawn(platform: Platform, request: gr.Request, progress, path, choices):
    """(before and after, download, caption, button that stops it), as the work goes on.

    What cannot be redrawn is told in a warning, and the result of before is taken away. Were it an error,
    Gradio would forget the choice that was made meanwhile.
    """
    nothing = None, gr.DownloadButton(value=None, interactive=False)
    if path is None:  # the box was cleared
        yield *nothing, "", _HIDDEN
        return
    start = time.perf_counter()
    try:
        with ask(platform, request, path, choices, compare=True) as preview:
            has_button = False
            while not await visitor.ended(preview, progress):
                if has_button or (preview.lane != LARGE and time.perf_counter() - start < _LONG):
                    continue
                has_button = True
                yield gr.skip(), gr.skip(), gr.skip(), gr.Button(visible=True)
            folder = preview.result()
        facts = visitor.read_facts(folder)
        yield *shown(folder, facts, path, choices[0], time.perf_counter() - start), _HIDDEN
    except CancelledError as error:
        yield gr.skip(), gr.skip(), str(error), _HIDDEN
    except WorkbenchError as error:
        message = pictures.in_one_line(error)
        gr.Warning(message, title="Not redrawn")  # the words stay in the caption
        yield *nothing, message, _HIDDEN


def _events(platform: Platform, page: SimpleNamespace) -> None:
    """What happens when something is chosen, pressed or loaded."""

    async def redraw(
        path,
        style,
        strength,
        preserve_color,
        runtime,
        detail,
        deform,
        request: gr.Request,
        progress=gr.Progress(),  # noqa: B008 (Gradio looks for it in the signature)
    ):
        choices = style, strength, preserve_color, runtime, detail, deform
        async with contextlib.aclosing(_redrawn(platform, request, progress, path, choices)) as steps:
            async for step in steps:
                yield step

    async def redraw_on_click(
        path,
        style,
        strength,
        preserve_color,
        runtime,
        detail,
        deform,
        request: gr.Request,
        progress=gr.Progress(),  # noqa: B008
    ):
        """As `redraw`, but a missing picture is an error worth telling."""
        with pictures.one_line_errors():
            pictures.needed(path)
        drawing = redraw(path, style, strength, preserve_color, runtime, detail, deform, request, progress)
        async with contextlib.aclosing(drawing) as steps:
            async for step in steps:
                yield step

    def stop(request: gr.Request):
        """Stop what this page draws; say so at once."""
        platform.previews.stop_page(visitor.owner_of(request), request.session_hash)
        return "Stopped, as you asked.", _HIDDEN

    def other_style(name):
        return about_style(name), gr.Dropdown(interactive=has_runtimes(name))

    inputs = [page.photo, page.style, page.strength, page.colours, page.runtime, page.detail, page.deform]
    outputs = [page.result, page.download, page.caption, page.stopper]
    drawing = {"show_progress_on": page.result, "concurrency_limit": None, "api_visibility": "private"}
    page.style.select(other_style, page.style, [page.about, page.runtime], **SETTINGS)
    sliders = page.strength, page.colours, page.detail, page.deform
    changes = [page.style.select, page.runtime.select, *(slider.release for slider in sliders)]
    drawn = gr.on(
        [page.photo.change, *changes], redraw, inputs, outputs, trigger_mode="always_last", **drawing
    )
    clicked = page.button.click(redraw_on_click, inputs, outputs, **drawing)
    for event in (drawn, clicked):  # also after an error
        event.failure(lambda: _HIDDEN, None, page.stopper, **SETTINGS)
    page.stopper.click(stop, None, [page.caption, page.stopper], **SETTINGS)


def _first_look(platform: Platform):
    """What a visitor sees before doing anything: one example, drawn once for all of them."""
    drawn: list[Preview] = []

    async def first_look():
        if not examples() or DEFAULT_STYLE not in styles():
            return None, ""
        if not drawn or (drawn[0].ended and not (drawn[0].work.out / "after.jpg").exists()):
            options = {"style": DEFAULT_STYLE, "compare": True}
            path = examples()[0].path
            out = platform.uploads.result_folder(NOBODY)  # for all to see
            drawn[:] = [platform.previews.start(TASK, [path], options, out)]
        preview = drawn[0]
        while not await preview.wait(60):
            pass
        try:
            folder = preview.result()
        except WorkbenchError:  # the visitor asked for nothing yet: told when they do
            return None, ""
        return pair_of(folder), "An example. Pull the handle; then drop in a photo of your own."

    return first_look


def _api(platform: Platform, page: SimpleNamespace) -> None:
    """The same for programs: one file out, nothing of the page."""

    async def stylize_file(
        image,
        style,
        strength,
        preserve_color,
        runtime,
        detail,
        deform,
        request: gr.Request,
        progress=gr.Progress(),  # noqa: B008
    ):
        """Redraw a photograph in a style: as a drawing with clear lines and flat colour, or through a filter.

        Args:
            image: the photograph (JPEG, PNG, WebP, TIFF, BMP or GIF).
            style: name of the style, for example "fsgan_pepper".
            strength: from 0, the photograph as it is, to 1, the drawing alone.
            preserve_color: from 0, the drawing's own colours, to 1, the photograph's in the drawing's light.
            runtime: what runs the network: "torch"; "torch-bf16", which rounds a little and is quick where
                the processor has bfloat16 instructions; or "onnx". Portraits and filters take "torch" only.
            detail: of pictures with a short side of more than 512 pixels: 2 draws lines half as wide and
                regions half as large, and 16 every pixel.
            deform: of faces in the style "drawn_portrait": 0 keeps their shape, 1 exaggerates it.

        Returns:
            the redrawn picture as a PNG file of the same size
        """
        choices = style, strength, preserve_color, runtime, detail, deform
        with pictures.one_line_errors():
            preview = ask(platform, request, image, choices, compare=False)
            folder = await visitor.result(preview, progress)
        return pictures.named(folder / "picture.png", pictures.stem_of(image), style)

    gr.Button(visible=False).click(
        stylize_file,
        [page.photo, page.style, page.strength, page.colours, page.runtime, page.detail, page.deform],
        gr.File(visible=False, label="PNG"),
        api_name="stylize",
        concurrency_limit=None,
    )
