"""FSGAN: distillation from a drawn teacher, then adversarial training towards the style.

Phase 1 teaches the generator to draw (:mod:`workbench.training.recipes.distil`). In phase 2, discriminators
of the picture (on frozen features), of its gray version and of its spectrum move it towards the style, while
content, colour, colour-block, boundary and total-variation terms keep it near the photo. A term of weight 0
is not computed and its discriminator not trained, which is how ablations are made.

Source: "Painter's psychology and anime creation style based on deep neural networks" (2022), section 4, gives
    the spectral style loss, sparse colour blocks and clear boundaries. The distilled start, the discriminator
    on frozen features (Sauer et al., "Projected GANs converge faster", NeurIPS 2021) and all weights are this
    project's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench import losses, models
from workbench.losses.spectral import SpectrumNorm, equal_history, log_spectrum
from workbench.models.features import FrozenFeatures
from workbench.training.configs import FSGANConfig
from workbench.training.recipes.base import total, values, weigh
from workbench.training.recipes.distil import DistilledRecipe
from workbench.training.recipes.scenes import Batch


class FSGAN(DistilledRecipe):
    """See the module."""

    config: FSGANConfig

    def build_discriminators(self) -> nn.ModuleDict:
        self.backbone = self.place(FrozenFeatures("lite1", stages=(1, 2, 3)))
        self.spectrum_norm = self.place(SpectrumNorm(self.config.spectrum_size))
        return nn.ModuleDict(
            {
                "picture": models.create("feature_discriminator", channels=self.backbone.channels),
                "gray": models.create("patch_discriminator", inputs=1),
                "spectrum": models.create("spectrum_discriminator"),
            }
        )

    def _parts(self) -> tuple[str, ...]:
        return (*super()._parts(), "spectrum_norm")

    def adversarial_step(self, batch: Batch, step: int) -> dict[str, float]:
        s = self.config
        drawing = self.draw(batch.photo)
        fake = drawing.detach()
        of_drawing: list[Tensor] = []  # features of the frozen backbone, like the next two
        style: list[Tensor] = []
        of_photo: list[Tensor] = []
        if s.w_picture or s.w_content:
            with self.autocast():
                of_drawing = self.backbone(self._noisy(drawing))
                with torch.no_grad():
                    style, of_photo = self.backbone(self._noisy(batch.style)), self.backbone(batch.photo)
        spectrum, scale = None, self._scale(step)
        if s.w_spectral:
            with torch.no_grad():
                spectrum = self._spectrum(batch.style, scale)
                self.spectrum_norm.update(spectrum)
                spectrum = self.spectrum_norm(spectrum)
        judged = self._train_discriminators(batch, fake, of_drawing, style, spectrum, scale)

        # all terms but the spectral one share a backward pass; its gradient is capped against theirs
        with self.frozen_discriminators():
            terms = self._terms(batch, drawing, of_drawing, of_photo)
            (gradient,) = torch.autograd.grad(total(terms.values()), drawing, retain_graph=True)
            logged = values(terms)
            if spectrum is not None:
                pull, term, cap = self._spectral_pull(fake, spectrum, scale, gradient)
                gradient = gradient + pull
                logged |= {"spectral": term.item(), "spectral_scale": cap}
        self.update_generator(drawing, gradients=(gradient,))
        return logged | {f"d_{name}": value.item() for name, value in judged.items()}

    def _noisy(self, picture: Tensor) -> Tensor:
        return picture + self.config.noise * torch.randn_like(picture)

    def _scale(self, step: int) -> float:
        """Factor by which both domains are shrunk before their spectra are compared, random for each step."""
        largest = self.config.crop / self.config.spectrum_size
        rng = np.random.default_rng((self.config.seed, step, 7))
        return float(rng.uniform(min(2.0, largest), largest))

    def _spectrum(self, picture: Tensor, scale: float) -> Tensor:
        return log_spectrum(equal_history(picture.float(), self.config.spectrum_size, scale))

    def _train_discriminators(
        self,
        batch: Batch,
        fake: Tensor,
        drawn: list[Tensor],
        style: list[Tensor],
        spectrum: Tensor | None,
        scale: float,
    ) -> dict[str, Tensor]:
        s = self.config
        d: Any = self.discriminators
        judged = {}
        with self.autocast():
            if s.w_picture:
                d["picture"].observe(style)
                fakes = [d["picture"]([f.detach() for f in drawn])]
                judged["picture"] = losses.hinge_discriminator_loss(d["picture"](style), fakes, [1])
            if s.w_gray:  # edge-smoothed style pictures are fakes too
                smoothed = losses.smooth_edges(batch.style)
                real, drawing, smoothed = (losses.rgb_to_yuv(p)[:, :1] for p in (batch.style, fake, smoothed))
                fakes = [d["gray"](drawing), d["gray"](smoothed)]
                judged["gray"] = losses.hinge_discriminator_loss(d["gray"](real), fakes, (0.75, 0.25))
        if s.w_spectral:
            with torch.no_grad():
                fake_spectrum = self.spectrum_norm(self._spectrum(fake, scale))
            judged["spectrum"] = losses.least_squares_loss(
                d["spectrum"](spectrum), 0.9
            ) + losses.least_squares_loss(d["spectrum"](fake_spectrum), 0.1)
        if judged:
            self.update_discriminators(total(judged.values()))
        return judged

    def _terms(
        self, batch: Batch, drawing: Tensor, of_drawing: list[Tensor], of_photo: list[Tensor]
    ) -> dict[str, Tensor]:
        """The generator's weighted terms, without the spectral one."""
        s, d = self.config, self.discriminators
        with self.autocast():
            pulling = weigh(
                picture=(s.w_picture, lambda: losses.hinge_generator_loss(d["picture"](of_drawing))),
                gray=(
                    s.w_gray,
                    lambda: losses.hinge_generator_loss(d["gray"](losses.rgb_to_yuv(drawing)[:, :1])),
                ),
            )
        return pulling | weigh(
            teacher=(s.w_teacher, lambda: F.l1_loss(drawing, batch.drawing)),
            content=(
                s.w_content,
                lambda: losses.content_loss([of_drawing[-1].float()], [of_photo[-1].float()]),
            ),
            color=(s.w_color, lambda: losses.color_loss(drawing, batch.photo)),
            block=(s.w_block, lambda: losses.color_block_loss(drawing, batch.regions)),
            boundary=(s.w_boundary, lambda: losses.boundary_loss(drawing, batch.drawing)),
            tv=(s.w_tv, lambda: losses.total_variation_loss(drawing)),
        )

    def _spectral_pull(
        self, fake: Tensor, style: Tensor, scale: float, others: Tensor
    ) -> tuple[Tensor, Tensor, float]:
        """Gradient of the spectral term at the drawing, the term, and the factor that caps the gradient."""
        leaf = fake.requires_grad_(True)
        spectrum = self.spectrum_norm(self._spectrum(leaf, scale))
        term = self.config.w_spectral * losses.spectral_style_loss(
            self.discriminators["spectrum"], spectrum, style
        )
        (pull,) = torch.autograd.grad(term, leaf)
        cap = self.config.spectral_cap * others.norm() / pull.norm().clamp_min(1e-12)
        cap = cap.clamp(max=1.0)
        return pull * cap, term, cap.item()
