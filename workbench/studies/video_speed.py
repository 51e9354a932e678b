"""How much of the generator's own speed is left when it draws a whole film, from file to file?

Decoding, converting, encoding and writing run beside the generator. Both are timed in one process, one after
the other in every round: the generator alone on frames that lie in memory, in the batches of a film, and the
film end to end. Compare the share rather than the seconds of different machines. The share of processor time
does not depend on what else the machine does; it is what would be left if nothing ran at the same time.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from workbench.studies.study import TableStudy, register
from workbench.studies.stylizers import weights_of
from workbench.styles.names import DEFAULT_STYLE
from workbench.styles.stylize import get
from workbench.styles.video import stylize_video
from workbench.styles.video.reading import reading

RATE = 25  # frames a second of the film
BATCH = 8  # frames that are drawn together


def film(path: Path, frames: int, size: tuple[int, int]) -> Path:
    """A photograph under a moving camera with sensor noise, as H.264 with a tone beside it.

    Args:
        path: of the MP4.
        frames: how many.
        size: (columns, rows) in pixels.
    """
    from sklearn.datasets import load_sample_image

    photo = cv2.resize(load_sample_image("china.jpg"), (size[0] + 2 * frames, size[1] + frames))
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        sound = file.add_stream("aac", rate=48_000)
        sound.layout = "mono"
        for number in range(frames):
            view = photo[number : number + size[1], 2 * number : 2 * number + size[0]]
            noisy = np.clip(view + rng.normal(0, 2, view.shape), 0, 255).astype(np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(noisy, "rgb24")))
        file.mux(stream.encode(None))
        samples = np.arange(48_000 * frames // RATE)
        wave = (8000 * np.sin(2 * np.pi * 440 * samples / 48_000)).astype(np.int16)
        for start in range(0, len(wave), 1024):
            frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 48_000, start, Fraction(1, 48_000)
            file.mux(sound.encode(frame))
        file.mux(sound.encode(None))
    return path


def speeds(style: str, size: tuple[int, int], frames: int, threads: int, rounds: int) -> list[dict]:
    """Rows (quantity, value): frames a second of the generator, of the film, and the share that is left."""
    import torch

    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory(prefix="workbench-speed-") as name:
        source, target = film(Path(name, "film.mp4"), frames, size), Path(name, "drawn.mp4")
        with reading(source) as reader:
            pictures = [frame.pixels for frame in reader]
        draw = get(style).drawer()
        batches = [pictures[i : i + BATCH] for i in range(0, len(pictures), BATCH)]
        draw(batches[0])
        alone, whole = [], []  # (seconds, processor seconds) of each round
        for _ in range(rounds):
            start = _clocks()
            for batch in batches:
                draw(batch)
            middle = _clocks()
            stylize_video(source, target, style, batch=BATCH)
            alone.append(middle - start)
            whole.append(_clocks() - middle)
    seconds, processor = np.median(np.divide(alone, whole), axis=0)
    quantities = {
        "generator frames per second": frames / np.median(alone, axis=0)[0],
        "film frames per second": frames / np.median(whole, axis=0)[0],
        "share": seconds,
        "share of processor time": processor,
    }
    return [{"quantity": quantity, "value": float(value)} for quantity, value in quantities.items()]


def _clocks() -> np.ndarray:
    """Seconds on the wall and of all threads of this process."""
    return np.array([time.perf_counter(), time.process_time()])


@register
@dataclasses.dataclass(frozen=True)
class VideoSpeed(TableStudy):
    """How much of the generator's own speed is left when it draws a whole film, from file to file?

    One row per quantity: style, width, height, frames, threads, rounds, quantity, value.
    """

    keys = ("style", "width", "height", "frames", "threads", "rounds")
    selection = keys

    style: str = DEFAULT_STYLE  # what draws
    width: int = 1280  # pixels of the film
    height: int = 720  # pixels of the film
    frames: int = 48  # of the film; it is longer than what is decoded ahead
    threads: int = 2  # of the generator
    rounds: int = 3  # of which the medians are kept

    def plan(self) -> list[dict]:
        return [dataclasses.asdict(self)]

    def depends_on(self, **run: str) -> str | None:
        return weights_of(run["style"])

    def prepare(self, out: Path) -> Callable[..., list[dict]]:
        return lambda **run: speeds(
            self.style, (self.width, self.height), self.frames, self.threads, self.rounds
        )
