"""Many files at once: a box for them, a button, and the job that works through them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.concurrency import run_in_threadpool

from workbench.core.errors import ImageError
from workbench.service.platform import JobView, Platform
from workbench.service.tasks import TASKS
from workbench.ui import job_panel, pictures, visitor

_TYPES = ["image", ".zip", ".heic", ".heif", ".avif", ".jxl", ".tif", ".tiff", ".dng"]


def add(
    platform: Platform,
    blocks: gr.Blocks,
    tab: gr.Tab,
    kind: str,
    words: str,
    settings: Mapping[str, gr.components.Component],
    show: Callable[[str, JobView], str] = lambda owner, view: "",
) -> None:
    """Add box, button and panel to the open tab.

    Args:
        platform: who does it.
        blocks: the page.
        tab: the open tab.
        kind: name of the task.
        words: on the button.
        settings: the task's options and the controls that they come from.
        show: what to show of a finished job, see :func:`workbench.ui.job_panel.add`.
    """
    task = TASKS[kind]
    files = pictures.uploads_only(gr.File, "picture")(
        label="Pictures, or a ZIP of them",
        file_count="multiple",
        file_types=_TYPES,
        height=150,
        elem_id=f"{kind}-files",
        elem_classes="several-input",
    )
    button = gr.Button(words, variant="primary", elem_id=f"{kind}-start")
    panel = job_panel.add(platform, blocks, tab, kind, f"{kind}-job", task.title, show)

    async def start(request: gr.Request, paths, *chosen):
        with pictures.one_line_errors("Not begun"):
            job = await submit(platform, request, kind, paths, dict(zip(settings, chosen, strict=True)))
        return job, *panel.follow(job, request)

    button.click(
        start,
        [files, *settings.values()],
        [panel.job, *panel.outputs],
        show_progress_on=button,
        concurrency_limit=None,
        api_visibility="private",
    )


async def submit(
    platform: Platform,
    request: gr.Request,
    kind: str,
    paths: Sequence[str] | None,
    options: Mapping[str, Any],
) -> str:
    """Hand the files to the platform; the job's id.

    Raises:
        WorkbenchError: there are no files, an option is wrong, or a limit stands in the way.
    """
    if not paths:
        raise ImageError("Expected pictures or a ZIP of them but there are none yet. Upload some.")
    names = [Path(path).name for path in paths]
    title = names[0] if len(names) == 1 else f"{names[0]} (+{len(names) - 1})"  # in every language
    owner, address = visitor.owner_of(request), visitor.address_of(request)
    given = {**options, "names": names}
    return await run_in_threadpool(platform.submit, owner, kind, list(paths), given, title, address)
