"""Limits of open connections, and a deadline for the headers of a request.

uvicorn has neither: it accepts connections until the process runs out of file descriptors.
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
MOST, MAX_PER_ADDRESS = 800, 200  # connections in total, and of one remote address
HEADER_BYTES = 32_768
QUIET_SECONDS = 60.0
_FILES = 4096  # files that the process may have open, where the system allows it


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol with a deadline for headers and limits to the number of connections."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, or close it at once if there are too many."""
        super().connection_made(transport)
        if len(self.connections) > MOST or self._of_this_address() > MAX_PER_ADDRESS:
            log_once("too many connections at a time, the newest are closed")
            transport.abort()
            return
        self._set_deadline()

    def data_received(self, data: bytes) -> None:
        """Continue with a request."""
        super().data_received(data)
        self._set_deadline()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._clear_deadline()

    def _set_deadline(self) -> None:
        """Start the deadline of the next headers when the last response is complete."""
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if is_answering or self.transport.is_closing():
            self._clear_deadline()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEADER_SECONDS, self._abort)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _abort(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            log_once("requests whose headers did not come in time were given up")
            self.transport.abort()

    def _of_this_address(self) -> int:
        proxies = self.config.forwarded_allow_ips or ()
        if self.client is None or self.client[0] in proxies or _is_local(self.client[0]):
            return 0  # a proxy forwards for many clients, and may be local
        mine = network(self.client[0])
        clients = (getattr(other, "client", None) for other in self.connections)
        return sum(client is not None and network(client[0]) == mine for client in clients)


def options(trusted_proxies: Collection[str] = ()) -> dict[str, Any]:
    """Options for ``uvicorn.Config``.

    Args:
        trusted_proxies: addresses whose headers on the client's address and scheme are trusted.
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
    """Raise the limit of open files to what the connections need, where the system allows it."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class RepeatFilter(logging.Filter):
    """Passes one record of each kind per minute, as one line with the number of those left out."""

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
_quiet = RepeatFilter()


def log_once(text: str) -> None:
    """Log a warning, at most once per minute."""
    _log.warning(text)


def limit_repeated_lines() -> None:
    """Filter repeated log lines, so that errors caused by clients cannot fill the disk."""
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
