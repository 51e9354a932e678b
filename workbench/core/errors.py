"""The errors a user can cause. Each message says what was expected, what came, and what to do.

They are ``ValueError``s, so library users may catch the builtin; the CLI and the app print them as one line.
"""

LONGEST_NAME = 60  # characters of a name that a message repeats


class WorkbenchError(ValueError):
    """Base of every error whose cause is the user's input."""


class ImageError(WorkbenchError):
    """A file is not a picture that can be read safely."""


class UnknownNameError(WorkbenchError):
    """A model, style, class or method was asked for by a name that does not exist."""

    def __init__(self, what: str, name: str, known):
        known = sorted(known)
        shown = name if len(str(name)) <= LONGEST_NAME else f"{str(name)[:LONGEST_NAME]}…"
        super().__init__(f"Unknown {what} {shown!r}. Known: {', '.join(known) if known else 'none'}.")
        self.what, self.name, self.known = what, name, known


class WeightsError(WorkbenchError):
    """A weights file or its card is missing, malformed, or the two do not belong together."""


class DatasetError(WorkbenchError):
    """A folder or table of training pictures cannot be used as it is."""


class VideoError(WorkbenchError):
    """A file is not a video that can be read safely, or a video cannot be written."""


class CancelledError(WorkbenchError):
    """The work was stopped at its owner's request. No partial results are left."""
