"""Distillation: the generator learns to imitate a drawn teacher.

Terms, each with its weight: L1 to the teacher's drawing, in which pixels on and beside lines may count more;
L1 between edge maps; L1 between the differences of neighbouring luma values; the variation of the
difference from the teacher within the photo's regions; and a patch discriminator on the lumas of photo and
drawing. The best weights have the smallest distance to the teacher on the validation photos by the same sum.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cached_property
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from workbench import losses, models
from workbench.core.pixels import to_tensor
from workbench.drawing.teachers import TEACHERS
from workbench.training.configs import DistilConfig, DistilledConfig
from workbench.training.recipes.base import total, values, weigh
from workbench.training.recipes.scenes import Batch, SceneRecipe
from workbench.training.scene_data import drawings, regions
from workbench.training.scene_measures import over_photos
from workbench.training.targets import Cost


class DistilledRecipe(SceneRecipe):
    """A recipe with a phase of distillation from a drawn teacher."""

    config: DistilledConfig

    def __init__(self, config, device, generator, data):
        super().__init__(config, device, generator, data)
        self.teacher = TEACHERS.get(config.teacher).with_changes(config.drawing)

    def prepare(self) -> Cost:
        self.targets["drawing"], cost = drawings(self.data.training, self.teacher, self.cache)
        if self.config.w_block:
            self.targets["regions"], more = regions(self.data.training, self.cache)
            cost += more
        return cost

    def learning_rate(self, step: int, progress: float) -> float:
        """In the first phase with an optional warm-up, and an optional cosine decay at its end."""
        config = self.config
        if self.phase(step) != "distil":
            return super().learning_rate(step, progress)
        if "adversarial" in self.phases:
            progress = step / config.distil_steps
        rise = min(1.0, (step + 1) / (config.warmup_steps + 1))
        fall = 1 - (1 - progress) / config.decay_share if config.decay_share else 0.0
        return config.lr_distil * rise * 0.5 * (1 + math.cos(math.pi * max(0.0, fall)))

    def distances_to_teacher(self, drawing: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The weighted terms of the first phase."""
        config = self.config
        return weigh(
            teacher=(config.w_l1, lambda: losses.line_loss(drawing, target, config.w_lines)),
            edges=(config.w_edges, lambda: F.l1_loss(losses.edge_map(drawing), losses.edge_map(target))),
            gradient=(config.w_gradient, lambda: losses.gradient_loss(drawing, target)),
        )

    def distil_step(self, batch: Batch, step: int) -> dict[str, float]:
        terms = self.distances_to_teacher(self.draw(batch.photo), batch.drawing)
        self.update_generator(*terms.values())
        return values(terms)

    @cached_property
    def _taught(self) -> list[Image.Image]:
        return [Image.fromarray(self.teacher.draw(p)) for p in self.data.test.values()]

    def references(self) -> dict[str, list[Image.Image]]:
        return super().references() | {"drawn teacher": self._taught}


class Distil(DistilledRecipe):
    """See the module."""

    config: DistilConfig
    phases = ("distil",)
    betas = (0.9, 0.99)
    criterion = "distance"
    keep_averages = True

    def build_discriminators(self) -> nn.ModuleDict:
        if not self.config.w_patch:
            return nn.ModuleDict()
        patches = models.create("patch_discriminator", inputs=2, base=self.config.patch_base)
        return nn.ModuleDict({"patches": patches})

    def distil_step(self, batch: Batch, step: int) -> dict[str, float]:
        target, regions = batch.drawing, cast(Tensor, batch.regions)  # present if their weight is above 0
        drawing, config = self.draw(batch.photo), self.config
        terms = self.distances_to_teacher(drawing, target) | weigh(
            block=(config.w_block, lambda: losses.color_block_loss(drawing - target, regions))
        )
        judged = {"patch": 0.0, "d_patch": 0.0} if config.w_patch else {}
        begun = step + 1 - config.patch_from
        if config.w_patch and begun > 0:
            share = min(1.0, begun / (config.patch_from + 1))
            judged["d_patch"], pull = self._judge_patches(batch, drawing)
            terms["patch"] = share * config.w_patch * pull
        self.update_generator(*terms.values())
        return judged | values(terms)

    def _judge_patches(self, batch: Batch, drawing: Tensor) -> tuple[float, Tensor]:
        """Train the discriminator; return its loss and that of the generator."""
        patches = self.discriminators["patches"]
        photo, wanted, drawn = (losses.rgb_to_yuv(x)[:, :1] for x in (batch.photo, batch.drawing, drawing))
        with self.autocast():
            real, fake = (patches(torch.cat([photo, x], 1)) for x in (wanted, drawn.detach()))
            judged = losses.hinge_discriminator_loss(real, [fake], [1])
        self.update_discriminators(judged)
        with self.frozen_discriminators(), self.autocast():
            pull = losses.hinge_generator_loss(patches(torch.cat([photo, drawn], 1)))
        return judged.item(), pull.float()

    @cached_property
    def _wanted(self) -> list[NDArray[np.uint8]]:
        return list(drawings(self.data.validation, self.teacher, self.cache)[0].values())

    @cached_property
    def _distance_photo(self) -> float:
        return float(np.mean(self._each_distance(self.data.validation.values(), self._wanted)))

    @torch.inference_mode()
    def _each_distance(self, pictures: Iterable, wanted: Iterable) -> list[float]:
        """Of every picture to its teacher's drawing."""
        pairs = (
            [to_tensor(np.asarray(p), self.device) for p in pair]
            for pair in zip(pictures, wanted, strict=True)
        )
        return [total(self.distances_to_teacher(*pair).values()).item() for pair in pairs]

    def distances(self, pictures: list[Image.Image]) -> dict[str, float]:
        """Distances of drawings and photos to the teacher's drawings of the validation photos; and KID."""
        own = float(np.mean(self._each_distance(pictures, self._wanted)))
        values = {"distance": own, "distance_photo": self._distance_photo}
        return values | (super().distances(pictures) if self.data.style else {})

    def measure(self, network: nn.Module, name: str) -> tuple[list[dict], str]:
        rows, split = super().measure(network, name)
        sets = self.references()
        wanted = sets["drawn teacher"]
        sets[name] = self.stylize(network, self.data.test.values())
        column = "distance_to_teacher"
        for row in rows:
            drawn = sets.get(row["pictures"])
            each = self._each_distance(drawn, wanted) if drawn else []
            row |= over_photos(column, each, 4) if each else {k: "" for k in rows[0] if k.startswith(column)}
        return rows, split
