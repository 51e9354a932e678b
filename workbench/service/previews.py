"""What is seen of a video before it is drawn, and of a result before it is opened.

Run in workers: as looks (:mod:`workbench.service.looks`), and by the tasks of jobs.
"""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench.core.errors import UnknownNameError, WorkbenchError
from workbench.core.files import write_image, write_whole
from workbench.service.engines.worker import Context
from workbench.styles import video
from workbench.styles.menu import get, styles
from workbench.styles.names import DEFAULT_STYLE
from workbench.styles.video import probing
from workbench.styles.video.flow import TemporalBlend
from workbench.styles.video.reading import reading, scaled

SCALES = (1.0, 0.75, 0.5, 0.25)  # of the sides, on offer
THUMBNAIL_SIDE = 480  # pixels, the longer side
FACTS, BEFORE, AFTER = "facts.json", "before.png", "after.png"
_STREAMING = 0.9  # of the drawing's own speed is left beside decoding and encoding; measured, at least 0.85


def load(inputs: tuple[Path, ...], options: dict[str, Any], context: Context) -> None:
    """Load what every look needs, and the style that most choose, where it is installed."""
    with contextlib.suppress(WorkbenchError):
        get(DEFAULT_STYLE).check()


def facts(inputs: tuple[Path, ...], options: dict[str, Any], context: Context) -> None:
    """What a video holds: ``facts.json``. Refuses what :func:`workbench.styles.video.probe` refuses."""
    context.progress(0.0, "Opening the video")
    found = video.probe(inputs[0])
    _write(
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


def draw_frame(inputs: tuple[Path, ...], options: dict[str, Any], context: Context) -> None:
    """Draw the frame that is shown at ``options["at"]`` seconds: ``before.png``, ``after.png``.

    ``facts.json`` says how many seconds a frame takes this worker, steadied by ``options["temporal"]``.
    """
    check_style(options["style"])
    context.progress(0.0, "Opening the video")
    pixels = frame_at(inputs[0], options["at"], options["scale"])
    write_image(Image.fromarray(pixels), context.out / BEFORE)
    context.progress(0.3, "Drawing one frame")
    draw = get(options["style"]).drawer(options["strength"])
    start = time.perf_counter()
    drawing = draw([pixels])[0]
    seconds = time.perf_counter() - start
    context.progress(0.7, "Drawing one frame")
    if seconds < 1:  # the first pass also sets things up, which a video does once
        start = time.perf_counter()
        draw([pixels])
        seconds = time.perf_counter() - start
    if options.get("temporal"):
        blend = TemporalBlend(options["temporal"])
        blend(pixels, drawing)
        start = time.perf_counter()
        blend(pixels, drawing)
        seconds += time.perf_counter() - start
    write_image(Image.fromarray(drawing), context.out / AFTER)
    height, width = drawing.shape[:2]
    _write(context, {"width": width, "height": height, "seconds_a_frame": seconds / _STREAMING})


def frame_at(source: Path, seconds: float, scale: float = 1.0) -> NDArray[np.uint8]:
    """(H, W, 3) RGB, upright: the first frame that is shown ``seconds`` after the start or later, else the
    last one.

    Raises:
        VideoError: not a video that can be read, beyond the limits, or no frame can be decoded.
    """
    tick = None
    if seconds > 0:
        with probing.opened(source) as container:
            stream = probing.video_stream(container, source)
            probing.check_header(container, stream, source, video.Limits())
            wanted = (stream.start_time or 0) + round(seconds / stream.time_base)
            with contextlib.suppress(av.FFmpegError):  # where seeking fails, all that comes before is decoded
                container.seek(wanted, stream=stream)
            for frame in probing.decoded(container, stream):
                tick = frame.pts if frame.pts is not None else tick
                if tick is not None and tick >= wanted:
                    break
    chunk = None if tick is None else video.Chunk(0, tick, None, 1)
    with reading(source, scale, chunk=chunk) as reader:
        return next(iter(reader)).pixels


def thumbnail(image: Image.Image, path: Path) -> None:
    """Write a small JPEG of a result, for lists."""
    small = image.convert("RGB")
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    write_image(small, path)


def video_thumbnail(source: Path, path: Path) -> None:
    """Write a small JPEG of a video's middle. A result without one is as good, so nothing is raised."""
    with contextlib.suppress(WorkbenchError):
        seconds = video.probe(source).duration or 0.0
        thumbnail(Image.fromarray(frame_at(source, seconds / 2)), path)


def check_style(style: str) -> None:
    """Raise :class:`UnknownNameError` on anything but the name of a style."""
    if style not in styles():
        raise UnknownNameError("style", style, styles())


def _sides(found: video.VideoInfo, scale: float) -> tuple[int, int]:
    """Sides of the result: scaled, and even as H.264 wants them."""
    width, height = scaled(found.width, found.height, scale)
    return width + width % 2, height + height % 2


def _write(context: Context, found: dict[str, Any]) -> None:
    write_whole(json.dumps(found).encode(), context.out / FACTS)
