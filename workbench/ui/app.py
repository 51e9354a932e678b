"""The page as a whole, and how it is served."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from workbench import __version__
from workbench.core.errors import WorkbenchError
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
    tabs,
    video,
    visitor,
)
from workbench.ui.tabs import Tab
from workbench.ui.theme import CSS, SEAL, page_script, theme

if TYPE_CHECKING:
    from workbench.service.platform import Platform

QUEUE_SIZE = 100  # calls that may wait for one of the OPEN_CALLS; who waits for a worker is not among them
OPEN_CALLS = 400  # that are answered at a time; each only waits, so it costs a little memory
_HOURS = 3600
OWN = {
    "redraw": Tab("Redraw a photo", redraw.build),
    "video": Tab("Redraw a video", video.build),
    "read": Tab("Read a painting", read.build),
    "work": Tab("My work", my_work.build),
    "about": Tab("About the models", about.build),
}

log = logging.getLogger(__name__)


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
            for name, entry in {**OWN, **dict(tabs.OTHERS.items())}.items():
                with gr.Tab(entry.title, elem_id=name) as tab:
                    _fill(entry, platform, blocks, tab, is_own=name in OWN)
        gr.HTML(
            f'<p class="fine">Version {__version__}. Uploads stay on the computer that serves this page, for '
            "six hours at most; what is in My work, until you delete it or its time is over.</p>"
        )
        blocks.unload(_left(platform))
    return blocks.queue(max_size=QUEUE_SIZE, default_concurrency_limit=None)


def _fill(entry: Tab, platform: Platform, blocks: gr.Blocks, tab: gr.Tab, is_own: bool) -> None:
    """Add a tab's contents; what is wrong with another package's tab must not take the page with it."""
    try:
        entry.build(platform, blocks, tab)
    except Exception:
        if is_own:
            raise
        log.exception("the tab %s cannot be built", entry.title)
        gr.HTML('<div class="notice" role="alert">This tab cannot be shown; the log says why.</div>')


def _left(platform: Platform) -> Callable[[gr.Request], None]:
    """What happens when a page is closed: nothing more is drawn for it."""

    def left(request: gr.Request) -> None:
        with contextlib.suppress(WorkbenchError):
            platform.previews.stop_page(visitor.owner_of(request), request.session_hash)

    return left


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
        max_threads=OPEN_CALLS,
        show_error=False,  # texts of unexpected errors name paths; ours are gr.Error and always shown
        run_history=False,
        enable_monitoring=False,
        mcp_server=mcp_server,
        ssr_mode=False,
        pwa=False,
    )
    platform.previews.prepare()  # now that the page answers, and before the first visitor needs it
    return blocks
