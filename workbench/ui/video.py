"""Tab "Redraw a video": try one frame, have the whole drawn as a job, watch it come, play it."""

from __future__ import annotations

import html
import json
import shutil
from pathlib import Path
from typing import Any

import gradio as gr

from workbench.core.errors import CancelledError, VideoError, WorkbenchError
from workbench.service import schema
from workbench.service.errors import UnknownJobError
from workbench.service.platform import JobView, Platform
from workbench.service.tasks import KINDS, check_options
from workbench.styles.stylize import DEFAULT_STYLE, styles
from workbench.ui import job_card, pictures
from workbench.ui.examples import clips

KIND = "stylize_video"
STEADINESS = 0.5  # halves the flicker of still scenes and costs little sharpness
EVERY = 1.0  # seconds between looks at a running job
_START = 3.0  # seconds to open a file and a model
_LOOKS = "workbench.service.previews"
_TO_THE_JOB = """() => document.getElementById("video-job").scrollIntoView({
  behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth", block: "nearest"})"""
_HINT = "Choose a video, and one frame of it is drawn here to try style and size."


def facts_of(platform: Platform, path: str | None, progress=None) -> dict[str, Any]:
    """What the uploaded video holds.

    Raises:
        VideoError: there is none. WorkbenchError: it cannot be drawn; the text says why.
    """
    if path is None:
        raise VideoError("Expected a video but there is none yet. Upload one or pick an example.")
    return _look(platform, "facts", path, {}, progress)[1]


def _look(platform: Platform, task: str, path: str, options: dict, progress=None) -> tuple[Path, dict]:
    """(folder of the results, facts.json)"""
    out = pictures.result_folder()
    tell = None if progress is None else (lambda share, note: progress(share, desc=note))
    platform.looks.run(f"{_LOOKS}:{task}", (path,), options, out, tell)
    return out, json.loads((out / "facts.json").read_text())


def _options(style, strength, scale, steadiness) -> dict[str, Any]:
    """The job's options, checked as the platform checks them."""
    given = {"style": style, "strength": strength, "scale": scale, "temporal": steadiness}
    return check_options(KINDS[KIND], given)


def in_words(path: str, facts: dict[str, Any]) -> str:
    """The video's facts in one line, escaped."""
    parts = [f"{facts['width']} × {facts['height']}"]
    if facts["seconds"]:
        parts.append(f"{facts['seconds']:.1f} s")
    if facts["frames"]:
        parts.append(f"{facts['frames']:,} frames")
    parts.append("with sound, which is kept" if facts["audio"] else "no sound")
    return f'<p class="fine"><strong>{html.escape(Path(path).name)}</strong>: {" · ".join(parts)}</p>'


def estimate(facts: dict[str, Any] | None, drawn: dict[str, Any]) -> str:
    """How long the whole will take, from the time that one frame took here."""
    one, size = drawn["seconds_a_frame"], f"{drawn['width']} × {drawn['height']} px"
    if not facts or not facts["frames"]:
        return f"One frame at {size} takes {one:.1f} s; the file does not say how many it has."
    whole = _START + one * facts["frames"]
    text = f"About **{job_card.duration(whole)}** for {facts['frames']:,} frames at {size}."
    most = KINDS[KIND].seconds
    if whole > most:
        text += f" A job may take {job_card.duration(most)}: choose a smaller size."
    return text


def panel(view: JobView | None) -> str:
    """The job in hand: its progress, and its result when there is one."""
    if view is None:
        return ""
    why = job_card.note(view)
    done = view.state == schema.DONE
    buttons = job_card.download(view, "main") if done else ""
    if not view.ended:
        buttons = job_card.button("cancel", "Cancel", view)
    return (
        f'<section class="job card" aria-label="Your video">'
        f'<div class="job-head"><h3>{html.escape(view.title)}</h3>{job_card.pill(view)}</div>'
        f'<p class="fine">{job_card.about(view)}</p>{job_card.progress(view)}'
        f'<p class="why">{html.escape(why)}</p>{job_card.player(view) if done else ""}'
        f'<div class="job-actions">{buttons}<a class="job-button" href="#work">See all in My work</a></div>'
        f"{job_card.cost(view)}</section>"
    )


def in_hand(platform: Platform, owner: str, job: str | None) -> JobView | None:
    """The job to show: the one that this page is following, else the owner's newest video that is at work or
    done.
    """
    if job:
        try:
            return platform.job(owner, job)
        except UnknownJobError:  # deleted in My work
            return None
    mine = [v for v in platform.jobs(owner) if v.kind == KIND and v.state in (*schema.ACTIVE, schema.DONE)]
    return next((v for v in mine if not v.ended), mine[0] if mine else None)


def submit(
    platform: Platform, request: gr.Request, path, style, strength, scale, steadiness, progress=None
) -> str:
    """Hand the video to the platform; the job's id.

    Raises:
        WorkbenchError: there is no video, it cannot be drawn, or a limit stands in the way.
    """
    owner = job_card.owner_of(request)
    options = _options(style, strength, scale, steadiness)
    known = styles()
    if options["style"] not in known:
        raise WorkbenchError(f"Unknown style {options['style']!r}. Known: {', '.join(known)}.")
    facts_of(platform, path, progress)
    return platform.submit(owner, KIND, [path], options, Path(path).name, job_card.address_of(request))


