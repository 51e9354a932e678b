"""Protection against DNS rebinding and cross-site requests: one check of host and origin.

A browser on another site can be made to send requests here: under a name of the attacker's that resolves to
    this
address (DNS rebinding), or from another origin, including another port of this computer. Programs other than
browsers send neither ``Origin`` nor ``Sec-Fetch-Site``.

Source: OWASP Cross-Site Request Forgery Prevention cheat sheet; W3C Fetch Metadata Request Headers.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

from starlette.datastructures import Headers

_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443"}
_PLAIN = {"ws": "http", "wss": "https"}


def refusal(
    headers: Headers, scheme: str, method: str, is_page: bool, hosts: Collection[str]
) -> tuple[int, str] | None:
    """(status, message) to refuse a request by its host or origin, else None.

    Args:
        headers: of the request.
        scheme: of the request: "http", "https", "ws" or "wss".
        method: of the request.
        is_page: whether a link on another site may lead here.
        hosts: names of this server besides its addresses and ``localhost``.
    """
    host = headers.get("host", "")
    if len(headers.getlist("host")) != 1 or not _is_ours(_name(host), hosts):
        shown = _name(host)[:80] or "no name"
        return 421, f"This server does not answer for {shown!r}. Name it with --public-host if it should."
    origin = headers.get("origin")
    if origin is not None and not _is_same(origin, scheme, host, hosts):
        return 403, "Expected a request of this page but it comes from another one."
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        is_link = method in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate"
        if not (is_link and is_page):
            return 403, "Expected a request of this page but it comes from another one."
    return None


def _name(host: str) -> str:
    """The name in a ``Host`` header, without port, brackets and a final dot."""
    if host.startswith("["):
        return host[1:].partition("]")[0].casefold()
    return host.partition(":")[0].rstrip(".").casefold()


def _is_ours(name: str, hosts: Collection[str]) -> bool:
    if name == "localhost" or name.endswith(".localhost") or name in hosts:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True  # rebinding needs a name


def _is_same(origin: str, scheme: str, host: str, hosts: Collection[str]) -> bool:
    theirs, separator, netloc = origin.casefold().partition("://")
    ours = _PLAIN.get(scheme, scheme)
    if not separator or theirs not in ("http", "https"):
        return False  # "null", an extension, a file
    if theirs != ours and not (theirs == "https" and _name(host) in hosts):  # a proxy that ends TLS
        return False
    return _with_port(netloc, theirs) == _with_port(host.casefold(), theirs)


def _with_port(netloc: str, scheme: str) -> str:
    has_port = ":" in netloc.rpartition("]")[2]
    return netloc if has_port else f"{netloc}:{_PORTS[scheme]}"
