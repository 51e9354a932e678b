"""The tasks that the platform offers.

There are three ways to run a task. *Wait*: a page or a program waits for the result, as for a photo or a
painting. *Preview*: the same for a part of the whole, such as one frame of a film. Both are run by
:class:`workbench.service.previews.PreviewRunner` and not recorded. *Job*: ``Platform.submit`` records it, and
it ends whatever happens to its visitor, its worker or the server.

Options are checked in the server, which loads no model and opens no upload. The functions that do the work
(:mod:`.picture_tasks`, :mod:`.folder_tasks`, :mod:`.video_tasks`) run in workers, so a hostile file can only
crash a process that is replaced.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from workbench.classify.results import DEFAULT_CLASSIFIER
from workbench.core.errors import WorkbenchError
from workbench.core.options import Range, build, options
from workbench.service.limits import Limits
from workbench.styles.options import DrawOptions, VideoLimits, VideoOptions

THUMBNAIL = ".thumb.jpg"  # suffix of a small picture of a result; sorted after the result
_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
MAX_INPUTS = 1000  # files of one job; a ZIP among them may hold more
SHEET_COLUMNS = 16  # of a picture that shows many
_PICTURES, _VIDEOS = "workbench.service.picture_tasks", "workbench.service.video_tasks"
_FOLDERS = "workbench.service.folder_tasks"


@dataclasses.dataclass(frozen=True)
class NoOptions:
    """No options."""


@dataclasses.dataclass(frozen=True)
class Task:
    """One kind of work."""

    name: str
    title: str  # for people
    run: str  # "module:function" of (inputs, options, context); writes its result into context.out
    options: type = NoOptions  # a config dataclass; see `workbench.core.options`
    inputs: int = 1  # files; at least, if there may be more
    max_inputs: int = 0  # files at most; as many as `inputs` by default
    input_bytes: int = 256_000_000  # of one of them
    seconds: float = 600.0  # that one attempt may take
    # For engines with several machines; see `video_tasks.split` and `video_tasks.join`.
    split: str = ""
    join: str = ""

    def check(self, given: Mapping[str, Any] | None = None, limits: Limits | None = None) -> Any:
        """The task's options, what was not given by its default.

        Args:
            given: by name.
            limits: of the server, which a task of a film gets beside its options.

        Raises:
            WorkbenchError: an option that the task does not have, or a value of another type or out of range.
        """
        chosen: Any = build(self.options, given or {})
        if limits is not None and isinstance(chosen, FilmFactsOptions):
            return dataclasses.replace(chosen, _limits=limits.film)
        return chosen


def cell_side(count: int) -> int:
    """Side in pixels of a cell of a contact sheet of ``count`` pictures."""
    return 240 if count <= 120 else 160 if count <= 500 else 96


def as_json(chosen: Any) -> dict[str, Any]:
    """Options in plain JSON types, as :meth:`Task.check` takes them again."""
    cls: type = type(chosen)
    return {option.name: getattr(chosen, option.name) for option in options(cls)}


def _check_name(value: str, option: str) -> None:
    """Refuse paths, which would open the server's own files to a visitor."""
    if not _NAME.fullmatch(value):
        raise WorkbenchError(f"Expected {option} to be a name from the list but got {value[:40]!r}.")


@dataclasses.dataclass(frozen=True)
class PhotoOptions(DrawOptions):
    """How a photo is redrawn."""

    compare: bool = False  # also write reduced pictures of before and after, to look at on a page

    def __post_init__(self) -> None:
        _check_name(self.style, "style")


@dataclasses.dataclass(frozen=True)
class TilesOptions:
    """Which styles are tried on a photo, drawn small."""

    styles: tuple[str, ...] = ()  # names
    portrait: str = ""  # tried in place of the last one if the photo shows a face

    def __post_init__(self) -> None:
        for name in self.styles:
            _check_name(name, "styles")


@dataclasses.dataclass(frozen=True)
class FilmFactsOptions:
    """No options of a visitor's, but the server's own limits."""

    _limits: VideoLimits = dataclasses.field(default_factory=VideoLimits)


