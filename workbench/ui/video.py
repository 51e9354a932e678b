"""Tab "Redraw a video": try one frame, have the whole drawn as a job, watch it come, play it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
from starlette.concurrency import run_in_threadpool

from workbench.core.errors import VideoError
from workbench.service.platform import Platform
from workbench.service.tasks import TASKS, FilmOptions, FrameOptions
from workbench.styles.stylize import styles
from workbench.ui import controls, inputs, job_card, pictures, remembering, video_api, visitor
from workbench.ui.controls import SETTINGS
from workbench.ui.examples import clips
from workbench.ui.job_panel import in_hand, panel

TASK = TASKS["stylize_video"]
KIND = TASK.name
_STEADIEST = 0.9  # of the slider; commands may ask for more
OPTIONS = "style", "strength", "scale", "temporal", "detail", "deform"  # in the order of the controls
EVERY = 1.0  # seconds between looks at a running job
_START = 3.0  # seconds to open a file and a model
_SIZES = {1.0: "As it is", 0.75: "Three quarters", 0.5: "Half", 0.25: "A quarter"}
_TO_THE_JOB = """() => document.getElementById("video-job").scrollIntoView({
  behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth", block: "nearest"})"""
_HINT = "Choose a video, and one frame of it is drawn here to try style and size."


def build(platform: Platform, blocks: gr.Blocks, tab: gr.Tab) -> None:
    """Add the tab's contents to ``tab``, which is open in ``blocks``."""
    gr.Markdown(
        "Drop in a clip and have it redrawn frame by frame, with its timing and its sound. Try one frame "
        "first; the whole is drawn in the background, so you may close the page and come back.",
        elem_classes="lead",
    )
    page = _videos()
    _controls(page)
    page.panel = gr.HTML("", elem_id="video-job", js_on_load=job_card.SCRIPT)
    page.facts, page.job = gr.State(None), gr.State(None)
    page.timer = gr.Timer(EVERY, active=False)
    page.settings = [page.style, page.strength, page.scale, page.steadiness, page.detail, page.deform]
    _trying(platform, page)
    _drawing(platform, blocks, tab, page)
    size = controls.slider(FilmOptions, "scale", "Size", visible=False)  # a menu would say that it is a text
    settings = [size if one is page.scale else one for one in page.settings]
    video_api.add(platform, page.clip, settings, submit)


def _videos() -> SimpleNamespace:
    """The upload box and the frame that is tried."""
    page = SimpleNamespace()
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=300):
            page.clip = video_input("Your video")
            page.facts_line = gr.HTML("", elem_id="video-facts")
            pictures.to_try(page.clip, clips().values(), "Or try one of these", "video-examples")
        with gr.Column(scale=6, min_width=300):
            page.tried = gr.ImageSlider(
                label="One frame: before | after",
                format="png",
                interactive=False,
                max_height=420,
                buttons=["fullscreen"],
                elem_id="video-preview",
            )
            page.at = controls.slider(
                FrameOptions, "at", "Frame to try", maximum=1, interactive=False, elem_id="video-at"
            )
    return page


def _controls(page: SimpleNamespace) -> None:
    with gr.Row(equal_height=False, elem_classes="controls"):
        page.style = controls.style_menu(FilmOptions, scale=4, min_width=260)
        sizes = [(words, share) for share, words in _SIZES.items()]
        page.scale = controls.dropdown(
            FilmOptions, "scale", "Size", sizes, scale=3, min_width=220, elem_id="video-size"
        )
        page.strength = controls.slider(FilmOptions, "strength", "Strength", scale=3, min_width=220)
        page.steadiness = controls.slider(
            FilmOptions,
            "temporal",
            "Steadiness",
            maximum=_STEADIEST,
            info="More means less flicker.",
            scale=3,
            min_width=220,
        )
    with gr.Accordion("Advanced", open=False, elem_id="video-advanced"):
        page.detail = controls.slider(
            FilmOptions,
            "detail",
            "Detail of large films",
            info="1 draws frames of any size like small ones. More gives finer lines and smaller areas.",
            elem_id="video-detail",
        )
        page.deform = controls.slider(
            FilmOptions,
            "deform",
            "Exaggerate faces",
            info="In drawn portraits: larger eyes, a smaller nose and jaw.",
            visible=styles()[page.style.value].kind == "portrait",
            elem_id="video-deform",
        )
    with gr.Row(equal_height=False, elem_classes="controls"):
        page.expected = gr.Markdown(_HINT, elem_classes="expected", elem_id="video-estimate")
        page.draw = gr.Button("Draw the video", variant="primary", size="lg", scale=0, min_width=220)


def _trying(platform: Platform, page: SimpleNamespace) -> None:
    """A video is chosen, or a setting is changed: one frame of it is drawn."""

    async def opened(path, request: gr.Request, progress=gr.Progress()):  # noqa: B008 (Gradio looks for it)
        """(facts, their line, the slider over its frames, the sizes)"""
        if path is None:
            return None, "", gr.Slider(value=0, interactive=False), gr.skip()
        with pictures.one_line_errors("Not opened"):
            found = await _facts_of(platform, request, path, progress)
        last = max(0.1, round((found["seconds"] or 0) - 1 / (found["rate"] or 25), 1))
        sizes = [(f"{_SIZES[share]}: {width} × {height}", share) for share, width, height in found["sizes"]]
        line = _in_words(path, found)
        return found, line, gr.Slider(maximum=last, value=0, interactive=True), gr.Dropdown(choices=sizes)

    @inputs.takes("path", "at", *inputs.FILMING, "facts")
    async def try_frame(path, at, *rest):
        """(before and after, estimate)"""
        if path is None:
            return None, _HINT
        *choices, facts, request, progress = rest
        options = dict(zip(OPTIONS, choices, strict=True)) | {"at": at}
        with pictures.one_line_errors("Not drawn"):
            preview = visitor.ask(platform, request, TASKS["preview_video"], path, options)
            out = await visitor.result(preview, progress)
        pair = str(out / "before.jpg"), str(out / "after.jpg")
        return pair, estimate(facts, visitor.read_facts(out))

    looking = {"trigger_mode": "always_last", "show_progress_on": page.tried, "concurrency_limit": None}
    looking["api_visibility"] = "private"
    trying = [try_frame, [page.clip, page.at, *page.settings, page.facts], [page.tried, page.expected]]
    came = page.clip.change(opened, page.clip, [page.facts, page.facts_line, page.at, page.scale], **looking)
    came.success(*trying, **looking)
    remembering.forget_unreadable("video", page.clip, came.failure)
    choices = [page.style.select, page.scale.select]
    sliders = page.at, page.strength, page.steadiness, page.detail, page.deform
    gr.on([*choices, *(slider.release for slider in sliders)], *trying, **looking)
    page.has_deform = (
        lambda name: gr.Slider(visible=styles()[name].kind == "portrait"),
        page.style,
        page.deform,
    )
    page.style.select(*page.has_deform, **SETTINGS)


def _drawing(platform: Platform, blocks: gr.Blocks, tab: gr.Tab, page: SimpleNamespace) -> None:
    """The whole is drawn as a job, which the panel follows."""

    @inputs.takes("path", *inputs.FILMING)
    async def draw_all(path, *rest):
        *choices, request, progress = rest
        with pictures.one_line_errors("Not drawn"):
            made = await submit(platform, request, path, choices, progress)
        return made, *follow(made, request)

    def follow(job, request: gr.Request):
        """(panel, timer), as the job is now"""
        with pictures.one_line_errors():
            view = in_hand(platform, visitor.owner_of(request), job, KIND)
        return panel(view, "Your video"), gr.Timer(active=view is not None and not view.ended)

    def found_again(request: gr.Request):
        """(job, panel, timer, settings) after the page was loaded again"""
        with pictures.one_line_errors():
            view = in_hand(platform, visitor.owner_of(request), None, KIND)
        if view is None:
            return None, "", gr.Timer(active=False), gr.skip(), gr.skip(), gr.skip()
        options = view.options
        again = options["style"] if options["style"] in styles() else gr.skip()
        busy = gr.Timer(active=not view.ended)
        return (
            view.id,
            panel(view, "Your video"),
            busy,
            again,
            options["strength"],
            min(options["temporal"], _STEADIEST),
        )

    def pressed(event: gr.EventData, request: gr.Request):
        with pictures.one_line_errors():
            asked = str(event._data.get("job"))
            platform.cancel(visitor.owner_of(request), asked)
        return follow(asked, request)

    shown = [page.panel, page.timer]
    page.draw.click(
        draw_all,
        [page.clip, *page.settings],
        [page.job, *shown],
        show_progress_on=page.draw,
        concurrency_limit=None,
        api_visibility="private",
    ).success(None, None, None, js=_TO_THE_JOB, api_visibility="private")
    page.timer.tick(follow, page.job, shown, **SETTINGS)
    settings = [page.style, page.strength, page.steadiness]
    found = blocks.load(found_again, None, [page.job, *shown, *settings], **SETTINGS)
    remembering.remember(platform, "video", page.clip, page.settings, found.then).then(
        *page.has_deform, **SETTINGS
    )
    tab.select(follow, page.job, shown, **SETTINGS)  # it may have been deleted in My work
    page.panel.act(pressed, None, shown, **SETTINGS)


def video_input(label: str) -> gr.Video:
    """An upload box for a video that hands over the file as it came; nothing in this process opens it."""
    return pictures.uploads_only(gr.Video, "video")(
        label=label, sources=["upload"], height=300, elem_id="video-input", elem_classes="video-input"
    )


def _needed(path: str | None) -> str:
    """The path of an upload; raises in words where there is none."""
    if path is None:
        raise VideoError("Expected a video but there is none yet. Upload one or pick an example.")
    return path


async def _facts_of(platform: Platform, request: gr.Request, path: str | None, progress) -> dict[str, Any]:
    """What the uploaded video holds; raises in words what cannot be drawn."""
    preview = visitor.ask(platform, request, TASKS["video_facts"], _needed(path))
    return await visitor.facts(preview, progress)


def _in_words(path: str, facts: dict[str, Any]) -> str:
    """The video's facts in one line, escaped."""
    parts = [f"{facts['width']} × {facts['height']}"]
    if facts["seconds"]:
        parts.append(f"{facts['seconds']:.1f} s")
    if facts["frames"]:
        parts.append(f"{facts['frames']:,} frames")
    parts.append("with sound, which is kept" if facts["audio"] else "no sound")
    name = html.escape(Path(path).name)
    return f'<p class="fine"><strong translate="no">{name}</strong>: {" · ".join(parts)}</p>'


def estimate(facts: dict[str, Any] | None, drawn: dict[str, Any]) -> str:
    """How long the whole will take, from the time that one frame took here."""
    one, size = drawn["seconds_a_frame"], f"{drawn['width']} × {drawn['height']} px"
    if not facts or not facts["frames"]:
        return f"One frame at {size} takes {one:.1f} s; the file does not say how many it has."
    whole = _START + one * facts["frames"]
    text = f"About **{job_card.duration(whole)}** for {facts['frames']:,} frames at {size}."
    most = TASK.seconds
    if whole > most:
        text += f" A job may take {job_card.duration(most)}: choose a smaller size."
    return text


async def submit(
    platform: Platform, request: gr.Request, path: str | None, choices: Sequence[Any], progress
) -> str:
    """Hand the video to the platform; the job's id. ``choices`` are in the order of :data:`OPTIONS`.

    Raises:
        WorkbenchError: there is no video, it cannot be drawn, or a limit stands in the way.
    """
    owner = visitor.owner_of(request)
    options = dict(zip(OPTIONS, choices, strict=True))
    options["style"] = visitor.style_of(options["style"]).name
    TASK.check(options)
    await _facts_of(platform, request, path, progress)
    assert path is not None  # _facts_of refuses it
    address = visitor.address_of(request)
    return await run_in_threadpool(
        platform.submit, owner, TASK.name, [path], options, Path(path).name, address
    )


CSS = """
#video-examples .gallery { display: grid; grid-template-columns: repeat(3, 1fr); gap: .5rem; }
#video-examples .gallery-item :is(span, div):not(.overlay, .overlay *) { display: block; width: 100%;
  height: auto; max-width: none; max-height: none; border: 0; }
#video-examples video { display: block; width: 100%; height: auto; max-width: none; max-height: none;
  aspect-ratio: 3 / 2; object-fit: cover; border-radius: .4rem; }
/* Trimming would load a program from another site; undoing it has no sense without. */
#video-input button:is([aria-label^="Trim"], [title^="Trim"], [aria-label="Undo"], [title="Undo"],
  [aria-label="Reset video to initial value"]) { display: none; }
#video-preview:has(.empty), #video-preview .empty { min-height: 260px; }
.expected p { margin: 0; }
@media (max-width: 640px) { .controls:has(#video-estimate) {
  flex-direction: column; align-items: stretch; } }
#video-job .job { margin-top: .3rem; }
#video-job .job-player { margin-top: .6rem !important; }
#video-job .job > .fine:last-child { margin-top: .6rem; }
"""
