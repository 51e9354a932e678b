"""Names and results of the classifiers, without torch; :mod:`workbench.classify.reading` runs them."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench import models

DEFAULT_CLASSIFIER = "mood_statistics"


def classifiers() -> list[str]:
    """Names of the classifiers in the package."""
    return models.trained("classifier")


@dataclasses.dataclass(frozen=True)
class Reading:
    """Class probabilities of one picture."""

    model: str
    probabilities: dict[str, float]  # in class order; they sum to 1
    calibrated: bool  # whether a temperature fitted on other painters' pictures was applied

    @property
    def top(self) -> str:
        """The most probable class."""
        return max(self.probabilities, key=self.probabilities.__getitem__)


@dataclasses.dataclass(frozen=True)
class Explanation:
    """Heat map of a model's evidence for one class."""

    class_name: str
    heatmap: NDArray[np.float32]  # (H, W) raw values; negative ones are evidence against the class
    overlay: Image.Image  # RGB, picture size
    method: str = "grad_cam"  # a key of `workbench.interpret.methods.METHODS`, which has the units
    layer: str | None = None  # stage that a layered method used; None is the last feature map
