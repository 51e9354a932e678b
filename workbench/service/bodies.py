"""Bodies of requests, bounded in size and time."""

from __future__ import annotations

import asyncio
import time

from starlette.types import Message, Receive

IDLE_SECONDS = 30.0  # without a byte
MIN_BYTES_PER_SECOND = 2000.0  # bytes a second, on the average after IDLE_SECONDS
MAX_SECONDS = 3600.0  # of a whole body, for which disk space is reserved


class BodyError(Exception):
    """A refused body; the text is for the client."""

    def __init__(self, status: int, text: str):
        super().__init__(text)
        self.status = status


def bounded_receive(receive: Receive, most: int, too_large: str) -> Receive:
    """``receive`` that raises :class:`BodyError` when the body exceeds ``most`` bytes or is too slow."""
    count, ended, since = 0, False, time.monotonic()

    async def receive_bounded() -> Message:
        nonlocal count, ended
        if ended:  # what follows is the end of the connection
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
        is_slow = taken > IDLE_SECONDS and count < MIN_BYTES_PER_SECOND * (taken - IDLE_SECONDS)
        if not ended and (is_slow or taken > MAX_SECONDS):
            raise BodyError(408, "The request came too slowly. Try again.")
        return message

    return receive_bounded


async def read_body(receive: Receive) -> bytes:
    """A whole body."""
    parts, more = [], True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise BodyError(400, "The connection ended before the request.")
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def replayed(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that returns ``body`` first, then what ``receive`` returns."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
