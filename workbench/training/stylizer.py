"""Train a stylizer on a folder of photos and a folder of pictures in the style, by one of several recipes.

What is common to all recipes is here: data and crops, the average of the generator's weights, validation,
checkpoints and budgets. How a generator is taught is in :mod:`workbench.training.recipes`. Runs on a
CPU or a GPU (Accelerate), resumes from its last checkpoint, stops at a time budget, and keeps the averaged
weights that came closest to the style on held-out photos.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from workbench import models
from workbench.data.scenes import Crops
from workbench.training import recipes as stylizer_recipes
from workbench.training.loop import TrainingLoop
from workbench.training.recipes.base import Batch
from workbench.training.start import starting_weights
from workbench.training.stylizer_config import StylizerConfig
from workbench.training.stylizer_data import SceneData, load_data
from workbench.training.validation import StyleJudge, contact_sheet, to_picture, to_tensor

log = logging.getLogger(__name__)

_STRIDE = 4  # the generators shrink a picture by this; sides that are no multiple are padded


class StylizerTrainer(TrainingLoop):
    """Holds networks, recipe and data of one training; :meth:`run` does it.

    Args:
        config: all choices.
        data: what :func:`load_data` made of the same folders, for several trainings on one reading of them.

    Raises:
        WorkbenchError: unknown recipe or settings, unusable pictures, or weights to begin from that do not
            fit.
    """

    stateful = ("generator", "ema", "recipe")

    def __init__(self, config: StylizerConfig, data: SceneData | None = None):
        recipe = stylizer_recipes.find(config.recipe)
        super().__init__(config)
        generator = self._new_generator(config)
        self.ema = self._new_generator(config).requires_grad_(False).eval()
        if config.start:
            generator.load_state_dict(starting_weights(config, generator))
        self.ema.load_state_dict(generator.state_dict())
        self.recipe = recipe(config, self.accelerator, generator)
        self.config = dataclasses.replace(config, settings=dataclasses.asdict(self.recipe.settings))
        if data is None or (self.recipe.needs_targets and data.prepared is None):
            data = load_data(config, self.recipe.needs_targets)
        self.validation, self.test, self.style_pictures = data.validation, data.test, data.style
        layers = data.prepared if self.recipe.needs_targets else [(p,) for p in data.training.values()]
        self.photo_crops = Crops(layers, config.crop, (0.75, 1.15), config.seed)
        layers = [(p,) for p in data.style]
        self.style_crops = Crops(layers, config.crop, (0.75, 1.15), config.seed + 1)
        self.judge: StyleJudge | None = None

    def _new_generator(self, config: StylizerConfig) -> nn.Module:
        network = models.create(config.architecture, **config.arguments)
        return network.to(self.device, memory_format=torch.channels_last)

    @property
    def generator(self) -> nn.Module:
        """The network that is trained; :attr:`ema` is its average."""
        return self.accelerator.unwrap_model(self.recipe.generator)

    def phase(self, step: int) -> str:
        """Name of the recipe's phase to which step number ``step`` (from 0) belongs."""
        return self.recipe.phase(step)

    def train_step(self) -> dict[str, float]:
        """One step of the recipe; returns the value of each term."""
        return self.recipe.step(self._batch(), self.step)

    # -- one step ------------------------------------------------------------------------------------------

    def _batch(self) -> Batch:
        photo, *targets = self.photo_crops.batch(self.step, self.config.batch)
        (style,) = self.style_crops.batch(self.step, self.config.batch)
        photo, style = to_tensor(photo, self.device), to_tensor(style, self.device)
        if not targets:
            return Batch(photo, style)
        drawing, regions = targets
        return Batch(photo, style, to_tensor(drawing, self.device), torch.from_numpy(regions).to(self.device))

    # -- validation ----------------------------------------------------------------------------------------

    @torch.inference_mode()
    def stylize(self, photos: Iterable[np.ndarray]) -> list[Image.Image]:
        """The averaged generator's drawings of uint8 photos (H, W, 3)."""
        drawings = []
        for photo in photos:
            height, width = photo.shape[:2]
            x = to_tensor(photo[None], self.device)
            x = F.pad(x, (0, -width % _STRIDE, 0, -height % _STRIDE), mode="replicate")
            drawings.append(to_picture(self.ema(x)[0, :, :height, :width]))
        return drawings

    def validate(self) -> dict[str, float]:
        """KID-lite0 × 1000 of the validation photos' drawings to the style, and of the photos themselves."""
        if self.judge is None:  # made late: the style set's features take a minute
            self.judge = StyleJudge(self.style_pictures, list(self.validation.values()), self.device)
        drawings = self.stylize(self.validation.values())
        value = self.judge.kid(drawings)
        sheet = contact_sheet(list(self.validation.values()), drawings)
        sheet.save(self.out / "validation" / f"step_{self.step:06d}.jpg", quality=88)
        return {
            "kid": value.mean,
            "kid_error": value.error,
            "kid_photo": self.judge.photo.mean,
        }
