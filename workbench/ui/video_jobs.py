"""What is said of an uploaded video and of the job that draws it, and how it is handed in."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.concurrency import run_in_threadpool

from workbench.core.errors import VideoError
from workbench.service.platform import Platform
from workbench.service.tasks import TASKS
from workbench.ui import job_card, visitor

TASK = TASKS["stylize_video"]
OPTIONS = "style", "strength", "scale", "temporal", "detail", "deform"  # in the order of the controls
_START = 3.0  # seconds to open a file and a model


def needed(path: str | None) -> str:
    """The path of an upload; raises in words where there is none."""
    if path is None:
        raise VideoError("Expected a video but there is none yet. Upload one or pick an example.")
    return path


async def facts_of(platform: Platform, request: gr.Request, path: str | None, progress) -> dict[str, Any]:
    """What the uploaded video holds; raises in words what cannot be drawn."""
    preview = visitor.ask(platform, request, TASKS["video_facts"], needed(path))
    return await visitor.facts(preview, progress)


def in_words(path: str, facts: dict[str, Any]) -> str:
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
    await facts_of(platform, request, path, progress)
    assert path is not None  # facts_of refuses it
    address = visitor.address_of(request)
    return await run_in_threadpool(
        platform.submit, owner, TASK.name, [path], options, Path(path).name, address
    )
