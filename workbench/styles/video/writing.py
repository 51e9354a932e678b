"""H.264 in MP4 that browsers play, with the sound of another file, whole or not at all.

The picture is yuv420p, as browsers want it, with the source's matrix, range, primaries and transfer in its
header (of HDR, which is converted when read, BT.709's). An odd side gets one more row or column, a copy of
the last, as 4:2:0 has no odd sides. There are no B frames: the order of decoding is
that of presentation, so pieces can be joined packet by packet.

Sound is copied packet by packet where MP4 takes its codec, and encoded again as AAC where not, which the
result says. Everything goes to a neighbouring ``.part`` file that gets its final name when it is complete
and on the disk. One that a killed process left is removed when the same file is written again: a lock, which
dies with its process, tells it from one that is being written.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Interpolation
from numpy.typing import NDArray

from workbench.core.errors import VideoError, WorkbenchError
from workbench.core.files import hidden_name
from workbench.styles.video import probing
from workbench.styles.video.reading import Layout, even

try:
    import fcntl
except ImportError:  # Windows, where an open file can be neither renamed nor removed
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

SUFFIXES = (".mp4", ".m4v")
COPIED_AUDIO = ("aac", "mp3", "opus", "flac")  # what browsers play in MP4
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
_CRF = 20  # x264's constant rate factor: 23 is its default, 17 to 18 look lossless
_PRESET = "veryfast"  # at slower ones the encoder takes the generator's time
_KEY_SECONDS = 4  # between key frames, so that players can seek


class Mp4:
    """An MP4 file being written: one video stream, and sound that is interleaved by time.

    A context manager; leaving it without an error gives the file its final name, leaving it with one leaves
    nothing behind.

    Args:
        target: the final name; its folder is made. A file of that name is replaced at the end.
        time_base: of the video stream, seconds a tick.
    """

    def __init__(self, target: str | os.PathLike, time_base: Fraction):
        self.target = check_target(target)
        self._time_base = time_base
        self._partial: Path | None = None
        self._sound: Iterator | None = None
        self._waiting = None
        self._stack = contextlib.ExitStack()
        self.audio = "none"  # what was done with the sound, in words

    def __enter__(self) -> Mp4:
        try:
            self._open()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def _open(self) -> None:
        with self.errors():
            self.target.parent.mkdir(parents=True, exist_ok=True)
            _sweep(self.target)
            handle, name = tempfile.mkstemp(".part", f"{hidden_name(self.target)}.", self.target.parent)
            if fcntl is None:
                os.close(handle)
            else:
                self._stack.callback(os.close, handle)
                _lock(handle)
            os.chmod(name, 0o666 & ~_umask())  # mkstemp's files are the owner's alone
            self._partial = Path(name)
            # times of streams against each other are kept in ticks of the movie; its default is 1 ms
            ticks = max(1000, min(self._time_base.denominator, 10_000_000))
            options = {"movflags": "+faststart", "movie_timescale": str(ticks)}
            self.container = av.open(f"file:{self._partial.absolute()}", "w", format="mp4", options=options)

    def add_sound(self, source: str | os.PathLike, origin: Fraction) -> None:
        """Take the sound of ``source``, whose clock stands at ``origin`` seconds at the start of this file.

        To be called after the video stream was added and before anything is written.
        """
        container = self._stack.enter_context(probing.opened(source))
        stream = probing.audio_stream(container)
        left_out = _left_out(container, stream)
        if stream is None:
            self.audio += left_out
            return
        codec = stream.codec_context.codec.canonical_name
        if codec in COPIED_AUDIO:
            self.audio = f"copied ({codec}){left_out}"
            output = self.container.add_stream_from_template(stream)
            self._sound = _copied(container, stream, output, origin)
        else:
            mixed = f", mixed down to stereo from {stream.layout.name}" if stream.channels > 2 else ""
            self.audio = f"encoded again as AAC, as browsers play no {codec} in MP4{mixed}{left_out}"
            output = self.container.add_stream(
                "aac", rate=stream.rate if stream.rate in _AAC_RATES else 48_000
            )
            output.bit_rate = 160_000
            output.layout = "mono" if stream.channels == 1 else "stereo"
            self._sound = _encoded(container, stream, output, origin)
        if self.audio != f"copied ({codec})":
            log.warning("%s: sound %s", Path(source).name, self.audio)

    def mux(self, packets) -> None:
        """Write video packets in order, and before each the sound up to its time."""
        with self.errors():
            for packet in packets:
                self._mux_sound(packet.dts * packet.time_base)
                self.container.mux_one(packet)

    def _mux_sound(self, until: Fraction | None) -> None:
        while self._sound is not None:
            self._waiting = self._waiting or next(self._sound, None)
            if self._waiting is None:
                self._sound = None
                return
            if until is not None and self._waiting.dts * self._waiting.time_base > until:
                return
            packet, self._waiting = self._waiting, None
            self.container.mux_one(packet)

    def __exit__(self, kind, error, trace) -> None:
        try:
            if kind is None:
                with self.errors():
                    self._mux_sound(None)
                    self.container.close()
                    self._finish()
        finally:
            self._waiting = self._sound = None
            self._stack.close()
            with contextlib.suppress(av.FFmpegError, OSError, AttributeError):
                self.container.close()
            if self._partial is not None:
                self._partial.unlink(missing_ok=True)  # it is gone if all went well

    def _finish(self) -> None:
        """Rename when the bytes are on the disk."""
        assert self._partial is not None  # opened by __enter__
        with self._partial.open("rb") as file:
            os.fsync(file.fileno())
        self._partial.replace(self.target)
        with contextlib.suppress(OSError):  # not every system can sync a folder
            folder = os.open(self.target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Errors inside become one line that names the target."""
        try:
            yield
        except WorkbenchError:
            raise
        except (OSError, av.FFmpegError) as error:
            reason = error.strerror or type(error).__name__
            raise VideoError(
                f"{self.target} cannot be written ({reason}). "
                "Check the path, its permissions and the free space."
            ) from error


