"""Whose a page's session, an event or a result is: what a client names is only its first user's.

Gradio streams the events of a session, or of one event, to whoever names it. Both are remembered here with
the owner who was first to use them, and are nobody else's until they are forgotten.
"""

from __future__ import annotations

import collections
import threading
from collections.abc import Callable

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
