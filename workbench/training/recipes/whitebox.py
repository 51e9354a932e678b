"""White-box Cartoonization: one loss for each of three representations of a drawing.

*Surface*: drawing and style picture, both smoothed by a guided filter, are judged by a discriminator.
*Structure*: the features of the drawing shall be those of itself with one colour in each superpixel.
*Texture*: a second discriminator judges gray versions with random weights of the colours. Content and total
variation hold the drawing near the photo. Phase 1 only reproduces the photo, by L1.

Source: X. Wang, J. Yu, "Learning to cartoonize using white-box cartoon representations" (CVPR 2020), sections
    3.1 to 3.4, with phase 1, the weights 0.1 (surface) and 1 (texture), and the filtered drawing judged in
    training as in its reference implementation.
Departures: features are EfficientNet-lite1's at an eighth of the size, for VGG-16's conv4_4 (VGG's weights
    are in no Python package), as a share of the photo's own. Structure weighs a sixth of content, where the
    paper has them equal: its target has no gradient, so that it falls with the contrast, and at equal weights
    drawings faded within 500 steps to a standard deviation of .15 (photos .42). The discriminators' learning
    rate is five times the generator's: at the paper's they still scored everything near 0 after 500 steps.
    Superpixels are SLIC's with the mean colour of each, without the paper's selective search and adaptive
    colouring. Total variation is L1.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from skimage.segmentation import slic
from torch import Tensor, nn

from workbench import losses, models
from workbench.core.pixels import to_pixels
from workbench.models.features import FrozenFeatures
from workbench.models.peers.whitebox import guided_filter
from workbench.training.configs import WhiteBoxConfig
from workbench.training.recipes.base import values, weigh
from workbench.training.recipes.scenes import Batch, SceneRecipe

RADIUS, EPSILON = 5, 0.2  # of the guided filter that leaves the surface
AREA = 330  # pixels of a superpixel: 200 in a picture of 256 × 256


class WhiteBox(SceneRecipe):
    """See the module."""

    config: WhiteBoxConfig
    phases = ("content", "adversarial")
    betas = (0.5, 0.999)

    def build_discriminators(self) -> nn.ModuleDict:
        self.backbone = self.place(FrozenFeatures("lite1", stages=(2,)))
        judges = {"surface": 3, "texture": 1}
        return nn.ModuleDict(
            {name: models.create("patch_discriminator", inputs=inputs) for name, inputs in judges.items()}
        )

    def _features(self, picture: Tensor) -> list[Tensor]:
        with self.autocast():
            return [f.float() for f in self.backbone(picture)]

    def _content(self, drawn: list[Tensor], target: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self._features(target)
        return losses.content_loss(drawn, wanted)

    def content_step(self, batch: Batch, step: int) -> dict[str, float]:
        terms = {"photo": F.l1_loss(self.draw(batch.photo), batch.photo)}
        self.update_generator(*terms.values())
        return values(terms)

    def adversarial_step(self, batch: Batch, step: int) -> dict[str, float]:
        s, drawing = self.config, self.draw(batch.photo)
        fakes, reals = self._represented(drawing, batch.style)
        judged = {}
        for name in self.discriminators:
            judged[name] = (
                self._distance(name, reals[name], 1) + self._distance(name, fakes[name].detach(), 0)
            ) / 2
        self.update_discriminators(judged["surface"] + judged["texture"])
        with self.frozen_discriminators():
            drawn = self._features(drawing)
            terms = weigh(
                surface=(s.w_surface, lambda: self._distance("surface", fakes["surface"], 1)),
                texture=(s.w_texture, lambda: self._distance("texture", fakes["texture"], 1)),
                structure=(s.w_structure, lambda: self._content(drawn, superpixels(drawing))),
                content=(s.w_content, lambda: self._content(drawn, batch.photo)),
                tv=(s.w_tv, lambda: losses.total_variation_loss(drawing)),
            )
            self.update_generator(*terms.values())
        return values(terms) | {f"d_{name}": value.item() for name, value in judged.items()}

    def _represented(self, drawing: Tensor, style: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Surface and texture of drawing and style, as the discriminators see them."""
        textures = losses.random_gray(drawing, style)
        surfaces = [guided_filter(p, p, RADIUS, EPSILON) for p in (drawing, style)]
        fakes, reals = ({"surface": s, "texture": t} for s, t in zip(surfaces, textures, strict=True))
        return fakes, reals

    def _distance(self, judge: str, picture: Tensor, label: float) -> Tensor:
        """Squared distance of a discriminator's scores to 1 (style) or 0 (drawing)."""
        with self.autocast():
            scores = self.discriminators[judge](picture)
        return losses.least_squares_loss([s.float() for s in scores], label)


@torch.no_grad()
def superpixels(drawing: Tensor) -> Tensor:
    """(B, 3, H, W) in [-1, 1] with the mean colour of each of its own superpixels, without a gradient."""
    count = max(2, drawing.shape[-2] * drawing.shape[-1] // AREA)
    labels = [slic(p, n_segments=count, sigma=1, start_label=0) for p in to_pixels(drawing)]
    return losses.region_means(drawing.float(), torch.from_numpy(np.stack(labels)).to(drawing.device))
