"""The contents of a video file, and whether it may be decoded.

Nothing here trusts a file. Its kind comes from its content and not from its suffix; only demuxers that read
one file are allowed, as playlists (HLS, DASH, ffconcat) would let an uploaded text name other files or
addresses; the header is checked against limits before a frame is decoded, and the decoded
frames are checked again, since headers may be wrong.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from workbench.core.errors import VideoError
from workbench.data import kinds
from workbench.styles.options import VideoLimits

# Names of FFmpeg's demuxers. The audio ones are here only so that a sound file is named as what it is.
_VIDEO_DEMUXERS = (
    *("mov", "matroska", "webm", "avi", "mpegts", "mpeg", "mpegvideo", "ogg", "flv", "asf", "gif", "apng"),
    *("mxf", "nut", "ivf", "h264", "hevc", "dv", "yuv4mpegpipe"),
)
_AUDIO_DEMUXERS = ("mp3", "wav", "flac", "aac", "aiff", "ac3")
_WHITELIST = ",".join((*_VIDEO_DEMUXERS, *_AUDIO_DEMUXERS))
MAX_SIDE = 16_384  # pixels of a frame that x264 encodes
_PADDING = 64  # decoders count the pixels of a frame with its sides padded to a multiple of it, at most


@dataclasses.dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before it is drawn. Sizes are of the upright picture."""

    width: int  # pixels
    height: int  # pixels
    frames: int | None  # as the container counts them, else duration × rate; None if nothing is known
    duration: float | None  # seconds
    rate: float | None  # frames a second on average
    rotation: int  # degrees counter-clockwise by which the stored frames are turned: 0, 90, 180 or 270
    sample_aspect_ratio: Fraction  # width of an upright pixel divided by its height
    codec: str
    pixel_format: str
    time_base: Fraction  # seconds a tick
    audio_codec: str | None  # of the sound that is kept; None without sound


def probe(source: str | os.PathLike, limits: VideoLimits | None = None) -> VideoInfo:
    """Read the header and the first frame of a video.

    Args:
        source: the file.
        limits: default :class:`VideoLimits`.

    Raises:
        VideoError: not a video that can be read, or beyond the limits.
    """
    limits = limits or VideoLimits()
    with opened(source) as container:
        stream = video_stream(container, source)
        check_header(container, stream, source, limits)
        frame = next(iter(decoded(container, stream)), None)
        if frame is None:
            raise VideoError(f"Expected frames in {shown(source)} but none can be decoded. Export it again.")
        check_size(frame.width, frame.height, source, limits)
        turned = orientation(frame)[0]
        width, height = (frame.height, frame.width) if turned else (frame.width, frame.height)
        aspect = sample_aspect_ratio(stream)
        sound = audio_stream(container)
        seconds = duration(container, stream)
        rate = stream.average_rate or stream.guessed_rate
        frames = stream.frames or (round(seconds * rate) if seconds and rate else None)
        return VideoInfo(
            width=width,
            height=height,
            frames=frames,
            duration=seconds,
            rate=float(rate) if rate else None,
            rotation=frame.rotation % 360,
            sample_aspect_ratio=1 / aspect if turned else aspect,
            codec=stream.codec_context.name,
            pixel_format=frame.format.name,
            time_base=clock(stream),
            audio_codec=sound.codec_context.name if sound is not None else None,
        )


