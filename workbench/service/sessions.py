"""Binds the page's sessions and events to their first owner.

Gradio streams the events of a session, or of one event, to any client that names it. Both are therefore bound
here to the owner who used them first.
"""

from __future__ import annotations

import collections
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from workbench.service.limits import network

NOBODY = ""  # owner of what came without a cookie; anybody who knows its name may use it
MOST, MAX_PER_ADDRESS = 4000, 200


class OwnerRegistry:
    """Names and the owners that they are bound to, in bounded memory.

    Args:
        most: names in total. Beyond it, the address with the most names loses its least recently used one, so
            that many cookies displace only their own user's names.
        most_of_one: names of one owner at one address; beyond it, the least recently used one is dropped.
        forgotten: called with every name that is dropped.
    """

    def __init__(
        self,
        most: int = MOST,
        most_of_one: int = MAX_PER_ADDRESS,
        forgotten: Callable[[str], None] = lambda name: None,
    ):
        self._most, self._most_of_one, self._forgotten = most, most_of_one, forgotten
        self._holders: collections.OrderedDict[str, tuple[str, str]] = collections.OrderedDict()
        self._counts: collections.Counter[str | tuple[str, str]] = collections.Counter()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._holders)

    def take(self, name: str, owner: str, address: str = "") -> bool:
        """Bind ``name`` to ``owner`` if it is unbound; whether it is the owner's now."""
        holder, gone = (owner, network(address)), None
        with self._lock:
            if self._holders.get(name, holder)[0] not in (owner, NOBODY):
                return False
            self._drop(name)
            self._holders[name] = holder
            self._counts.update((holder, holder[1]))
            if self._counts[holder] > self._most_of_one:
                gone = next(old for old, theirs in self._holders.items() if theirs == holder)
            elif len(self._holders) > self._most:
                gone = max(self._holders, key=lambda old: self._counts[self._holders[old][1]])
            if gone is not None:
                self._drop(gone)
        if gone is not None:
            self._forgotten(gone)
        return True

    def is_available_to(self, name: str, owner: str) -> bool:
        """Whether ``name`` is bound to nobody else."""
        with self._lock:
            return self._holders.get(name, (owner,))[0] in (owner, NOBODY)

    def _drop(self, name: str) -> None:
        holder = self._holders.pop(name, None)
        for key in (holder, holder[1]) if holder is not None else ():
            self._counts[key] -= 1
            if not self._counts[key]:
                del self._counts[key]


class Named(NamedTuple):
    """Names in a call of the page."""

    sessions: list[str]
    events: list[str]
    paths: list[str]


def names_in_call(called: str, query: bytes, body: bytes) -> Named:
    """Every session, event and file that a call names.

    Args:
        called: its address, below that of all calls.
        query: of the address.
        body: of the request; one that cannot be read names nothing, and the page will say so.
    """
    try:
        said = json.loads(body) if body else {}
    except (ValueError, RecursionError):
        said = {}
    said = said if isinstance(said, dict) else {}
    name, _, rest = called.partition("/")
    sessions = [said.get("session_hash"), *parse_qs(query.decode("latin-1")).get("session_hash", [])]
    events = [said.get("event_id")]
    if name == "heartbeat":
        sessions.append(rest)
    elif name == "call":
        events.append(rest.rpartition("/")[2])
    elif name == "stream":
        sessions.append(rest.partition("/")[0])
        events.append(rest.partition("/")[0])
    return Named(_texts(sessions), _texts(events), list(_paths(said)))


def _texts(values: list[Any]) -> list[str]:
    return [value for value in values if isinstance(value, str) and value]


def _paths(data: Any) -> Iterator[str]:
    """Every file that a call's data names."""
    waiting = [data]
    while waiting:
        match waiting.pop():
            case dict() as found:
                if isinstance(found.get("path"), str):
                    yield found["path"]
                waiting.extend(found.values())
            case list() as found:
                waiting.extend(found)