@dataclasses.dataclass(frozen=True)
class FilmOptions(FilmFactsOptions, VideoOptions):
    """How a film is redrawn."""

    scale: Annotated[float, Range(0.1, 1)] = 1.0  # of the sides; half takes a quarter of the time
    _chunk: tuple | None = None  # of a piece; see `workbench.styles.video.Chunk`

    def __post_init__(self) -> None:
        _check_name(self.style, "style")


@dataclasses.dataclass(frozen=True)
class FrameOptions(FilmOptions):
    """Which frame of a film is tried."""

    at: Annotated[float, Range(0, 1e6, step=0.1)] = 0.0  # seconds from the start


@dataclasses.dataclass(frozen=True)
class ReadOptions:
    """The classifier of a painting."""

    model: str = DEFAULT_CLASSIFIER  # name of a classifier

    def __post_init__(self) -> None:
        _check_name(self.model, "model")


@dataclasses.dataclass(frozen=True)
class ExplainOptions(ReadOptions):
    """What is explained, and how."""

    class_name: str = ""  # the mood to explain; empty for the most probable
    method: str = ""  # of explanation; empty for Grad-CAM
    layer: str = ""  # of layered methods; empty for the default layer
    reduce: bool = False  # explain the reduced picture that the page shows


@dataclasses.dataclass(frozen=True)
class ReportOptions(ReadOptions):
    """The classifier of a painting, and the title of its report."""

    title: str = "a painting"  # of the painting


@dataclasses.dataclass(frozen=True)
class FolderOptions:
    """Names of the files of a folder."""

    names: tuple[str, ...] = ()  # by their owner, in the order of the inputs


@dataclasses.dataclass(frozen=True)
class FolderPhotoOptions(FolderOptions, DrawOptions):
    """How the photos of a folder are redrawn."""

    format: Literal["png", "jpg"] = "png"  # of the drawings

    def __post_init__(self) -> None:
        _check_name(self.style, "style")


@dataclasses.dataclass(frozen=True)
class FolderReadOptions(FolderOptions, ReadOptions):
    """The classifier of the paintings of a folder."""


@dataclasses.dataclass(frozen=True)
class WarmUpOptions:
    """Models that a worker loads in advance."""

    what: Literal["drawing", "reading"] = "drawing"  # the usual style, or the usual classifier


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("stylize_picture", "Redraw a photo", f"{_PICTURES}:stylize_picture", PhotoOptions),
        Task("try_styles", "Styles on a photo", f"{_PICTURES}:try_styles", TilesOptions),
        Task("classify_picture", "Read a painting", f"{_PICTURES}:classify_picture", ReadOptions),
        Task("explain_picture", "Explain a reading", f"{_PICTURES}:explain_picture", ExplainOptions),
        Task("report_picture", "Report on a painting", f"{_PICTURES}:report_picture", ReportOptions),
        Task("measure_picture", "Measure a painting", f"{_PICTURES}:measure_picture", ReadOptions),
        *(
            Task(name, title, f"{_FOLDERS}:{name}", kind, 1, MAX_INPUTS, 1_000_000_000, 6 * 3600.0)
            for name, title, kind in (
                ("stylize_pictures", "Redraw photos", FolderPhotoOptions),
                ("read_pictures", "Read a folder", FolderReadOptions),
                ("map_pictures", "Map a collection", FolderReadOptions),
            )
        ),
        Task(
            "video_facts", "Look at a video", f"{_VIDEOS}:facts", FilmFactsOptions, input_bytes=1_000_000_000
        ),
        Task(
            "preview_video",
            "One frame of a video",
            f"{_VIDEOS}:preview",
            FrameOptions,
            input_bytes=1_000_000_000,
        ),
        Task(
            "stylize_video",
            "Redraw a video",
            f"{_VIDEOS}:stylize",
            FilmOptions,
            input_bytes=1_000_000_000,
            seconds=6 * 3600.0,
            split=f"{_VIDEOS}:split",
            join=f"{_VIDEOS}:join",
        ),
    )
}
CLASSIFIER_FACTS = Task(
    "classifier_facts", "What a classifier can do", f"{_PICTURES}:classifier_facts", ReadOptions, inputs=0
)
WARM_UP = Task("warm_up", "Load the usual models", f"{_PICTURES}:warm_up", WarmUpOptions, inputs=0)
