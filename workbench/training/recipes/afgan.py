"""AFGAN, for portraits: distillation from the drawn teacher, then adversarial training with anime faces.

Phase 1 teaches the generator to draw a face (weighted L1, edges and frozen features of the teacher,
:mod:`workbench.drawing.portrait`) and the person's mask, which is exact because portraits are composited on
scenes. Phase 2 moves the drawn face towards the style: a discriminator on frozen features and one on patches,
weighted by class-activation attention, see only the face, while the terms of the teacher stay. The background
gets no adversarial gradient.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from workbench import losses, models
from workbench.core.cache import Cache, digest
from workbench.core.pixels import resized, to_pixels, to_tensor
from workbench.data.faces import Composites, Portrait
from workbench.data.scenes import Crops
from workbench.models.afgan import Portrayal, keep_ratios
from workbench.models.features import FrozenFeatures
from workbench.styles import portrait as portrait_style
from workbench.styles.people import KIND
from workbench.training.configs import PortraitConfig
from workbench.training.portrait_data import PortraitData, load_data, taught_portraits, teacher_settings
from workbench.training.portrait_measures import mask_scores, measure
from workbench.training.recipes.base import Recipe, values
from workbench.training.targets import Cost
from workbench.training.validation import StyleJudge, contact_sheet


@dataclasses.dataclass(frozen=True)
class Batch:
    """Composites of one step on the training's device, and as many anime faces as half of them."""

    photo: Tensor  # (B, 3, S, S) in [-1, 1]
    target: Tensor  # (B, 3, S, S): the teacher's drawing in the same place, outside it the photo
    mask: Tensor  # (B, 1, S, S) in [0, 1], 1 on the person
    attention: Tensor  # (B, 1, S, S) in [0, 1], 1 on eyes and mouth
    center: Tensor  # (B, 2) x, y of the middle between the eyes in pixels
    interocular: Tensor  # (B,) distance between the eyes in pixels; 0 where nobody is shown
    style: Tensor  # (B', 3, P, P) in [-1, 1]


def at_scale(portrait: Portrait) -> np.ndarray:
    """The photo with the eyes :data:`workbench.styles.portrait.INTEROCULAR_PX` pixels apart."""
    scale = portrait_style.INTEROCULAR_PX / portrait.interocular_px
    return resized(portrait.photo, [round(scale * side) for side in portrait.photo.shape[1::-1]])


def faces(pictures: Tensor, center: Tensor, interocular: Tensor, side: float, pixels: int) -> Tensor:
    """Squares around the faces, (N, 3, ``pixels``, ``pixels``), of the N pictures that show one.

    Args:
        pictures: (B, 3, H, W).
        center: (B, 2) middle between the eyes in pixels.
        interocular: (B,) distance between the eyes in pixels, 0 where nobody is shown.
        side: of the square, in eye distances; the middle between the eyes lies a little above its centre.
        pixels: side of the result.
    """
    shown = interocular > 0
    pictures, center, interocular = pictures[shown], center[shown], interocular[shown]
    size = pictures.new_tensor([pictures.shape[3], pictures.shape[2]])
    theta = pictures.new_zeros(len(interocular), 2, 3)
    theta[:, 0, 0] = side * interocular / size[0]
    theta[:, 1, 1] = side * interocular / size[1]
    middle = center + torch.stack([torch.zeros_like(interocular), 0.25 * interocular], 1)
    theta[:, :, 2] = 2 * middle / size - 1
    grid = F.affine_grid(theta, [len(interocular), 3, pixels, pixels], align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)


