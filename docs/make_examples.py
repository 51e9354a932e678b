"""Make the page's example paintings, clips and link picture, into the package: ``docs/make_examples.py``.

The paintings are the atelier's, one for each mood; how each shipped classifier reads them becomes a table
(``workbench/interpret/measured/examples.csv``), from which the page says how many are read as meant. The
clips are a camera that moves over photographs in the public domain, which scikit-image carries. All are kept
ready made because the page would open seconds later if every start made them.
"""

from __future__ import annotations

import argparse
import dataclasses
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageOps

from workbench.classify.classifier import Classifier
from workbench.classify.results import classifiers
from workbench.core.runs import write_rows
from workbench.data.atelier import paint
from workbench.data.images import read_image
from workbench.interpret.measured import FOLDER
from workbench.styles.stylize import stylize
from workbench.ui.examples import ASSETS, MOODS, examples

LINK, LINK_PHOTO = (1200, 630), "Chelsea the cat"  # pixels of what other sites show beside a link
SIDE, QUALITY = 512, 92  # of a painting: pixels, and of its JPEG
SEEDS = {mood: number for number, mood in enumerate(MOODS)}  # by no look at a picture or at a model
FRAMES, RATE, SIZE = 36, 12, (480, 320)
Box = tuple[float, float, float]  # centre x and y, and width of the view: shares of the photograph


@dataclasses.dataclass(frozen=True)
class Move:
    """One clip: which photograph, and from where to where the view moves."""

    photo: str  # title of the example
    file: str
    start: Box
    end: Box


MOVES = (
    Move("Coffee", "coffee.mp4", (0.5, 0.5, 0.95), (0.53, 0.5, 0.5)),
    Move("Rocket at dusk", "rocket.mp4", (0.36, 0.62, 0.55), (0.62, 0.36, 0.55)),
    Move("Chelsea the cat", "chelsea-the-cat.mp4", (0.42, 0.45, 0.4), (0.5, 0.5, 0.9)),
)


def painting(mood: str) -> Image.Image:
    """The atelier's painting meant for ``mood``."""
    return paint(mood, seed=SEEDS[mood], size=SIDE).image


def readings(folder: Path) -> list[dict[str, str]]:
    """What each shipped classifier takes each painting in the folder for."""
    rows = []
    for name in classifiers():
        classifier = Classifier.load(name)
        images = [read_image(folder / f"{mood}.jpg") for mood in MOODS]
        for mood, reading in zip(MOODS, classifier.classify_all(images), strict=True):
            origin = {"model": name, "weights": classifier.card.network_digest[:12]}
            rows.append({**origin, "meant": mood, "top": reading.top})
    return rows


def link_picture() -> Image.Image:
    """A photograph, and its right half redrawn in the usual style."""
    photo = read_image(next(e.path for e in examples() if e.title == LINK_PHOTO))
    whole = ImageOps.fit(photo, LINK, Image.Resampling.LANCZOS)
    right = (LINK[0] // 2, 0, *LINK)
    whole.paste(stylize(whole).crop(right), right)
    return whole


def frames(move: Move) -> list[np.ndarray]:
    """The views of a clip, (height, width, 3) in [0, 255]; the move is eased at both ends."""
    photo = read_image(next(e.path for e in examples() if e.title == move.photo))
    made = []
    for number in range(FRAMES):
        share = number / (FRAMES - 1)
        eased = share * share * (3 - 2 * share)
        x, y, wide = (a + eased * (b - a) for a, b in zip(move.start, move.end, strict=True))
        made.append(_view(photo, x, y, wide))
    return made


def write(pictures: list[np.ndarray], path: Path) -> None:
    """H.264 in MP4."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as file:
        stream = file.add_stream("libx264", rate=RATE, options={"preset": "veryslow", "crf": "20"})
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, RATE)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture)
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


def main() -> None:
    """Write them all."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--out", type=Path, default=ASSETS, help="folder (default: the package's)")
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    for mood in MOODS:
        painting(mood).save(folder / f"{mood}.jpg", quality=QUALITY, subsampling=0, optimize=True)
    write_rows(readings(folder), folder / "examples.csv" if folder != ASSETS else FOLDER / "examples.csv")
    link_picture().save(folder / "link-picture.jpg", quality=88, optimize=True)
    for move in MOVES:
        write(frames(move), folder / move.file)


if __name__ == "__main__":
    main()
