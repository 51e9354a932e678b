"""What every tab needs of its visitor: who it is, and a task done while they wait."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from workbench.core.errors import UnknownNameError
from workbench.service.errors import LoginError
from workbench.service.platform import Platform
from workbench.service.previews import Preview
from workbench.service.tasks import Task
from workbench.styles.style import Style
from workbench.styles.stylize import styles
from workbench.ui import pictures

_LOOK = 0.25  # seconds between words of progress


def owner_of(request: gr.Request) -> str:
    """The owner whom the gate has confirmed for this request.

    Raises:
        LoginError: nobody; the session has ended.
    """
    owner = getattr(getattr(request.request, "state", None), "owner", None)
    if owner is None:
        raise LoginError("Your session has ended. Load the page again and log in.")
    return owner


def address_of(request: gr.Request) -> str:
    """The client's address, for limits of rate."""
    return request.client.host if request.client else ""


def style_of(name: Any) -> Style:
    """The style of a name; raises in words on anything else: a path would open the server's own files."""
    known = styles()
    if name not in list(known):
        raise UnknownNameError("style", str(name)[:80], known)
    return known[name]


def ask(
    platform: Platform,
    request: gr.Request,
    task: Task,
    path: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Preview:
    """Have a task done on an upload. Leaving the preview's ``with`` block, or closing the page, stops it.

    Args:
        platform: whose workers do it; nothing in this process opens the upload.
        request: the visitor's.
        task: what to do.
        path: the upload, for a task that takes one.
        options: of the task.

    Raises:
        WorkbenchError: there is no upload, an option is wrong, or a limit stands in the way.
    """
    files = [pictures.needed(path)] if task.inputs else []
    owner = owner_of(request)
    out = platform.uploads.result_folder(owner)
    who = owner, address_of(request), request.session_hash or ""
    return platform.previews.start(task, files, options, out, *who)


async def ended(preview: Preview, progress: gr.Progress) -> bool:
    """Tell how far a task is, and wait a moment; whether it has ended."""
    if await preview.wait(_LOOK):
        return True
    progress(preview.share, desc=preview.words)
    return False


async def result(preview: Preview, progress: gr.Progress) -> Path:
    """The folder of a task's result, waited for; raises what the task refused."""
    with preview:
        while not await ended(preview, progress):
            pass
        return preview.result()


async def facts(preview: Preview, progress: gr.Progress) -> dict[str, Any]:
    """What a task found out, waited for."""
    return read_facts(await result(preview, progress))


def read_facts(folder: Path, name: str = "facts.json") -> dict[str, Any]:
    """What a task wrote down."""
    return json.loads((folder / name).read_text(encoding="utf-8"))
