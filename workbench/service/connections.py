"""Connections that are held open: how many there may be, and how long one may take to say what it wants.

uvicorn has no deadline for a request's headers and takes connections until the process has no file left.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections.abc import Collection
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from workbench.service.limits import network

HEADER_SECONDS = 15.0  # for the headers of a request, and between requests
MOST, MOST_OF_ONE = 800, 200  # connections of all addresses, and of one that is not this computer's
HEADER_BYTES = 32_768
QUIET_SECONDS = 60.0
_FILES = 4096  # that the process may have open, where the system lets it


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol with a deadline for headers and limits to the number of connections."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or close it at once if there are too many."""
        super().connection_made(transport)
        if len(self.connections) > MOST or self._of_this_address() > MOST_OF_ONE:
            log_once("too many connections at a time, the newest are closed")
            transport.abort()
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Go on with a request."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._rest()

    def _watch(self) -> None:
        """Give the headers their time: from the moment when the last request was answered."""
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if is_answering or self.transport.is_closing():
            self._rest()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            log_once("requests whose headers did not come in time were given up")
            self.transport.abort()

    def _of_this_address(self) -> int:
        proxies = self.config.forwarded_allow_ips or ()
        if self.client is None or self.client[0] in proxies or _is_local(self.client[0]):
            return 0  # a proxy speaks for many, and may be on this computer
        mine = network(self.client[0])
        clients = (getattr(other, "client", None) for other in self.connections)
        return sum(client is not None and network(client[0]) == mine for client in clients)


def options(trusted_proxies: Collection[str] = ()) -> dict[str, Any]:
    """What to give to ``uvicorn.Config``.

    Args:
        trusted_proxies: addresses whose word on the client's address and scheme is taken; nobody's if empty.
    """
    return {
        "http": BoundedProtocol,
        "ws": "none",
        "proxy_headers": bool(trusted_proxies),
        "forwarded_allow_ips": list(trusted_proxies),
        "h11_max_incomplete_event_size": HEADER_BYTES,
        "timeout_keep_alive": int(HEADER_SECONDS),
        "backlog": 128,
        "server_header": False,
    }


def raise_file_limit() -> None:
    """Let the process open as many files as its connections need, where the system lets it."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class OncePerKind(logging.Filter):
    """Lets one record of a kind through in a minute, in one line, and says then how many there were."""

    def __init__(self, seconds: float = QUIET_SECONDS, clock=time.monotonic):
        super().__init__()
        self._seconds, self._clock = seconds, clock
        self._seen: dict[Any, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write the record."""
        error = record.exc_info[1] if record.exc_info else None
        kind = (record.name, record.levelno, str(record.msg)[:200], type(error))
        now = self._clock()
        since, count = self._seen.get(kind, (-self._seconds, 0))
        if now - since < self._seconds:
            self._seen[kind] = since, count + 1
            return False
        if len(self._seen) > 1000:
            self._seen.clear()
        is_first = kind not in self._seen
        self._seen[kind] = now, 0
        if error is not None and not (is_first and record.name == "uvicorn.error"):
            text = record.getMessage().splitlines()[0] if record.getMessage() else ""
            record.msg, record.args = f"{text} ({type(error).__name__}: {str(error)[:200]})", ()
            record.exc_info = record.exc_text = None
        if count:
            record.msg, record.args = f"{record.getMessage()} [{count} more of this kind]", ()
        return True


_log = logging.getLogger(__name__)
_quiet = OncePerKind()


def log_once(text: str) -> None:
    """Warn of a kind of trouble, once a minute."""
    _log.warning(text)


def one_line_a_kind() -> None:
    """Keep whoever makes trouble from filling the disk with our lines about it."""
    for name in ("asyncio", "uvicorn.error", "workbench.service", __name__):
        logger = logging.getLogger(name)
        if _quiet not in logger.filters:
            logger.addFilter(_quiet)
    for name in ("answers", "jobs", "previews", "platform", "engines.local"):
        logging.getLogger(f"workbench.service.{name}").addFilter(_quiet)
    logging.getLogger("workbench.rating.server").addFilter(_quiet)


def _is_local(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
