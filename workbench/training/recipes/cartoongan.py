"""CartoonGAN: a content loss and one discriminator, for which edge-smoothed style pictures are fakes.

Phase 1 only reproduces the photo's content, so that the adversarial phase does not start from noise.

Source: Y. Chen, Y.-K. Lai, Y.-J. Liu, "CartoonGAN: generative adversarial networks for photo cartoonization",
    CVPR 2018: equations 1 to 5, content weight ω = 10, initialisation phase of section 3.4.
Departures: content is measured by EfficientNet-lite1 at a half and an eighth of the size, the paper's by
    VGG-19's conv4_4 at an eighth (VGG's weights are in no Python package), as a share of the photo's own
    features: ω = 10 would outweigh an untrained adversary two hundred times, and 0.5 does so ten times. The
    deeper features alone hardly see colour: after 300 steps a blue sky was grey. For the same reason phase 1
    also has the L1 distance to the photo. Edges are found by a Sobel filter instead of Canny's; the generator
    minimises the non-saturating loss.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench import losses, models
from workbench.models.features import FrozenFeatures
from workbench.training.configs import CartoonGANConfig
from workbench.training.recipes.base import values
from workbench.training.recipes.scenes import Batch, SceneRecipe


class CartoonGAN(SceneRecipe):
    """See the module."""

    config: CartoonGANConfig
    phases = ("content", "adversarial")
    betas = (0.5, 0.999)

    def build_discriminators(self) -> nn.ModuleDict:
        self.backbone = self.place(FrozenFeatures("lite1", stages=(0, 2)))
        return nn.ModuleDict({"picture": models.create("cartoon_discriminator")})

    def _content(self, drawing: Tensor, photo: Tensor) -> Tensor:
        with self.autocast():
            with torch.no_grad():
                of_photo = self.backbone(photo)
            drawn = self.backbone(drawing)
        distance = losses.content_loss([f.float() for f in drawn], [f.float() for f in of_photo])
        return self.config.w_content * distance

    def content_step(self, batch: Batch, step: int) -> dict[str, float]:
        drawing = self.draw(batch.photo)
        terms = {"content": self._content(drawing, batch.photo), "photo": F.l1_loss(drawing, batch.photo)}
        self.update_generator(*terms.values())
        return values(terms)

    def adversarial_step(self, batch: Batch, step: int) -> dict[str, float]:
        judge = self.discriminators["picture"]
        drawing = self.draw(batch.photo)
        with self.autocast():
            smoothed = losses.smooth_edges(batch.style)
            judged = losses.edge_promoting_loss(judge(batch.style), judge(smoothed), judge(drawing.detach()))
        self.update_discriminators(judged)
        with self.frozen_discriminators():
            with self.autocast():
                pull = losses.cross_entropy_loss(judge(drawing), real=True)
            terms = {"adversarial": pull, "content": self._content(drawing, batch.photo)}
            self.update_generator(*terms.values())
        return values(terms) | {"d_picture": judged.item()}
