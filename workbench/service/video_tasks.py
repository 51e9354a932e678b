"""What workers do with a film. Loads decoders and networks: only workers import this."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench.core.errors import VideoError, WorkbenchError
from workbench.service.engines.worker import Context
from workbench.service.picture_tasks import (
    AFTER,
    BEFORE,
    QUICK_PIXELS,
    thumbnail,
    write_facts,
    write_shown,
)
from workbench.service.tasks import THUMBNAIL, FilmFactsOptions, FilmOptions, FrameOptions
from workbench.styles import video
from workbench.styles.options import VideoLimits
from workbench.styles.stylize import get
from workbench.styles.video import probing
from workbench.styles.video.flow import TemporalBlend
from workbench.styles.video.reading import even, reading, scaled
from workbench.styles.video.stylizing import Progress, stylize_video

FILM = "video.mp4"
CHUNK_FRAMES = 240  # of a film, for one node at a time
SCALES = (1.0, 0.75, 0.5, 0.25)  # of the sides, on offer
_STREAMING = 0.9  # of the drawing's own speed is left beside decoding and encoding; measured, at least 0.85
_SHORT_SECONDS, _SHORT_SHARE = 0.5, 0.98  # an end this much before the announced one is not a rounded header


def facts(inputs: tuple[Path, ...], options: FilmFactsOptions, context: Context) -> None:
    """What a film holds: ``facts.json``. Refuses what :func:`workbench.styles.video.probe` refuses."""
    context.progress(0.0, "Opening the video")
    found = video.probe(inputs[0], options._limits)
    write_facts(
        context,
        {
            "width": found.width,
            "height": found.height,
            "frames": found.frames,
            "seconds": found.duration,
            "rate": found.rate,
            "codec": found.codec,
            "audio": found.audio_codec,
            "sizes": [[scale, *_sides(found, scale)] for scale in SCALES],
        },
    )


def preview(inputs: tuple[Path, ...], options: FrameOptions, context: Context) -> None:
    """Draw the frame that is shown at ``options.at`` seconds: ``before.jpg``, ``after.jpg``.

    ``facts.json`` says how many seconds a frame takes this worker, steadied by ``options.temporal``.
    """
    style = get(options.style)
    context.progress(0.0, "Opening the video")
    width, height = _sides(video.probe(inputs[0], options._limits), options.scale)
    if width * height > QUICK_PIXELS:
        context.expect_long()
    pixels = frame_at(inputs[0], options.at, options.scale, options._limits)
    write_shown(Image.fromarray(pixels), context.out / BEFORE)
    context.progress(0.3, "Drawing one frame")
    draw = style.drawer(
        options.strength,
        options.runtime,
        options.device,
        detail=options.detail,
        deform=options.deform,
        gray=style.keeps_gray and video.is_gray_film(inputs[0], options._limits),
    )
    start = time.perf_counter()
    drawing = draw([pixels])[0]
    seconds = time.perf_counter() - start
    context.progress(0.7, "Drawing one frame")
    if seconds < 1:  # the first pass also sets things up, which a film does once
        start = time.perf_counter()
        draw([pixels])
        seconds = time.perf_counter() - start
    if share := style.share_of_past(options.temporal):
        blend = TemporalBlend(share)
        blend(pixels, drawing)
        start = time.perf_counter()
        blend(pixels, drawing)
        seconds += time.perf_counter() - start
    write_shown(Image.fromarray(drawing), context.out / AFTER)
    height, width = drawing.shape[:2]
    write_facts(context, {"width": width, "height": height, "seconds_a_frame": seconds / _STREAMING})


def stylize(inputs: tuple[Path, ...], options: FilmOptions, context: Context) -> None:
    """Redraw a film, or the piece of it that ``options`` name: ``video.mp4``, and for a whole one a small
    picture of it for lists.
    """
    style = get(options.style)
    chunk = video.Chunk(*options._chunk) if options._chunk else None
    context.progress(0.0, "Opening the video")

    def tell(done: Progress) -> None:
        share = done.done / done.total if done.total else 0.0
        context.progress(0.98 * share, f"{done.done} of {done.total or '?'} frames")

    result = stylize_video(
        inputs[0],
        context.out / FILM,
        options.style,
        options.strength,
        options.scale,
        options.runtime,
        options.temporal,
        detail=options.detail,
        deform=options.deform,
        chunk=chunk,
        limits=options._limits,
        progress=tell,
        cancelled=context.cancelled,
    )
    if result.damaged:
        context.remark(f"{result.damaged} damaged packets of the file could not be read and are missing.")
    if result.missing and options.strength:
        done = "nothing was drawn" if style.needs else "the film was drawn as a scene"
        context.remark(f"Expected {result.missing} but found none in the film, so {done}.")
    if chunk is None:
        _finish(inputs[0], result.frames, result.seconds, context, options._limits)


def split(inputs: tuple[Path, ...], options: FilmOptions) -> list[FilmOptions]:
    """The options of each piece, in order. What looks at the frames before, blending along time and portrait
    styles, takes one piece.
    """
    style = get(options.style)
    if style.stateful or style.share_of_past(options.temporal) > 0:
        return [options]
    pieces = video.split(inputs[0], CHUNK_FRAMES, options._limits)
    if len(pieces) == 1:
        return [options]
    return [dataclasses.replace(options, _chunk=dataclasses.astuple(piece)) for piece in pieces]


def join(inputs: tuple[Path, ...], pieces: list[FilmOptions], parts: list[Path], context: Context) -> None:
    """Put the pieces' results together in order, with the sound of the source.

    Raises:
        VideoError: the options of a piece do not say which piece of the film it is, or see
            :func:`workbench.styles.video.join`.
    """
    context.progress(0.99, "Joining")
    if whole := [number for number, piece in enumerate(pieces, 1) if piece._chunk is None]:
        raise VideoError(
            f"Expected {len(pieces)} pieces of a film but number {whole[0]} does not say which piece it is. "
            "Draw the film again."
        )
    chunks = [video.Chunk(*piece._chunk) for piece in pieces if piece._chunk is not None]
    target = context.out / FILM
    video.join(inputs[0], chunks=chunks, parts=[part / FILM for part in parts], target=target)
    made = video.probe(target, pieces[0]._limits)
    _finish(inputs[0], made.frames or 0, made.duration or 0.0, context, pieces[0]._limits)


def frame_at(
    source: Path, seconds: float, scale: float = 1.0, limits: VideoLimits | None = None
) -> NDArray[np.uint8]:
    """(H, W, 3) RGB, upright: the first frame that is shown ``seconds`` after the start or later, else the
    last one.

    Raises:
        VideoError: not a video that can be read, beyond the limits, or no frame can be decoded.
    """
    limits = limits or VideoLimits()
    tick = _tick_at(source, seconds, limits) if seconds > 0 else None
    if seconds > 0 and tick is None:  # its times are counted from the first frame, or there are none
        with reading(source, scale, limits) as reader:
            wanted = round(seconds / reader.layout.time_base)
            for frame in reader:
                if frame.pts >= wanted:
                    break
            return frame.pixels
    chunk = None if tick is None else video.Chunk(0, tick, None, 1)
    with reading(source, scale, limits, chunk) as reader:
        return next(iter(reader)).pixels


def _tick_at(source: Path, seconds: float, limits: VideoLimits) -> int | None:
    """Time stamp of the first frame at ``seconds`` or later, else of the last; None if only counting tells.

    Some containers are sought beyond what was asked for (MPEG-TS), or give frames other times after seeking
    (AVI): those are decoded from the start.
    """
    for seek in (True, False):
        with probing.opened(source) as container:
            stream = probing.video_stream(container, source)
            probing.check_header(container, stream, source, limits)
            if container.format.name == "avi":
                return None
            wanted = (stream.start_time or 0) + round(seconds / probing.clock(stream))
            if seek:
                with contextlib.suppress(av.FFmpegError):  # then all that comes before is decoded
                    container.seek(wanted, stream=stream)
            tick, beyond = None, False
            for number, frame in enumerate(probing.decoded(container, stream)):
                tick = frame.pts if frame.pts is not None else tick
                if tick is not None and tick >= wanted:
                    beyond = seek and number == 0 and tick > wanted
                    break
            if tick is not None and not beyond:
                return tick
    return None


def _finish(source: Path, frames: int, seconds: float, context: Context, limits: VideoLimits) -> None:
    """A small picture of the result, and a word if the file ended before it said that it would."""
    target = context.out / FILM
    with contextlib.suppress(WorkbenchError):  # a result without a thumbnail is as good
        small = Image.fromarray(frame_at(target, seconds / 2, limits=limits))
        thumbnail(small, target.with_name(f"{target.stem}{THUMBNAIL}"))
    if (ended := _ends_early(source)) is not None:
        announced = video.probe(source, limits)
        of = f" of the {announced.frames:,} that it announces" if announced.frames else ""
        context.remark(
            f"The file ends early, after {ended[0]:.1f} of {ended[1]:.1f} s: {frames:,} frames{of} could be "
            "read. Copy or export it again if the rest matters."
        )


def _ends_early(source: Path) -> tuple[float, float] | None:
    """(seconds of the last picture or sound, seconds that the header says) of a file that was cut off."""
    with probing.opened(source) as container:
        if not container.duration or container.duration <= 0:
            return None
        announced, last = container.duration / av.time_base, 0.0
        first = (container.start_time or 0) / av.time_base
        with contextlib.suppress(av.FFmpegError):  # a cut packet at the end
            for packet in container.demux():
                if packet.pts is not None and packet.time_base is not None:
                    end = packet.pts + (packet.duration or 0)
                    last = max(last, float(end * packet.time_base) - first)
    is_short = last < announced - _SHORT_SECONDS and last < _SHORT_SHARE * announced
    return (last, announced) if is_short else None


def _sides(found: video.VideoInfo, scale: float) -> tuple[int, int]:
    """Sides of the result: scaled, and even as H.264 wants them."""
    return even(*scaled(found.width, found.height, scale))
