"""The web server of a study: consent, trials and the experimenter's page, under a strict content policy.

Raters are identified by a code in a cookie. Addresses are looked up among the study's pictures and never used
as paths. Texts of the study are escaped, and the content policy allows only our own scripts.
"""

from __future__ import annotations

import logging
import os
import socket
import sqlite3
from collections.abc import Callable
from collections.abc import Collection as Names
from pathlib import Path

import uvicorn
from filelock import FileLock, Timeout
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workbench.core.errors import WorkbenchError
from workbench.rating.collection import Collection
from workbench.rating.endpoints import Pages
from workbench.service import connections
from workbench.service.bodies import BodyError, bounded_receive
from workbench.service.errors import LimitError
from workbench.service.origin import refusal

log = logging.getLogger(__name__)

DEFAULT_PORT = 7870
_HERE = Path(__file__).parent
_BODY_BYTES = 20_000
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Permissions-Policy": "geolocation=(), camera=(), microphone=(), payment=(), usb=()",
}


def app(collection: Collection, hosts: Names[str] = ()) -> Starlette:
    """The pages of a study as an ASGI application.

    Args:
        collection: the study and its answers.
        hosts: names under which the server is reached, besides its addresses and ``localhost``.
    """
    pages = Pages(collection)
    routes = [
        Route("/", pages.start),
        Route("/begin", pages.begin, methods=["POST"]),
        Route("/resume", pages.resume, methods=["POST"]),
        *(Route(path, pages.home) for path in ("/begin", "/resume", "/leave")),  # loaded again
        Route("/leave", pages.leave, methods=["POST"]),
        Route("/study", pages.study),
        Route("/trials", pages.trials),
        Route("/answers", pages.answer, methods=["POST"]),
        Route("/pictures/{id}", pages.picture),
        Route("/manikins/{dimension}/{level:int}.svg", pages.manikin),
        Route("/experimenter", pages.experimenter),
        Route("/experimenter/{table}.csv", pages.table),
        Mount("/assets", StaticFiles(directory=_HERE / "assets")),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(_Gate, hosts=frozenset(name.casefold().rstrip(".") for name in hosts))],
        exception_handlers=dict.fromkeys((HTTPException, WorkbenchError, sqlite3.Error), _in_words),
    )


def serve(
    collection: Collection,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    public_hosts: Names[str] = (),
    trusted_proxies: Names[str] = (),
    ready: Callable[[str], object] = lambda address: None,
) -> None:
    """Serve a study until the process is asked to stop.

    Args:
        collection: the study and its answers.
        host: address to listen on; "0.0.0.0" lets other computers in.
        port: port to listen on; 0 takes a free one.
        public_hosts: names under which the server is reached, e.g. of a reverse proxy.
        trusted_proxies: addresses of reverse proxies that say whose requests they forward.
        ready: called with the address for a browser on this computer, once the server listens.

    Raises:
        WorkbenchError: the port is in use, or another process serves the folder.
    """
    connections.raise_file_limit()
    connections.limit_repeated_lines()
    config = uvicorn.Config(
        app(collection, {host, *public_hosts}),
        log_level="warning",
        access_log=False,
        **connections.options(tuple(trusted_proxies)),
    )
    try:
        with FileLock(collection.folder / "served.lock", timeout=0), _listening(host, port) as listening:
            shown = "localhost" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
            ready(f"http://{shown}:{listening.getsockname()[1]}")
            uvicorn.Server(config).run(sockets=[listening])
    except Timeout as error:
        raise WorkbenchError(
            f"The study in {collection.folder} is being served already. Stop that server first."
        ) from error


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error  # Python adds the address once more
        raise WorkbenchError(f"Cannot listen on {host}:{port} ({reason}). Try another --port.") from error


class _Gate:
    """Refuses requests from other sites and bodies that are too large; adds our headers to every response."""

    def __init__(self, app: ASGIApp, hosts: Names[str]):
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        is_page = scope["path"] in ("/", "/study", "/experimenter")
        refused = refusal(Headers(scope=scope), scope["scheme"], scope["method"], is_page, self._hosts)
        if refused is not None:
            await PlainTextResponse(refused[1], refused[0])(scope, receive, with_headers)
            return
        try:
            await self._app(
                scope, bounded_receive(receive, _BODY_BYTES, "Expected a shorter request."), with_headers
            )
        except BodyError as error:
            await PlainTextResponse(str(error), error.status)(scope, receive, with_headers)


async def _in_words(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return PlainTextResponse(error.detail, error.status_code, error.headers)
    if isinstance(error, sqlite3.Error):  # a full disk: the rater's page sends the answer again
        log.error("the answers cannot be written: %s", error)
        return PlainTextResponse("Nothing can be written down at the moment. Try again later.", 503)
    return PlainTextResponse(str(error), 429 if isinstance(error, LimitError) else 422)
