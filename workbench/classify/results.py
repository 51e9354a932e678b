"""Names and results of the classifiers, without torch; :mod:`workbench.classify.classifier` runs them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from workbench import models

DEFAULT_CLASSIFIER = "mood_statistics"
UNLIKE = 0.95  # novelty above which a reading is unreliable; 5 % of the training pictures reach it
PAINTED_HERE = "pictures by the atelier"  # name of that set on cards
# A reading is unsure below either; chosen on the cross-validation of mood_statistics, where the second mood
# is then as often right as the first. Each card says how often it is right when unsure.
LEAST, LEAD = 0.30, 0.05  # probability of the likeliest class, and by how much it leads the second


def classifiers() -> list[str]:
    """Names of the classifiers in the package."""
    return models.trained("classifier")


def unsure(probabilities: ArrayLike) -> NDArray[np.bool_]:
    """(…,) whether the likeliest of (…, C) probabilities is below LEAST or leads by less than LEAD."""
    ordered = np.sort(np.asarray(probabilities, dtype=float), axis=-1)
    first, second = ordered[..., -1], ordered[..., -2]
    return (first < LEAST) | (first - second < LEAD)


@dataclasses.dataclass(frozen=True)
class Reading:
    """Class probabilities of one picture."""

    model: str
    probabilities: dict[str, float]  # in class order; they sum to 1
    calibrated: bool  # whether a temperature fitted on other painters' pictures was applied
    # share of the training pictures, each judged by the others, that are less unlike them; None: not known
    novelty: float | None = None

    @property
    def top(self) -> str:
        """The most probable class."""
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def unlike(self) -> bool:
        """Whether the picture is less like the training pictures than 95 % of them are like each other."""
        return self.novelty is not None and self.novelty >= UNLIKE

    @property
    def unsure(self) -> bool:
        """Whether no class is likely, or two are nearly as likely; see :func:`unsure`."""
        return bool(unsure([list(self.probabilities.values())])[0])

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the fields, the classes in order, the most probable one, and whether unlike or unsure."""
        return {
            "model": self.model,
            "classes": list(self.probabilities),
            "probabilities": {label: float(value) for label, value in self.probabilities.items()},
            "top": self.top,
            "calibrated": bool(self.calibrated),
            "novelty": self.novelty,
            "unlike": self.unlike,
            "unsure": self.unsure,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Reading:
        """The reading that :meth:`as_dict` wrote."""
        return cls(*(data[field.name] for field in dataclasses.fields(cls)))


@dataclasses.dataclass(frozen=True)
class Explanation:
    """Heat map of a model's evidence for one class."""

    class_name: str
    heatmap: NDArray[np.float32]  # (H, W) raw values; negative ones are evidence against the class
    overlay: Image.Image  # RGB, picture size
    method: str = "grad_cam"  # a key of `workbench.interpret.methods.METHODS`, which has the units
    layer: str | None = None  # stage that a layered method used; None is the last feature map
