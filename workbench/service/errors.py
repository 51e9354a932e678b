"""What the platform refuses, each in one line that is fit to be shown to the person who asked."""

from __future__ import annotations

import re

from workbench.core.errors import WorkbenchError


class UnknownJobError(WorkbenchError):
    """No such job for this owner: absent and somebody else's are the same, so that nothing can be probed."""

    def __init__(self) -> None:
        super().__init__("There is no such job. Look at the list of your own jobs.")


class LimitError(WorkbenchError):
    """A rate, size or quota limit stands in the way; the text says which and what helps."""


class AccountError(WorkbenchError):
    """An account cannot be made, changed or found."""


class LoginError(WorkbenchError):
    """Name and password do not open an account, or too many attempts were made."""


class StorageError(WorkbenchError):
    """The data folder cannot take, hold or give what it should."""


class EngineError(WorkbenchError):
    """An engine cannot be started as asked."""


_PATH = re.compile(r"(?<![\w.:/])(?:[A-Za-z]:)?(?:[/\\][^/\\\s'\":,;<>()]+)+[/\\]([^/\\\s'\":,;<>()]+)")


def without_paths(text: str) -> str:
    """A message for a visitor: of a file of this computer no more than its name.

    >>> without_paths("The file /srv/data/owners/a1/input/00.png is damaged.")
    'The file 00.png is damaged.'
    """
    return _PATH.sub(r"\1", text)