def build(platform: Platform, blocks: gr.Blocks, tab: gr.Tab) -> None:
    """Add the tab's contents to ``tab``, which is open in ``blocks``."""
    known = styles()
    chosen = DEFAULT_STYLE if DEFAULT_STYLE in known else next(iter(known))
    gr.Markdown(
        "Drop in a clip and have it redrawn frame by frame, with its timing and its sound. Try one frame "
        "first; the whole is drawn in the background, so you may close the page and come back.",
        elem_classes="lead",
    )
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=300):
            clip = video_input("Your video")
            facts_line = gr.HTML("", elem_id="video-facts")
            gr.Examples(
                [[str(path)] for path in clips().values()],
                inputs=clip,
                label="Or try one of these",
                elem_id="video-examples",
                api_visibility="private",
            )
        with gr.Column(scale=6, min_width=300):
            tried = gr.ImageSlider(
                label="One frame: before | after",
                format="png",
                interactive=False,
                max_height=420,
                buttons=["fullscreen"],
                elem_id="video-preview",
            )
            at = pictures.unchecked(
                gr.Slider(
                    0,
                    1,
                    value=0,
                    step=0.1,
                    label="Frame to try",
                    info="Seconds from the start.",
                    buttons=[],
                    interactive=False,
                    elem_id="video-at",
                )
            )
    with gr.Row(equal_height=False, elem_classes="controls"):
        style = pictures.unchecked(
            gr.Dropdown(
                [(s.title, name) for name, s in known.items()],
                value=chosen,
                label="Style",
                info="Networks draw lines; filters only change colours.",
                filterable=False,
                scale=4,
                min_width=260,
            )
        )
        scale = pictures.unchecked(
            gr.Dropdown(
                [("As it is", 1.0), ("Three quarters", 0.75), ("Half", 0.5), ("A quarter", 0.25)],
                value=1.0,
                label="Size",
                info="Half takes a quarter of the time.",
                filterable=False,
                scale=3,
                min_width=220,
                elem_id="video-size",
            )
        )
        strength = pictures.share_slider("Strength", "0 leaves the clip as it is.", 1, scale=3, min_width=220)
        steadiness = pictures.unchecked(
            gr.Slider(
                0,
                0.9,
                value=STEADINESS,
                step=0.1,
                label="Steadiness",
                info="More means less flicker.",
                buttons=[],
                scale=3,
                min_width=220,
            )
        )
    with gr.Row(equal_height=False, elem_classes="controls"):
        expected = gr.Markdown(_HINT, elem_classes="expected", elem_id="video-estimate")
        draw = gr.Button("Draw the video", variant="primary", size="lg", scale=0, min_width=220)
    job_panel = gr.HTML("", elem_id="video-job", js_on_load=job_card.SCRIPT)
    facts, job = gr.State(None), gr.State(None)
    timer = gr.Timer(EVERY, active=False)

    def opened(path, progress=gr.Progress()):  # noqa: B008 (Gradio looks for it in the signature)
        """(facts, their line, the slider over its frames, the sizes)"""
        if path is None:
            return None, "", gr.Slider(value=0, interactive=False), gr.skip()
        with pictures.one_line_errors():
            found = facts_of(platform, path, progress)
        last = max(0.1, round((found["seconds"] or 0) - 1 / (found["rate"] or 25), 1))
        names = ("As it is", "Three quarters", "Half", "A quarter")
        sizes = [
            (f"{name}: {width} × {height}", share)
            for name, (share, width, height) in zip(names, found["sizes"], strict=True)
        ]
        line = in_words(path, found)
        return found, line, gr.Slider(maximum=last, value=0, interactive=True), gr.Dropdown(choices=sizes)

    def try_frame(path, at, style, strength, scale, steadiness, facts, progress=gr.Progress()):  # noqa: B008
        """(before and after, estimate)"""
        if path is None:
            return None, _HINT
        with pictures.one_line_errors():
            options = _options(style, strength, scale, steadiness)
            options["at"] = check_options(KINDS["preview_video"], {"at": at})["at"]
            out, drawn = _look(platform, "draw_frame", path, options, progress)
        return (str(out / "before.png"), str(out / "after.png")), estimate(facts, drawn)

    def draw_all(path, style, strength, scale, steadiness, request: gr.Request):
        with pictures.one_line_errors():
            made = submit(platform, request, path, style, strength, scale, steadiness)
        return made, *follow(made, request)

    def follow(job, request: gr.Request):
        """(panel, timer), as the job is now"""
        with pictures.one_line_errors():
            view = in_hand(platform, job_card.owner_of(request), job)
        return panel(view), gr.Timer(active=view is not None and not view.ended)

    def found_again(request: gr.Request):
        """(job, panel, timer, settings) after the page was loaded again"""
        with pictures.one_line_errors():
            view = in_hand(platform, job_card.owner_of(request), None)
        if view is None:
            return None, "", gr.Timer(active=False), gr.skip(), gr.skip(), gr.skip()
        options = view.options
        again = options["style"] if options["style"] in known else chosen
        busy = gr.Timer(active=not view.ended)
        return view.id, panel(view), busy, again, options["strength"], options["temporal"]

    def pressed(event: gr.EventData, request: gr.Request):
        with pictures.one_line_errors():
            asked = str(event._data.get("job"))
            platform.cancel(job_card.owner_of(request), asked)
        return follow(asked, request)

    settings = [style, strength, scale, steadiness]
    looking = {"concurrency_id": "looks", "concurrency_limit": 1, "api_visibility": "private"}
    quiet = {"show_progress": "hidden", "queue": False, "api_visibility": "private"}
    tab.select(lambda: _warm(platform), None, None, **quiet)
    trying = [try_frame, [clip, at, *settings, facts], [tried, expected]]
    clip.change(
        opened,
        clip,
        [facts, facts_line, at, scale],
        trigger_mode="always_last",
        show_progress_on=tried,
        **looking,
    ).success(*trying, trigger_mode="always_last", show_progress_on=tried, **looking)
    gr.on(
        [at.release, style.select, strength.release, scale.select, steadiness.release],
        *trying,
        trigger_mode="always_last",
        show_progress_on=tried,
        **looking,
    )
    draw.click(
        draw_all,
        [clip, *settings],
        [job, job_panel, timer],
        show_progress_on=draw,
        concurrency_limit=4,
        api_visibility="private",
    ).success(None, None, None, js=_TO_THE_JOB, api_visibility="private")
    timer.tick(follow, job, [job_panel, timer], **quiet)
    blocks.load(found_again, None, [job, job_panel, timer, style, strength, steadiness], **quiet)
    tab.select(follow, job, [job_panel, timer], **quiet)  # it may have been deleted in My work
    job_panel.act(pressed, None, [job_panel, timer], **quiet)
    _api(platform, clip, settings)


