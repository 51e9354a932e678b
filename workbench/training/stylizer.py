"""Train a stylizer on a folder of photos and a folder of pictures in the style, by one of several recipes.

What is common to all recipes is here: data and crops, the average of the generator's weights, validation,
checkpoints and budgets. How a generator is taught is in :mod:`workbench.training.stylizer_recipes`. Runs on a
CPU or a GPU (Accelerate), resumes from its last checkpoint, stops at a time budget, and keeps the averaged
weights that came closest to the style on held-out photos.
"""

from __future__ import annotations

import csv
import dataclasses
import logging
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from tqdm import tqdm

from workbench import models
from workbench.data.scenes import Crops
from workbench.errors import WeightsError, WorkbenchError
from workbench.training import stylizer_recipes
from workbench.training.precision import autocast, one_process
from workbench.training.stylizer_config import StylizerConfig
from workbench.training.stylizer_data import SceneData, load_data
from workbench.training.stylizer_recipes.base import Batch
from workbench.training.validation import StyleJudge, contact_sheet, to_picture, to_tensor

log = logging.getLogger(__name__)

_STRIDE = 4  # the generators shrink a picture by this; sides that are no multiple are padded


class StylizerTrainer:
    """Holds networks, recipe and data of one training; :meth:`run` does it.

    Args:
        config: all choices.
        data: what :func:`load_data` made of the same folders, for several trainings on one reading of them.

    Raises:
        WorkbenchError: unknown recipe or settings, unusable pictures, or weights to begin from that do not
            fit.
    """

    def __init__(self, config: StylizerConfig, data: SceneData | None = None):
        recipe = stylizer_recipes.find(config.recipe)
        self.out = Path(config.out)
        self.out.mkdir(parents=True, exist_ok=True)
        if config.threads:
            torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self.accelerator = one_process()
        self.device = self.accelerator.device
        generator = self._new_generator(config)
        self.ema = self._new_generator(config).requires_grad_(False).eval()
        if config.start:
            generator.load_state_dict(_weights(config, generator))
        self.ema.load_state_dict(generator.state_dict())
        self.recipe = recipe(config, self.accelerator, generator)
        self.config = dataclasses.replace(config, settings=dataclasses.asdict(self.recipe.settings))
        if data is None or (self.recipe.needs_targets and data.prepared is None):
            data = load_data(config, self.recipe.needs_targets)
        self.validation, self.test, self.style_pictures = data.validation, data.test, data.style
        layers = data.prepared if self.recipe.needs_targets else [(p,) for p in data.training.values()]
        self.photo_crops = Crops(layers, config.crop, (0.75, 1.15), config.seed)
        layers = [(p,) for p in data.style]
        self.style_crops = Crops(layers, config.crop, (0.75, 1.15), config.seed + 1)
        self.judge: StyleJudge | None = None
        self.step, self.seconds = 0, 0.0
        self.best: dict = {}

    def _new_generator(self, config: StylizerConfig) -> nn.Module:
        network = models.create(config.architecture, **config.arguments)
        return network.to(self.device, memory_format=torch.channels_last)

    @property
    def generator(self) -> nn.Module:
        """The network that is trained; :attr:`ema` is its average."""
        return self.accelerator.unwrap_model(self.recipe.generator)

    def autocast(self) -> torch.autocast:
        """Context of the training's own precision."""
        return autocast(self.device, self.config.mixed_precision)

    # -- one step ------------------------------------------------------------------------------------------

    def _batch(self) -> Batch:
        photo, *targets = self.photo_crops.batch(self.step, self.config.batch)
        (style,) = self.style_crops.batch(self.step, self.config.batch)
        photo, style = to_tensor(photo, self.device), to_tensor(style, self.device)
        if not targets:
            return Batch(photo, style)
        drawing, regions = targets
        return Batch(photo, style, to_tensor(drawing, self.device), torch.from_numpy(regions).to(self.device))

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        for mean, value in zip(self.ema.parameters(), self.generator.parameters(), strict=True):
            mean.lerp_(value, 1 - decay)

    # -- validation ----------------------------------------------------------------------------------------

    @torch.inference_mode()
    def stylize(self, photos: Iterable[np.ndarray]) -> list[Image.Image]:
        """The averaged generator's drawings of uint8 photos (H, W, 3)."""
        drawings = []
        for photo in photos:
            height, width = photo.shape[:2]
            x = to_tensor(photo[None], self.device)
            x = F.pad(x, (0, -width % _STRIDE, 0, -height % _STRIDE), mode="replicate")
            drawings.append(to_picture(self.ema(x)[0, :, :height, :width]))
        return drawings

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
            "generator": self.generator.state_dict(),
            "ema": self.ema.state_dict(),
            "recipe": self.recipe.state_dict(),
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
            for name in ("generator", "ema", "recipe"):
                getattr(self, name).load_state_dict(state[name])
        except (KeyError, RuntimeError, ValueError) as error:
            raise WorkbenchError(
                f"The training in {self.out} has networks of other shapes than asked for now. Give another "
                "output folder, or the recipe and settings in its config.json."
            ) from error
        self.step, self.seconds, self.best = state["step"], state["seconds"], state["best"]
        log.info("resumed at step %d", self.step)
        return True

    def _log(self, file: str, row: dict) -> None:
        path = self.out / file
        columns = list(row)
        if path.is_file():  # a training resumed with other settings may have other terms
            with path.open(newline="") as handle:
                columns = next(csv.reader(handle))
        with path.open("a", newline="") as handle:
            writer = csv.DictWriter(handle, columns, extrasaction="ignore")
            if handle.tell() == 0:
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
        clock = time.process_time if config.clock == "processor" else time.monotonic
        started, before = clock(), self.seconds
        recent: list[dict[str, float]] = []  # terms since the last row of the log
        bar = tqdm(total=config.steps, initial=self.step, desc="training", mininterval=5)
        while self.step < config.steps and not self._is_over(self.seconds - before):
            torch.manual_seed(1_000_003 * config.seed + self.step)  # a resumed step draws the same noise
            phase = self.recipe.phase(self.step)
            terms = self.recipe.step(self._batch(), self.step)
            if not np.isfinite(sum(terms.values())):
                raise WorkbenchError(
                    f"A loss became non-finite at step {self.step}: {terms}. "
                    "Lower the learning rate and start again: the last checkpoint is whole."
                )
            self._average()
            self.step += 1
            bar.update()
            recent.append(terms)
            self.seconds = before + clock() - started
            ends = self.step == config.steps or self._is_over(self.seconds - before)
            switches = self.recipe.phase(self.step) != phase
            if ends or switches or _every(self.step, config.validate_every):
                self._log_and_validate(phase, recent)
                recent = []
            if not recent or _every(self.step, config.checkpoint_every):
                self._save(self._state(), "checkpoint.pt")
        bar.close()
        return self.best

    def _is_over(self, seconds: float) -> bool:
        """Whether a time budget is spent, after ``seconds`` of this run."""
        budgets = (self.config.minutes, seconds), (self.config.total_minutes, self.seconds)
        return any(minutes and spent > 60 * minutes for minutes, spent in budgets)

    def _log_and_validate(self, phase: str, recent: list[dict[str, float]]) -> None:
        means = {k: float(np.mean([r[k] for r in recent])) for k in recent[0]}
        self._log(f"train_{phase}.csv", {"step": self.step, "seconds": round(self.seconds), **means})
        if not self.config.validate_every:
            return
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


def _every(step: int, interval: int) -> bool:
    return bool(interval) and step % interval == 0


def _weights(config: StylizerConfig, generator: nn.Module) -> dict[str, torch.Tensor]:
    """State dict of the weights that ``config.start`` names, which fit ``generator``."""
    if config.start.endswith(".pt"):
        file = Path(config.start)
        if not file.is_file():
            raise WeightsError(f"Expected weights to begin from at {file} but there is none. Check the path.")
        state = torch.load(file, map_location="cpu", weights_only=True)
    else:
        state = models.load(config.start)[0].state_dict()
    shapes = [{k: v.shape for k, v in s.items()} for s in (state, generator.state_dict())]
    if shapes[0] != shapes[1]:
        raise WeightsError(
            f"The weights of {config.start} do not fit {config.architecture}({config.arguments}). "
            "Begin from weights of the same architecture and arguments."
        )
    return state
