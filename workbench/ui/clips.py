"""Example clips: a camera moves over photographs that installed packages carry. Nothing is downloaded."""

from __future__ import annotations

import dataclasses
import functools
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from workbench.data.images import read_image
from workbench.ui.examples import examples

FRAMES, RATE, SIZE = 36, 12, (480, 320)
Box = tuple[float, float, float]  # centre x and y, and width of the view: shares of the photograph


@dataclasses.dataclass(frozen=True)
class _Move:
    """One clip: which photograph, and from where to where the view moves."""

    photo: str  # title of the example
    title: str
    start: Box
    end: Box


_MOVES = (
    _Move("Coffee", "Coffee, coming closer", (0.5, 0.5, 0.95), (0.53, 0.5, 0.5)),
    _Move("Summer palace", "Summer palace, panning right", (0.36, 0.55, 0.6), (0.64, 0.45, 0.6)),
    _Move("Chelsea the cat", "Chelsea the cat, drawing back", (0.42, 0.45, 0.4), (0.5, 0.5, 0.9)),
)


@functools.cache
def clips() -> dict[str, Path]:
    """Title and file of each clip, made once a process."""
    folder = Path(tempfile.mkdtemp(prefix="workbench-clips-"))
    photos = {example.title: example.path for example in examples()}
    made = {}
    for move in _MOVES:
        if move.photo in photos:
            path = folder / f"{move.photo.lower().replace(' ', '-')}.mp4"
            _write(read_image(photos[move.photo]), move, path)
            made[move.title] = path
    return made


def _write(photo: Image.Image, move: _Move, path: Path) -> None:
    """H.264 in MP4, eased at both ends."""
    import av

    with av.open(str(path), "w", options={"movflags": "faststart"}) as file:
        stream = file.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "crf": "20"})
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, RATE)
        for number in range(FRAMES):
            share = number / (FRAMES - 1)
            eased = share * share * (3 - 2 * share)
            x, y, wide = (a + eased * (b - a) for a, b in zip(move.start, move.end, strict=True))
            frame = av.VideoFrame.from_ndarray(_view(photo, x, y, wide))
            frame.pts = number
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def _view(photo: Image.Image, x: float, y: float, wide: float) -> np.ndarray:
    """The part of the photograph around a point, at the clip's size; kept inside the photograph."""
    width = min(wide * photo.width, photo.height * SIZE[0] / SIZE[1])
    height = width * SIZE[1] / SIZE[0]
    left = min(max(x * photo.width - width / 2, 0), photo.width - width)
    top = min(max(y * photo.height - height / 2, 0), photo.height - height)
    box = (left, top, left + width, top + height)
    return np.asarray(photo.resize(SIZE, Image.Resampling.BICUBIC, box=box, reducing_gap=3))
