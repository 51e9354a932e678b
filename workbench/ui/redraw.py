"""Tab "Redraw a photo": a photograph in, the same picture in a chosen style out, both to compare."""

from __future__ import annotations

import functools
import html
import importlib.util
import logging
import time

import gradio as gr
from PIL import Image

from workbench.core.errors import CancelledError, UnknownNameError, WorkbenchError
from workbench.data.images import read_image
from workbench.styles.stylize import DEFAULT_STYLE, RUNTIMES, styles, stylize
from workbench.ui import pictures
from workbench.ui.examples import credits, examples

log = logging.getLogger(__name__)

MODELS = "models"  # one queue for everything that runs a network
BIG = 3_000_000  # pixels; smaller pictures are there before a button could be pressed

_RUNTIMES = {  # in words; none says which is the quickest, for that depends on the processor
    "torch": "PyTorch, as it was trained",
    "torch-bf16": "PyTorch in bfloat16: rounds a little, quick where the processor has instructions for it",
    "onnx": "ONNX Runtime: the same picture, waits once for the export",
}
_HIDDEN = gr.update(visible=False)
_stopping: set[str] = set()  # pages whose drawing shall stop


def _draw(photo, path, choices, progress, check=lambda: None):
    """(drawing, path of the drawing as PNG); ``check`` is called now and then and may stop it by an error."""
    style, strength, preserve_color, runtime = choices

    def tell(done: float) -> None:
        check()
        progress(0.95 * done, desc="Redrawing")

    drawing = stylize(photo, style, strength, progress=tell, preserve_color=preserve_color, runtime=runtime)
    progress(0.95, desc="Writing the PNG")
    return drawing, pictures.save_png(drawing, pictures.stem_of(path), style)


def _open(path, style, progress) -> Image.Image:
    known = styles()
    if style not in list(known):  # `stylize` would open any weights file by its path: not for visitors
        raise UnknownNameError("style", style, known)
    progress(0, desc="Opening the picture")
    return pictures.read_upload(path)


def stylize_file(
    image,
    style,
    strength,
    preserve_color,
    runtime,
    progress=gr.Progress(),  # noqa: B008 (Gradio looks for it in the signature)
):
    """Redraw a photograph in a style: as a drawing with clear lines and flat colour, or through a filter.

    Args:
        image: the photograph (JPEG, PNG, WebP, TIFF, BMP or GIF).
        style: name of the style, for example "fsgan_pepper".
        strength: from 0, the photograph as it is, to 1, the drawing alone.
        preserve_color: from 0, the drawing's own colours, to 1, the photograph's in the drawing's light.
        runtime: what runs the network: "torch"; "torch-bf16", which rounds a little and is quick where the
            processor has bfloat16 instructions; or "onnx". Portraits and filters take "torch" only.

    Returns:
        the redrawn picture as a PNG file of the same size
    """
    with pictures.one_line_errors():
        choices = style, strength, preserve_color, runtime
        return _draw(_open(image, style, progress), image, choices, progress)[1]


def redraw(
    path,
    style,
    strength,
    preserve_color,
    runtime,
    request: gr.Request,
    progress=gr.Progress(),  # noqa: B008
):
    """What the page shows: (before and after, download, caption, button that stops it).

    What cannot be redrawn is told in a warning, and the result of before is taken away. Were it an error,
    Gradio would forget the choice that was made meanwhile.
    """
    nothing = None, gr.DownloadButton(value=None, interactive=False)
    if path is None:  # the box was cleared
        yield *nothing, "", _HIDDEN
        return
    try:
        start = time.perf_counter()
        page = request.session_hash
        _stopping.discard(page)

        def check() -> None:
            if page in _stopping:
                raise CancelledError("Stopped, as you asked.")

        photo = _open(path, style, progress)
        if photo.width * photo.height > BIG:
            yield gr.skip(), gr.skip(), gr.skip(), gr.Button(visible=True)
        try:
            if not _has_runtimes(style):  # nor has the page a choice then
                runtime = "torch"
            choices = style, strength, preserve_color, runtime
            drawing, png = _draw(photo, path, choices, progress, check)
        except CancelledError as error:
            yield gr.skip(), gr.skip(), str(error), _HIDDEN
            return
        finally:
            _stopping.discard(page)
        small = pictures.preview(drawing)
        before = pictures.save_png(pictures.preview(photo), "before")
        after = png if small is drawing else pictures.save_png(small, "after")
        caption = f"{photo.width} × {photo.height} px in {time.perf_counter() - start:.1f} s."
        if small is not drawing:
            caption += f" Shown at {small.width} × {small.height} px; the download has every pixel."
        yield (before, after), gr.DownloadButton(value=png, interactive=True), caption, _HIDDEN
    except WorkbenchError as error:
        message = pictures.in_one_line(error)
        gr.Warning(message, title="Not redrawn")  # the words stay in the caption
        yield *nothing, message, _HIDDEN


def redraw_on_click(
    path,
    style,
    strength,
    preserve_color,
    runtime,
    request: gr.Request,
    progress=gr.Progress(),  # noqa: B008
):
    """As :func:`redraw`, but a missing picture is an error worth telling."""
    with pictures.one_line_errors():
        if path is None:
            pictures.read_upload(path)
    yield from redraw(path, style, strength, preserve_color, runtime, request, progress)


def stop(request: gr.Request) -> None:
    """Have this page's drawing stopped at its next tile."""
    _stopping.add(request.session_hash)


@functools.cache
def _first_look(style: str) -> tuple[Image.Image, Image.Image]:
    photo = read_image(examples()[0].path)
    return photo, stylize(photo, style)


