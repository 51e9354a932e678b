"""The trainer: steps, budgets, logs, checkpoints, the averaged generator, and the best validated weights.

Recipes (:mod:`workbench.training.recipes`) define the losses and the data. A training runs on a CPU or a GPU,
resumes from its last checkpoint if pictures and settings are the same, and stops at a time budget.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import torch
from PIL import Image
from torch import nn
from tqdm import tqdm

from workbench import models
from workbench.core import devices
from workbench.core.errors import WorkbenchError
from workbench.core.files import replacing, write_image
from workbench.models.averaging import average
from workbench.training.configs import TrainingConfig, recipe_class, settings
from workbench.training.start import starting_weights

log = logging.getLogger(__name__)

# settings that may differ when a run is resumed: they change when it stops and what it writes
_FREE = (
    "steps",
    "minutes",
    "total_minutes",
    "validate_every",
    "checkpoint_every",
    "threads",
    "device",
    "restart",
)


class Trainer:
    """Trains :attr:`generator` by a recipe; call :meth:`run`.

    Args:
        config: all settings.
        data: result of the recipe's ``load``, so that several runs can share it.

    Raises:
        WorkbenchError: launched as several processes, unusable pictures, or starting weights that do not fit.
    """

    def __init__(self, config: TrainingConfig, data: Any = None):
        devices.refuse_launchers("networks are not shared between processes")
        recipe = recipe_class(config)
        self.config, self.out = config, Path(config.out)
        self.device = devices.resolve(config.device)
        data = recipe.load(config) if data is None else data
        if config.threads:
            torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self.generator, self.ema = (self._new_generator() for _ in range(2))
        if config.start:
            self.generator.load_state_dict(starting_weights(config, self.generator))
        self.ema.load_state_dict(self.generator.state_dict())
        self.ema.requires_grad_(False).eval()
        self.recipe = recipe(config, self.device, self.generator, data)
        self.step, self.seconds = 0, 0.0
        self.best: dict = {}

    @property
    def skipped(self) -> Mapping[str, str]:
        """Pictures that were passed over, with the reasons; none where the recipe's data names none."""
        return getattr(self.recipe.data, "skipped", {})

    def _new_generator(self) -> nn.Module:
        network = models.create(self.config.architecture, **self.config.arguments)
        return network.to(self.device).to(memory_format=torch.channels_last)

    def stylize(self, photos: Iterable) -> list[Image.Image]:
        """Drawings by the averaged generator, of photos or portraits, depending on the recipe."""
        return self.recipe.stylize(self.ema, photos)

    def run(self) -> dict:
        """Train until the step or time budget ends; return the best validation row.

        Files written to ``out``: ``config.json``, ``train_PHASE.csv``, ``validation.csv``,
        ``validation/*.jpg``, ``checkpoint.pt`` and ``best.pt`` (EMA weights of the best validation).

        Raises:
            WorkbenchError: a checkpoint of other pictures or settings, a folder in which another process
                trains, or a loss that became non-finite.
        """
        with self._alone():
            return self._run()

    def _run(self) -> dict:
        config = self.config
        clock = time.process_time if config.clock == "processor" else time.perf_counter
        run_started = clock()
        resumed = self.resume()
        cost = self.recipe.prepare()
        if not resumed:
            self.seconds = getattr(cost, config.clock)
        config.write(self.out / "config.json")
        started, before = clock(), self.seconds
        recent: list[dict[str, float]] = []  # terms since the last row of the log

        def elapsed() -> float:
            """Share of the steps or of a time budget, whichever is the larger."""
            shares = [self.step / config.steps]
            for minutes, seconds in (
                (config.minutes, clock() - run_started),
                (config.total_minutes, self.seconds),
            ):
                shares += [seconds / (60 * minutes)] if minutes else []
            return max(shares)

        bar = tqdm(total=config.steps, initial=self.step, desc="training", mininterval=5)
        progress = elapsed()
        while progress < 1:
            torch.manual_seed(1_000_003 * config.seed + self.step)  # a resumed step has the same noise
            phase = self.recipe.phase(self.step)
            terms = self.recipe.step(self.step, progress)
            if not np.isfinite(sum(terms.values())):
                raise WorkbenchError(
                    f"A loss became non-finite at step {self.step}: {terms}. "
                    "Lower the learning rate and start again; the last checkpoint is intact."
                )
            average(self.ema, self.generator, config.ema, self.step)
            self.step += 1
            bar.update()
            recent.append(terms)
            self.seconds = before + clock() - started
            progress, switches = elapsed(), self.recipe.phase(self.step) != phase
            if progress >= 1 or switches or _every(self.step, config.validate_every):
                self._log_and_validate(phase, recent)
                recent = []
            if not recent or _every(self.step, config.checkpoint_every):
                self._save(self._state(), "checkpoint.pt")
        bar.close()
        return self.best

    # -- checkpoints ---------------------------------------------------------------------------------------

    def resume(self) -> bool:
        """Resume from ``checkpoint.pt`` in the output folder, if any; return whether there was one.

        Raises:
            WorkbenchError: it belongs to a run with other pictures or settings; the message names the
                differences.
        """
        file = self.out / "checkpoint.pt"
        if self.config.restart:
            for old in (file, self.out / "best.pt", *self.out.glob("step_*.pt")):
                old.unlink(missing_ok=True)
        if not file.is_file():
            self._truncate_logs()
            return False
        state = torch.load(file, map_location=self.device, weights_only=True)
        changes = _changes(state.get("run", {}), self._identity)
        if changes:
            raise WorkbenchError(
                f"The training in {self.out} is a different one: {'; '.join(changes)}. Give another --out "
                f"(--start {self.out / 'best.pt'} reuses its weights), or --restart to start again there."
            )
        for name in ("generator", "ema", "recipe"):
            getattr(self, name).load_state_dict(state[name])
        self.step, self.seconds, self.best = state["step"], state["seconds"], state["best"]
        self._truncate_logs()
        log.info("resumed at step %d", self.step)
        return True

    def weights(self, keep: str = "best") -> tuple[dict[str, torch.Tensor], int]:
        """Averaged weights of this run, and their step.

        Args:
            keep: "best" (of the best validation), "last", or one of the folder's ``step_*.pt``, chosen by
                inspection.

        Raises:
            WorkbenchError: there are no such weights.
        """
        name = Path(keep).stem
        if name == "last" and self.step:
            return self.ema.state_dict(), self.step
        file = self.out / f"{name}.pt"
        kept = ["best", *sorted(f.stem for f in self.out.glob("step_*.pt"))]
        if name not in kept or not self.best or not file.is_file():
            raise WorkbenchError(
                f"Expected weights to keep among last, {', '.join(kept)} of a validated training in "
                f"{self.out} but got {keep!r}. Choose one of them, or train longer."
            )
        step = self.best["step"] if name == "best" else int(name.split("_")[1])
        return torch.load(file, map_location=self.device, weights_only=True), step

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Lock the folder against training by other processes."""
        (self.out / "validation").mkdir(parents=True, exist_ok=True)
        try:
            with filelock.FileLock(self.out / ".training.lock", timeout=0):
                yield
        except filelock.Timeout:
            raise WorkbenchError(
                f"Another process trains in {self.out}. Wait until it ends, or give another --out."
            ) from None

    @functools.cached_property
    def _identity(self) -> dict[str, Any]:
        """Everything that the weights at a step depend on."""
        chosen = {k: v for k, v in settings(self.config).items() if k not in _FREE}
        return {
            "settings": {"recipe": self.config.recipe, **chosen, "start": Path(self.config.start).name},
            "pictures": self.recipe.pictures(),
        }

    def _state(self) -> dict:
        state = {name: getattr(self, name).state_dict() for name in ("generator", "ema", "recipe")}
        progress = {"step": self.step, "seconds": self.seconds, "best": self.best}
        return state | progress | {"run": self._identity}

    def _save(self, state: Mapping, name: str) -> None:
        with replacing(self.out / name) as partial:
            torch.save(state, partial)

    # -- logs ----------------------------------------------------------------------------------------------

    def _log_and_validate(self, phase: str, recent: list[dict[str, float]]) -> None:
        names = sorted({name for row in recent for name in row})  # a step may lack a term
        means = {k: float(np.mean([r[k] for r in recent if k in r])) for k in names}
        self._log(f"train_{phase}.csv", {"step": self.step, "seconds": round(self.seconds), **means})
        if not self.config.validate_every:
            return
        measures, sheet = self.recipe.validate(self.ema)
        write_image(sheet, self.out / "validation" / f"step_{self.step:06d}.jpg")
        row = {"step": self.step, **measures, "phase": phase, "seconds": round(self.seconds)}
        self._log("validation.csv", row)
        log.info("step %d: %s", self.step, ", ".join(f"{k} {v:.4g}" for k, v in measures.items()))
        if self.recipe.keep_averages:
            self._save(self.ema.state_dict(), f"step_{self.step:06d}.pt")
        criterion = self.recipe.criterion
        if not self.best or not criterion or row[criterion] < self.best[criterion]:
            self.best = row
            self._save(self.ema.state_dict(), "best.pt")

    def _log(self, file: str, row: dict) -> None:
        path = self.out / file
        columns = list(row)
        if path.is_file():
            with path.open(newline="") as handle:
                columns = next(csv.reader(handle))
        with path.open("a", newline="") as handle:
            writer = csv.DictWriter(handle, columns, extrasaction="ignore")
            if handle.tell() == 0:
                writer.writeheader()
            writer.writerow(row)

    def _truncate_logs(self) -> None:
        """Remove log rows after the step to resume from, since those steps are repeated."""
        for path in [*self.out.glob("train_*.csv"), self.out / "validation.csv"]:
            if path.is_file():
                with path.open(newline="") as handle:
                    header, *rows = csv.reader(handle)
                kept = [row for row in rows if int(row[header.index("step")]) <= self.step]
                with replacing(path) as partial, partial.open("w", newline="") as handle:
                    csv.writer(handle).writerows([header, *kept])


def _every(step: int, interval: int) -> bool:
    return bool(interval) and step % interval == 0


def _changes(before: Mapping, now: Mapping) -> list[str]:
    """Differences between two runs, as texts."""
    if not before:
        return ["it was started by an older version, which did not record its pictures and settings"]
    old, new = before["settings"], now["settings"]
    changes = [
        f"{k} was {old.get(k)!r} and is {new.get(k)!r}" for k in {**old, **new} if old.get(k) != new.get(k)
    ]
    for kind, digests in now["pictures"].items():
        counts = Counter(before["pictures"].get(kind, [])), Counter(digests)
        added, removed = ((b - a).total() for a, b in (counts, counts[::-1]))
        if added or removed:
            changes.append(f"{added} of the {kind} are new and {removed} gone")
        elif list(digests) != before["pictures"][kind]:
            changes.append(f"the {kind} have another order")
    return changes