class AFGAN(Recipe):
    """See the module."""

    config: PortraitConfig
    data: PortraitData
    subjects = "portraits"
    keep_averages = True  # the least KID is not always the best drawing

    def __init__(self, config: Any, device: torch.device, generator: nn.Module, data: Any):
        super().__init__(config, device, generator, data)
        self.composites: Composites  # made by `prepare`
        self._judge: StyleJudge | None = None
        if config.distil_steps >= config.steps:  # only the teacher is imitated: KID is no criterion
            self.criterion = ""
        layers: list[tuple[np.ndarray, ...]] = [(p,) for p in data.style]
        self._style_crops = Crops(layers, config.face_pixels, (0.52, 0.68), config.seed + 1)

    load = staticmethod(load_data)

    def build_discriminators(self) -> nn.ModuleDict:
        self.backbone = self.place(FrozenFeatures("lite1", stages=(1, 2, 3)))
        return nn.ModuleDict(
            {
                "picture": models.create("feature_discriminator", channels=self.backbone.channels),
                "patch": models.create("cam_discriminator"),
            }
        )

    @property
    def cache(self) -> Cache:
        """Cache of the targets."""
        return Cache(f"{self.config.out}/targets")

    def prepare(self) -> Cost:
        config, data = self.config, self.data
        taught, cost = taught_portraits(data.training, config, self.cache)
        self.composites = Composites(taught, data.scenes, config.crop, config.interocular_px, config.seed)
        return cost

    def pictures(self) -> dict[str, list[str]]:
        scenes = (*self.data.scenes, *self.data.unseen_scenes)
        return super().pictures() | {"scenes": [digest(p) for p in scenes]}

    def learning_rate(self, step: int, progress: float) -> float:
        """Phase 1 ends at a fifth of its rate, so that its last drawings are sharp."""
        if self.phase(step) == "adversarial":
            return self.config.lr
        left = 1 - step / self.config.distil_steps
        return self.config.lr_distil * (0.2 + 0.8 * min(1.0, left / 0.4))

    # -- one step ------------------------------------------------------------------------------------------

    def batch(self, step: int) -> Batch:
        config = self.config
        example = self.composites.batch(step, config.batch)
        (style,) = self._style_crops.batch(step, max(2, config.batch // 2))
        photo, target, faces = (to_tensor(p, self.device) for p in (example.photo, example.target, style))
        mask, weight, center, interocular = (
            torch.from_numpy(a).to(self.device)
            for a in (example.mask, example.weight, example.center, example.interocular_px)
        )
        mask, weight = (m.unsqueeze(1).float() / 255 for m in (mask, weight))
        return Batch(photo, target, mask, weight, center, interocular, faces)

    def distil_step(self, batch: Batch, step: int) -> dict[str, float]:
        return self._finish(self._taught(batch, step)[1])

    def adversarial_step(self, batch: Batch, step: int) -> dict[str, float]:
        config, d = self.config, self.discriminators
        answer, terms = self._taught(batch, step)
        for name in ("teacher", "tone", "edges"):
            terms[name] = config.w_teacher * terms[name]
        if not batch.interocular.any():
            return self._finish(terms)
        mask = answer.mask.detach()  # style may change the drawing, never move the mask
        drawn = mask * answer.drawing + (1 - mask) * batch.photo
        fake = faces(drawn, batch.center, batch.interocular, config.face_side, config.face_pixels)
        features = self._features(fake, config.noise)
        judged = self._train_discriminators(fake, features, batch.style)
        with self.frozen_discriminators():
            with self.autocast():
                score, cam = d["patch"](fake)
                terms["picture"] = config.w_picture * losses.hinge_generator_loss(d["picture"](features))
                terms["patch"] = config.w_patch * (
                    losses.hinge_generator_loss([score]) + losses.least_squares_loss([cam], 0.9)
                )
            logged = self._finish(terms)
        return logged | {f"d_{name}": loss.item() for name, loss in judged.items()}

    def _taught(self, batch: Batch, step: int) -> tuple[Portrayal, dict[str, Tensor]]:
        """The generator's answer, and the terms that both phases share."""
        config = self.config
        with self.autocast():
            answer = self.generator.portray(batch.photo)
            style_logits = self.generator.domain_logits(batch.style)
        edges = (losses.edge_map(answer.picture) - losses.edge_map(batch.target)).abs()
        tones = [
            F.avg_pool2d(losses.rgb_to_yuv(p), 8) * p.new_tensor([1.0, 3.0, 3.0]).view(1, 3, 1, 1)
            for p in (answer.picture, batch.target)
        ]
        weight = 1 + config.attention * batch.attention
        terms = {
            "teacher": ((answer.picture - batch.target).abs() * weight).mean() / weight.mean(),
            "tone": config.w_tone * F.l1_loss(tones[0], tones[1]),
            "edges": config.w_edges * (edges * weight).mean() / weight.mean(),
            "mask": config.w_mask * losses.mask_loss(answer.mask_logits, batch.mask),
            "cam": config.w_cam * losses.cam_loss(answer.cam_logits.float(), style_logits.float()),
        }
        if config.w_features and step % config.features_every == 0:
            target = self._features(answer.picture)
            with torch.no_grad():
                wanted = self._features(batch.target)
            pair = [f.float() for f in target], [f.float() for f in wanted]
            terms["features"] = config.features_every * config.w_features * losses.content_loss(*pair)
        return answer, terms

    def _features(self, pictures: Tensor, noise: float = 0.0) -> list[Tensor]:
        with self.autocast():
            return self.backbone(pictures + noise * torch.randn_like(pictures) if noise else pictures)

    def _train_discriminators(self, fake: Tensor, features: list[Tensor], style: Tensor) -> dict[str, Tensor]:
        d: Any = self.discriminators
        with torch.no_grad():
            style_features = self._features(style, self.config.noise)
        d["picture"].observe(style_features)
        with self.autocast():
            drawn = [f.detach() for f in features]
            picture = losses.hinge_discriminator_loss(
                d["picture"](style_features), [d["picture"](drawn)], [1]
            )
            real, real_cam = d["patch"](style)
            false, false_cam = d["patch"](fake.detach())
            patch = losses.hinge_discriminator_loss([real], [[false]], [1])
            patch = patch + losses.least_squares_loss([real_cam], 0.9)
            patch = patch + losses.least_squares_loss([false_cam], 0.1)
        self.update_discriminators(picture + patch)
        return {"picture": picture, "patch": patch}

    def _finish(self, terms: dict[str, Tensor]) -> dict[str, float]:
        self.update_generator(*(t.float() for t in terms.values()))
        keep_ratios(self.generator)
        return values(terms)

    # -- validation and measures ---------------------------------------------------------------------------

    @torch.inference_mode()
    def stylize(self, network: nn.Module, photos: Iterable[Portrait]) -> list[Image.Image]:
        """A network's drawings of whole portraits, at the size that the style draws faces at."""
        pictures = (network(to_tensor(at_scale(p), self.device)) for p in photos)
        return [Image.fromarray(to_pixels(p)[0]) for p in pictures]

    def validate(self, network: nn.Module) -> tuple[dict[str, float], Image.Image]:
        """KID-lite0 × 1000 of the validation portraits to a part of the style, mask and background."""
        config, portraits = self.config, list(self.data.validation.values())
        photos = [at_scale(p) for p in portraits]
        if self._judge is None:  # on first use, of every fifth style picture: the features take long
            self._judge = StyleJudge(self.data.style[::5] or self.data.style, self.device, cache=self.cache)
            self._kid_photo = self._judge.kid(map(Image.fromarray, photos)).mean
        drawings = self.stylize(network, portraits)
        value = self._judge.kid(drawings)
        plain = [dataclasses.replace(p, drawing=p.photo) for p in portraits]
        composites = Composites(
            plain,
            self.data.unseen_scenes,
            config.crop,
            config.interocular_px,
            config.seed + 9,
            0.0,
            empty=0.0,
        )
        scores = {"kid": value.mean, "kid_error": value.error, "kid_photo": self._kid_photo}
        return scores | mask_scores(network, composites, 48), contact_sheet(
            photos, drawings, rows=6, width=330
        )

    def measure(self, network: nn.Module, name: str) -> tuple[list[dict], str]:
        data, config = self.data, self.config
        settings = teacher_settings(config)
        rows = measure(network, name, data.test, data.unseen_scenes, data.style, config, settings)
        return (
            rows,
            f"{len(data.test)} held-out portraits of people that neither trained nor chose the weights",
        )

    @property
    def card(self) -> dict[str, Any]:
        preprocessing = {
            "range": [-1, 1],
            "channels": "RGB",
            "pixels_between_eyes": portrait_style.INTEROCULAR_PX,
        }
        return {"kind": KIND, "preprocessing": preprocessing}