def _warm(platform: Platform) -> None:
    """Have the worker for looks ready while the visitor still looks for a file."""
    with pictures.one_line_errors():
        platform.looks.prepare(f"{_LOOKS}:load")


def _api(platform: Platform, clip: gr.Video, settings: list) -> None:
    """The same for programs: a file or a job's id out, nothing of the page."""

    def stylize_video(
        video,
        style,
        strength,
        scale,
        steadiness,
        request: gr.Request,
        progress=gr.Progress(),  # noqa: B008
    ):
        """Redraw a video frame by frame and wait for it. Cancelling the call stops the work.

        Args:
            video: the video (MP4, MOV, MKV, WebM, AVI or GIF).
            style: name of the style, for example "fsgan_pepper".
            strength: from 0, the video as it is, to 1, the drawing alone.
            scale: size of the result, from 0.1 to 1, as a share of the video's own.
            steadiness: from 0 to 0.9; more means less flicker between frames.

        Returns:
            the redrawn video as an MP4 file
        """
        with pictures.one_line_errors():
            owner = job_card.owner_of(request)
            job = submit(platform, request, video, style, strength, scale, steadiness)
            view = None
            try:
                for view in platform.events(owner, job):
                    progress(view.share, desc=job_card.note(view) or job_card.state(view))
                    yield None
            finally:
                if view is None or not view.ended:
                    platform.cancel(owner, job)
            if view.state != schema.DONE:
                problem = CancelledError if view.state == schema.CANCELLED else WorkbenchError
                raise problem(view.reason or "The job was cancelled.")
            target = pictures.result_folder() / job_card.download_name(view, "video.mp4")
            shutil.copyfile(platform.result(owner, job, "video.mp4"), target)
            yield str(target)

    def submit_video(video, style, strength, scale, steadiness, request: gr.Request):
        """Hand in a video to be redrawn and do not wait.

        Args:
            video: the video (MP4, MOV, MKV, WebM, AVI or GIF).
            style: name of the style, for example "fsgan_pepper".
            strength: from 0, the video as it is, to 1, the drawing alone.
            scale: size of the result, from 0.1 to 1, as a share of the video's own.
            steadiness: from 0 to 0.9; more means less flicker between frames.

        Returns:
            the job's id, for my_jobs, cancel_job and delete_job
        """
        with pictures.one_line_errors():
            return submit(platform, request, video, style, strength, scale, steadiness)

    result = gr.File(visible=False, label="MP4")
    gr.Button(visible=False).click(
        stylize_video, [clip, *settings], result, api_name="stylize_video", concurrency_limit=16
    )
    gr.Button(visible=False).click(
        submit_video,
        [clip, *settings],
        gr.Textbox(visible=False, label="Job id"),
        api_name="submit_video",
        concurrency_limit=4,
    )


def video_input(label: str) -> gr.Video:
    """An upload box for a video that hands over the file as it came; nothing in this process opens it."""
    box = gr.Video(
        label=label, sources=["upload"], height=300, elem_id="video-input", elem_classes="video-input"
    )
    return pictures.uploads_only(box, "video")


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
