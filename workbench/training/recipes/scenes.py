"""Base class of the recipes for scenes: crops of photos and style pictures, validation and measures."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from workbench.core.cache import Cache
from workbench.core.pixels import to_pixels, to_tensor
from workbench.data.scenes import Crops
from workbench.models.convolutions import padded
from workbench.training.configs import StylizerConfig
from workbench.training.recipes.base import Recipe
from workbench.training.scene_data import SceneData, load_data
from workbench.training.scene_measures import measure
from workbench.training.validation import StyleJudge, contact_sheet

# what a training can know of the pictures that it measures on, not whether somebody saw them before
UNUSED = (
    "held-out photos that no training step and no choice between weights used (whether settings were chosen "
    "by looking at them is not recorded); 95 % intervals over photos"
)
_STRIDE = 4  # sides are padded to multiples of this, by which the generators downscale


_NONE = torch.empty(0)  # for layers that a recipe does not use


@dataclasses.dataclass(frozen=True)
class Batch:
    """Crops of one step on the training's device; photos and style pictures are unpaired."""

    photo: Tensor  # (B, 3, S, S) in [-1, 1]
    style: Tensor = _NONE  # (B, 3, S, S) in [-1, 1]
    drawing: Tensor = _NONE  # (B, 3, S, S): the teacher's drawing of `photo`
    regions: Tensor = _NONE  # (B, S, S) integer region labels of `photo`


class SceneRecipe(Recipe):
    """Trains ``generator`` to redraw scenes."""

    config: StylizerConfig
    data: SceneData

    def __init__(self, config: Any, device: torch.device, generator: nn.Module, data: Any):
        super().__init__(config, device, generator, data)
        self.targets: dict[str, dict[str, np.ndarray]] = {}  # "drawing" and "regions" by photo, if needed
        self._judge: StyleJudge | None = None

    load = staticmethod(load_data)

    @property
    def cache(self) -> Cache:
        """Cache of the targets."""
        return Cache(self.data.cache or f"{self.config.out}/targets")

    @cached_property
    def _photo_crops(self) -> Crops:
        layers = (self.targets[name].values() for name in self.targets)
        aligned = [tuple(p) for p in zip(self.data.training.values(), *layers, strict=True)]
        return self._crops(aligned, self.config.seed)

    @cached_property
    def _style_crops(self) -> Crops:
        return self._crops([(p,) for p in self.data.style], self.config.seed + 1)

    def _crops(self, layers: list[tuple[np.ndarray, ...]], seed: int) -> Crops:
        smallest, largest = self.config.scales
        return Crops(layers, self.config.crop, (smallest, largest), seed)

    def batch(self, step: int) -> Batch:
        photo, *targets = self._photo_crops.batch(step, self.config.batch)
        layers = {"photo": photo} | dict(zip(self.targets, targets, strict=True))
        if self.data.style:
            (layers["style"],) = self._style_crops.batch(step, self.config.batch)
        place = {"regions": lambda labels, device: torch.from_numpy(labels).to(device)}
        return Batch(**{n: place.get(n, to_tensor)(layer, self.device) for n, layer in layers.items()})

    @torch.inference_mode()
    def stylize(self, network: nn.Module, photos: Iterable[np.ndarray]) -> list[Image.Image]:
        """A network's drawings of uint8 photos (H, W, 3)."""
        drawings = []
        for photo in photos:
            height, width = photo.shape[:2]
            drawing = network(padded(to_tensor(photo, self.device), _STRIDE))
            drawings.append(Image.fromarray(to_pixels(drawing)[0, :height, :width]))
        return drawings

    def validate(self, network: nn.Module) -> tuple[dict[str, float], Image.Image]:
        """KID-lite0 × 1000 of the validation photos' drawings to the style, and of the photos themselves."""
        photos = list(self.data.validation.values())
        drawings = self.stylize(network, photos)
        return self.distances(drawings), contact_sheet(photos, drawings)

    def distances(self, drawings: list[Image.Image]) -> dict[str, float]:
        """Distances of drawings of the validation photos to the target."""
        if self._judge is None:  # on first use: the features of the style take a minute
            self._judge = StyleJudge(self.data.style, self.device, cache=self.cache)
            self._kid_photo = self._judge.kid(map(Image.fromarray, self.data.validation.values()))
        value = self._judge.kid(drawings)
        return {"kid": value.mean, "kid_error": value.error, "kid_photo": self._kid_photo.mean}

    def references(self) -> dict[str, list[Image.Image]]:
        """Drawings of the test photos that the network's are compared with."""
        return {"photos": [Image.fromarray(p) for p in self.data.test.values()]}

    def measure(self, network: nn.Module, name: str) -> tuple[list[dict], str]:
        photos = list(self.data.test.values())
        sets = self.references() | {name: self.stylize(network, photos)}
        rows = measure(photos, self.data.style, sets, self.device, self.cache)
        return rows, f"{len(photos)} {UNUSED}"

    @property
    def card(self) -> dict[str, Any]:
        return {"kind": "stylizer", "preprocessing": {"range": [-1, 1], "channels": "RGB"}}
