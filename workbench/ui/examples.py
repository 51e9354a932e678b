"""Example pictures: photographs inside scikit-image and scikit-learn, paintings by the atelier. Nothing is
downloaded.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import tempfile
from pathlib import Path

from workbench.data.atelier import MOODS, paint


@dataclasses.dataclass(frozen=True)
class Example:
    """A picture in an installed package."""

    package: str  # import name of the package whose wheel carries the file
    file: str  # path inside the package
    title: str  # what is seen, for labels and screen readers
    credit: str  # photographer and licence

    @property
    def path(self) -> Path | None:
        """Where the file lies, or None if this installation does not carry it."""
        spec = importlib.util.find_spec(self.package)  # does not import the package
        if spec is None or spec.origin is None:
            return None
        path = Path(spec.origin).parent / self.file
        return path if path.is_file() else None


_ALL = (
    Example("skimage", "data/coffee.png", "Coffee", "Rachel Michetti, CC0"),
    Example("sklearn", "datasets/images/china.jpg", "Summer palace", "danielbuechele, CC BY 2.0"),
    Example("sklearn", "datasets/images/flower.jpg", "Dahlia", "vultilion, CC BY 2.0"),
    Example("skimage", "data/chelsea.png", "Chelsea the cat", "Stéfan van der Walt, CC0"),
    Example("skimage", "data/rocket.jpg", "Rocket at dusk", "SpaceX, public domain"),
    Example("skimage", "data/astronaut.png", "Eileen Collins", "NASA, public domain"),
)


def examples() -> list[Example]:
    """The examples that this installation carries."""
    return [example for example in _ALL if example.path is not None]


def credits() -> str:
    """One line naming every photographer."""
    return "Photographs: " + "; ".join(f"{e.title}: {e.credit}" for e in examples()) + "."


_SEEDS = (5, 2, 4, 7, 6)  # of pictures that show what the moods mean, one a mood


@functools.cache
def paintings(size: int = 512) -> dict[str, Path]:
    """One painting by the atelier for each mood: the mood that was meant, and a PNG of ``size`` pixels."""
    folder = Path(tempfile.mkdtemp(prefix="workbench-paintings-"))
    made = {}
    for i, mood in enumerate(MOODS):
        made[mood] = folder / f"{mood}.png"
        paint(mood, seed=_SEEDS[i], size=size).image.save(made[mood])
    return made
