"""Bodies of requests: bounded in size and in time, read before or while the page reads them."""

from __future__ import annotations

import asyncio
import time

from starlette.types import Message, Receive

IDLE_SECONDS = 30.0  # without a byte
SLOWEST = 2000.0  # bytes a second, on the average after IDLE_SECONDS
LONGEST_SECONDS = 3600.0  # of a whole body: what it announces is kept free for it


class BodyError(Exception):
    """A body that is not taken; the text is for whoever sent it."""

    def __init__(self, status: int, text: str):
        super().__init__(text)
        self.status = status


def bounded(receive: Receive, most: int, too_large: str) -> Receive:
    """``receive`` that raises :class:`BodyError` when the body exceeds ``most`` bytes or is too slow."""
    count, ended, since = 0, False, time.monotonic()

    async def receive_bounded() -> Message:
        nonlocal count, ended
        if ended:  # only the end of the connection is waited for
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), IDLE_SECONDS)
        except TimeoutError as error:
            raise BodyError(408, "The request came too slowly. Try again.") from error
        count += len(message.get("body", b""))
        ended = message["type"] != "http.request" or not message.get("more_body", False)
        if count > most:
            raise BodyError(413, too_large)
        taken = time.monotonic() - since
        is_slow = taken > IDLE_SECONDS and count < SLOWEST * (taken - IDLE_SECONDS)
        if not ended and (is_slow or taken > LONGEST_SECONDS):
            raise BodyError(408, "The request came too slowly. Try again.")
        return message

    return receive_bounded


async def read(receive: Receive) -> bytes:
    """A whole body."""
    parts, more = [], True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise BodyError(400, "The connection ended before the request.")
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def again(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives ``body``, and then what ``receive`` gives."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
