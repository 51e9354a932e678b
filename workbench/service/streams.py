"""What a page asks for while its event stream ends is heard of all the same.

Gradio's server ends the stream of a page's events when no event is left, and the page opens another one for
its next event, but only if it knows by then that the old one has ended. Where the answer to a new event
overtakes the end of the stream, the page waits for ever. Here such an answer waits until the page has closed
the stream.
"""

from __future__ import annotations

import asyncio
import contextlib

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_END = b'data: {"msg":"close_stream"'
PATIENCE = 5.0  # seconds for a page to close its stream; a proxy may keep from us that it has


class StreamEnds:
    """The streams whose end their page has not confirmed yet, by session."""

    def __init__(self) -> None:
        self._open: dict[str, asyncio.Event] = {}

    async def stream(self, session: str, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Have ``app`` answer with a session's events, and wait until the page has heard of their end."""
        closed = asyncio.Event()
        has_ended = False

        async def pass_on(message: Message) -> None:
            nonlocal has_ended
            if message["type"] == "http.response.body":
                if message.get("body", b"").startswith(_END):
                    has_ended = True
                    self._open[session] = closed
                if has_ended and not message.get("more_body"):  # the page is to close it
                    return
            await send(message)

        try:
            await app(scope, receive, pass_on)
            if has_ended:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(_disconnected(receive), PATIENCE)
                await send({"type": "http.response.body", "body": b""})
        finally:
            closed.set()
            if self._open.get(session) is closed:
                del self._open[session]

    async def known(self, session: str) -> None:
        """Wait until the page knows of the end of its stream, if one has ended."""
        if closed := self._open.get(session):
            await closed.wait()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
