"""Frames of a video as upright RGB, each with its own time.

HDR is converted to BT.709 (:mod:`.hdr`); other colours keep their primaries and curve, and what is written
says so.

Times are whole ticks of the stream's own time base, so a variable rate goes through without rounding. A
missing time is filled in from the frame before, and one that does not advance is moved one tick behind it:
frames are never dropped and never change their order.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from numpy.typing import NDArray

from workbench.core.errors import VideoError
from workbench.styles.options import VideoLimits
from workbench.styles.video import hdr, probing
from workbench.styles.video.deinterlacing import progressive

if TYPE_CHECKING:
    from workbench.styles.video.chunks import Chunk

# AVColorSpace of a frame: the matrix that swscale takes for it. RGB (0) has none and gets BT.709.
_MATRICES = {
    0: Colorspace.ITU709,
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
_UNSPECIFIED = 2
_BT709 = 1  # as matrix, primaries and transfer
_HD = 1280, 576  # columns, or rows above, that make players take BT.709 where a file does not say


@dataclasses.dataclass(frozen=True)
class Frame:
    """One upright picture and when it is shown."""

    pixels: NDArray[np.uint8]  # (H, W, 3) RGB
    pts: int  # ticks since the start
    duration: int  # ticks


@dataclasses.dataclass(frozen=True)
class Layout:
    """Properties that all frames of a video share, also in the result."""

    width: int  # pixels, upright and scaled
    height: int
    time_base: Fraction  # seconds a tick
    rate: Fraction  # frames a second on average, for the encoder's rate control
    sample_aspect_ratio: Fraction
    matrix: int  # Colorspace of swscale, which equals AVColorSpace for those kept here but BT.601
    color_range: int  # 1 limited, 2 full
    primaries: int  # AVColorPrimaries
    transfer: int  # AVColorTransferCharacteristic
    frames: int | None  # expected, for the progress
    origin: Fraction  # seconds at which the source's clock stands at tick 0


class Reader:
    """Iterate once over the frames; made by :func:`reading`."""

    def __init__(
        self, container, stream, source, scale: float, limits: VideoLimits, chunk: Chunk | None, seek: bool
    ):
        self._container, self._stream, self._source = container, stream, source
        self._limits, self._chunk = limits, chunk
        self.damaged: list[str] = []  # why packets could not be decoded
        self._frames = self._timed(probing.decoded(container, stream, self.damaged))
        if chunk is not None and chunk.start is not None:
            self._skip_to(chunk.start, seek)
        first = next(self._within(), None)
        if first is None:
            name = probing.shown(source)
            raise VideoError(f"Expected frames in {name} but none can be decoded. Export it again.")
        self._first = first
        self._orientation = probing.orientation(first)
        self._alpha = first.format.name == "pal8" or any(c.is_alpha for c in first.format.components)
        self._origin = self._find_origin()
        self.layout = self._find_layout(scale)

    def _skip_to(self, start: int, seek: bool) -> None:
        """Bring the frame at ``start`` to the front, by seeking or by decoding all that comes before, as in
        AVI, whose times are counted from the first frame.
        """
        seek = seek and self._container.format.name != "avi"
        if seek:
            self._container.seek(start, stream=self._stream)
        for frame in self._frames:
            if frame.pts is not None and frame.pts >= start:
                if seek and frame.pts != start:
                    raise _Missed
                self._frames = _chain(frame, self._frames)
                self.damaged.clear()  # the packets before are another piece's
                return
        if seek:
            raise _Missed

    def _timed(self, frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        """AVI has no times but the order of decoding, which runs ahead of the pictures by the B frames."""
        late = 0
        started = False
        for frame in frames:
            if self._container.format.name == "avi":
                if not started and frame.dts is not None:
                    started, late = True, frame.dts - (self._stream.start_time or 0)
                frame.pts = None if frame.dts is None else frame.dts - late
            yield frame

    def _within(self) -> Iterator[VideoFrame]:
        stop = self._chunk.stop if self._chunk is not None else None
        for frame in self._frames:
            if stop is not None and frame.pts is not None and frame.pts >= stop:
                return
            probing.check_size(frame.width, frame.height, self._source, self._limits)
            yield frame

    def _find_origin(self) -> int:
        """Tick of the source that becomes 0."""
        if self._chunk is not None and self._chunk.start is not None:
            return self._chunk.start
        return origin(self._container, self._stream, self._first.pts)

    def _find_layout(self, scale: float) -> Layout:
        frame, stream = self._first, self._stream
        width, height = scaled(frame.width, frame.height, scale)
        probing.check_drawn_size(*even(width, height), self._source, self._limits)
        self._stored = width, height
        self._shrinks = scale < 1
        space, is_hdr = frame.colorspace, frame.color_trc in hdr.CURVES
        if space == _UNSPECIFIED and is_hdr:
            space = 9
        if space == _UNSPECIFIED:
            is_hd = frame.width >= _HD[0] or frame.height > _HD[1]
            space = 1 if is_hd else 6
        if space not in _MATRICES:
            raise VideoError(
                f"Expected colours in BT.601, BT.709, BT.2020 or RGB but {probing.shown(self._source)} "
                f"uses colour space {space} of H.273. Export it again, as BT.709."
            )
        aspect, turned = probing.sample_aspect_ratio(stream), self._orientation[0]
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        seconds = probing.duration(self._container, stream)
        expected = stream.frames or (round(seconds * rate) if seconds else None)
        self._step = max(1, round(1 / (rate * stream.time_base)))
        self._matrix = int(_MATRICES[space])
        self._to_bt709 = hdr.ToBT709(frame, width, height, self._alpha) if is_hdr else None
        self._range = 2 if frame.color_range == ColorRange.JPEG and frame.colorspace != 0 else 1
        return Layout(
            width=height if turned else width,
            height=width if turned else height,
            time_base=stream.time_base,
            rate=min(max(rate, Fraction(1, 60)), Fraction(1000)),
            sample_aspect_ratio=1 / aspect if turned else aspect,
            matrix=_BT709 if is_hdr else self._matrix,
            color_range=self._range,
            primaries=_BT709 if is_hdr else frame.color_primaries,
            transfer=_BT709 if is_hdr else frame.color_trc,
            frames=self._chunk.frames if self._chunk is not None else expected,
            origin=self._origin * stream.time_base,
        )

    def __iter__(self) -> Iterator[Frame]:
        """Frames in order.

        Raises:
            VideoError: more frames or seconds than the limits allow, whatever the header said.
        """
        last = -1
        for count, frame in enumerate(progressive(_chain(self._first, self._within())), start=1):
            duration = frame.duration or self._step
            pts = last + (duration if count > 1 else 1) if frame.pts is None else frame.pts - self._origin
            pts = max(pts, last + 1, 0)
            last = pts
            limits = self._limits
            if count > limits.max_frames or pts * self.layout.time_base > limits.max_seconds:
                raise VideoError(
                    f"Expected at most {limits.max_frames:,} frames in {limits.max_seconds:,.0f} seconds but "
                    f"{probing.shown(self._source)} goes on. Cut it first, or start the workbench with "
                    "larger --max-frames and --max-seconds."
                )
            yield Frame(self._upright(frame), pts, duration)

    def _upright(self, frame: VideoFrame) -> NDArray[np.uint8]:
        pixels = self._to_bt709(frame) if self._to_bt709 else self._converted(frame)
        if self._alpha:
            pixels = _on_white(pixels)
        transposed, mirrored, flipped = self._orientation
        if transposed:
            pixels = pixels.transpose(1, 0, 2)
        return np.ascontiguousarray(pixels[:: -1 if flipped else 1, :: -1 if mirrored else 1])

    def _converted(self, frame: VideoFrame) -> NDArray[np.uint8]:
        width, height = self._stored
        way = Interpolation.AREA if self._shrinks else Interpolation.BICUBIC
        kind = int(way) | int(Interpolation.FULL_CHR_H_INT)  # else two columns share one's colour
        is_rgb = frame.format.is_rgb
        converted = frame.reformat(
            width,
            height,
            "rgba" if self._alpha else "rgb24",
            src_colorspace=None if is_rgb else self._matrix,
            src_color_range=None if is_rgb else self._range,
            dst_color_range=ColorRange.JPEG,
            interpolation=kind,
            threads=1,
        )
        return np.asarray(converted.to_ndarray(), np.uint8)


@contextlib.contextmanager
def reading(
    source: str | os.PathLike,
    scale: float = 1.0,
    limits: VideoLimits | None = None,
    chunk: Chunk | None = None,
) -> Iterator[Reader]:
    """Open a video for one pass over its frames.

    Args:
        source: the file.
        scale: of the sides of the frames; other than 1 it gives even sides.
        limits: default :class:`VideoLimits`.
        chunk: only the frames of this piece, with the first of them at tick 0.

    Raises:
        VideoError: not a video that can be read, beyond the limits, or no frame can be decoded.
    """
    limits = limits or VideoLimits()
    with contextlib.ExitStack() as stack:
        for seek in (True, False):  # some containers only guess where a frame lies
            container = stack.enter_context(probing.opened(source))
            stream = probing.video_stream(container, source)
            probing.check_header(container, stream, source, limits)
            with contextlib.suppress(_Missed):
                reader = Reader(container, stream, source, scale, limits, chunk, seek)
                break
            stack.pop_all().close()
        yield reader


class _Missed(Exception):
    """Seeking went past the frame that was wanted."""


def origin(container, stream, first_pts: int | None) -> int:
    """Tick of the video stream that becomes 0 in the result.

    The earliest start of picture or sound where that is late (a recorded broadcast begins at any time), the
    first frame's where it is negative; else nothing moves.
    """
    sound = probing.audio_stream(container)
    starts = [
        s.start_time * s.time_base for s in (stream, sound) if s is not None and s.start_time is not None
    ]
    ticks = max(0, math.floor(min(starts) / stream.time_base)) if starts else 0
    return ticks if first_pts is None else min(ticks, first_pts)


def scaled(width: int, height: int, scale: float) -> tuple[int, int]:
    """Sides times ``scale``, to even numbers of at least 2; the very sides at 1."""
    if scale == 1:
        return width, height
    return max(2, 2 * round(width * scale / 2)), max(2, 2 * round(height * scale / 2))


def even(width: int, height: int) -> tuple[int, int]:
    """Sides as H.264 in 4:2:0 has them: an odd one has grown by one pixel."""
    return width + width % 2, height + height % 2


def _chain(first: VideoFrame, rest: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    yield first
    yield from rest


def _on_white(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Composite on white, as transparent pictures are."""
    alpha = rgba[..., 3:].astype(np.uint16)
    return ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
