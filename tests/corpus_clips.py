"""Odd and bad clips, synthesised here: what redrawing each must give, or the words of its refusal.

Every frame of :func:`clips.make` shows its number, so that order and completeness can be read from what comes
out.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from clips import counter, make, tone
from corpus import gif_header


@dataclasses.dataclass(frozen=True)
class Clip:
    """One file: how it is made, and what must come of it."""

    make: Callable[[Path], Path]  # from a path to write at, to the path to read
    words: str = ""  # of the refusal; the rest is of those that are redrawn
    frames: int = 6
    size: tuple[int, int] = (64, 48)
    times: Sequence[Fraction | int] | None = None  # seconds from the first; None: 25 a second; (): increasing
    sound: bool = False
    damaged: bool = False  # what can be decoded is kept, in order; `frames` is the least
    turned: bool = False  # the numbers cannot be read from left to right


def kind(times: Sequence | None = None, **options: Any) -> Clip:
    """A clip of :func:`clips.make`."""
    frames, base = options.get("frames", 6), options.get("time_base", Fraction(1, 25))
    if times is None:
        pts = options.get("pts", range(frames))
        times = [(t - pts[0]) * base for t in pts]
    width, height = options.get("size", (64, 48))
    return Clip(
        lambda path: make(path, **options),
        frames=len(times),
        size=(width + width % 2, height + height % 2),
        times=times,
        sound="audio" in options,
    )


def bad(words: str, data: bytes | Callable[[], bytes]) -> Clip:
    """A file that is refused."""

    def write(path: Path) -> Path:
        path.write_bytes(data if isinstance(data, bytes) else data())
        return path

    return Clip(write, words=words)


def transparent(number: int, width: int, height: int) -> np.ndarray:
    """The counter, opaque."""
    return np.dstack([counter(number, width, height), np.full((height, width), 255, np.uint8)])


def _hdr(transfer: str) -> Clip:
    tags = {"color_trc": transfer, "color_primaries": "bt2020"}
    return kind(pix_fmt="yuv420p10le", colours=(9, 1), options=tags)


def _sound_only(cover: bool = False) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        with av.open(str(path), "w") as file:
            stream = file.add_stream("aac", rate=48_000)
            stream.layout = "mono"
            if cover:
                picture = file.add_stream("mjpeg", rate=25)
                picture.width, picture.height, picture.pix_fmt = 64, 48, "yuvj420p"
                picture.disposition = av.stream.Disposition.attached_pic
                frame = av.VideoFrame.from_ndarray(counter(3), "rgb24").reformat(format="yuvj420p")
                frame.pts = 0
                file.mux(picture.encode(frame))
                file.mux(picture.encode(None))
            for packet in tone(stream, 1.0):
                file.mux(packet)
        return path

    return write


def _no_frames(path: Path) -> Path:
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        file.start_encoding()
    return path


def _two_pictures(path: Path) -> Path:
    """Two video streams; the second, of another size, is the default one."""
    with av.open(str(path), "w") as file:
        streams = [file.add_stream("libx264", rate=25) for _ in range(2)]
        for stream, width in zip(streams, (32, 64), strict=True):
            stream.width, stream.height, stream.pix_fmt = width, 48, "yuv420p"
        streams[0].disposition, streams[1].disposition = 0, av.stream.Disposition.default
        for number in range(6):
            for stream in streams:
                frame = av.VideoFrame.from_ndarray(counter(number, stream.width), "rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                file.mux(stream.encode(frame))
        for stream in streams:
            file.mux(stream.encode(None))
    return path


def _changed(change: Callable[[bytes], bytes], **options: Any) -> Callable[[Path], Path]:
    """A clip whose bytes were changed afterwards."""

    def write(path: Path) -> Path:
        make(path, **options)
        path.write_bytes(change(path.read_bytes()))
        return path

    return write


def _noise_in_the_middle(data: bytes) -> bytes:
    start, stop = len(data) // 2, len(data) // 2 + len(data) // 8
    return data[:start] + np.random.default_rng(0).bytes(stop - start) + data[stop:]


def _no_payload(data: bytes) -> bytes:
    start = data.index(b"\x1f\x43\xb6\x75") + 24  # the first Matroska cluster
    return data[:start] + bytes(len(data) - start)


def _growing(path: Path) -> Path:
    """The size changes in the middle."""
    first, second = (
        make(path.with_name("a.ts")),
        make(path.with_name("b.ts"), size=(96, 64), pts=range(6, 12)),
    )
    path.write_bytes(first.read_bytes() + second.read_bytes())
    first.unlink()
    second.unlink()
    return path


def _named(name: str) -> Callable[[Path], Path]:
    """A link to a good clip."""

    def write(path: Path) -> Path:
        make(path.with_name(name))
        path.symlink_to(name)
        return path

    return write


def _dangling(path: Path) -> Path:
    path.symlink_to("nowhere.mp4")
    return path


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def _wall(path: Path) -> Path:
    """One flat frame of 8192 × 4608 pixels in a few kilobytes."""
    flat = lambda number, width, height: np.zeros((height, width, 3), np.uint8)  # noqa: E731
    return make(path, 1, (8192, 4608), codec="mjpeg", pix_fmt="yuvj420p", picture=flat)


_LOSSLESS = {"codec": "ffv1", "pix_fmt": "yuv444p"}
_PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nmovie.mp4\n#EXT-X-ENDLIST\n"
_MPD = b'<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period/></MPD>\n'

CLIPS: dict[str, Clip] = {
    # containers, coders, sound
    "plain.mp4": kind(),
    "sound.mp4": kind(audio="aac"),
    "sound.mkv": kind(audio="aac"),
    "opus.webm": kind(codec="libvpx-vp9", audio="libopus"),
    "vp8.webm": kind(codec="libvpx"),
    "mp3.avi": dataclasses.replace(  # AVI counts frames; where one waits for the sound, a tick is left out
        kind(codec="mjpeg", pix_fmt="yuvj420p", audio="libmp3lame"),
        times=[Fraction(i, 25) for i in (0, 2, 3, 4, 5, 6)],
    ),
    "pcm.avi": kind(codec="mjpeg", pix_fmt="yuvj420p", audio="pcm_s16le"),
    "broadcast.ts": kind(codec="mpeg2video", audio="aac"),
    "h264.ts": kind(audio="aac"),
    "old.mpg": kind(codec="mpeg1video", audio="mp2"),
    "flash.flv": kind(codec="flv", time_base=Fraction(1, 1000), pts=range(0, 240, 40)),
    "windows.wmv": kind(codec="wmv2"),
    "quick.mov": kind(codec="prores_ks", pix_fmt="yuv422p10le", audio="pcm_s16le"),
    "a.gif": kind(codec="gif", pix_fmt="rgb8", time_base=Fraction(1, 100), pts=[0, 4, 9, 30, 31, 99]),
    "a.apng": kind(codec="apng", pix_fmt="rgb24"),
    "no_times.h264": kind(format="h264"),
    "two_pictures.mkv": Clip(_two_pictures),
    "fragments.mp4": kind(container_options={"movflags": "frag_keyframe+empty_moov+default_base_moof"}),
    "no_duration.webm": kind(codec="libvpx", container_options={"live": "1"}),
    # times
    "variable.mp4": kind(pts=[0, 1, 5, 6, 20, 21]),
    "fine.mkv": kind(time_base=Fraction(1, 1000), pts=[0, 7, 40, 41, 500, 501]),
    "ntsc.mp4": kind(time_base=Fraction(1001, 30000), rate=Fraction(30000, 1001)),
    "late.mp4": kind(pts=[100, 101, 102, 103, 104, 105]),
    "negative.mkv": kind(pts=[-5, -4, -3, 0, 1, 2]),
    "b_frames.mp4": kind(frames=30, options={"bf": "3", "g": "12"}),  # with an edit list for their delay
    "open_gop.mp4": kind(frames=40, options={"g": "10", "bf": "3", "x264-params": "open-gop=1"}),
    "one.mp4": kind(frames=1),
    "thousand_a_second.mp4": kind(frames=40, rate=1000, time_base=Fraction(1, 1000)),
    "microseconds.mp4": kind(rate=10_000, time_base=Fraction(1, 1_000_000), pts=[0, 100, 201, 350, 351, 999]),
    "one_in_ten_seconds.mp4": kind(rate=Fraction(1, 10), time_base=Fraction(10, 1)),
    "a_gap_of_an_hour.mkv": kind(
        time_base=Fraction(1, 1000), pts=[0, 40, 80, 3_600_000, 3_600_040, 3_600_080]
    ),
    # pixels
    "odd.mkv": kind(size=(63, 47), **_LOSSLESS),
    "tall.mkv": kind(size=(33, 201), **_LOSSLESS),
    "tiny.mkv": kind(size=(16, 2), **_LOSSLESS),
    "ten_bit.mp4": kind(pix_fmt="yuv420p10le"),
    "sixteen_bit.mkv": kind(codec="ffv1", pix_fmt="yuv444p16le"),
    "grey.mkv": kind(codec="ffv1", pix_fmt="gray"),
    "grey_ten_bit.mkv": kind(codec="ffv1", pix_fmt="gray10le"),
    "chroma_422.mp4": kind(pix_fmt="yuv422p"),
    "chroma_444.mp4": kind(pix_fmt="yuv444p"),
    "rgb.nut": kind(codec="rawvideo", pix_fmt="rgb24"),
    "alpha.mov": kind(codec="qtrle", pix_fmt="argb", picture=transparent, source="rgba"),
    "alpha.webm": kind(codec="libvpx-vp9", pix_fmt="yuva420p", picture=transparent, source="rgba"),
    "interlaced.mp4": kind(options={"x264-params": "tff=1"}),
    "interlaced.mpg": kind(codec="mpeg2video", options={"flags": "+ildct+ilme", "top": "1"}),
    "anamorphic.mp4": kind(aspect=Fraction(4, 3)),
    "full_range.mp4": kind(colours=(5, 2)),
    "hd_colours.mp4": kind(colours=(1, 1)),
    "wide_gamut.mp4": kind(colours=(9, 1), pix_fmt="yuv420p10le"),
    "hdr_hlg.mp4": _hdr("arib-std-b67"),
    "quarter_turn.mp4": dataclasses.replace(kind(rotate=90), size=(48, 64), turned=True),
    "half_turn.mp4": dataclasses.replace(kind(rotate=180), turned=True),
    "mirrored.mp4": dataclasses.replace(kind(hflip=True), turned=True),
    # names
    "wrong_suffix.avi": kind(format="matroska"),
    "no_suffix": kind(format="mp4"),
    "UPPER.MP4": kind(),
    "影片 with spaces, 'quotes' & %d.mp4": kind(),
    "two\nlines.mp4": kind(),
    "-dash.mp4": kind(),
    "colon:0|pipe.mp4": kind(),
    "link.mp4": Clip(_named("target.mp4")),
    # damaged, but most of it is there
    "cut_off.mkv": Clip(
        _changed(lambda data: data[: len(data) * 7 // 10], frames=30, **_LOSSLESS), frames=15, damaged=True
    ),
    "cut_off.ts": Clip(
        _changed(lambda data: data[: len(data) * 7 // 10], frames=30), frames=15, damaged=True
    ),
    "noise_in_the_middle.mkv": Clip(
        _changed(_noise_in_the_middle, frames=30, options={"slicecrc": "1"}, **_LOSSLESS),
        frames=15,
        damaged=True,
    ),
    "growing.ts": Clip(_growing, frames=12, times=()),
    # refused: nothing to draw
    "empty.mp4": bad("is empty", b""),
    "empty\nin two lines.mp4": bad("is empty", b""),
    "no_frames.mkv": Clip(_no_frames, words="none can be decoded|is not one"),
    "all_damaged.mkv": Clip(
        _changed(_no_payload, options={"slicecrc": "1"}, **_LOSSLESS),
        words="none can be decoded|cannot be read",
    ),
    "sound.m4a": Clip(_sound_only(), words="only sound"),
    "sound.aac": Clip(_sound_only(), words="only sound"),
    "cover.mp4": Clip(_sound_only(cover=True), words="only sound"),
    "cut_header.mp4": Clip(_changed(lambda data: data[:40]), words="is not one"),
    "no_index.mp4": Clip(_changed(lambda data: data[: data.index(b"moov") - 4]), words="is not one"),
    # refused: too large
    "wall.mkv": Clip(_wall, words="pixels a frame"),
    "canvas.gif": bad(
        "cannot be|size of the frames|pixels a frame|can be decoded", gif_header(65_535, 65_535)
    ),
    "zero.gif": bad("is not one|size of the frames|can be decoded", gif_header(0, 0)),
    "three_hours.mkv": Clip(
        lambda path: make(path, pts=range(0, 6 * 2200, 2200), time_base=Fraction(1, 1), **_LOSSLESS),
        words="seconds",
    ),
    # refused: something else
    "text.mp4": bad("is not one", b"This is not a video.\n" * 50),
    "noise.mp4": bad("is not one", lambda: np.random.default_rng(0).bytes(5000)),
    "list.m3u8": bad("is not one", _PLAYLIST),
    "list.mp4": bad("is not one", _PLAYLIST),
    "dash.mp4": bad("is not one", _MPD),
    "concat.mp4": bad("is not one", b"ffconcat version 1.0\nfile movie.mp4\n"),
    "session.mp4": bad("is not one", b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n"),
    "picture.png": bad("is a picture", b"\x89PNG\r\n\x1a\n" + bytes(99)),
    "picture.mp4": bad("is a picture", b"\xff\xd8\xff\xe0" + bytes(99)),
    "camera.dng": bad("is a camera's raw file. Export it as PNG or JPEG", b"II*\0\b\0\0\0" + bytes(99)),
    "picture.jxl": bad("is JPEG XL. Export it as PNG or JPEG", b"\xff\x0a" + bytes(99)),
    "archive.mp4": bad("is not one", b"PK\3\4" + bytes(500)),
    "folder.mp4": Clip(_folder, words="is a folder"),
    "pipe.mp4": Clip(_pipe, words="is not a file"),
    "dangling.mp4": Clip(_dangling, words="does not exist"),
    "missing.mp4": Clip(lambda path: path, words="does not exist"),
    "missing\ntwo lines.mp4": Clip(lambda path: path, words="does not exist"),
    "http:127.0.0.1:9.mp4": Clip(lambda path: Path("http://127.0.0.1:9/a.mp4"), words="does not exist"),
    "concat:movie.mp4": Clip(lambda path: Path("concat:movie.mp4|movie.mp4"), words="does not exist"),
}
