"""The page as a whole, and how it is served."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from workbench import __version__
from workbench.ui import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    about,
    is_loopback,
    job_card,
    mcp,
    my_work,
    pictures,
    read,
    redraw,
    video,
)
from workbench.ui.theme import CSS, SEAL, page_script, theme

if TYPE_CHECKING:
    from workbench.service.platform import Platform

QUEUE_SIZE = 32  # visitors who may wait; the next one is told to come back
_HOURS = 3600


def _own_cache() -> None:
    """Keep uploads and results in a folder that only this user can read and that goes with the process."""
    if "GRADIO_TEMP_DIR" not in os.environ:
        folder = tempfile.mkdtemp(prefix="workbench-")
        os.environ["GRADIO_TEMP_DIR"] = folder
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    Path(os.environ["GRADIO_TEMP_DIR"]).mkdir(parents=True, exist_ok=True)


def build_app(platform: Platform) -> gr.Blocks:
    """The whole page, not yet served.

    Args:
        platform: where its videos are drawn and its visitors' work is kept. The page must be served behind
            :func:`workbench.service.web.gate` of the same platform, as :func:`launch` does.
    """
    _own_cache()
    with gr.Blocks(
        title="Painter Psychology Workbench",
        analytics_enabled=False,
        delete_cache=(_HOURS, 6 * _HOURS),
    ) as blocks:
        gr.HTML(
            f'<header class="masthead">{SEAL}<div><h1>Painter Psychology Workbench</h1>'
            "<p>What a painter’s hand says about mood, and the world redrawn in that hand.</p></div></header>"
        )
        with gr.Tabs(overflow_behavior="wrap"):  # all in sight on a phone too
            with gr.Tab("Redraw a photo", elem_id="redraw"):
                redraw.build(blocks)
            with gr.Tab("Redraw a video", elem_id="video") as tab:
                video.build(platform, blocks, tab)
            with gr.Tab("Read a painting", elem_id="read") as tab:
                read.build(tab)
            with gr.Tab("My work", elem_id="work") as tab:
                my_work.build(platform, blocks, tab)
            with gr.Tab("About the models", elem_id="about"):
                about.build()
        gr.HTML(
            f'<p class="fine">Version {__version__}. Uploads stay on the computer that serves this page, for '
            "six hours at most; what is in My work, until you delete it or its time is over.</p>"
        )
    return blocks.queue(max_size=QUEUE_SIZE, default_concurrency_limit=1)


def _temporary_platform(local: bool) -> tuple[Platform, contextlib.ExitStack]:
    """A platform in a temporary folder, and what closes and removes both."""
    from workbench.service.platform import Platform

    stack = contextlib.ExitStack()
    folder = tempfile.TemporaryDirectory(prefix="workbench-platform-", ignore_cleanup_errors=True)
    platform = stack.enter_context(Platform(stack.enter_context(folder), local=local))
    atexit.register(stack.close)
    return platform, stack


def _after_closing(blocks: gr.Blocks, then: Callable[[], None]) -> None:
    """Call ``then`` when the page has been closed."""
    close = blocks.close

    def close_both(*arguments, **options) -> None:
        close(*arguments, **options)
        then()

    blocks.close = close_both


def _warm_up() -> None:
    """Load torch and the networks, now that the page answers and before the first visitor needs them."""
    redraw.first_look()
    read.warm_up()


def launch(
    host: str = DEFAULT_HOST,
    port: int | None = DEFAULT_PORT,
    *,
    inbrowser: bool = False,
    platform: Platform | None = None,
    mcp_server: bool = False,
) -> gr.Blocks:
    """Build the page and serve it from a thread of its own; return when it answers.

    Args:
        host: address to listen on; "0.0.0.0" lets other computers in.
        port: port to listen on; None takes the first free one from 7860 up.
        inbrowser: open the page in the default browser.
        platform: draws the videos, keeps each visitor's work, and confirms who asks; the caller closes it.
            None makes one in a temporary folder that goes with the page.
        mcp_server: offer the page's API to assistants as tools as well, see :mod:`workbench.ui.mcp`.

    Returns:
        The served page: ``local_url`` is its address, ``close()`` stops it, ``block_thread()`` waits.

    Raises:
        OSError: the port is taken.
        WorkbenchError: tools were asked for that cannot be offered.
    """
    from workbench.service.web import gate

    if mcp_server:
        mcp.check(platform)
    own = contextlib.ExitStack()
    if platform is None:
        platform, own = _temporary_platform(is_loopback(host))
    blocks = build_app(platform)
    if mcp_server:
        mcp.offer(blocks)
    _after_closing(blocks, own.close)
    blocks.launch(
        server_name=host,
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        inbrowser=inbrowser,
        share=False,
        app_kwargs={"middleware": [gate(platform)]},
        theme=theme(),
        css=CSS + job_card.CSS + video.CSS + my_work.CSS,
        js=page_script(),
        footer_links=["api"],
        allowed_paths=[],
        max_file_size=pictures.MAX_FILE_SIZE,
        show_error=False,  # texts of unexpected errors name paths; ours are gr.Error and always shown
        run_history=False,
        enable_monitoring=False,
        mcp_server=mcp_server,
        ssr_mode=False,
        pwa=False,
    )
    # no daemon: torch aborts the process when it is cut off
    threading.Thread(target=_warm_up, name="warm-up").start()
    return blocks
