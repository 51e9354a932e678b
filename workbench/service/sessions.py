"""Whose a page's session, an event or a result is: what a client names is only its first user's.

Gradio streams the events of a session, or of one event, to whoever names it. Both are remembered here with
the owner who was first to use them, and are nobody else's until they are forgotten.
"""

from __future__ import annotations

import collections
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from workbench.service.limits import network

NOBODY = ""  # owner of what came without a cookie; whoever knows its name may use it
MOST, MOST_OF_ONE = 4000, 200


class Bound:
    """Names and the owners that they are bound to, in bounded memory.

    Args:
        most: names of all owners; then the address that has most of them loses the one that it used longest
            ago: who takes many cookies pushes out nobody but himself.
        most_of_one: names of one owner at one address; then the one that was used longest ago is forgotten.
        forgotten: told of every name that is forgotten.
    """

    def __init__(
        self,
        most: int = MOST,
        most_of_one: int = MOST_OF_ONE,
        forgotten: Callable[[str], None] = lambda name: None,
    ):
        self._most, self._most_of_one, self._forgotten = most, most_of_one, forgotten
        self._holders: collections.OrderedDict[str, tuple[str, str]] = collections.OrderedDict()
        self._counts: collections.Counter[str | tuple[str, str]] = collections.Counter()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._holders)

    def take(self, name: str, owner: str, address: str = "") -> bool:
        """Bind ``name`` to ``owner`` if it is free or nobody's; whether it is the owner's, then."""
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

    def is_free_or_of(self, name: str, owner: str) -> bool:
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
    """What a call of the page names."""

    sessions: list[str]
    events: list[str]
    paths: list[str]


def named(called: str, query: bytes, body: bytes) -> Named:
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
