"""FSGAN: distil a drawn teacher, then let adversaries pull towards the style while five terms hold.

Phase 1 teaches the generator to draw (L1 on pixels and on edge maps to :mod:`workbench.drawing.teacher`).
Phase 2 moves it to the style: discriminators of the picture (on frozen features), of its gray version and of
its spectrum pull, while content, colour, colour-block, boundary and total-variation terms hold. A term of
weight 0 is not computed, and its discriminator not trained: that is how each is ablated.

Source: "Painter's psychology and anime creation style based on deep neural networks" (2022), section 4, gives
    the spectral style loss, sparse colour blocks and clear boundaries. The distilled start, the discriminator
    on frozen features (Sauer et al., "Projected GANs converge faster", NeurIPS 2021) and all weights are this
    project's.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench import losses, models
from workbench.losses.spectral import SpectrumNorm, equal_history, log_spectrum
from workbench.models.features import FrozenFeatures
from workbench.training.recipes.base import Batch, Recipe, values, weigh


@dataclasses.dataclass(frozen=True)
class Settings:
    """Weights of phase 2; 0 leaves a term out."""

    w_teacher: float = 30.0  # L1 to the teacher's drawing
    w_content: float = 0.05  # content distance to the photo, deepest features only: texture may go
    w_picture: float = 1.0  # adversarial, frozen features of the picture
    w_gray: float = 2.0  # adversarial, gray patches
    w_spectral: float = 0.1  # adversarial, spectrum; capped by `spectral_cap`
    spectral_cap: float = 0.3  # spectral gradient norm at most this part of all the other terms'
    w_color: float = 2.0  # colours of the photo
    w_block: float = 2.0  # flat inside regions
    w_boundary: float = 10.0  # borders as clear as the teacher inks them
    w_tv: float = 0.05  # total variation
    noise: float = 0.08  # std of noise before the frozen features: invisible tricks do not survive it
    spectrum_size: int = 80  # side of the pictures whose spectra are compared


class FSGAN(Recipe):
    """See the module."""

    Settings = Settings
    needs_targets = True

    def build_discriminators(self) -> nn.ModuleDict:
        self.backbone = self._place(FrozenFeatures("lite1", stages=(1, 2, 3)))
        self.spectrum_norm = self._place(SpectrumNorm(self.settings.spectrum_size))
        return nn.ModuleDict(
            {
                "picture": models.create("feature_discriminator", channels=self.backbone.channels),
                "gray": models.create("patch_discriminator", inputs=1),
                "spectrum": models.create("spectrum_discriminator"),
            }
        )

    def _parts(self) -> tuple[str, ...]:
        return (*super()._parts(), "spectrum_norm")

    def distil_step(self, batch: Batch, step: int) -> dict[str, float]:
        drawing = self.draw(batch.photo)
        terms = {
            "teacher": F.l1_loss(drawing, batch.drawing),
            "edges": F.l1_loss(losses.edge_map(drawing), losses.edge_map(batch.drawing)),
        }
        self.update_generator(*terms.values())
        return values(terms)

    def adversarial_step(self, batch: Batch, step: int) -> dict[str, float]:
        s = self.settings
        drawing = self.draw(batch.photo)
        fake = drawing.detach()
        drawn = style = seen = None  # frozen features of the drawing, the style pictures and the photos
        if s.w_picture or s.w_content:
            with self.autocast():
                drawn = self.backbone(self._noisy(drawing))
                with torch.no_grad():
                    style, seen = self.backbone(self._noisy(batch.style)), self.backbone(batch.photo)
        spectrum, scale = None, self._scale(step)
        if s.w_spectral:
            with torch.no_grad():
                spectrum = self._spectrum(batch.style, scale)
                self.spectrum_norm.update(spectrum)
                spectrum = self.spectrum_norm(spectrum)
        judged = self._train_discriminators(batch, fake, drawn, style, spectrum, scale)

        # all terms but the spectral one share a backward pass; its gradient is capped against theirs
        with self.frozen_discriminators():
            terms = self._terms(batch, drawing, drawn, seen)
            (gradient,) = torch.autograd.grad(sum(terms.values()), drawing, retain_graph=True)
            logged = values(terms)
            if s.w_spectral:
                pull, term, cap = self._spectral_pull(fake, spectrum, scale, gradient)
                gradient = gradient + pull
                logged |= {"spectral": term.item(), "spectral_scale": cap}
        self.update_generator(drawing, gradients=(gradient,))
        return logged | {f"d_{name}": value.item() for name, value in judged.items()}

    def _noisy(self, picture: Tensor) -> Tensor:
        return picture + self.settings.noise * torch.randn_like(picture)

    def _scale(self, step: int) -> float:
        """How much both domains are shrunk before their spectra are compared, anew each step."""
        largest = self.config.crop / self.settings.spectrum_size
        rng = np.random.default_rng((self.config.seed, step, 7))
        return float(rng.uniform(min(2.0, largest), largest))

    def _spectrum(self, picture: Tensor, scale: float) -> Tensor:
        return log_spectrum(equal_history(picture.float(), self.settings.spectrum_size, scale))

    def _train_discriminators(
        self,
        batch: Batch,
        fake: Tensor,
        drawn: list[Tensor] | None,
        style: list[Tensor] | None,
        spectrum: Tensor | None,
        scale: float,
    ) -> dict[str, Tensor]:
        s, d = self.settings, self.discriminators
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
            self.update_discriminators(sum(judged.values()))
        return judged

    def _terms(
        self, batch: Batch, drawing: Tensor, drawn: list[Tensor] | None, seen: list[Tensor] | None
    ) -> dict[str, Tensor]:
        """The generator's weighted terms, the spectral one excepted."""
        s, d = self.settings, self.discriminators
        with self.autocast():
            pulling = weigh(
                picture=(s.w_picture, lambda: losses.hinge_generator_loss(d["picture"](drawn))),
                gray=(
                    s.w_gray,
                    lambda: losses.hinge_generator_loss(d["gray"](losses.rgb_to_yuv(drawing)[:, :1])),
                ),
            )
        return pulling | weigh(
            teacher=(s.w_teacher, lambda: F.l1_loss(drawing, batch.drawing)),
            content=(s.w_content, lambda: losses.content_loss([drawn[-1].float()], [seen[-1].float()])),
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
        term = self.settings.w_spectral * losses.spectral_style_loss(
            self.discriminators["spectrum"], spectrum, style
        )
        (pull,) = torch.autograd.grad(term, leaf)
        cap = self.settings.spectral_cap * others.norm() / pull.norm().clamp_min(1e-12)
        cap = cap.clamp(max=1.0)
        return pull * cap, term, cap.item()
