"""Stop a server on Ctrl-C and on ``kill``, alike and for certain.

The exception that a signal handler raises is lost if it strikes while Python runs a ``__del__``, as it does
right after the start, when garbage is collected: the server would run on. So the wish is kept as well.
"""

from __future__ import annotations

import contextlib
import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import gradio as gr

_LOOK = 0.1  # seconds between looks at the wish; an event would lock, and a handler must not


class Stopping:
    """From its making until :meth:`wait` is over, SIGTERM and SIGINT raise KeyboardInterrupt and are
    remembered. Main thread only.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before = {}
        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) is not signal.SIG_IGN:  # in the background Ctrl-C is none of ours
                self._before[number] = signal.signal(number, self._ask)

    def _ask(self, *_) -> None:
        self.asked = True
        raise KeyboardInterrupt

    def wait(self, page: gr.Blocks) -> None:
        """Return when somebody asks to stop, or has asked before, and the page is closed."""
        with contextlib.suppress(KeyboardInterrupt):
            while not self.asked:
                time.sleep(_LOOK)
        page.close(verbose=False)
        for number, handler in self._before.items():
            signal.signal(number, handler or signal.SIG_DFL)
