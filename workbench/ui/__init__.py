"""The browser demo: ``build_app()`` makes the page, ``launch()`` serves it. Calling either loads Gradio."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import gradio as gr

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 7860


def build_app() -> gr.Blocks:
    """The whole page, not yet served. See :func:`workbench.ui.app.build_app`."""
    from workbench.ui.app import build_app

    return build_app()


def launch(host: str = DEFAULT_HOST, port: int | None = DEFAULT_PORT, **options) -> gr.Blocks:
    """Build the page and serve it. See :func:`workbench.ui.app.launch`."""
    from workbench.ui.app import launch

    return launch(host, port, **options)
