"""The page as a whole, and how it is served."""

from __future__ import annotations

import atexit
import contextlib
import functools
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import gradio as gr
import uvicorn
from gradio import http_server, queueing, utils
from gradio import mcp as gradio_mcp

from workbench import __version__
from workbench.core.errors import WorkbenchError
from workbench.service import connections
from workbench.service.uploads import CACHE_VARIABLE
from workbench.styles.options import VideoLimits
from workbench.ui import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    about,
    collect,
    document,
    documents,
    explore,
    folder_table,
    is_loopback,
    job_card,
    mcp,
    my_work,
    pictures,
    read,
    redraw,
    tabs,
    translations,
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
    "collect": Tab("Collect ratings", collect.build),
    "explore": Tab("Explore a collection", explore.build),
    "work": Tab("My work", my_work.build),
    "about": Tab("About the models", about.build),
}

_KEPT = (
    "Uploads stay on the computer that serves this page, for six hours at most; what is in My work, until "
    "you delete it or its time is over."
)

log = logging.getLogger(__name__)
_BUG = "Something went wrong on the server. Try again; if it stays, tell whoever runs it."
_NO_FILE = (
    "Expected an uploaded file, as handle_file of gradio_client sends one, but got something else. "
    "Web addresses are not fetched: download the file and upload it."
)
_NOT_A_FILE = "ValidationError"  # of pydantic, in which Gradio reads files; not ours to import
_NEEDED = re.compile(r"needed: (\d+), got: (\d+)")
_INFO = "/gradio_api/info"  # names and types of all inputs
_payload = utils.error_payload


def _own_cache(platform: Platform) -> None:
    """Keep uploads and results in the platform's cache, or below that of this process if it has one."""
    if CACHE_VARIABLE in os.environ:
        platform.uploads.serve_from(Path(os.environ[CACHE_VARIABLE]))
        return
    os.environ[CACHE_VARIABLE] = str(platform.uploads.run)
    atexit.register(shutil.rmtree, platform.uploads.run, ignore_errors=True)


def build_app(platform: Platform) -> gr.Blocks:
    """The whole page, not yet served.

    Args:
        platform: where its videos are drawn and its visitors' work is kept. The page must be served behind
            :func:`workbench.service.web.gate` of the same platform, as :func:`launch` does.
    """
    _own_cache(platform)
    with gr.Blocks(
        title=document.TITLE,
        analytics_enabled=False,
        delete_cache=(_HOURS, 6 * _HOURS),
    ) as blocks:
        head = (
            f'<header class="masthead">{SEAL}<div><h1>{document.TITLE}</h1>'
            f"<p>{document.SUMMARY}</p></div></header>"
        )
        gr.HTML(translations.composed(head, document.SUMMARY))
        with gr.Tabs(overflow_behavior="wrap"):  # all in sight on a phone too
            for name, entry in {**OWN, **dict(tabs.OTHERS.items())}.items():
                with gr.Tab(entry.title, elem_id=name) as tab:
                    _fill(entry, platform, blocks, tab, is_own=name in OWN)
        foot = f'<p class="fine">Version {__version__}. {_KEPT}</p>'
        gr.HTML(translations.composed(foot, _KEPT))
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


def _temporary_platform(local: bool, film: VideoLimits) -> tuple[Platform, contextlib.ExitStack]:
    """A platform in a temporary folder, and what closes and removes both."""
    from workbench.service.folder import temporary
    from workbench.service.limits import Limits
    from workbench.service.platform import Platform

    stack, limits = contextlib.ExitStack(), Limits(film=film)
    platform = stack.enter_context(Platform(stack.enter_context(temporary()), limits=limits, local=local))
    atexit.register(stack.close)
    return platform, stack


def _after_closing(blocks: gr.Blocks, then: Callable[[], None]) -> None:
    """Call ``then`` when the page has been closed."""
    close = blocks.close

    def close_both(*arguments, **options) -> None:
        close(*arguments, **options)
        then()

    blocks.close = close_both  # type: ignore[method-assign]


@contextlib.contextmanager
def _bounded_server(trusted_proxies: Sequence[str]) -> Iterator[None]:
    """Gradio configures uvicorn itself and leaves no room for more: within the block it takes our options."""
    utils.error_payload = queueing.error_payload = _in_words
    connections.raise_file_limit()
    connections.limit_repeated_lines()
    bounded = SimpleNamespace(
        Config=functools.partial(uvicorn.Config, **connections.options(trusted_proxies)),
        Server=uvicorn.Server,
    )
    http_server.uvicorn = bounded  # type: ignore[assignment]
    try:
        yield
    finally:
        http_server.uvicorn = uvicorn


