"""The kinds of work that a job can be, and what a worker does for each.

A :class:`Kind` is checked in the server, which loads no model; its function runs in a worker. Uploads are
opened only there: whatever a hostile file does to a decoder, it does to a process that can be replaced.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workbench.core.errors import WorkbenchError
from workbench.service.engines.worker import Context
from workbench.styles.names import RUNTIMES

CHUNK_FRAMES = 240  # of a video, for one node at a time
THUMBNAIL = ".thumb.jpg"  # ends the name of a small picture of a result; sorted behind the result itself
_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of job."""

    title: str
    run: str  # "module:function" of (inputs, options, context); writes its result into context.out
    options: Mapping[str, tuple[Callable[[Any, str], Any], Any]]  # name: (check, default)
    inputs: int = 1  # files
    input_bytes: int = 256_000_000  # of one of them
    seconds: float = 600.0  # that one attempt may take
    # For engines with several machines; see `split_video` and `join_video`.
    split: str = ""
    join: str = ""


def check_options(kind: Kind, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every option of the kind, checked, in plain JSON types; what was not given by its default.

    Raises:
        WorkbenchError: an option that the kind does not have, or a value out of its range.
    """
    unknown = sorted(set(given) - set(kind.options))
    if unknown:
        raise WorkbenchError(
            f"Unknown option {unknown[0][:40]!r}. Known: {', '.join(kind.options) or 'none'}."
        )
    checked = {}
    for name, (check, default) in kind.options.items():
        checked[name] = check(given.get(name, default), name)
    return checked


def name(value: Any, option: str) -> str:
    """The name of a style or model: never a path, for a visitor may not open the server's files."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise WorkbenchError(f"Expected {option} to be a name from the list but got {str(value)[:40]!r}.")
    return value


def within(low: float, high: float) -> Callable[[Any, str], float]:
    """A check for numbers in [low, high]."""

    def check(value: Any, option: str) -> float:
        good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not good or not low <= value <= high:
            raise WorkbenchError(
                f"Expected {option} between {low:g} and {high:g} but got {str(value)[:40]!r}."
            )
        return float(value)

    return check


def one_of(*known: str) -> Callable[[Any, str], str]:
    """A check for one of a few words."""

    def check(value: Any, option: str) -> str:
        if value not in known:
            raise WorkbenchError(
                f"Expected {option} to be one of {', '.join(known)} but got {str(value)[:40]!r}."
            )
        return value

    return check


def stylize_picture(inputs: tuple[Path, ...], options: dict[str, Any], context: Context) -> None:
    """Redraw a picture: ``picture.png``, and a small one of it for lists."""
    from workbench.core.files import write_image
    from workbench.data.images import read_image
    from workbench.service.previews import check_style, thumbnail
    from workbench.styles.stylize import stylize

    check_style(options["style"])
    context.progress(0.0, "Opening the picture")
    image = read_image(inputs[0])
    drawn = stylize(
        image,
        options["style"],
        options["strength"],
        lambda share: context.progress(0.95 * share, "Redrawing"),
        preserve_color=options["preserve_color"],
        runtime=options["runtime"],
    )
    write_image(drawn, context.out / "picture.png")
    thumbnail(drawn, context.out / f"picture{THUMBNAIL}")


def classify_picture(inputs: tuple[Path, ...], options: dict[str, Any], context: Context) -> None:
    """Read a painting's mood: ``reading.json`` with the probability of each class."""
    from workbench.classify.reading import Classifier, classifiers
    from workbench.core.errors import UnknownNameError
    from workbench.core.files import write_whole
    from workbench.data.images import read_image

    if options["model"] not in classifiers():
        raise UnknownNameError("model", options["model"], classifiers())
    context.progress(0.0, "Opening the picture")
    image = read_image(inputs[0])
    context.progress(0.2, "Reading")
    found = Classifier.load(options["model"]).classify(image)
    reading = {
        "model": found.model,
        "top": found.top,
        "calibrated": bool(found.calibrated),
        "probabilities": {label: float(value) for label, value in found.probabilities.items()},
    }
    text = json.dumps(reading, indent=2, ensure_ascii=False) + "\n"
    write_whole(text.encode(), context.out / "reading.json")


def stylize_video(inputs: tuple[Path, ...], options: dict[str, Any], context: Context) -> None:
    """Redraw a video, or the piece of it that ``options["chunk"]`` names: ``video.mp4``, and for a whole one
    a small picture of it for lists.
    """
    from workbench.service.previews import check_style, video_thumbnail
    from workbench.styles import video

    drawing = {key: value for key, value in options.items() if key != "chunk"}
    check_style(drawing["style"])
    chunk = video.Chunk(*options["chunk"]) if "chunk" in options else None
    context.progress(0.0, "Opening the video")

    def tell(done: video.Progress) -> None:
        share = done.done / done.total if done.total else 0.0
        context.progress(0.98 * share, f"{done.done} of {done.total or '?'} frames")

    video.stylize_video(
        inputs[0],
        context.out / "video.mp4",
        **drawing,
        chunk=chunk,
        progress=tell,
        cancelled=context.cancelled,
    )
    if chunk is None:
        video_thumbnail(context.out / "video.mp4", context.out / f"video{THUMBNAIL}")


def preview_video(inputs: tuple[Path, ...], options: dict[str, Any], context: Context) -> None:
    """Redraw one frame of a video, to judge a style before the whole: ``before.png``, ``after.png``."""
    from workbench.service import previews

    previews.draw_frame(inputs, options, context)
    (context.out / previews.FACTS).unlink()


def split_video(inputs: tuple[Path, ...], options: dict[str, Any]) -> list[dict[str, Any]]:
    """The options of each piece, in order. What looks at the frames before, blending along time and portrait
    styles, takes one piece.
    """
    from workbench.styles import video
    from workbench.styles.menu import get

    if options["temporal"] > 0 or get(options["style"]).stateful:
        return [options]
    pieces = video.split(inputs[0], CHUNK_FRAMES)
    if len(pieces) == 1:
        return [options]
    return [options | {"chunk": list(dataclasses.astuple(piece))} for piece in pieces]


def join_video(
    inputs: tuple[Path, ...], pieces: list[dict[str, Any]], parts: list[Path], context: Context
) -> None:
    """Put the pieces' results together in order, with the sound of the source."""
    from workbench.service.previews import video_thumbnail
    from workbench.styles import video

    context.progress(0.99, "Joining")
    chunks = [video.Chunk(*piece["chunk"]) for piece in pieces]
    video.join(
        inputs[0],
        chunks=chunks,
        parts=[part / "video.mp4" for part in parts],
        target=context.out / "video.mp4",
    )
    video_thumbnail(context.out / "video.mp4", context.out / f"video{THUMBNAIL}")


_STYLE = {"style": (name, "fsgan_pepper"), "strength": (within(0, 1), 1.0)}
_RUNTIME = {"runtime": (one_of(*RUNTIMES), "torch")}
KINDS: dict[str, Kind] = {
    "stylize_picture": Kind(
        "Redraw a photo",
        f"{__name__}:stylize_picture",
        _STYLE | {"preserve_color": (within(0, 1), 0.0)} | _RUNTIME,
    ),
    "classify_picture": Kind(
        "Read a painting", f"{__name__}:classify_picture", {"model": (name, "mood_statistics")}
    ),
    "preview_video": Kind(
        "One frame of a video",
        f"{__name__}:preview_video",
        _STYLE | {"scale": (within(0.1, 1), 1.0), "at": (within(0, 7200), 0.0)},
        input_bytes=1_000_000_000,
    ),
    "stylize_video": Kind(
        "Redraw a video",
        f"{__name__}:stylize_video",
        _STYLE | {"scale": (within(0.1, 1), 1.0), "temporal": (within(0, 0.99), 0.0)} | _RUNTIME,
        input_bytes=1_000_000_000,
        seconds=6 * 3600.0,
        split=f"{__name__}:split_video",
        join=f"{__name__}:join_video",
    ),
}
