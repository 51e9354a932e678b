"""Responses of the web server: security headers, and errors in one line of text."""

from __future__ import annotations

import errno
import logging
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import DBAPIError
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import Message, Scope, Send

from workbench.service.bodies import BodyError
from workbench.service.errors import LimitError, StorageError
from workbench.service.languages import preferred, translated

log = logging.getLogger(__name__)

_FOR_EVER = "public, max-age=31536000, immutable"
_POLICY = {  # Gradio has scripts and styles in its page and makes modules of texts; no outside host
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval' blob:",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "form-action": "'self'",
    "frame-ancestors": "'self'",
    "object-src": "'none'",
    "base-uri": "'self'",
}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "SAMEORIGIN",
    "Content-Security-Policy": "; ".join(f"{what} {where}" for what, where in _POLICY.items()),
    "Permissions-Policy": "geolocation=(), payment=(), usb=()",
}


class ResponseSender:
    """``send`` that adds our headers and a new visitor's cookie, and watches the body.

    Attributes:
        cookie: to set, if any.
        seen: called with every piece of the body.
        ready: awaited before the headers are sent.
        lasts: whether browsers may cache it for ever.
        begun: whether the headers are sent.
        status: of the response.
    """

    def __init__(self, send: Send):
        self._send = send
        self.cookie: str | None = None
        self.seen: Callable[[bytes], None] | None = None
        self.ready: Callable[[], Awaitable[None]] | None = None
        self.lasts, self.begun, self.status = False, False, 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if self.ready is not None:
                await self.ready()
            self.begun, self.status = True, message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if self.lasts and self.status == 200:
                headers["Cache-Control"] = _FOR_EVER
            name = f"{self.cookie}".partition("=")[0]
            is_set = any(value.startswith(f"{name}=") for value in headers.getlist("set-cookie"))
            if self.cookie is not None and not is_set:  # a login has set another one
                headers.append("set-cookie", self.cookie)
        elif self.seen is not None and message["type"] == "http.response.body":
            self.seen(message.get("body", b""))
        await self._send(message)


def language_of(scope: Scope) -> str:
    """Language of the visitor, by the browser's header."""
    return preferred(Headers(scope=scope).get("accept-language", ""))


def text_response(scope: Scope, text: str, status: int) -> PlainTextResponse:
    """One line of text in the visitor's language."""
    return PlainTextResponse(translated(text, language_of(scope)), status)


def status_and_text(error: Exception) -> tuple[int, str] | None:
    """(status, one line) of an expected error, else None."""
    match error:
        case BodyError():
            return error.status, str(error)
        case LimitError():
            return 429, str(error)
        case StorageError():
            return 507, str(error)
        case OSError() if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return 507, "The server's disk is full. Come back later."
        case DBAPIError():
            log.error("the database does not answer: %s", error.orig)
            return 503, "The server's database takes nothing at the moment. Come back later."
    return None