def _in_words(error: BaseException | None, show_error: bool) -> dict[str, Any]:
    """What Gradio answers to a call that failed; instead of null, what was missing or that it is a bug."""
    content = _payload(error, show_error)
    if content["error"] is None and type(error).__name__ == _NOT_A_FILE:
        content["error"] = _NO_FILE
    elif content["error"] is None:
        counts = _NEEDED.search(str(error))
        content["error"] = _too_few(*counts.groups()) if counts else _BUG
    return content


def _too_few(needed: str, got: str) -> str:
    what = "1 input" if needed == "1" else f"{needed} inputs"
    return f"Expected {what} but got {got}. {_INFO} names them."


# what Gradio offers beside the page, and this page does not
_CLOSED: dict[str, Any] = {
    "allowed_paths": [],
    "enable_monitoring": False,
    "prevent_thread_lock": True,
    "pwa": False,
    "quiet": True,
    "run_history": False,
    "share": False,
    "show_error": False,  # texts of unexpected errors name paths; ours are gr.Error and always shown
    "ssr_mode": False,
}


def _forgets(blocks: gr.Blocks) -> Callable[[str], None]:
    """What gives back all that the page keeps of a session, with the messages that nobody has fetched."""

    def forget(session: str) -> None:
        blocks.app.state_holder.session_data.pop(session, None)
        blocks.app.state_holder.time_last_used.pop(session, None)
        queue = blocks._queue
        if all(event.session_hash != session for event in list(queue.event_ids_to_events.values())):
            queue.pending_messages_per_session.pop(session, None)
            queue.pending_event_ids_session.pop(session, None)

    return forget


def launch(
    host: str = DEFAULT_HOST,
    port: int | None = DEFAULT_PORT,
    *,
    inbrowser: bool = False,
    platform: Platform | None = None,
    mcp_server: bool = False,
    public_hosts: Sequence[str] = (),
    trusted_proxies: Sequence[str] = (),
    film: VideoLimits | None = None,
) -> gr.Blocks:
    """Build the page and serve it from a thread of its own; return when it answers.

    Args:
        host: address to listen on; "0.0.0.0" lets other computers in.
        port: port to listen on; None takes the first free one from 7860 up.
        inbrowser: open the page in the default browser.
        platform: draws the videos, keeps each visitor's work, and confirms who asks; the caller closes it.
            None makes one in a temporary folder that goes with the page.
        mcp_server: offer the page's API to assistants as tools as well, see :mod:`workbench.ui.mcp`.
        public_hosts: names under which the page is reached, of a reverse proxy for one; a request for any
            other name than these, ``host``, ``localhost`` and plain addresses is refused.
        trusted_proxies: addresses of reverse proxies whose word is taken on a client's address and scheme.
        film: limits of the films of a platform made here; one that is given has its own.

    Returns:
        The served page: ``local_url`` is its address, ``close()`` stops it, ``block_thread()`` waits.

    Raises:
        OSError: the port is taken.
        WorkbenchError: tools were asked for that cannot be offered.
    """
    from workbench.service.folder import sweep_temporary
    from workbench.service.uploads import NOBODY, NewFolder, OwnFolder
    from workbench.service.web import SESSIONS, gate

    sweep_temporary()
    if mcp_server:
        mcp.check(platform)
    own = contextlib.ExitStack()
    if platform is None:
        platform, own = _temporary_platform(is_loopback(host), film or VideoLimits())
    document.make_ours()
    blocks = build_app(platform)
    if mcp_server:
        mcp.offer(blocks)
        own_temporary = NewFolder(platform.uploads.folder(NOBODY))  # else outside, for ever
        gradio_mcp.DEFAULT_TEMP_DIR = own_temporary  # type: ignore[assignment]
    _after_closing(blocks, own.close)
    is_own = functools.partial(mcp.is_own, blocks)
    own_gate = gate(platform, {host, *public_hosts}, _forgets(blocks), is_own)
    with _bounded_server(trusted_proxies):
        blocks.launch(
            server_name=host,
            server_port=port,
            inbrowser=inbrowser,
            app_kwargs={
                "middleware": [own_gate],
                "routes": [document.link_picture(), documents.route()],
            },
            state_session_capacity=SESSIONS,
            theme=theme(),
            css=CSS + job_card.CSS + video.CSS + my_work.CSS + folder_table.CSS,
            js=page_script(),
            i18n=translations.I18N,
            footer_links=["api"],
            max_file_size=pictures.MAX_FILE_SIZE,
            max_threads=OPEN_CALLS,
            mcp_server=mcp_server,
            **_CLOSED,
        )
    own_uploads = OwnFolder(Path(os.environ[CACHE_VARIABLE]))
    blocks.app.uploaded_file_dir = own_uploads  # type: ignore[assignment]
    platform.previews.prepare()  # now that the page answers, and before the first visitor needs it
    return blocks
