"""What a visitor sees before doing anything: one example, drawn once for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.core.errors import WorkbenchError
from workbench.service.platform import Platform
from workbench.service.previews import Preview
from workbench.service.tasks import Task
from workbench.service.uploads import NOBODY
from workbench.ui.examples import Example, examples

STYLE = "fsgan_ink"  # in which nobody takes the drawing for the photograph
_TITLE = "Summer palace"


def example() -> Example | None:
    """The photograph that is shown, if an example is installed."""
    found = {one.title: one for one in examples()}
    return found.get(_TITLE) or next(iter(found.values()), None)


class Shared:
    """A task that is done once, for everybody to see.

    Args:
        platform: whose workers do it.
        task: what to do with the example.
        options: of the task.
    """

    def __init__(self, platform: Platform, task: Task, options: Mapping[str, Any]):
        self._platform, self._task, self._options = platform, task, options
        self._preview: Preview | None = None

    async def folder(self) -> Path | None:
        """The result; None if there is none, which is told to whoever asks for one of their own."""
        photo = example()
        if photo is None or photo.path is None:
            return None
        preview = self._preview
        if preview is None or (preview.ended and not preview.work.out.is_dir()):
            out = self._platform.uploads.result_folder(NOBODY)
            preview = self._platform.previews.start(self._task, [photo.path], self._options, out)
            self._preview = preview
        while not await preview.wait(60):
            pass
        try:
            return preview.result()
        except WorkbenchError:
            return None
