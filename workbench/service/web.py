"""The gate in front of the page: it confirms who asks before anything else sees the request.

An ASGI middleware. It reads the signed cookie, gives a new visitor an id of their own, asks for a login where
accounts are required, hands out result files to their owner only, and sets the headers that browsers need to
keep one site's pages from another's.
"""

from __future__ import annotations

import html
import logging
from collections.abc import Mapping
from urllib.parse import parse_qs, quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request, cookie_parser
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workbench.core.errors import WorkbenchError
from workbench.service.errors import LoginError
from workbench.service.identity import COOKIE, DAYS
from workbench.service.platform import Platform

log = logging.getLogger(__name__)

LOGIN, LOGOUT, WORK = "/login", "/logout", "/jobs/"
_OPEN = ("/startup-events", "/gradio_api/startup-events")  # asked by the server itself when it starts
_FORM_BYTES = 4096
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "SAMEORIGIN",
    "Content-Security-Policy": "frame-ancestors 'self'; object-src 'none'; base-uri 'self'",
    "Permissions-Policy": "geolocation=(), payment=(), usb=()",
}
_STRICT = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Log in</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
body{{font:16px/1.5 system-ui,sans-serif;background:#f6f1e7;color:#2a2118;display:grid;place-items:center;
min-height:100vh;margin:0}}form{{background:#fff;padding:2rem;border-radius:8px;width:min(20rem,90vw);
box-sizing:border-box}}h1{{font-size:1.2rem;margin:0 0 1rem}}label{{display:block;margin:.7rem 0 .2rem}}
input,button{{font:inherit;width:100%;box-sizing:border-box;padding:.5rem;border:1px solid #8a7a66;
border-radius:4px}}button{{margin-top:1.2rem;background:#8c2f1b;color:#fff;border:0}}p{{color:#8c2f1b}}
</style></head><body><form method="post" action="{action}"><h1>Painter Psychology Workbench</h1>{message}
<label for="name">Name</label><input id="name" name="name" autocomplete="username" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button>Log in</button></form></body></html>"""


def identify(platform: Platform, cookies: Mapping[str, str]) -> str | None:
    """The owner whom the cookies prove, else the platform's local one, else None.

    No token, a forged one, one that is too old, and one of an account that is gone prove nobody.
    """
    found = platform.tokens.find(cookies)
    if found is None:
        return platform.local_owner
    _, owner, epoch = found
    if owner[0] == "u":
        return owner if platform.accounts.holds(owner, epoch) else platform.local_owner
    return None if platform.named_only else owner


def result_url(job: str, name: str) -> str:
    """Address under which the owner, and nobody else, gets a result file."""
    return f"{WORK}{job}/{quote(name)}"


def gate(platform: Platform) -> Middleware:
    """The middleware for ``app_kwargs={"middleware": [gate(platform)]}`` of Gradio's ``launch``."""
    return Middleware(Gate, platform=platform)


class Gate:
    """The middleware itself; ``scope["state"]["owner"]`` is the confirmed owner for what comes after."""

    def __init__(self, app: ASGIApp, platform: Platform):
        self._app, self._platform = app, platform

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        sent = cookie_parser(headers.get("cookie", ""))
        owner = identify(self._platform, sent)
        fresh = None
        path = _path(scope)
        if owner is None and not self._platform.named_only:
            fresh = self._platform.tokens.anonymous()
            owner = self._platform.tokens.read(fresh)[0]
        elif self._platform.tokens.cookie not in sent and (found := self._platform.tokens.find(sent)):
            fresh = found[0]  # under the name that this server's cookies have now
        scope.setdefault("state", {})["owner"] = owner
        sender = self._dressed(send, fresh, scope["scheme"] in ("https", "wss"))
        response: Response | None = None
        if scope["type"] == "http":
            request = Request(scope, receive)
            if path == LOGIN:
                response = await self._login(request)
            elif path == LOGOUT:
                response = self._logout(owner)
            elif owner is None and path not in _OPEN:
                wants_page = scope["method"] in ("GET", "HEAD") and "text/html" in headers.get(
                    "accept", "*/*"
                )
                is_home = scope["method"] in ("GET", "HEAD") and path == "/"
                response = (
                    RedirectResponse(LOGIN, 303)
                    if wants_page or is_home
                    else PlainTextResponse("Log in first.", 401)
                )
            elif path.startswith(WORK):
                response = await run_in_threadpool(self._work, owner, path, scope["method"])
        elif owner is None:
            await send({"type": "websocket.close", "code": 1008})
            return
        await (response or self._app)(scope, receive, sender)

    async def _login(self, request: Request) -> Response:
        if request.method in ("GET", "HEAD"):
            return _form()
        if request.method != "POST":
            return PlainTextResponse("Expected GET or POST.", 405)
        origin = request.headers.get("origin")
        if origin not in (None, "null") and origin.split("://")[-1] != request.headers.get("host"):
            return PlainTextResponse("Expected the form of this page.", 403)
        body = b""
        async for block in request.stream():
            body += block
            if len(body) > _FORM_BYTES:
                return PlainTextResponse("Expected a name and a password.", 413)
        fields = parse_qs(body.decode("utf-8", "replace"))
        name, password = (fields.get(key, [""])[0] for key in ("name", "password"))
        address = request.client.host if request.client else ""
        try:
            found = await run_in_threadpool(self._platform.accounts.login, name, password, address)
        except LoginError as error:
            return _form(str(error), 401)
        response = RedirectResponse("/", 303)
        self._set(response.headers, self._platform.tokens.issue(*found), request.url.scheme == "https")
        return response

    def _logout(self, owner: str | None) -> Response:
        """End an account's session. A visitor without an account is known by the cookie alone: it stays."""
        response = RedirectResponse(LOGIN if self._platform.named_only else "/", 303)
        if owner is None or owner[0] == "u":
            for name in (self._platform.tokens.cookie, COOKIE):
                response.delete_cookie(name)
        return response

    def _work(self, owner: str, path: str, method: str) -> Response:
        """A result file, to its owner; everybody else is told what they would be of a file that is not."""
        if method not in ("GET", "HEAD"):
            return PlainTextResponse("Expected GET.", 405)
        job, _, name = path.removeprefix(WORK).partition("/")
        try:
            file = self._platform.result(owner, job, name)
        except WorkbenchError:
            return PlainTextResponse("There is no such file.", 404)
        return FileResponse(
            file, headers={"Cache-Control": "private, no-store", "Content-Security-Policy": "sandbox"}
        )

    def _set(self, headers: MutableHeaders, token: str, secure: bool) -> None:
        name = self._platform.tokens.cookie
        cookie = f"{name}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={DAYS * 86400}"
        headers.append("set-cookie", cookie + ("; Secure" if secure else ""))

    def _dressed(self, send: Send, fresh: str | None, secure: bool) -> Send:
        """``send`` with our headers, and the cookie for a new visitor."""

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if fresh is not None:
                    self._set(headers, fresh, secure)
            await send(message)

        return dressed


def _path(scope: Scope) -> str:
    root = scope.get("root_path", "")
    return scope["path"].removeprefix(root) or "/"


def _form(message: str = "", status: int = 200) -> Response:
    said = f'<p role="alert">{html.escape(message)}</p>' if message else ""
    page = _PAGE.format(action=LOGIN, message=said)
    return HTMLResponse(page, status, {"Content-Security-Policy": _STRICT, "Cache-Control": "no-store"})
