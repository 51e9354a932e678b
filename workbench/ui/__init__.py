"""The browser demo: ``build_app()`` makes the page, ``launch()`` serves it. Calling either loads Gradio."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import gradio as gr

    from workbench.service.platform import Platform

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 7860
MCP_PATH = "/gradio_api/mcp/"  # where assistants find the tools, if they are offered


def build_app(platform: Platform) -> gr.Blocks:
    """The whole page, not yet served. See :func:`workbench.ui.app.build_app`."""
    from workbench.ui.app import build_app

    return build_app(platform)


def launch(host: str = DEFAULT_HOST, port: int | None = DEFAULT_PORT, **options) -> gr.Blocks:
    """Build the page and serve it. See :func:`workbench.ui.app.launch`."""
    from workbench.ui.app import launch

    return launch(host, port, **options)
