"""Whether a film has no colour, which is asked of the whole film.

What a single frame of another film says of itself is asked by :meth:`workbench.styles.style.Style.drawer`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator

import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation
from av.video.stream import VideoStream
from numpy.typing import NDArray

from workbench.core.errors import VideoError
from workbench.core.pixels import LIT, is_gray, luma
from workbench.styles.options import VideoLimits
from workbench.styles.video import probing

SAMPLES = 24  # frames of a film that are looked at
_ALL = 240  # frames of a film that is decoded for it from its start, not sought in
_SIDE = 128  # pixels, the shorter side at which they are


def is_gray_film(source: str | os.PathLike, limits: VideoLimits | None = None) -> bool:
    """Whether no frame of a sample has colour and at least one is lit.

    24 frames are looked at, of a short film evenly, of a longer one key frames; the first one with colour
    ends the search. Every piece of a film that is drawn in pieces gets the same answer. Colour in the frames
    that are not looked at is missed: :meth:`workbench.styles.style.Style.drawer` looks again.

    Args:
        source: the file; False if it cannot be read.
        limits: default :class:`VideoLimits`.
    """
    lit = False
    with contextlib.suppress(VideoError), probing.opened(source) as container:
        stream = probing.video_stream(container, source)
        probing.check_header(container, stream, source, limits or VideoLimits())
        for frame in _sampled(container, stream):
            probing.check_size(frame.width, frame.height, source, limits or VideoLimits())
            pixels = _small(frame)
            if not is_gray(pixels):
                return False
            lit = lit or float(luma(pixels).max()) >= LIT
    return lit


def _sampled(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    seconds, rate = probing.duration(container, stream), stream.average_rate or stream.guessed_rate
    frames = stream.frames or (round(seconds * rate) if seconds and rate else 0)
    if not seconds or frames <= _ALL:
        every = max(1, (frames or _ALL) // SAMPLES)
        yield from itertools.islice(probing.decoded(container, stream), 0, _ALL, every)
        return
    for number in range(SAMPLES):
        at = (stream.start_time or 0) + round(seconds * number / SAMPLES / probing.clock(stream))
        container.seek(at, stream=stream)
        yield from itertools.islice(probing.decoded(container, stream), 1)


def _small(frame: VideoFrame) -> NDArray[np.uint8]:
    share = min(1.0, _SIDE / min(frame.width, frame.height))
    width, height = (max(1, round(share * side)) for side in (frame.width, frame.height))
    pixels = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation=Interpolation.AREA)
    return np.asarray(pixels, np.uint8)
