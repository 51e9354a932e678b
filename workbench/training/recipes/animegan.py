"""AnimeGAN: texture from gray style pictures, colours from the photo, and a discriminator that rejects gray.

Content features and per-pixel colour preserve the photo; a Gram loss takes texture from *gray* style
pictures, so that the style's colours do not come with it; the least-squares discriminator sees style pictures
as real, and drawings, gray style pictures and edge-smoothed gray style pictures as fake. Phase 1 only
reproduces content.

Source: J. Chen, G. Liu, X. Chen, "AnimeGAN: a novel lightweight GAN for photo animation", ISICA 2019:
    equations 1 to 8, weights 300 (adversarial), 1.5 (content), 3 (gray style), 10 (colour); batch 4; the
    first version's losses with the second version's network (:mod:`workbench.models.peers.animegan`).
Departures: features are EfficientNet-lite1's, for VGG-19's conv4_4 (VGG's weights are in no Python package):
    of content at a half and an eighth of the size, of texture at an eighth. The deeper ones alone hardly see
    colour; for the same reason phase 1 also has the L1 distance to the photo. Content and Gram distances are
    shares of what they are compared with, and VGG's are not: with the paper's 1.5 and 3 the adversary would
    outweigh them forty times. At 60 and 30 the gradient of content is about that of an untrained adversary,
    and that of the Gram loss half as large. Huber's loss turns linear at 0.1 and is averaged over U and V.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from workbench import losses, models
from workbench.models.features import FrozenFeatures
from workbench.training.configs import AnimeGANConfig
from workbench.training.recipes.base import values
from workbench.training.recipes.scenes import Batch, SceneRecipe


class AnimeGAN(SceneRecipe):
    """See the module."""

    config: AnimeGANConfig
    phases = ("content", "adversarial")
    betas = (0.5, 0.999)

    def build_discriminators(self) -> nn.ModuleDict:
        self.backbone = self.place(FrozenFeatures("lite1", stages=(0, 2)))
        judge = models.create("cartoon_discriminator", norm="layer", spectral=True)
        return nn.ModuleDict({"picture": judge})

    def _features(self, picture: torch.Tensor) -> list[torch.Tensor]:
        with self.autocast():
            return [features.float() for features in self.backbone(picture)]

    def content_step(self, batch: Batch, step: int) -> dict[str, float]:
        drawing = self.draw(batch.photo)
        with torch.no_grad():
            of_photo = self._features(batch.photo)
        content = losses.content_loss(self._features(drawing), of_photo)
        terms = {"content": self.config.w_content * content, "photo": F.l1_loss(drawing, batch.photo)}
        self.update_generator(*terms.values())
        return values(terms)

    def adversarial_step(self, batch: Batch, step: int) -> dict[str, float]:
        s, judge = self.config, self.discriminators["picture"]
        drawing = self.draw(batch.photo)
        gray = losses.gray(batch.style)
        smoothed = losses.smooth_edges(gray)
        with self.autocast():
            judged = losses.least_squares_loss(judge(batch.style), 1)
            for weight, fake in ((1, drawing.detach()), (1, gray), (s.w_smoothed, smoothed)):
                judged = judged + weight * losses.least_squares_loss(judge(fake), 0)
            judged = s.w_adversarial * judged
        self.update_discriminators(judged)
        with self.frozen_discriminators():
            with self.autocast():
                pull = s.w_adversarial * losses.least_squares_loss(judge(drawing), 1)
            with torch.no_grad():
                of_photo, texture = self._features(batch.photo), self._features(gray)[-1]
            drawn = self._features(drawing)
            terms = {
                "adversarial": pull,
                "content": s.w_content * losses.content_loss(drawn, of_photo),
                "gram": s.w_gram * losses.gram_loss(drawn[-1], texture),
                "color": s.w_color * losses.color_loss(drawing, batch.photo, pool=1),
            }
            self.update_generator(*terms.values())
        return values(terms) | {"d_picture": judged.item()}