@contextlib.contextmanager
def opened(source: str | os.PathLike) -> Iterator[InputContainer]:
    """The container of a local file; whatever FFmpeg raises while it is open becomes one line.

    Raises:
        VideoError: no such file, empty, or nothing that FFmpeg knows as a video.
    """
    path = Path(source)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not a file" if path.exists() else "does not exist"
        raise VideoError(f"Expected a video at {_printable(str(path))} but it {what}. Check the path.")
    if path.stat().st_size == 0:
        raise VideoError(f"Expected a video but {shown(path)} is empty. Copy or export it again.")
    try:
        container = av.open(
            _url(path), options={"format_whitelist": _WHITELIST, "protocol_whitelist": "file"}
        )
    except (av.FFmpegError, ValueError, OSError) as error:
        raise VideoError(_unreadable(path)) from error
    with container:
        try:
            yield container
        except (av.FFmpegError, MemoryError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise VideoError(
                f"{shown(path)} cannot be read ({reason}). Export it again, as H.264."
            ) from error


def _url(path: Path) -> str:
    return f"file:{path.absolute()}"  # a bare name such as "pipe:0" or "concat:a|b" would be a protocol


def shown(source: str | os.PathLike) -> str:
    """The file's name as a message may print it: in one line."""
    return _printable(Path(source).name)


def _printable(text: str) -> str:
    return text if text.isprintable() else repr(text)


def _unreadable(path: Path) -> str:
    with contextlib.suppress(OSError), path.open("rb") as file:
        head = file.read(kinds.HEAD)
        if head[8:12] == b"WEBP" and b"ANIM" in head:
            return f"{shown(path)} is an animated WebP, which FFmpeg does not decode. Save it as GIF or MP4."
        if kind := kinds.still_kind(head, path.suffix):
            return f"Expected a video but {shown(path)} is {kind}. {kinds.advice(kind)}"
    return (
        f"Expected a video (MP4, MOV, MKV, WebM, AVI, GIF …) but {shown(path)} is not one, or its start or "
        "its index is missing. Check the file, or export it again."
    )


def video_stream(container: InputContainer, source: str | os.PathLike) -> VideoStream:
    """The video stream that a player would show; a cover picture of a song is none.

    Raises:
        VideoError: there is none, or no decoder for it.
    """
    name = shown(source)
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        what = "only sound" if container.streams.audio else "none"
        raise VideoError(f"Expected a video stream in {name} but it holds {what}. Check the file.")
    default = [s for s in streams if s.disposition & Disposition.default]
    stream = (default or streams)[0]
    if stream.frames == 1:  # an animated AVIF begins with a still of itself
        stream = max(streams, key=lambda one: one.frames)
    if stream.codec_context is None:
        raise VideoError(f"{name} is coded in a way that FFmpeg cannot decode. Export it again, as H.264.")
    stream.thread_count = 1  # the generator needs the processor; frame threads would also delay frames
    return stream


def audio_stream(container: InputContainer):
    """The sound that a player would take, or None."""
    sounds = [s for s in container.streams.audio if s.codec_context is not None]
    default = [s for s in sounds if s.disposition & Disposition.default]
    return next(iter(default or sounds), None)


def clock(stream: VideoStream) -> Fraction:
    """Seconds per tick of a stream; that of microseconds where a file does not say."""
    return stream.time_base or Fraction(1, av.time_base)


def duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Seconds, as the stream or else the container claims."""
    if stream.duration:
        return float(stream.duration * clock(stream))
    return container.duration / av.time_base if container.duration and container.duration > 0 else None


def check_header(
    container: InputContainer, stream: VideoStream, source: str | os.PathLike, limits: VideoLimits
) -> None:
    """Check the header against the limits, and set them in the decoder.

    Raises:
        VideoError: beyond the limits.
    """
    check_size(stream.width, stream.height, source, limits)
    padded = math.prod(-(-side // _PADDING) * _PADDING for side in (stream.width, stream.height))
    stream.codec_context.options = {"max_pixels": str(max(limits.max_pixels, padded))}
    name, seconds = shown(source), duration(container, stream)
    if stream.frames > limits.max_frames:
        raise VideoError(
            f"Expected at most {limits.max_frames:,} frames but {name} has {stream.frames:,}. "
            f"Cut it first, or start the workbench with --max-frames {stream.frames}."
        )
    if seconds is not None and seconds > limits.max_seconds:
        raise VideoError(
            f"Expected at most {limits.max_seconds:,.0f} seconds but {name} lasts {seconds:,.0f}. "
            f"Cut it first, or start the workbench with --max-seconds {math.ceil(seconds)}."
        )


def check_size(width: int, height: int, source: str | os.PathLike, limits: VideoLimits) -> None:
    """Check the size of a source's frames against the limits.

    Raises:
        VideoError: more pixels a frame than they allow, or none.
    """
    if width < 1 or height < 1:
        raise VideoError(
            f"Expected the size of the frames in the header of {shown(source)} but it has none that can be "
            "used. Export it again."
        )
    if width * height > limits.max_pixels:
        raise VideoError(
            f"Expected at most {limits.max_pixels:,} pixels a frame but {shown(source)} has "
            f"{width}×{height}. Export it with smaller frames, or start the workbench with --max-pixels "
            f"{width * height}."
        )


def check_drawn_size(width: int, height: int, source: str | os.PathLike, limits: VideoLimits) -> None:
    """Check the size at which frames are to be drawn against the limits and what can be encoded.

    Raises:
        VideoError: more pixels a frame than they allow, or a side above :data:`MAX_SIDE`.
    """
    if max(width, height) > MAX_SIDE:
        raise VideoError(
            f"Expected sides of at most {MAX_SIDE:,} pixels, the most that is encoded as H.264, but "
            f"{shown(source)} would be drawn at {width}×{height}. Choose a smaller scale."
        )
    if width * height > limits.max_pixels:
        raise VideoError(
            f"Expected at most {limits.max_pixels:,} pixels a frame but {shown(source)} would be drawn at "
            f"{width}×{height}. Choose a smaller scale, or start the workbench with --max-pixels "
            f"{width * height}."
        )


def decoded(
    container: InputContainer, stream: VideoStream, damaged: list | None = None
) -> Iterator[VideoFrame]:
    """Frames in the order of presentation; packets that cannot be decoded are left out.

    Args:
        damaged: gets one entry for each packet that could not be decoded, and one if the file ends early.
    """
    damaged = [] if damaged is None else damaged
    packets = container.demux(stream)
    decoder = decoder_of(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.FFmpegError as error:  # a file cut off in the middle
            damaged.append(str(error))
            with contextlib.suppress(av.FFmpegError):
                yield from decoder.decode(None)
            return
        try:
            frames = decoder.decode(packet if packet.size else None)
        except av.FFmpegError as error:
            damaged.append(str(error))
            continue
        yield from frames


def decoder_of(stream: VideoStream) -> VideoCodecContext:
    """The stream's decoder; for a WebM with alpha one that decodes alpha, which FFmpeg's own do not."""
    name = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.name, "")
    if stream.metadata.get("alpha_mode") != "1" or name not in av.codecs_available:
        return stream.codec_context
    decoder = cast(VideoCodecContext, av.CodecContext.create(name, "r"))
    decoder.options, decoder.thread_count = stream.codec_context.options, 1
    return decoder


def orientation(frame: VideoFrame) -> tuple[bool, bool, bool]:
    """How a stored frame becomes upright: (transpose, then flip left-right, then flip up-down).

    From the display matrix, of which ``VideoFrame.rotation`` tells turns but not mirror images.
    """
    for side in cast(Any, frame.side_data):  # entries, and not their names as PyAV declares
        if side.type.name == "DISPLAYMATRIX":
            a, b, _, c, d = np.frombuffer(bytes(side), np.int32)[:5].tolist()
            if abs(b) + abs(c) > abs(a) + abs(d):
                return True, c < 0, b < 0
            return False, a < 0, d < 0
    return False, False, False


def sample_aspect_ratio(stream: VideoStream) -> Fraction:
    """Of the frames as they are stored; 1 where the file says nothing usable."""
    ratio = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    return Fraction(ratio) if ratio and ratio > 0 else Fraction(1)
