"""What a visitor chose is there again when the page is loaded anew or come back to in the same browser tab.

The browser tab keeps the upload's address and the settings and nobody else sees them; the upload itself stays
on the server, for its owner alone, until the server deletes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import Dependency
from gradio.utils import get_upload_folder, is_in_or_equal

from workbench.service.platform import Platform
from workbench.ui import visitor
from workbench.ui.controls import SETTINGS

# Nothing is kept before what was kept is read: components also tell of their first values.
_KEEP = """(file, ...chosen) => { if (!window.remembers?.includes("KEY")) return;
  const path = window.unreadable?.has(file?.path) ? null : file?.path ?? null;
  sessionStorage.setItem("KEY", JSON.stringify([path, ...chosen])); }"""
# The change of a setting must not keep again what was forgotten.
_FORGET = """(file, result) => { if (!file) return;
  const is_read = Boolean(result?.[0]);
  (window.unreadable ??= new Set())[is_read ? "delete" : "add"](file.path);
  const kept = JSON.parse(sessionStorage.getItem("KEY")), path = is_read ? file.path : null;
  if (kept) sessionStorage.setItem("KEY", JSON.stringify([path, ...kept.slice(1)])); }"""
_READ = """() => { (window.remembers ??= []).push("KEY"); return sessionStorage.getItem("KEY"); }"""


def remember(
    platform: Platform,
    key: str,
    box: gr.Image | gr.Video,
    settings: Sequence[gr.components.Component],
    after: Callable[..., Dependency],
    names: Mapping[str, str] | None = None,
) -> Dependency:
    """Keep the file of an upload box and the settings beside it; give the event that brings them back.

    Args:
        platform: knows whose the file is.
        key: under which the browser keeps them.
        box: made by :func:`workbench.ui.pictures.uploads_only`.
        settings: sliders and menus.
        after: the event after which they are brought back, such as ``blocks.load``.
        names: words of what a menu may have beside what it offers at first.
    """
    parts: list[Any] = [box, *settings]
    more = names or {}
    kept = gr.Textbox(visible=False)

    def restore(text: str | None, request: gr.Request) -> list[Any]:
        nothing = [gr.skip() for _ in parts]
        try:
            path, *chosen = json.loads(text or "")
        except (ValueError, TypeError):
            return nothing
        if len(chosen) != len(settings):
            return nothing
        if not all(_is_offered(part, value, more) for part, value in zip(settings, chosen, strict=True)):
            return nothing
        values = [_update(part, value, more) for part, value in zip(settings, chosen, strict=True)]
        is_there = isinstance(path, str) and _is_ours(platform, path, request) and Path(path).is_file()
        return [box.data_model(path=path, orig_name=Path(path).name) if is_there else gr.skip(), *values]

    gr.on([part.change for part in parts], None, parts, None, js=_KEEP.replace("KEY", key), **SETTINGS)
    return after(restore, kept, parts, js=_READ.replace("KEY", key), **SETTINGS)


def forget_unreadable(
    key: str,
    box: gr.Image | gr.Video,
    then: Callable[..., Dependency],
    result: gr.components.Component | None = None,
) -> None:
    """Do not bring back a file that could not be read: it would only be refused again.

    Args:
        key: that of :func:`remember`.
        box: that of :func:`remember`.
        then: what follows on the reading that failed, such as ``event.failure``.
        result: the component that is empty after a failure, if ``then`` follows on success, too.
    """
    then(None, [box] if result is None else [box, result], None, js=_FORGET.replace("KEY", key), **SETTINGS)


def _is_ours(platform: Platform, path: str, request: gr.Request) -> bool:
    """Whether a path is one that this visitor's browser might upload or be shown."""
    in_cache = is_in_or_equal(path, get_upload_folder())
    return in_cache and platform.uploads.may_see(visitor.owner_of(request), path)


def _is_offered(part: gr.components.Component, value: Any, more: Mapping[str, str]) -> bool:
    """Whether a control may have a value: what a browser kept may be of an older page, or made up."""
    if isinstance(part, gr.Dropdown):
        return value in [choice for _, choice in part.choices] or (isinstance(value, str) and value in more)
    if not isinstance(part, gr.Slider) or isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return part.minimum <= value <= part.maximum


def _update(part: gr.components.Component, value: Any, more: Mapping[str, str]) -> Any:
    """The value, and where a menu did not offer it, the menu that does."""
    if isinstance(part, gr.Dropdown) and value not in [choice for _, choice in part.choices]:
        menu: list[Any] = [*part.choices, (more[value], value)]
        return gr.Dropdown(choices=menu, value=value)
    return value
