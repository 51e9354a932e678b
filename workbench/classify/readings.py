"""Which classifiers there are and what they say of a picture.

Light: it is :mod:`workbench.classify.reading`, which makes them say it, that brings torch.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench import models

DEFAULT_CLASSIFIER = "mood_statistics"


def classifiers() -> list[str]:
    """Names of the classifiers that come with the package."""
    return models.trained("classifier")


@dataclasses.dataclass(frozen=True)
class Reading:
    """What a model says of one picture."""

    model: str
    probabilities: dict[str, float]  # in class order; they sum to 1
    calibrated: bool  # whether a temperature fitted on pictures of other painters was applied

    @property
    def top(self) -> str:
        """The likeliest class."""
        return max(self.probabilities, key=self.probabilities.__getitem__)


@dataclasses.dataclass(frozen=True)
class Explanation:
    """Where a model looked for one class."""

    class_name: str
    heatmap: NDArray[np.float32]  # (H, W) raw values at picture size; below 0 spoke against
    overlay: Image.Image  # RGB, picture size
    method: str = "grad_cam"  # a name in `workbench.interpret.methods.METHODS`, which states the units
    layer: str | None = None  # stage that a layered method looked at; None is the last feature map
