"""Errors of the platform, each one line that may be shown to the visitor."""

from __future__ import annotations

import re

from workbench.core.errors import WorkbenchError


class UnknownJobError(WorkbenchError):
    """No such job for this owner; also for the jobs of others, so that ids cannot be probed."""

    def __init__(self) -> None:
        super().__init__("There is no such job. Look at the list of your own jobs.")


class LimitError(WorkbenchError):
    """A rate, size or quota limit was reached; the text says which, and what to do."""


class AccountError(WorkbenchError):
    """An account cannot be made, changed or found."""


class LoginError(WorkbenchError):
    """Name and password do not open an account, or too many attempts were made."""


class StorageError(WorkbenchError):
    """The data folder or the database cannot be read or written."""


class EngineError(WorkbenchError):
    """An engine cannot be started as asked."""


_PATH = re.compile(r"(?<![\w.:/])(?:[A-Za-z]:)?(?:[/\\][^/\\\s'\":,;<>()]+)+[/\\]([^/\\\s'\":,;<>()]+)")


def without_paths(text: str) -> str:
    """A message for a visitor, with the names of files but not their folders.

    >>> without_paths("The file /srv/data/owners/a1/input/00.png is damaged.")
    'The file 00.png is damaged.'
    """
    return _PATH.sub(r"\1", text)
