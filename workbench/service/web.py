"""The ASGI middleware in front of the page: it identifies the visitor before anything else sees the request.

It reads the signed cookie, gives a new visitor an id, requires a login where only accounts are admitted,
serves result files to their owner only, and sets security headers.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Collection, Mapping
from urllib.parse import parse_qs, quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request, cookie_parser
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from workbench.core.errors import WorkbenchError
from workbench.service.answers import ResponseSender, language_of, status_and_text, text_response
from workbench.service.bodies import BodyError, bounded_receive, read_body, replayed
from workbench.service.errors import AccountError, LimitError, LoginError
from workbench.service.forms import (
    ADMINISTRATION,
    LOGIN,
    LOGOUT,
    PASSWORD,
    administration,
    form,
    password_changed,
)
from workbench.service.identity import DAYS, MARK_DAYS
from workbench.service.logins import LoginQueue
from workbench.service.metrics import HEALTH, METRICS, Monitoring
from workbench.service.origin import refusal
from workbench.service.platform import Platform
from workbench.service.sessions import NOBODY, Named, OwnerRegistry, names_in_call
from workbench.service.streams import StreamEnds
from workbench.service.uploads import new_request

WORK = "/jobs/"
LINK_PICTURE = "/link-picture.jpg"  # that other sites show beside a link to the page
# without a login; the server requests the latter two itself when it starts
_OPEN = (LINK_PICTURE, "/startup-events", "/gradio_api/startup-events")
_ASSETS = "/assets/"  # scripts and styles, whose names change with what they hold
API = "/gradio_api/"  # the page's own calls
_RUNS = ("queue/join", "call/", "run/", "api/")  # those that make results
# Gradio's, by their first word: what the page, programs and assistants call. The others are closed: some open
# uploads in the server, write files that nobody counts, or list the server's folders.
_CALLS = frozenset(
    (
        *("upload", "upload_progress", "file", "queue", "call", "run", "api", "cancel", "reset", "heartbeat"),
        *("stream", "mcp", "info", "openapi.json", "startup-events", "theme.css", "app_id"),
        "custom_component",
    )
)
_FORM_BYTES, _JSON_BYTES = 4096, 16_000_000
_FORM_WORDS, _JSON_WORDS = "Expected a filled form.", "Expected a request of at most 16 MB."
_EVENT = re.compile(rb'"event_id"\s*:\s*"([0-9a-f-]{32,36})"')
# sessions of the page, each of which costs it 0.2 MB; its gate keeps fewer, for one that was just forgotten
# may come once more
SESSIONS = 300
KEPT, CALLS, KEPT_OF_ONE = 160, 100, 20  # of pages, of calls that name none, and of one owner of each
# what a job wrote may run its own scripts, but as a stranger: without cookies, calls and other hosts
_RESULT = {
    ".html": "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline' "
    "'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; frame-ancestors 'self'"
}


def identify(platform: Platform, cookies: Mapping[str, str], is_secure: bool = False) -> str | None:
    """The owner that the cookies prove, else the platform's local one, else None.

    A missing, forged or expired token, or one of a removed account, proves none.

    Args:
        platform: that knows the owners.
        cookies: of the request.
        is_secure: whether it came by HTTPS.
    """
    found = platform.tokens.find(cookies, is_secure)
    if found is None:
        return platform.local_owner
    token, owner, epoch = found
    if owner[0] == "u":
        return owner if platform.accounts.is_session_valid(owner, epoch, token) else platform.local_owner
    return None if platform.named_only else owner


def result_url(job: str, name: str) -> str:
    """Address under which the owner, and nobody else, gets a result file."""
    return f"{WORK}{job}/{quote(name)}"


def gate(
    platform: Platform,
    hosts: Collection[str] = (),
    forget: Callable[[str], None] = lambda session: None,
    is_shared: Callable[[str], bool] = lambda session: False,
) -> Middleware:
    """The middleware for ``app_kwargs={"middleware": [gate(platform)]}`` of Gradio's ``launch``.

    Args:
        platform: that knows the owners.
        hosts: names under which the server is reached, besides its addresses and ``localhost``.
        forget: called with each session of the page that is no longer kept.
        is_shared: whether a session is used for several owners, by the server itself.
    """
    return Middleware(Gate, platform=platform, hosts=hosts, forget=forget, is_shared=is_shared)


class Gate:
    """The middleware itself; ``scope["state"]["owner"]`` is the confirmed owner for what comes after."""

    def __init__(
        self,
        app: ASGIApp,
        platform: Platform,
        hosts: Collection[str],
        forget: Callable[[str], None],
        is_shared: Callable[[str], bool],
    ):
        self._app, self._platform, self._is_shared = app, platform, is_shared
        self._packed = GZipMiddleware(app)
        self._hosts = frozenset(name.casefold().rstrip(".") for name in hosts)
        self._sessions, self._calls = (
            OwnerRegistry(KEPT, KEPT_OF_ONE, forget),
            OwnerRegistry(CALLS, KEPT_OF_ONE, forget),
        )
        self._events, self._ends = OwnerRegistry(), StreamEnds()
        self._logins, self._watch = LoginQueue(platform.accounts), Monitoring(platform)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        new_request()
        sender = ResponseSender(send)
        try:
            await self._receive(scope, receive, sender)
        except Exception as error:
            known = status_and_text(error)
            if known is None or scope["type"] != "http":
                raise
            if not sender.begun:
                await text_response(scope, known[1], known[0])(scope, receive, sender)
        finally:
            self._watch.count(sender.status or 500)

    async def _receive(self, scope: Scope, receive: Receive, sender: ResponseSender) -> None:
        headers, path = Headers(scope=scope), _path(scope)
        is_page = not path.startswith((API, WORK, LOGOUT))
        refused = refusal(headers, scope["scheme"], scope.get("method", "GET"), is_page, self._hosts)
        if refused is not None:
            if scope["type"] == "websocket":
                await sender({"type": "websocket.close", "code": 1008})
            else:
                await text_response(scope, refused[1], refused[0])(scope, receive, sender)
            return
        if path == HEALTH:
            await (await run_in_threadpool(self._watch.health))(scope, receive, sender)
            return
        if path == METRICS:
            found = await run_in_threadpool(self._watch.metrics, _address(scope), headers)
            await found(scope, receive, sender)
            return
        sent = cookie_parser(headers.get("cookie", ""))
        is_secure = scope["scheme"] in ("https", "wss")
        owner = await run_in_threadpool(identify, self._platform, sent, is_secure)
        tokens, fresh, renewed = self._platform.tokens, None, None
        if owner is None and not self._platform.named_only:
            owner, fresh = tokens.anonymous()
        elif tokens.names(is_secure)[0] not in sent and (known := tokens.find(sent, is_secure)):
            renewed = known[0]  # under the name that this server's cookies have now
        scope.setdefault("state", {})["owner"] = owner
        if token := fresh or renewed:
            sender.cookie = _cookie(tokens.names(is_secure)[0], token, is_secure)
        if scope["type"] == "websocket":
            if owner is None:
                await sender({"type": "websocket.close", "code": 1008})
            else:
                await self._app(scope, receive, sender)
            return
        response = await self._own_response(scope, receive, path, owner, sent)
        if response is not None:
            await response(scope, receive, sender)
        else:
            # a visitor without a cookie cannot be recognised at the next call
            await self._forward(scope, receive, sender, path, owner if fresh is None else NOBODY)

    async def _own_response(
        self, scope: Scope, receive: Receive, path: str, owner: str | None, sent: Mapping[str, str]
    ) -> Response | None:
        """The response to requests that the gate handles itself, else None."""
        if path in (LOGIN, PASSWORD):
            request = Request(scope, bounded_receive(receive, _FORM_BYTES, _FORM_WORDS))
            if request.method not in ("GET", "HEAD", "POST"):
                return text_response(scope, "Expected GET or POST.", 405)
            return await (self._login(request) if path == LOGIN else self._password(owner, request))
        if path == ADMINISTRATION:
            return await run_in_threadpool(self._administration, scope, owner)
        if path == LOGOUT:
            return await run_in_threadpool(self._logout, owner, sent, scope["scheme"] == "https")
        is_reading = scope["method"] in ("GET", "HEAD")
        if owner is None and path not in _OPEN:
            wants_page = "text/html" in Headers(scope=scope).get("accept", "*/*") or path == "/"
            if is_reading and wants_page:
                return RedirectResponse(LOGIN, 303)
            return text_response(scope, "Log in first.", 401)
        if owner is not None and path.startswith(WORK):
            return await run_in_threadpool(self._work, scope, owner, path)
        return None

    async def _forward(
        self, scope: Scope, receive: Receive, sender: ResponseSender, path: str, owner: str | None
    ) -> None:
        """Forward a request to the page if all that it names belongs to the owner or to nobody."""
        if owner is None or not path.startswith(API):
            sender.lasts = path.startswith(_ASSETS)
            page = self._app if "." in path else self._packed  # Gradio packs what has a suffix
            await page(scope, bounded_receive(receive, _JSON_BYTES, _JSON_WORDS), sender)
            return
        called = path.removeprefix(API)
        name = re.split("[/=]", called, maxsplit=1)[0]
        if name not in _CALLS:
            await text_response(scope, "There is no such call.", 404)(scope, receive, sender)
            return
        if called == "upload" and scope["method"] == "POST":
            await self._upload(scope, receive, sender, owner)
            return
        may_see, is_file = self._platform.uploads.may_see, called.startswith(("file=", "file/"))
        if is_file and not await run_in_threadpool(may_see, owner, called[5:]):
            await text_response(scope, "There is no such file.", 404)(scope, receive, sender)
            return
        body = b""
        if scope["method"] == "POST":
            body = await read_body(bounded_receive(receive, _JSON_BYTES, _JSON_WORDS))
            receive = replayed(body, receive)
            if called.startswith(_RUNS):
                await run_in_threadpool(self._platform.uploads.check_disk)  # results need room too
            elif name == "mcp":  # the tools keep the pictures that they are given
                await run_in_threadpool(self._platform.uploads.room, NOBODY, _address(scope))
        client = owner, _address(scope)
        named = await run_in_threadpool(names_in_call, called, scope["query_string"], body)
        if not await run_in_threadpool(self._is_owners, *client, named):
            await text_response(scope, "There is no such session.", 404)(scope, receive, sender)
            return
        if called.startswith(_RUNS):
            sender.seen = functools.partial(self._note, *client, called.startswith("call/"))
        if called == "queue/data" and named.sessions:
            await self._ends.stream(named.sessions[0], self._app, scope, receive, sender)
            return
        if called == "queue/join" and named.sessions:
            sender.ready = functools.partial(self._ends.known, named.sessions[0])
        await self._app(scope, receive, sender)

    def _is_owners(self, owner: str, address: str, named: Named) -> bool:
        """Whether the session, the event and the files that a call names are the owner's."""
        sessions, events, paths = named
        if any(map(self._is_shared, sessions)):  # of the server itself, whose name nobody else knows
            return True
        return (
            all(self._sessions.take(text, owner, address) for text in sessions)
            and all(self._events.is_available_to(text, owner) for text in events)
            and all(self._platform.uploads.may_see(owner, path) for path in paths)
        )

    def _note(self, owner: str, address: str, is_session: bool, body: bytes) -> None:
        """Bind the events in a response of the page to the owner who received it.

        Args:
            owner: of the request.
            address: of the client.
            is_session: whether the page uses the event as a session, since the request named none.
            body: of the response.
        """
        for event in map(bytes.decode, _EVENT.findall(body)):
            self._events.take(event, owner, address)
            if is_session:
                self._calls.take(event, owner, address)

    async def _upload(self, scope: Scope, receive: Receive, sender: ResponseSender, owner: str) -> None:
        """Let the page receive an upload into a new folder, within the owner's limit."""
        uploads, length = self._platform.uploads, Headers(scope=scope).get("content-length", "")
        address = _address(scope)
        room = await run_in_threadpool(uploads.room, owner, address)
        size = int(length) if length.isdecimal() else 0
        too_large = f"There is room for {room / 1e6:.4g} MB but the upload is larger. Try a smaller one."
        if size > room:
            raise BodyError(413, too_large)
        with contextlib.suppress(_Dropped), uploads.receiving(owner, size, address):
            await self._app(scope, bounded_receive(receive, room, too_large), sender)
            if sender.status != 200:
                raise _Dropped

    async def _login(self, request: Request) -> Response:
        if request.method in ("GET", "HEAD"):
            return form(LOGIN, language_of(request.scope))
        tokens, is_secure = self._platform.tokens, request.url.scheme == "https"
        mark = f"{tokens.names(is_secure)[0]}-browser"
        name, password = await _form_fields(request, "name", "password")
        known = tokens.read_mark(cookie_parser(request.headers.get("cookie", "")).get(mark))
        try:
            found = await self._logins.login(name, password, _address(request.scope), known)
        except (LoginError, LimitError) as error:
            return _form_again(LOGIN, request, error)
        response = self._start_session(request, found)
        response.headers.append("set-cookie", _cookie(mark, tokens.mark(*found), is_secure, MARK_DAYS))
        return response

    async def _password(self, owner: str | None, request: Request) -> Response:
        """Change the password of an account."""
        if owner is None or owner[0] != "u":
            return RedirectResponse(LOGIN, 303)
        if request.method in ("GET", "HEAD"):
            return form(PASSWORD, language_of(request.scope))
        password, new, again = await _form_fields(request, "password", "new", "again")
        try:
            if new != again:
                raise AccountError("Expected the new password twice but the two differ.")
            found = await self._logins.change(owner, password, new)
        except (AccountError, LoginError, LimitError) as error:
            return _form_again(PASSWORD, request, error)
        return self._start_session(request, found, password_changed(language_of(request.scope)))

    def _start_session(
        self, request: Request, found: tuple[str, int], response: Response | None = None
    ) -> Response:
        """``response``, by default a redirect to the page, with the cookie of a new session."""
        response = response or RedirectResponse("/", 303)
        tokens, is_secure = self._platform.tokens, request.url.scheme == "https"
        cookie = _cookie(tokens.names(is_secure)[0], tokens.issue(*found), is_secure)
        response.headers.append("set-cookie", cookie)
        return response

    def _administration(self, scope: Scope, owner: str | None) -> Response:
        """The page of administrators; for others the same response as for a page that does not exist."""
        if not self._platform.accounts.is_administrator(owner):
            return text_response(scope, "There is no such page.", 404)
        return administration(self._platform, language_of(scope))

    def _logout(self, owner: str | None, sent: Mapping[str, str], is_secure: bool) -> Response:
        """End an account's session. A visitor without an account is known by the cookie alone: it stays."""
        response = RedirectResponse(LOGIN if self._platform.named_only else "/", 303)
        if owner is None or owner[0] == "u":
            for name in self._platform.tokens.names(is_secure):
                if owner is not None and name in sent:
                    self._platform.accounts.end_session(owner, sent[name])
                response.delete_cookie(name, secure=is_secure)
        return response

    def _work(self, scope: Scope, owner: str, path: str) -> Response:
        """A result file; for others than its owner the same response as for a file that does not exist."""
        if scope["method"] not in ("GET", "HEAD"):
            return text_response(scope, "Expected GET.", 405)
        job, _, name = path.removeprefix(WORK).partition("/")
        try:
            file = self._platform.result(owner, job, name)
        except WorkbenchError:
            return text_response(scope, "There is no such file.", 404)
        policy = _RESULT.get(file.suffix, "sandbox")
        return FileResponse(
            file, headers={"Cache-Control": "private, no-store", "Content-Security-Policy": policy}
        )


class _Dropped(Exception):
    """The page refused an upload."""


def _cookie(name: str, value: str, is_secure: bool, days: int = DAYS) -> str:
    cookie = f"{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={days * 86400}"
    return cookie + ("; Secure" if is_secure else "")


def _form_again(action: str, request: Request, error: WorkbenchError) -> Response:
    """The form again, with the error."""
    status = 429 if isinstance(error, LimitError) else 401
    return form(action, language_of(request.scope), str(error), status)


async def _form_fields(request: Request, *names: str) -> list[str]:
    """The values of a submitted form."""
    fields = parse_qs((await request.body()).decode("utf-8", "replace"))
    return [fields.get(name, [""])[0] for name in names]


def _address(scope: Scope) -> str:
    return scope["client"][0] if scope.get("client") else ""


def _path(scope: Scope) -> str:
    root = scope.get("root_path", "")
    return scope["path"].removeprefix(root) or "/"
