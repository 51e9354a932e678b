"""The browser demo: ``build_app()`` makes the page, ``launch()`` serves it. Calling either loads Gradio."""

from __future__ import annotations

import contextlib
import gc
import ipaddress
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

from workbench.core import offline
from workbench.core.lazy import when_imported

if TYPE_CHECKING:
    import gradio as gr

    from workbench.service.platform import Platform

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "MCP_PATH", "build_app", "launch"]

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 7860
MCP_PATH = "/gradio_api/mcp/"  # where assistants find the tools, if they are offered

offline.reach_self_directly()  # before Gradio is imported, which opens its clients then


def _write_no_stubs(component_meta: ModuleType) -> None:
    """Let Gradio not compare the code of its components with their stubs for editors, which come with it: at
    every import this takes a third of its time, and nobody who is served a page sees them.
    """
    component_meta.create_or_modify_pyi = lambda *arguments: None  # type: ignore[attr-defined]


when_imported("gradio.component_meta", _write_no_stubs)


def build_app(platform: Platform) -> gr.Blocks:
    """The whole page, not yet served. See :func:`workbench.ui.app.build_app`."""
    from workbench.ui.app import build_app

    return build_app(platform)


def launch(host: str = DEFAULT_HOST, port: int | None = DEFAULT_PORT, **options) -> gr.Blocks:
    """Build the page and serve it. See :func:`workbench.ui.app.launch`."""
    with collector_at_rest():
        from workbench.ui.app import launch

        return launch(host, port, **options)


def is_loopback(host: str) -> bool:
    """Whether only this computer can reach an address or name."""
    if host.casefold().rstrip(".").endswith("localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@contextlib.contextmanager
def collector_at_rest() -> Iterator[None]:
    """No search for garbage among what is being loaded: there is none, and it would take a second."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
