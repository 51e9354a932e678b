"""Examples to try: photographs inside scikit-image and scikit-learn, the package's own paintings and clips.

Nothing is downloaded, and nothing is drawn: ``docs/make_examples.py`` made what lies in ``assets``.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

ASSETS = Path(__file__).resolve().parent / "assets"
MOODS = ("vitality", "grandeur", "elegance", "serenity", "desolation")  # the paintings', in order
_CLIPS = {
    "coffee.mp4": "Coffee, coming closer",
    "rocket.mp4": "Rocket at dusk, following it up",
    "chelsea-the-cat.mp4": "Chelsea the cat, drawing back",
}


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


def paintings() -> dict[str, Path]:
    """One painting by the atelier for each mood: the mood that was meant, and a JPEG of 512 × 512 pixels."""
    return {mood: path for mood in MOODS if (path := ASSETS / f"{mood}.jpg").is_file()}


def clips() -> dict[str, Path]:
    """Title and file of each clip: three seconds in which a camera moves over a photograph."""
    return {title: path for file, title in _CLIPS.items() if (path := ASSETS / file).is_file()}
