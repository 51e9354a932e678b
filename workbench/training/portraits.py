"""Train AFGAN on portraits: distil the drawn teacher, then go adversarial against anime faces.

Phase 1 teaches the generator to draw a face anew (weighted L1, edges and frozen features against
``training.portrait_teacher``) and to know the person's mask, which composition on scenes makes exact. Phase 2
moves the drawn face to the style: a discriminator on frozen features and one on patches, weighed by
class-activation attention, look at the face only, while the teacher holds. The background never sees an
adversarial gradient. Runs on a CPU or a GPU (Accelerate), resumes from its last checkpoint, stops at a time
budget.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from workbench import losses, models
from workbench.data.faces import Composites, Portrait, load_portraits, split_by_person
from workbench.data.scenes import Crops, load_pictures, split
from workbench.drawing.portrait_teacher import is_rare
from workbench.models.afgan import Portrayal, keep_ratios
from workbench.models.features import FrozenFeatures
from workbench.styles.portrait import UNIT
from workbench.training.loop import TrainingLoop
from workbench.training.portrait_config import PortraitConfig
from workbench.training.portrait_measures import mask_scores
from workbench.training.portrait_targets import prepare, twins
from workbench.training.start import starting_weights
from workbench.training.validation import StyleJudge, contact_sheet, to_picture, to_tensor

log = logging.getLogger(__name__)


def at_scale(portrait: Portrait) -> np.ndarray:
    """The photo with the eyes :data:`UNIT` pixels apart."""
    scale = UNIT / portrait.unit
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(portrait.photo, None, fx=scale, fy=scale, interpolation=method)


def faces(pictures: Tensor, center: Tensor, unit: Tensor, side: float, pixels: int) -> Tensor:
    """Squares around the faces, (N, 3, ``pixels``, ``pixels``), of the N pictures that show one.

    Args:
        pictures: (B, 3, H, W).
        center: (B, 2) middle between the eyes in pixels.
        unit: (B,) distance between the eyes in pixels, 0 where nobody is shown.
        side: of the square, in eye distances; the middle between the eyes lies a little above its centre.
        pixels: side of the result.
    """
    shown = unit > 0
    pictures, center, unit = pictures[shown], center[shown], unit[shown]
    size = pictures.new_tensor([pictures.shape[3], pictures.shape[2]])
    theta = pictures.new_zeros(len(unit), 2, 3)
    theta[:, 0, 0] = side * unit / size[0]
    theta[:, 1, 1] = side * unit / size[1]
    middle = center + torch.stack([torch.zeros_like(unit), 0.25 * unit], 1)
    theta[:, :, 2] = 2 * middle / size - 1
    grid = F.affine_grid(theta, (len(unit), 3, pixels, pixels), align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)


class PortraitTrainer(TrainingLoop):
    """Holds networks, optimisers and data of one training; :meth:`run` does it."""

    stateful = ("generator", "ema", "discriminators", "optimizer", "optimizer_d")
    keep_averages = True  # the least KID is not always the best drawing

    def __init__(self, config: PortraitConfig):
        super().__init__(config)
        self._load_data()

        def place(module: torch.nn.Module) -> torch.nn.Module:
            return module.to(self.device, memory_format=torch.channels_last)

        self.generator = place(models.create(config.architecture, **config.arguments))
        if config.start:
            self.generator.load_state_dict(starting_weights(config, self.generator))
        self.ema = place(models.create(config.architecture, **config.arguments)).requires_grad_(False).eval()
        self.ema.load_state_dict(self.generator.state_dict())
        self.backbone = place(FrozenFeatures("lite1", stages=(1, 2, 3)))
        self.judge: StyleJudge | None = None
        self.discriminators = torch.nn.ModuleDict(
            {
                "picture": models.create("feature_discriminator", channels=self.backbone.channels),
                "patch": models.create("cam_discriminator"),
            }
        )
        place(self.discriminators)
        betas = (0.5, 0.99)
        self.optimizer = torch.optim.Adam(self.generator.parameters(), config.lr_distil, betas)
        self.optimizer_d = torch.optim.Adam(self.discriminators.parameters(), config.lr_discriminator, betas)
        self.optimizer, self.optimizer_d = self.accelerator.prepare(self.optimizer, self.optimizer_d)

    def _load_data(self) -> None:
        config = self.config
        portraits = load_portraits(config.portraits, config.annotations)
        train, validation, test = split_by_person(list(portraits), config.held_out, config.seed)
        darker = twins({name: portraits[name] for name in train}, config.dark_twins, config.seed)
        train += darker
        portraits = prepare(portraits | darker, config.drawing, self.out / "targets.npz")
        self.validation = {name: portraits[name] for name in validation}
        self.test = {name: portraits[name] for name in test}
        scenes = load_pictures(config.scenes, config.crop)
        seen, unseen = split(list(scenes), max(2, len(scenes) // 10), config.seed)
        self.unseen_scenes = [scenes[name] for name in unseen]
        style = load_pictures(config.style, 256)
        self.style_pictures = list(style.values())
        # anime faces are not bald: adversaries would put hair on those who are
        rare = [n for n in train if is_rare(portraits[n].photo, portraits[n].landmarks, portraits[n].mask)]
        self.composites = Composites(
            [
                dataclasses.replace(portraits[name], judged=name not in rare)
                for name in train + rare * (config.rare_times - 1)
            ],
            [scenes[name] for name in seen],
            config.crop,
            config.units,
            config.seed,
        )
        layers = [(p,) for p in self.style_pictures]
        self.style_crops = Crops(layers, config.face_pixels, (0.52, 0.68), config.seed + 1)
        log.info(
            "%d portraits to train on (%d of rare looks), %d and %d held out, %d scenes, %d style pictures",
            len(train), len(rare), len(validation), len(test),
            len(seen), len(style),
        )  # fmt: skip

    def phase(self, step: int) -> str:
        """Name of the phase to which step number ``step`` (from 0) belongs."""
        return "distil" if step < self.config.distil_steps else "adversarial"

    def train_step(self) -> dict[str, float]:
        """One step of the phase; returns the value of each term."""
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        return getattr(self, f"_{self.phase(self.step)}_step")()

    def _learning_rate(self) -> float:
        """Phase 1 ends at a fifth of its rate, so that its last drawings are sharp."""
        if self.step >= self.config.distil_steps:
            return self.config.lr
        left = 1 - self.step / self.config.distil_steps
        return self.config.lr_distil * (0.2 + 0.8 * min(1.0, left / 0.4))

    # -- one step ------------------------------------------------------------------------------------------

    def _gray(self, mask: np.ndarray) -> Tensor:
        """uint8 (B, H, W) to (B, 1, H, W) in [0, 1]."""
        return torch.from_numpy(mask).to(self.device).unsqueeze(1).float() / 255

    def _anchor(self, distance: Tensor, weight: Tensor) -> Tensor:
        weight = 1 + self.config.attention * weight
        return (distance * weight).mean() / weight.mean()

    def _features(self, pictures: Tensor, noise: float = 0.0) -> list[Tensor]:
        with self.autocast():
            return self.backbone(pictures + noise * torch.randn_like(pictures) if noise else pictures)

    def _forward(self) -> tuple[Portrayal, dict[str, Tensor], dict]:
        """The generator's answer to this step's batch, the terms both phases share, and the batch."""
        config = self.config
        example = self.composites.batch(self.step, config.batch)
        (style,) = self.style_crops.batch(self.step, max(2, config.batch // 2))
        x, target, style = (to_tensor(p, self.device) for p in (example.photo, example.target, style))
        mask, weight = self._gray(example.mask), self._gray(example.weight)
        with self.autocast():
            answer = self.generator.portray(x)
            style_logits = self.generator.domain_logits(style)
        edges = (losses.edge_map(answer.picture) - losses.edge_map(target)).abs()
        tones = [
            F.avg_pool2d(losses.rgb_to_yuv(p), 8) * p.new_tensor([1.0, 3.0, 3.0]).view(1, 3, 1, 1)
            for p in (answer.picture, target)
        ]
        terms = {
            "teacher": self._anchor((answer.picture - target).abs(), weight),
            "tone": config.w_tone * F.l1_loss(*tones),
            "edges": config.w_edges * self._anchor(edges, weight),
            "mask": config.w_mask * losses.mask_loss(answer.mask_logits, mask),
            "cam": config.w_cam * losses.cam_loss(answer.cam_logits.float(), style_logits.float()),
        }
        if config.w_features and self.step % config.features_every == 0:
            seen = self._features(answer.picture)
            with torch.no_grad():
                wanted = self._features(target)
            pair = [f.float() for f in seen], [f.float() for f in wanted]
            terms["features"] = config.features_every * config.w_features * losses.content_loss(*pair)
        batch = {"x": x, "style": style, "example": example}
        return answer, terms, batch

    def _distil_step(self) -> dict[str, float]:
        _, terms, _ = self._forward()
        self.optimizer.zero_grad()
        self.accelerator.backward(sum(terms.values()))
        self._apply_generator_step()
        return {k: v.item() for k, v in terms.items()}

    def _apply_generator_step(self) -> None:
        self.accelerator.clip_grad_norm_(self.generator.parameters(), self.config.clip)
        self.optimizer.step()
        keep_ratios(self.generator)

    def _adversarial_step(self) -> dict[str, float]:
        config, d = self.config, self.discriminators
        answer, terms, batch = self._forward()
        for name in ("teacher", "tone", "edges"):
            terms[name] = config.w_teacher * terms[name]
        mask = answer.mask.detach()  # style may change the drawing, never move the mask
        drawn = mask * answer.drawing + (1 - mask) * batch["x"]
        center, unit = (
            torch.from_numpy(a).to(self.device) for a in (batch["example"].center, batch["example"].unit)
        )
        unit = unit * torch.from_numpy(batch["example"].judged).to(self.device)
        if not unit.any():
            return self._finish(terms)
        fake = faces(drawn, center, unit, config.face_side, config.face_pixels)
        style = batch["style"]
        fake_features = self._features(fake, config.noise)
        with torch.no_grad():
            style_features = self._features(style, config.noise)
        d["picture"].observe(style_features)
        with self.autocast():
            detached = [f.detach() for f in fake_features]
            loss_d = losses.hinge_discriminator_loss(
                d["picture"](style_features), [d["picture"](detached)], [1]
            )
            real, real_cam = d["patch"](style)
            false, false_cam = d["patch"](fake.detach())
            loss_patch = losses.hinge_discriminator_loss([real], [[false]], [1])
            loss_patch = loss_patch + losses.least_squares_loss([real_cam], 0.9)
            loss_patch = loss_patch + losses.least_squares_loss([false_cam], 0.1)
        self.optimizer_d.zero_grad()
        self.accelerator.backward(loss_d + loss_patch)
        self.optimizer_d.step()

        d.requires_grad_(False)
        with self.autocast():
            score, cam = d["patch"](fake)
            terms["picture"] = config.w_picture * losses.hinge_generator_loss(d["picture"](fake_features))
            terms["patch"] = config.w_patch * (
                losses.hinge_generator_loss([score]) + losses.least_squares_loss([cam], 0.9)
            )
        logged = self._finish(terms)
        d.requires_grad_(True)
        return logged | {"d_picture": loss_d.item(), "d_patch": loss_patch.item()}

    def _finish(self, terms: dict[str, Tensor]) -> dict[str, float]:
        self.optimizer.zero_grad()
        self.accelerator.backward(sum(t.float() for t in terms.values()))
        self._apply_generator_step()
        return {k: v.item() for k, v in terms.items()}

    # -- validation ----------------------------------------------------------------------------------------

    @torch.inference_mode()
    def stylize(self, portraits: Iterable[Portrait]) -> list[Image.Image]:
        """The averaged generator's drawings of whole portraits, eyes :data:`UNIT` pixels apart."""
        return [to_picture(self.ema(to_tensor(at_scale(p)[None], self.device))[0]) for p in portraits]

    def validate(self) -> dict[str, float]:
        """KID-lite0 × 1000 of the validation portraits to a part of the style, mask and background."""
        config, portraits = self.config, list(self.validation.values())
        photos = [at_scale(p) for p in portraits]
        if self.judge is None:  # made late, of every fifth style picture: the features take their time
            self.judge = StyleJudge(self.style_pictures[::5] or self.style_pictures, photos, self.device)
        drawings = self.stylize(portraits)
        value = self.judge.kid(drawings)
        sheet = contact_sheet(photos, drawings, rows=6, width=330)
        sheet.save(self.out / "validation" / f"step_{self.step:06d}.jpg", quality=90)
        scores = {
            "kid": value.mean,
            "kid_error": value.error,
            "kid_photo": self.judge.photo.mean,
        }
        composites = Composites(
            portraits, self.unseen_scenes, config.crop, config.units, config.seed + 9, 0.0, empty=0.0
        )
        return scores | mask_scores(self.ema, composites, 48)
