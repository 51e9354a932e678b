"""U-GAT-IT light: two generators and four attentive discriminators, photo to style and back.

A photo drawn and taken back must be the photo again (cycle), a style picture given to the drawing generator
must stay as it is (identity), auxiliary classifiers must tell the domains apart (CAM), and discriminators of
patches and of nearly the whole picture score both directions. There is no phase 1. Only the generator from
photo to style is averaged, validated and published.

Source: J. Kim et al., "U-GAT-IT", ICLR 2020, section 2.2: least-squares adversarial loss (weight 1), cycle
    10, identity 10, CAM 1000; Adam at 1e-4 with β (0.5, 0.999) and weight decay 1e-4, batch 1.
Departures: the discriminators are half as wide by default, to run on a CPU; the learning rate does not
    decay, and the gradient is clipped as for all recipes.
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from workbench import losses, models
from workbench.losses.cam import cam_loss
from workbench.models.afgan import keep_ratios
from workbench.training.configs import UGATITConfig
from workbench.training.recipes.base import total, values
from workbench.training.recipes.scenes import Batch, SceneRecipe


class UGATITLight(SceneRecipe):
    """See the module."""

    config: UGATITConfig
    phases = ("adversarial",)
    betas = (0.5, 0.999)
    weight_decay = 1e-4

    def build_partners(self) -> nn.ModuleDict:
        return nn.ModuleDict({"to_photo": models.create(self.config.architecture, **self.config.arguments)})

    def build_discriminators(self) -> nn.ModuleDict:
        return nn.ModuleDict(
            {
                f"{domain}_{reach}": models.create(
                    "ugatit_discriminator", strides=strides, base=self.config.base
                )
                for domain in ("style", "photo")
                for reach, strides in (("local", 3), ("global", 5))
            }
        )

    def _judges(self, domain: str) -> list[nn.Module]:
        return [self.discriminators[f"{domain}_{reach}"] for reach in ("local", "global")]

    def _verdict(self, domain: str, picture: Tensor, label: float) -> Tensor:
        """Squared distance of all scores and auxiliary logits of ``picture`` to ``label``."""
        return total(losses.least_squares_loss([s], label) for d in self._judges(domain) for s in d(picture))

    def adversarial_step(self, batch: Batch, step: int) -> dict[str, float]:
        s, photo, style = self.config, batch.photo, batch.style
        with self.autocast():
            to_photo: Any = self.partners["to_photo"]
            draw, back = self.generator.attend, to_photo.attend
            drawing, seen_photo = draw(photo)
            scene, seen_style = back(style)
            judged = total(
                self._verdict(domain, real, 1) + self._verdict(domain, fake.detach(), 0)
                for domain, real, fake in (("style", style, drawing), ("photo", photo, scene))
            )
        self.update_discriminators(judged)
        with self.frozen_discriminators():
            with self.autocast():
                pull = self._verdict("style", drawing, 1) + self._verdict("photo", scene, 1)
                cycle = F.l1_loss(back(drawing)[0].float(), photo) + F.l1_loss(draw(scene)[0].float(), style)
                same_style, kept_style = draw(style)
                same_photo, kept_photo = back(photo)
            identity = F.l1_loss(same_style.float(), style) + F.l1_loss(same_photo.float(), photo)
            # each generator's classifier: "is this of the domain that I start from?"
            cam = cam_loss(seen_photo.float(), kept_style.float()) + cam_loss(
                seen_style.float(), kept_photo.float()
            )
            terms = {
                "adversarial": s.w_adversarial * pull,
                "cycle": s.w_cycle * cycle,
                "identity": s.w_identity * identity,
                "cam": s.w_cam * cam,
            }
            self.update_generator(*terms.values())
        for network in (self.generator, self.partners):
            keep_ratios(network)
        return values(terms) | {"d_all": judged.item()}