def first_look():
    """What a visitor sees before doing anything: one example, redrawn once per process."""
    known = styles()
    if not examples() or DEFAULT_STYLE not in known:
        return None, ""
    try:
        return _first_look(DEFAULT_STYLE), "An example. Pull the handle; then drop in a photo of your own."
    except WorkbenchError:  # the visitor asked for nothing yet: told when they do
        log.exception("the first example could not be redrawn")
        return None, ""


def _about_style(name: str) -> str:
    style = styles()[name]
    return f"{style.description} Licence: {style.licence}."


def _has_runtimes(style: str) -> bool:
    """Whether there is a choice of what runs it: people are drawn in crops, and filters have no network."""
    return styles()[style].kind == "network"


def _runtime_choices() -> list[tuple[str, str]]:
    """(words, name) of what this installation can run."""
    has_onnx = all(map(importlib.util.find_spec, ("onnx", "onnxscript", "onnxruntime")))
    return [(_RUNTIMES[name], name) for name in RUNTIMES if name != "onnx" or has_onnx]


def build(blocks: gr.Blocks) -> None:
    """Add the tab's contents to ``blocks``, which is open."""
    known = styles()
    chosen = DEFAULT_STYLE if DEFAULT_STYLE in known else next(iter(known))
    gr.Markdown(
        "Drop in a photograph and see it as a comic panel, as ink and wash on paper, or its people as anime. "
        "Pull the handle across the result to compare.",
        elem_classes="lead",
    )
    if not any(style.kind == "network" for style in known.values()):
        gr.HTML(
            '<div class="notice" role="status">No trained drawing style is installed, so only the classical '
            "filters are offered. Put <code>NAME.safetensors</code> and its card <code>NAME.json</code> into "
            "<code>workbench/weights</code>, or train one with <code>workbench train stylizer</code>, and "
            "start again.</div>"
        )
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=300):
            photo = pictures.picture_input("Your photo", "The photo to redraw")
            gr.Examples(
                [[str(e.path)] for e in examples()],
                inputs=photo,
                label="Or try one of these",
                elem_id="redraw-examples",
                api_visibility="private",
            )
        with gr.Column(scale=6, min_width=300):
            result = gr.ImageSlider(
                label="Before | after",
                format="png",
                interactive=False,
                max_height=600,
                buttons=["fullscreen"],
                elem_id="redraw-result",
            )
            with gr.Row(elem_classes="under-result"):
                caption = gr.Markdown("", elem_classes="fine", elem_id="redraw-caption")
                download = gr.DownloadButton(
                    "Download PNG",
                    interactive=False,
                    size="md",
                    scale=0,
                    min_width=180,
                    elem_id="redraw-download",
                )
    with gr.Row(equal_height=False, elem_classes="controls"):
        style = pictures.unchecked(
            gr.Dropdown(
                [(s.title, name) for name, s in known.items()],
                value=chosen,
                label="Style",
                info="Networks draw lines; filters only change colours.",
                filterable=False,
                scale=5,
                min_width=300,
            )
        )
        strength = pictures.share_slider(
            "Strength", "0 leaves the photo as it is, 1 redraws it fully.", 1, scale=4, min_width=240
        )
        preserve_color = pictures.share_slider(
            "Keep colours",
            "0 takes the style’s, 1 the photo’s.",
            0,
            scale=4,
            min_width=240,
            elem_id="redraw-colours",
        )
        button = gr.Button("Redraw", variant="primary", size="lg", scale=2, min_width=160)
        stopper = gr.Button(
            "Cancel", visible=False, size="lg", scale=1, min_width=120, elem_id="redraw-cancel"
        )
    about_style = gr.Markdown(_about_style(chosen), elem_classes="fine", elem_id="redraw-style")
    with gr.Accordion("Advanced", open=False, elem_id="redraw-advanced"):
        runtime = pictures.unchecked(
            gr.Dropdown(
                _runtime_choices(),
                value="torch",
                label="Runtime",
                info="What runs the network. Which is the quickest depends on this computer’s processor: "
                "workbench bench stylizers measures it.",
                filterable=False,
                interactive=_has_runtimes(chosen),
                elem_id="redraw-runtime",
            )
        )
    gr.HTML(f'<p class="fine">{html.escape(credits())}</p>')

    inputs, outputs = [photo, style, strength, preserve_color, runtime], [result, download, caption, stopper]
    shared = {"concurrency_id": MODELS, "concurrency_limit": 1, "api_visibility": "private"}
    style.select(
        lambda name: (
            _about_style(name),
            gr.Dropdown(interactive=_has_runtimes(name)),
        ),
        style,
        [about_style, runtime],
        show_progress="hidden",
        queue=False,
        api_visibility="private",
    )
    quiet = {"show_progress": "hidden", "queue": False, "api_visibility": "private"}
    drawn = gr.on(
        [photo.change, style.select, strength.release, preserve_color.release, runtime.select],
        redraw,
        inputs,
        outputs,
        trigger_mode="always_last",
        show_progress_on=result,
        **shared,
    )
    clicked = button.click(redraw_on_click, inputs, outputs, show_progress_on=result, **shared)
    for event in (drawn, clicked):  # also after an error
        event.failure(lambda: _HIDDEN, None, stopper, **quiet)
    stopper.click(stop, None, None, **quiet)
    blocks.load(first_look, None, [result, caption], show_progress="hidden", **shared)
    # the API has an event of its own: one file out, nothing of the page
    gr.Button(visible=False).click(
        stylize_file,
        inputs,
        gr.File(visible=False, label="PNG"),
        api_name="stylize",
        concurrency_id=MODELS,
        concurrency_limit=1,
    )
