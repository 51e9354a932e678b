"""Cut a video into pieces at key frames, and join the drawn pieces.

Cutting copies nothing: a piece is an interval of times that starts at a key frame, so any worker that has
the file can decode it from there without the frames before. Joining copies packets, not pictures, so the
pieces must have been written by the same encoder at the same settings.
"""

from __future__ import annotations

import bisect
import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import av

from workbench.core.errors import VideoError
from workbench.styles.options import VideoLimits
from workbench.styles.video import probing
from workbench.styles.video.reading import origin
from workbench.styles.video.writing import Mp4, check_target


@dataclasses.dataclass(frozen=True)
class Chunk:
    """A piece of a video: the frames shown from ``start`` up to, without, ``stop``. Ticks of the source."""

    index: int
    start: int | None  # None: the file's first frame
    stop: int | None  # None: to the end
    frames: int | None  # as many packets, an estimate of the frames


def split(source: str | os.PathLike, frames: int = 240, limits: VideoLimits | None = None) -> list[Chunk]:
    """Pieces of at least ``frames`` frames (the last may be shorter) that start at key frames.

    The file is read once without decoding. One without times for its frames, or with a single key frame, is
    one piece.

    Args:
        source: the video.
        frames: a few seconds' worth: each piece costs a new decoder and, with ``temporal``, a fresh start.
        limits: default :class:`VideoLimits`.

    Raises:
        VideoError: not a video that can be read, or beyond the limits.
    """
    if frames < 1:
        raise VideoError(f"Expected pieces of at least 1 frame but got {frames}.")
    limits = limits or VideoLimits()
    times: list[int] = []
    keys: list[int] = []
    with probing.opened(source) as container:
        stream = probing.video_stream(container, source)
        probing.check_header(container, stream, source, limits)
        if container.format.name == "avi":  # has no times
            return [Chunk(0, None, None, None)]
        try:
            for packet in container.demux(stream):
                if packet.size == 0 or packet.is_discard:
                    continue
                if packet.pts is None or len(times) >= limits.max_frames:
                    return [Chunk(0, None, None, None)]
                times.append(packet.pts)
                if packet.is_keyframe:
                    keys.append(packet.pts)
        except av.FFmpegError:  # cut off: the last piece ends where the file does
            pass
    times.sort()
    cuts = [0]
    for key in sorted(set(keys))[1:]:
        place = bisect.bisect_left(times, key)
        if place - cuts[-1] >= frames:
            cuts.append(place)
    if len(cuts) == 1:
        return [Chunk(0, None, None, len(times) or None)]
    ends = [*cuts[1:], len(times)]
    return [
        Chunk(i, times[a], times[b] if b < len(times) else None, b - a)
        for i, (a, b) in enumerate(zip(cuts, ends, strict=True))
    ]


def join(
    source: str | os.PathLike,
    chunks: Sequence[Chunk],
    parts: Sequence[str | os.PathLike],
    target: str | os.PathLike,
) -> Path:
    """One video from the pieces of ``source``, in the order of their index, with the sound of ``source``.

    Args:
        source: the video that :func:`split` was given.
        chunks: all of its pieces, in any order.
        parts: for each the file that :func:`~workbench.styles.video.stylize_video` made of it.
        target: as there; whole, or not at all.

    Raises:
        VideoError: pieces are missing, do not belong together, or a file cannot be read or written.
    """
    check_target(target, source)
    pairs = sorted(zip(chunks, parts, strict=True), key=lambda pair: pair[0].index)
    if [chunk.index for chunk, _ in pairs] != list(range(len(pairs))) or not pairs:
        indices = ", ".join(str(chunk.index) for chunk, _ in pairs) or "none"
        raise VideoError(
            f"Expected all pieces of the video once each but got {indices}. Draw the missing ones."
        )
    with probing.opened(source) as container:
        stream = probing.video_stream(container, source)
        ticks, time_base = origin(container, stream, pairs[0][0].start), probing.clock(stream)
    with probing.opened(pairs[0][1]) as first, Mp4(target, time_base) as file:
        template = probing.video_stream(first, pairs[0][1])
        header = template.codec_context.extradata
        with file.errors():
            output = file.container.add_stream_from_template(template)
            output.time_base = time_base
        file.add_sound(source, ticks * time_base)
        last = -1
        for chunk, path in pairs:
            shift = chunk.start - ticks if chunk.start is not None else 0
            with probing.opened(path) as container:
                stream = probing.video_stream(container, path)
                if stream.codec_context.extradata != header:
                    raise VideoError(
                        f"Expected pieces from one encoder at one setting but {Path(path).name} differs from "
                        "the first. Draw all pieces with the same settings."
                    )
                last = _append(file, container, stream, output, shift, time_base, last)
    return Path(target)


def _append(file: Mp4, container, stream, output, shift: int, time_base, last: int) -> int:
    """Copy one piece behind the tick ``last``; the last tick of it."""
    for packet in container.demux(stream):
        if packet.size == 0:
            continue
        pts = max(round(packet.pts * packet.time_base / time_base) + shift, last + 1)
        duration = round((packet.duration or 0) * packet.time_base / time_base)
        packet.pts = packet.dts = last = pts
        packet.duration, packet.time_base, packet.stream = duration, time_base, output
        file.mux([packet])
    return last