class VideoEncoder:
    """Frames to the packets of an :class:`Mp4`'s video stream."""

    def __init__(self, file: Mp4, layout: Layout):
        self._file, self._layout = file, layout
        width, height = even(layout.width, layout.height)
        threads = min(2, os.cpu_count() or 1)
        options = {"preset": _PRESET, "crf": str(_CRF)}
        self._stream = stream = file.container.add_stream("libx264", rate=layout.rate, options=options)
        context = stream.codec_context
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = context.time_base = layout.time_base
        context.thread_count = threads
        context.max_b_frames = 0
        context.gop_size = max(1, min(round(_KEY_SECONDS * layout.rate), 250))
        context.sample_aspect_ratio = layout.sample_aspect_ratio
        context.color_range = layout.color_range
        context.colorspace = 6 if layout.matrix == 5 else layout.matrix
        context.color_primaries, context.color_trc = layout.primaries, layout.transfer

    def write(self, pixels: NDArray[np.uint8], pts: int, duration: int) -> None:
        """Encode one frame (H, W, 3) of the layout's size, shown from tick ``pts`` on."""
        layout = self._layout
        if layout.width % 2 or layout.height % 2:
            pixels = np.pad(pixels, ((0, layout.height % 2), (0, layout.width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(
            format="yuv420p",
            dst_colorspace=layout.matrix,
            src_color_range=ColorRange.JPEG,
            dst_color_range=layout.color_range,
            interpolation=int(Interpolation.BICUBIC) | int(Interpolation.ACCURATE_RND),
            threads=1,
        )
        frame.pts, frame.time_base, frame.duration = pts, layout.time_base, duration
        frame.color_primaries, frame.color_trc = layout.primaries, layout.transfer
        self._mux(frame)

    def flush(self) -> None:
        """Write what the encoder still holds."""
        self._mux(None)

    def _mux(self, frame: av.VideoFrame | None) -> None:
        with self._file.errors():
            packets = self._stream.encode(frame)
        self._file.mux(packets)


def check_target(target: str | os.PathLike, source: str | os.PathLike | None = None) -> Path:
    """The output's path, before any work is done.

    Raises:
        VideoError: another suffix, a folder, or the source itself.
    """
    path = Path(target)
    if path.suffix.lower() not in SUFFIXES:
        raise VideoError(
            f"Expected an output ending in {' or '.join(SUFFIXES)} but got {probing.shown(path)}. Rename it."
        )
    if path.is_dir():
        raise VideoError(f"Expected a file to write to but {path} is a folder. Give a file in it.")
    if source is not None and path.exists() and Path(source).exists() and path.samefile(source):
        raise VideoError(
            f"{path} is the input video itself, which is never overwritten. Give another output."
        )
    return path


def _lock(handle: int) -> None:
    """Mark an open file as in use, until it is closed or its process ends.

    Raises:
        OSError: somebody else uses it.
    """
    if fcntl is not None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sweep(target: Path) -> None:
    """Remove what killed processes left of earlier attempts at ``target``."""
    left = re.compile(re.escape(f"{hidden_name(target)}.") + r"[a-z0-9_]{8}\.part")  # mkstemp's names
    for path in target.parent.iterdir():
        if left.fullmatch(path.name):
            with contextlib.suppress(OSError), path.open("rb") as file:
                _lock(file.fileno())
                path.unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _copied(container, stream, output, origin: Fraction) -> Iterator[av.Packet]:
    """Packets of the sound as they are, moved in time; those that do not advance in time are left out."""
    shift, last = round(origin / stream.time_base), None
    for packet in _demuxed(container, stream):
        dts = packet.dts if packet.dts is not None else packet.pts
        if packet.size == 0 or dts is None or (last is not None and dts <= last):
            continue
        last = dts
        packet.dts, packet.pts = dts - shift, (dts if packet.pts is None else packet.pts) - shift
        packet.stream = output
        yield packet


def _encoded(container, stream, output, origin: Fraction) -> Iterator[av.Packet]:
    """Packets of the sound encoded again."""
    shift = None
    for packet in _demuxed(container, stream):
        with contextlib.suppress(av.InvalidDataError):  # a damaged packet is a short silence
            for frame in packet.decode():
                if frame.pts is not None and frame.time_base:
                    shift = round(origin / frame.time_base) if shift is None else shift
                    frame.pts -= shift
                yield from output.encode(frame)
    yield from output.encode(None)


def _left_out(container, kept) -> str:
    """Streams that are left out of the result, for the line about the sound."""
    sounds = len(container.streams.audio) - (kept is not None)
    texts = len(container.streams.subtitles)
    parts = [f"{n} {what}{'s' * (n > 1)}" for n, what in ((sounds, "other sound"), (texts, "subtitle")) if n]
    return f"; left out: {', '.join(parts)}" if parts else ""


def _demuxed(container, stream) -> Iterator[av.Packet]:
    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except (StopIteration, av.FFmpegError):  # a file cut off in the middle: keep what there is
            return
