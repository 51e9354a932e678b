"""A video from file to file: decoding, drawing and encoding side by side, in constant memory."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.core import options
from workbench.core.errors import CancelledError, WorkbenchError
from workbench.drawing.faces import find_faces
from workbench.styles.names import DEFAULT_STYLE
from workbench.styles.options import VideoLimits, VideoOptions
from workbench.styles.style import Drawer, Style
from workbench.styles.stylize import get
from workbench.styles.video.chunks import Chunk
from workbench.styles.video.flow import TemporalBlend
from workbench.styles.video.gray import is_gray_film
from workbench.styles.video.prefetch import prefetch
from workbench.styles.video.reading import Frame, even, reading
from workbench.styles.video.writing import Mp4, VideoEncoder, check_target

log = logging.getLogger(__name__)

_SEARCHED = 5  # one in this many frames is searched for faces, until one is found
_AHEAD = 4  # frames that may wait between two stages
_BATCH_PIXELS = 8 * 4096 * 2304  # of the frames of a pass, which wait in memory


class Progress(NamedTuple):
    """Progress of the work, after each frame."""

    done: int  # frames
    total: int | None  # frames expected; an estimate, as headers are; None if the file does not say
    seconds: float  # since the start
    eta: float | None  # seconds to go


@dataclasses.dataclass(frozen=True)
class Result:
    """What was written."""

    path: Path
    frames: int
    seconds: float  # from the first frame's start to the last one's end
    width: int  # pixels, even
    height: int
    audio: str  # what was done with the sound: "none", "copied (aac)", "encoded again …"
    damaged: int  # packets of the source that could not be decoded and are missing
    unchanged: int  # frames that the style left as they were, as portrait styles do without a face
    missing: str = ""  # what the style is meant for and no searched frame shows, e.g. "a face"


def stylize_video(
    source: str | os.PathLike,
    target: str | os.PathLike,
    style: str | Path | Style = DEFAULT_STYLE,
    strength: float = 1.0,
    scale: float = 1.0,
    runtime: str = "torch",
    temporal: float = VideoOptions.temporal,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    batch: int = 8,
    chunk: Chunk | None = None,
    limits: VideoLimits | None = None,
    device: str | None = None,
    detail: float = 1.0,
    deform: float = VideoOptions.deform,
) -> Result:
    """Redraw a video as an MP4 that browsers play; whole, or not at all.

    Order, times, upright orientation, pixel aspect, colour matrix and range, and sound are kept. Odd sides
    grow by one pixel. A film without colour (:func:`is_gray_film`), and lit scenes without, stay so in styles
    that keep their colours. Frames that cannot be decoded are missing in the result, which counts them.

    Args:
        source: a video that FFmpeg reads: MP4, MOV, MKV, WebM, AVI, MPEG, GIF …
        target: ends in .mp4 or .m4v; an existing file is replaced when the new one is complete.
        style, strength, device, detail, deform: as in :func:`workbench.styles.stylize.stylize`.
        scale: of the sides, in (0, 4]; the style is drawn at the new size.
        runtime: "torch", "torch-bf16" or "onnx" (needs the extra ``export``).
        temporal: share in [0, 0.99] of the drawing before, carried along by flow; see :class:`VideoOptions`.
        progress: called after each frame; an exception that it raises stops the work.
        cancelled: asked before each frame; True stops the work.
        batch: most frames drawn in one pass; small frames gain from it, large ones go one by one anyway.
        chunk: draw only this piece, without sound and with its first frame at 0; see
            :func:`workbench.styles.video.split`. Temporal blending and face tracking restart
            in each piece.
        limits: default :class:`VideoLimits`.

    Raises:
        UnknownNameError, WeightsError: the style cannot be used.
        VideoError: the source cannot be read or is beyond the limits, or the target cannot be written.
        CancelledError: ``cancelled`` said so.
        WorkbenchError: a number outside its range.
    """
    numbers = {"strength": strength, "scale": scale, "temporal": temporal, "detail": detail, "deform": deform}
    _check(numbers, batch, source, target)
    chosen = get(style)
    blend, missing = TemporalBlend(chosen.share_of_past(temporal)), chosen.shows
    gray = chosen.keeps_gray and strength > 0 and is_gray_film(source, limits)
    draw = chosen.drawer(strength, runtime, device, detail=detail, deform=deform, gray=gray)
    with reading(source, scale, limits, chunk) as reader:
        layout = reader.layout
        batch = max(1, min(batch, _BATCH_PIXELS // (layout.width * layout.height)))
        with Mp4(target, layout.time_base) as file:
            encoder = VideoEncoder(file, layout)
            if chunk is None:
                file.add_sound(source, layout.origin)
            start, end, done, unchanged = time.perf_counter(), 0, 0, 0
            with (
                prefetch(iter(reader), max(_AHEAD, batch), "decode") as frames,
                prefetch(_drawn(frames, draw, batch), _AHEAD, "draw") as pairs,
            ):
                for done, (frame, drawing) in enumerate(_until(pairs, cancelled), start=1):
                    encoder.write(blend(frame.pixels, drawing), frame.pts, frame.duration)
                    end = frame.pts + frame.duration
                    unchanged += drawing is frame.pixels
                    if missing and done % _SEARCHED == 1 and find_faces(frame.pixels):
                        missing = ""
                    if progress is not None:
                        progress(_progress(done, layout.frames, time.perf_counter() - start))
            encoder.flush()
            if progress is not None and done != layout.frames:  # the estimate was off: end on 100 %
                progress(Progress(done, done, time.perf_counter() - start, 0.0))
    _warn(Path(source).name, len(reader.damaged), missing)
    width, height = even(layout.width, layout.height)
    seconds = float(end * Fraction(layout.time_base))
    return Result(
        Path(target), done, seconds, width, height, file.audio, len(reader.damaged), unchanged, missing
    )


def _check(
    numbers: dict[str, float], batch: int, source: str | os.PathLike, target: str | os.PathLike
) -> None:
    """Raise what :func:`stylize_video` says of its numbers and of its target."""
    options.build(VideoOptions, numbers)
    if batch < 1:
        raise WorkbenchError(f"Expected a batch of at least 1 frame but got {batch}.")
    check_target(target, source)


def _warn(name: str, damaged: int, missing: str) -> None:
    if damaged:
        log.warning("%s: %d damaged packets left out", name, damaged)
    if missing:
        log.warning("%s: %s was found in no frame", name, missing)


def _drawn(frames: Iterable[Frame], draw: Drawer, batch: int) -> Iterator[tuple[Frame, NDArray[np.uint8]]]:
    waiting: list[Frame] = []
    for frame in frames:
        waiting.append(frame)
        if len(waiting) == batch:
            yield from zip(waiting, draw([f.pixels for f in waiting]), strict=True)
            waiting = []
    if waiting:
        yield from zip(waiting, draw([f.pixels for f in waiting]), strict=True)


def _until(pairs: Iterator, cancelled: Callable[[], bool] | None) -> Iterator:
    def check() -> None:
        if cancelled is not None and cancelled():
            raise CancelledError("The video was cancelled; nothing was written. Start it again to have it.")

    check()
    for pair in pairs:
        check()
        yield pair


def _progress(done: int, total: int | None, seconds: float) -> Progress:
    if total is None:
        return Progress(done, None, seconds, None)
    total = max(total, done)
    eta = seconds / done * (total - done)
    return Progress(done, total, seconds, eta if math.isfinite(eta) else None)
