"""The video tab's API: the same for programs, a file or a job's id out and nothing of the page."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable

import gradio as gr
from starlette.concurrency import run_in_threadpool

from workbench.core.errors import CancelledError, WorkbenchError
from workbench.service import schema
from workbench.service.platform import Platform
from workbench.ui import inputs, job_card, pictures, visitor

_EVERY = 0.5  # seconds between looks at a running job


def add(platform: Platform, clip: gr.Video, settings: list, submit: Callable[..., Awaitable[str]]) -> None:
    """Add the endpoints to the open page; ``clip`` and ``settings`` are controls of it, and ``submit`` hands
    a video in and gives the job's id.
    """

    @inputs.takes("video", *inputs.FILMING)
    async def stylize_video(video, *rest):
        """Redraw a video frame by frame and wait for it. Cancelling the call stops the work.

        Returns:
            the redrawn video as an MP4 file
        """
        *choices, request, progress = rest
        with pictures.one_line_errors("Not drawn"):
            owner = visitor.owner_of(request)
            job = await submit(platform, request, video, choices, progress)
            async with contextlib.aclosing(_finished(platform, owner, job, progress)) as steps:
                async for step in steps:
                    yield step

    @inputs.takes("video", *inputs.FILMING)
    async def submit_video(video, *rest):
        """Hand in a video to be redrawn and do not wait.

        Returns:
            the job's id, for my_jobs, cancel_job and delete_job
        """
        *choices, request, progress = rest
        with pictures.one_line_errors("Not drawn"):
            return await submit(platform, request, video, choices, progress)

    endpoints = {
        "stylize_video": (stylize_video, "MP4", gr.File),
        "submit_video": (submit_video, "Job id", gr.Textbox),
    }
    for name, (function, label, kind) in endpoints.items():
        result = kind(visible=False, label=label)
        gr.Button(visible=False).click(
            function, [clip, *settings], result, api_name=name, concurrency_limit=None
        )


async def _finished(
    platform: Platform, owner: str, job: str, progress: gr.Progress
) -> AsyncGenerator[str | None, None]:
    """None as long as the job is not done, then the path of its film; a caller who leaves cancels it."""
    view = None
    try:
        while view is None or not view.ended:
            await asyncio.sleep(_EVERY)
            view = await run_in_threadpool(platform.job, owner, job)
            progress(view.share, desc=job_card.note(view) or job_card.state(view))
            yield None
    finally:
        if view is None or not view.ended:
            platform.cancel(owner, job)
    if view.state != schema.DONE:
        problem = CancelledError if view.state == schema.CANCELLED else WorkbenchError
        raise problem(view.reason or "The job was cancelled.")
    target = platform.uploads.result_folder(owner) / job_card.download_name(view, "video.mp4")
    await run_in_threadpool(shutil.copyfile, platform.result(owner, job, "video.mp4"), target)
    yield str(target)
