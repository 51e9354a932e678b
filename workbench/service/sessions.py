"""Whose a page's session, an event or a result is: what a client names is only its first user's.

Gradio streams the events of a session, or of one event, to whoever names it. Both are remembered here with
the owner who was first to use them, and are nobody else's until they are forgotten.
"""

from __future__ import annotations

import collections
import threading
from collections.abc import Callable

MOST, MOST_OF_ONE = 4000, 200


class Bound:
    """Names and the owners that they are bound to, in bounded memory.

    Args:
        most: names of all owners; then the one that was used longest ago is forgotten.
        most_of_one: names of one owner; then the oldest of that owner is forgotten.
        forgotten: told of every name that is forgotten.
    """

    def __init__(
        self,
        most: int = MOST,
        most_of_one: int = MOST_OF_ONE,
        forgotten: Callable[[str], None] = lambda name: None,
    ):
        self._most, self._most_of_one, self._forgotten = most, most_of_one, forgotten
        self._owners: collections.OrderedDict[str, str] = collections.OrderedDict()
        self._of: dict[str, collections.OrderedDict[str, None]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._owners)

    def take(self, name: str, owner: str) -> bool:
        """Bind ``name`` to ``owner`` if it is free; whether it is the owner's."""
        gone = []
        with self._lock:
            holder = self._owners.setdefault(name, owner)
            if holder != owner:
                return False
            self._owners.move_to_end(name)
            names = self._of.setdefault(owner, collections.OrderedDict())
            names[name] = None
            names.move_to_end(name)
            if len(names) > self._most_of_one:
                gone.append(self._drop(next(iter(names))))
            if len(self._owners) > self._most:
                gone.append(self._drop(next(iter(self._owners))))
        for old in gone:
            self._forgotten(old)
        return True

    def is_free_or_of(self, name: str, owner: str) -> bool:
        """Whether ``name`` is bound to nobody else."""
        with self._lock:
            return self._owners.get(name, owner) == owner

    def _drop(self, name: str) -> str:
        owner = self._owners.pop(name)
        names = self._of[owner]
        del names[name]
        if not names:
            del self._of[owner]
        return name
