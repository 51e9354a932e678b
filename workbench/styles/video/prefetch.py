"""Run an iterator in a thread of its own, a bounded number of items ahead of its reader.

Decoding, drawing and encoding release the interpreter's lock, so three such stages overlap; the bound keeps
memory constant whichever of them is slowest.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
_END = object()
_POLL = 0.1  # seconds between checks that the reader is still there


@contextlib.contextmanager
def prefetch(items: Iterable[T], ahead: int, name: str = "prefetch") -> Iterator[Iterator[T]]:
    """Iterate ``items`` in another thread.

    Leaving the context stops the thread and waits for it, so that nothing runs on when the work has failed or
    was cancelled. What ``items`` raises is raised to the reader in its place.

    Args:
        items: generators are also closed, by the thread that ran them.
        ahead: items that may wait for the reader, at least 1.
        name: of the thread.
    """
    if ahead < 1:
        raise ValueError(f"Expected `ahead` of at least 1 but got {ahead}.")
    waiting: queue.Queue = queue.Queue(ahead)
    stopped = threading.Event()

    def put(item) -> bool:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                waiting.put(item, timeout=_POLL)
                return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put((item, None)):
                    break
        except BaseException as error:  # handed over, never lost
            put((_END, error))
        else:
            put((_END, None))
        finally:
            if hasattr(items, "close"):
                items.close()

    def read() -> Iterator[T]:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    try:
        yield read()
    finally:
        stopped.set()
        thread.join()
