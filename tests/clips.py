"""Small clips of any kind, synthesised with PyAV, for tests of video."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np

BITS = 8  # of the number that each frame shows


def counter(number: int, width: int = 64, height: int = 48) -> np.ndarray:
    """A frame that shows ``number`` as a row of black and white bars, which any coding keeps legible."""
    bits = [(number >> bit) & 1 for bit in range(BITS)]
    columns = np.repeat(np.array(bits, np.uint8) * 200 + 28, -(-width // BITS))[:width]
    return np.broadcast_to(columns[None, :, None], (height, width, 3)).copy()


def read_counter(pixels: np.ndarray) -> int:
    """The number that a frame shows."""
    width = pixels.shape[1]
    step = -(-width // BITS)
    middles = pixels[:, [min(i * step + step // 2, width - 1) for i in range(BITS)]].mean((0, 2))
    return sum(1 << bit for bit, value in enumerate(middles) if value > 128)


def make(
    path,
    frames=6,
    size=(64, 48),
    *,
    codec="libx264",
    pix_fmt="yuv420p",
    pts=None,
    time_base=Fraction(1, 25),
    rate=25,
    picture=counter,
    audio=None,
    rotate=0,
    hflip=False,
    aspect=None,
    colours=(2, 2),
    options=None,
    format=None,
    source="rgb24",
    container_options=None,
):
    """Write a clip; returns its path.

    Args:
        pts: time of each frame in ``time_base``; default 0, 1, 2 …
        picture: (number, width, height) -> pixels of the format ``source``.
        audio: codec of a tone as long as the picture, or None.
        rotate: degrees counter-clockwise in the display matrix.
        colours: AVColorSpace and AVColorRange of the frames and the header.
        options, container_options: of the encoder, of the muxer.
    """
    width, height = size
    pts = list(range(frames)) if pts is None else list(pts)
    with av.open(f"file:{path}", "w", format=format, options=container_options or {}) as file:
        stream = file.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.time_base = stream.codec_context.time_base = time_base
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        stream.codec_context.colorspace, stream.codec_context.color_range = colours
        if rotate or hflip:
            stream.set_display_rotation(rotate, hflip=hflip)
        sound = file.add_stream(audio, rate=48_000 if audio != "libmp3lame" else 44_100) if audio else None
        if sound is not None:
            sound.layout = "mono"
        for number, time in enumerate(pts):
            pixels = picture(number, width, height)
            frame = av.VideoFrame.from_ndarray(pixels, source)
            matrix = {2: 5, 0: None}.get(colours[0], colours[0])
            frame = frame.reformat(
                format=pix_fmt, dst_colorspace=matrix, src_color_range=2, dst_color_range=colours[1] or 1
            )
            frame.pts, frame.time_base = time, time_base
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
        if sound is not None:
            for packet in tone(sound, float(len(pts) * time_base)):
                file.mux(packet)
    return path


def tone(sound, seconds):
    """Packets of a 440 Hz tone."""
    rate = sound.codec_context.sample_rate
    wave = (8000 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)).astype(np.int16)
    for start in range(0, len(wave), 1024):
        frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        yield from sound.encode(frame)
    yield from sound.encode(None)


def decode(path):
    """(times in seconds, upright-as-stored RGB frames) of a clip."""
    with av.open(str(path)) as file:
        frames = list(file.decode(video=0))
        return [f.pts * f.time_base for f in frames], [f.to_ndarray(format="rgb24") for f in frames]


def packets(path, kind="audio"):
    """(time, bytes) of each packet of the first stream of a kind."""
    with av.open(str(path)) as file:
        stream = next(s for s in file.streams if s.type == kind)
        return [(p.pts * p.time_base, bytes(p)) for p in file.demux(stream) if p.size]
