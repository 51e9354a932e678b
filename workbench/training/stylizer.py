"""Train FSGAN on a folder of photos and a folder of pictures in the style: distil a drawn teacher, then go
adversarial.

Phase 1 teaches the generator to draw (L1 on pixels and on edge maps to ``training.teacher``). Phase 2 moves
it to the style: discriminators of the picture (on frozen features), of its gray version and of its spectrum
pull, while content, colour, colour-block, boundary and total-variation terms hold. Runs on a CPU, one GPU or
many (Accelerate), resumes from its last checkpoint, stops at a time budget, and keeps the EMA weights that
came closest to the style on held-out photos.
"""

from __future__ import annotations

import csv
import logging
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from workbench import losses, models
from workbench.data.scenes import Crops, load_pictures, split
from workbench.errors import DatasetError, WorkbenchError
from workbench.losses.spectral import SpectrumNorm, equal_history, log_spectrum
from workbench.models.features import FrozenFeatures
from workbench.training.stylizer_config import StylizerConfig
from workbench.training.targets import prepare
from workbench.training.validation import StyleJudge, contact_sheet, to_picture, to_tensor

log = logging.getLogger(__name__)


class StylizerTrainer:
    """Holds networks, optimisers and data of one training; :meth:`run` does it."""

    def __init__(self, config: StylizerConfig):
        self.config = config
        self.out = Path(config.out)
        self.out.mkdir(parents=True, exist_ok=True)
        if config.threads:
            torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self.accelerator = Accelerator(mixed_precision=config.mixed_precision)
        if self.accelerator.num_processes > 1:
            raise WorkbenchError(
                f"Expected one process but {self.accelerator.num_processes} were launched: discriminators "
                "are not shared between processes. Start it without a launcher."
            )
        self.device = self.accelerator.device
        self._load_data()

        def place(module: torch.nn.Module) -> torch.nn.Module:
            return module.to(self.device, memory_format=torch.channels_last)

        self.generator = place(models.create(config.architecture, **config.arguments))
        self.ema = place(models.create(config.architecture, **config.arguments)).requires_grad_(False).eval()
        self.ema.load_state_dict(self.generator.state_dict())
        self.backbone = place(FrozenFeatures("lite1", stages=(1, 2, 3)))
        self.judge: StyleJudge | None = None
        self.spectrum_norm = place(SpectrumNorm(config.spectrum_size))
        self.discriminators = torch.nn.ModuleDict(
            {
                "picture": models.create("feature_discriminator", channels=self.backbone.channels),
                "gray": models.create("patch_discriminator", inputs=1),
                "spectrum": models.create("spectrum_discriminator"),
            }
        )
        place(self.discriminators)
        betas = (0.5, 0.99)
        self.optimizer = torch.optim.Adam(self.generator.parameters(), config.lr_distil, betas)
        self.optimizer_d = torch.optim.Adam(self.discriminators.parameters(), config.lr_discriminator, betas)
        self.generator, self.optimizer = self.accelerator.prepare(self.generator, self.optimizer)
        self.optimizer_d = self.accelerator.prepare(self.optimizer_d)
        self.step, self.seconds = 0, 0.0
        self.best: dict = {}

    def _load_data(self) -> None:
        config = self.config
        photos = load_pictures(config.photos, config.photo_side)
        style = load_pictures(config.style, config.style_side)
        smallest = min(min(p.shape[:2]) for p in (*photos.values(), *style.values()))
        if smallest < 64:
            raise DatasetError(
                f"Expected pictures of at least 64 pixels a side but the smallest has {smallest}."
            )
        train, held_out = split(list(photos), min(config.held_out, len(photos) // 4), config.seed)
        self.validation = {name: photos[name] for name in held_out[::2]}
        self.test = {name: photos[name] for name in held_out[1::2]}
        prepared = prepare({name: photos[name] for name in train}, config, self.out / "targets.npz")
        self.photo_crops = Crops(prepared, config.crop, (0.75, 1.15), config.seed)
        self.style_pictures = list(style.values())
        layers = [(p,) for p in self.style_pictures]
        self.style_crops = Crops(layers, config.crop, (0.75, 1.15), config.seed + 1)
        log.info(
            "%d photos to train on, %d held out, %d style pictures", len(train), len(held_out), len(style)
        )

    # -- one step ------------------------------------------------------------------------------------------

    def _batches(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Photos, teacher's drawings, regions and style crops of this step."""
        photo, drawing, regions = self.photo_crops.batch(self.step, self.config.batch)
        (style,) = self.style_crops.batch(self.step, self.config.batch)
        labels = torch.from_numpy(regions).to(self.device)
        x, target, style = (to_tensor(p, self.device) for p in (photo, drawing, style))
        return x, target, labels, style

    def _distil_step(self) -> dict[str, float]:
        x, target, _, _ = self._batches()
        drawing = self.generator(x)
        terms = {
            "teacher": F.l1_loss(drawing, target),
            "edges": F.l1_loss(losses.edge_map(drawing), losses.edge_map(target)),
        }
        self.optimizer.zero_grad()
        self.accelerator.backward(sum(terms.values()))
        self._apply_generator_step()
        return {k: v.item() for k, v in terms.items()}

    def _apply_generator_step(self) -> None:
        self.accelerator.clip_grad_norm_(self.generator.parameters(), self.config.clip)
        self.optimizer.step()
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        source = self.accelerator.unwrap_model(self.generator)
        with torch.no_grad():
            for mean, value in zip(self.ema.parameters(), source.parameters(), strict=True):
                mean.lerp_(value, 1 - decay)

    def _noisy(self, picture: Tensor) -> Tensor:
        return picture + self.config.noise * torch.randn_like(picture)

    def _spectrum(self, picture: Tensor, scale: float) -> Tensor:
        return log_spectrum(equal_history(picture.float(), self.config.spectrum_size, scale))

    def _adversarial_step(self) -> dict[str, float]:
        config, d = self.config, self.discriminators
        x, target, labels, style = self._batches()
        largest = config.crop / config.spectrum_size
        scale = float(np.random.default_rng((config.seed, self.step, 7)).uniform(min(2.0, largest), largest))
        drawing = self.generator(x)
        fake = drawing.detach()
        smoothed = losses.smooth_edges(style)
        with self.accelerator.autocast():
            drawn_features = self.backbone(self._noisy(drawing))
            with torch.no_grad():
                style_features, photo_features = self.backbone(self._noisy(style)), self.backbone(x)
        with torch.no_grad():
            style_spectrum = self._spectrum(style, scale)
            self.spectrum_norm.update(style_spectrum)
            style_spectrum = self.spectrum_norm(style_spectrum)
            fake_spectrum = self.spectrum_norm(self._spectrum(fake, scale))
        d["picture"].observe(style_features)
        gray_real, gray_fake, gray_smoothed = (losses.rgb_to_yuv(p)[:, :1] for p in (style, fake, smoothed))

        # discriminators; to the gray one edge-smoothed style pictures are fakes too
        fake_features = [f.detach() for f in drawn_features]
        with self.accelerator.autocast():
            loss_picture = losses.hinge_discriminator_loss(
                d["picture"](style_features), [d["picture"](fake_features)], [1]
            )
            fakes = [d["gray"](gray_fake), d["gray"](gray_smoothed)]
            loss_gray = losses.hinge_discriminator_loss(d["gray"](gray_real), fakes, (0.75, 0.25))
        loss_spectrum = losses.least_squares_loss(d["spectrum"](style_spectrum), 0.9)
        loss_spectrum = loss_spectrum + losses.least_squares_loss(d["spectrum"](fake_spectrum), 0.1)
        self.optimizer_d.zero_grad()
        self.accelerator.backward(loss_picture + loss_gray + loss_spectrum)
        self.optimizer_d.step()

        # generator: all terms but the spectral one share a backward pass; the spectral gradient is capped
        # against theirs
        d.requires_grad_(False)
        with self.accelerator.autocast():
            adversarial = {
                "picture": config.w_picture * losses.hinge_generator_loss(d["picture"](drawn_features)),
                "gray": config.w_gray
                * losses.hinge_generator_loss(d["gray"](losses.rgb_to_yuv(drawing)[:, :1])),
            }
        deepest = drawn_features[-1].float(), photo_features[-1].float()
        terms = adversarial | {
            "teacher": config.w_teacher * F.l1_loss(drawing, target),
            "content": config.w_content * losses.content_loss(deepest[:1], deepest[1:]),
            "color": config.w_color * losses.color_loss(drawing, x),
            "block": config.w_block * losses.color_block_loss(drawing, labels),
            "boundary": config.w_boundary * losses.boundary_loss(drawing, target),
            "tv": config.w_tv * losses.total_variation_loss(drawing),
        }
        (gradient,) = torch.autograd.grad(sum(terms.values()), drawing, retain_graph=True)
        leaf = fake.requires_grad_(True)
        spectrum = self.spectrum_norm(self._spectrum(leaf, scale))
        terms["spectral"] = config.w_spectral * losses.spectral_style_loss(
            d["spectrum"], spectrum, style_spectrum
        )
        (spectral,) = torch.autograd.grad(terms["spectral"], leaf)
        cap = config.spectral_cap * gradient.norm() / spectral.norm().clamp_min(1e-12)
        gradient = gradient + spectral * cap.clamp(max=1.0)
        d.requires_grad_(True)
        self.optimizer.zero_grad()
        drawing.backward(gradient)
        self._apply_generator_step()
        logged = {k: v.item() for k, v in terms.items()}
        logged |= {
            "d_picture": loss_picture.item(),
            "d_gray": loss_gray.item(),
            "d_spectrum": loss_spectrum.item(),
        }
        return logged | {"spectral_scale": min(1.0, cap.item())}

    # -- validation ----------------------------------------------------------------------------------------

    @torch.inference_mode()
    def stylize(self, photos: Iterable[np.ndarray]) -> list[Image.Image]:
        """The EMA generator's drawings of uint8 photos (H, W, 3)."""
        return [to_picture(self.ema(to_tensor(p[None], self.device))[0]) for p in photos]

    def validate(self) -> dict[str, float]:
        """KID-lite0 × 1000 of the validation photos' drawings to the style, and of the photos themselves."""
        if self.judge is None:  # made late: the style set's features take a minute
            self.judge = StyleJudge(self.style_pictures, list(self.validation.values()), self.device)
        drawings = self.stylize(self.validation.values())
        value = self.judge.kid(drawings)
        sheet = contact_sheet(list(self.validation.values()), drawings)
        sheet.save(self.out / "validation" / f"step_{self.step:06d}.jpg", quality=88)
        return {
            "step": self.step,
            "kid": value.mean,
            "kid_error": value.error,
            "kid_photo": self.judge.photo.mean,
        }

    # -- the whole training --------------------------------------------------------------------------------

    def _state(self) -> dict:
        return {
            "generator": self.accelerator.unwrap_model(self.generator).state_dict(),
            "ema": self.ema.state_dict(),
            "discriminators": self.discriminators.state_dict(),
            "spectrum_norm": self.spectrum_norm.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "optimizer_d": self.optimizer_d.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
        }

    def _save(self, state: dict, name: str) -> None:
        """Write ``state`` whole or not at all."""
        partial_file = self.out / f"{name}.part"
        torch.save(state, partial_file)
        partial_file.replace(self.out / name)

    def resume(self) -> bool:
        """Continue from ``checkpoint.pt`` in the output folder if there is one; return whether there was.

        Raises:
            WorkbenchError: if it belongs to networks of other shapes.
        """
        file = self.out / "checkpoint.pt"
        if not file.is_file():
            return False
        state = torch.load(file, map_location=self.device, weights_only=True)
        try:
            self.accelerator.unwrap_model(self.generator).load_state_dict(state["generator"])
            for name in ("ema", "discriminators", "spectrum_norm", "optimizer", "optimizer_d"):
                getattr(self, name).load_state_dict(state[name])
        except (RuntimeError, ValueError) as error:
            raise WorkbenchError(
                f"The training in {self.out} has networks of other shapes than asked for now. Give another "
                "output folder, or the settings in its config.json."
            ) from error
        self.step, self.seconds, self.best = state["step"], state["seconds"], state["best"]
        log.info("resumed at step %d", self.step)
        return True

    def _log(self, file: str, row: dict) -> None:
        path = self.out / file
        new = not path.is_file()
        with path.open("a", newline="") as handle:
            writer = csv.DictWriter(handle, row)
            if new:
                writer.writeheader()
            writer.writerow(row)

    def run(self) -> dict:
        """Train until the step or time budget ends; return the best validation row.

        Files written to ``out``: ``config.json``, ``train_PHASE.csv``, ``validation.csv``,
        ``validation/*.jpg``, ``checkpoint.pt`` and ``best.pt`` (EMA weights of the best validation).

        Raises:
            WorkbenchError: a checkpoint of other networks, or a loss that became non-finite.
        """
        config = self.config
        (self.out / "validation").mkdir(exist_ok=True)
        self.resume()
        config.write(self.out / "config.json")
        started, before = time.monotonic(), self.seconds
        recent: list[dict[str, float]] = []  # terms since the last row of the log
        bar = tqdm(total=config.steps, initial=self.step, desc="training", mininterval=5)
        while self.step < config.steps:
            distilling = self.step < config.distil_steps
            lr = config.lr_distil if distilling else config.lr
            for group in self.optimizer.param_groups:
                group["lr"] = lr
            torch.manual_seed(1_000_003 * config.seed + self.step)  # a resumed step draws the same noise
            terms = self._distil_step() if distilling else self._adversarial_step()
            if not np.isfinite(sum(terms.values())):
                raise WorkbenchError(
                    f"A loss became non-finite at step {self.step}: {terms}. "
                    "Lower the learning rate and start again: the last checkpoint is whole."
                )
            self.step += 1
            bar.update()
            recent.append(terms)
            self.seconds = before + time.monotonic() - started
            over = bool(config.minutes) and time.monotonic() - started > 60 * config.minutes
            switch = self.step in (config.distil_steps, config.steps)
            if switch or over or self.step % config.validate_every == 0:
                self._checkpoint_and_validate({k: float(np.mean([r[k] for r in recent])) for k in terms})
                recent = []
            if over:
                break
        bar.close()
        return self.best

    def _checkpoint_and_validate(self, means: dict[str, float]) -> None:
        phase = "distil" if self.step <= self.config.distil_steps else "adversarial"
        self._log(f"train_{phase}.csv", {"step": self.step, "seconds": round(self.seconds), **means})
        row = self.validate() | {"phase": phase, "seconds": round(self.seconds)}
        self._log("validation.csv", row)
        log.info(
            "step %d: KID-lite0 ×1000 %.1f ± %.1f (photo %.1f)",
            row["step"],
            row["kid"],
            row["kid_error"],
            row["kid_photo"],
        )
        if not self.best or row["kid"] < self.best["kid"]:
            self.best = row
            self._save(self.ema.state_dict(), "best.pt")
        self._save(self._state(), "checkpoint.pt")
