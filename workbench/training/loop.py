"""What every stylizer's training has in common, whatever it teaches: steps, budgets, logs, checkpoints, the
averaged generator, and the weights that validated best.
"""

from __future__ import annotations

import abc
import csv
import logging
import time
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from workbench.core.errors import WorkbenchError
from workbench.core.precision import autocast, one_process

log = logging.getLogger(__name__)


class LoopConfig(Protocol):
    """What the loop asks of a configuration; the dataclasses say more of each field."""

    out: str
    seed: int
    steps: int
    minutes: float  # time budget of this run; 0 has none
    total_minutes: float  # of all runs into the folder together; 0 has none
    clock: Literal["wall", "processor"]
    ema: float
    validate_every: int  # steps; 0 never validates
    checkpoint_every: int  # steps; 0 checkpoints with validations only
    mixed_precision: str
    threads: int

    def write(self, path: Path) -> None:
        """Write the configuration as JSON."""


class TrainingLoop(abc.ABC):
    """Trains :attr:`generator` step by step; a subclass says what a step and a validation are.

    Args:
        config: all choices.

    Raises:
        WorkbenchError: started as several processes.
    """

    stateful: ClassVar[tuple[str, ...]]  # attributes with a state_dict that make up a checkpoint
    keep_averages: ClassVar[bool] = False  # whether each validation's averaged weights stay, as step_*.pt
    generator: nn.Module  # that is trained
    ema: nn.Module  # its average

    def __init__(self, config: Any):
        self.config = config
        self.out = Path(config.out)
        self.out.mkdir(parents=True, exist_ok=True)
        if config.threads:
            torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self.accelerator = one_process()
        self.device = self.accelerator.device
        self.step, self.seconds = 0, 0.0
        self.best: dict = {}

    # -- what a subclass says ------------------------------------------------------------------------------

    @abc.abstractmethod
    def phase(self, step: int) -> str:
        """Name of the phase to which step number ``step`` (from 0) belongs."""

    @abc.abstractmethod
    def train_step(self) -> dict[str, float]:
        """Do step number ``self.step``; returns the value of each term."""

    @abc.abstractmethod
    def validate(self) -> dict[str, float]:
        """Measures on held-out pictures, ``kid`` among them: the less, the better the weights."""

    # -- what it may use -----------------------------------------------------------------------------------

    def autocast(self) -> torch.autocast:
        """Context of the training's own precision."""
        return autocast(self.device, self.config.mixed_precision)

    # -- the whole training --------------------------------------------------------------------------------

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
            phase = self.phase(self.step)
            terms = self.train_step()
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
            switches = self.phase(self.step) != phase
            if ends or switches or _every(self.step, config.validate_every):
                self._log_and_validate(phase, recent)
                recent = []
            if not recent or _every(self.step, config.checkpoint_every):
                self._save(self._state(), "checkpoint.pt")
        bar.close()
        return self.best

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
            for name in self.stateful:
                getattr(self, name).load_state_dict(state[name])
        except (KeyError, RuntimeError, ValueError) as error:
            raise WorkbenchError(
                f"The training in {self.out} has networks of other shapes than asked for now. Give another "
                "output folder, or the choices in its config.json."
            ) from error
        self.step, self.seconds, self.best = state["step"], state["seconds"], state["best"]
        log.info("resumed at step %d", self.step)
        return True

    def _state(self) -> dict:
        state = {name: getattr(self, name).state_dict() for name in self.stateful}
        return state | {"step": self.step, "seconds": self.seconds, "best": self.best}

    def _save(self, state: dict, name: str) -> None:
        """Write ``state`` whole or not at all."""
        partial_file = self.out / f"{name}.part"
        torch.save(state, partial_file)
        partial_file.replace(self.out / name)

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        for mean, value in zip(self.ema.parameters(), self.generator.parameters(), strict=True):
            mean.lerp_(value, 1 - decay)

    def _is_over(self, seconds: float) -> bool:
        """Whether a time budget is spent, after ``seconds`` of this run."""
        budgets = (self.config.minutes, seconds), (self.config.total_minutes, self.seconds)
        return any(minutes and spent > 60 * minutes for minutes, spent in budgets)

    def _log_and_validate(self, phase: str, recent: list[dict[str, float]]) -> None:
        names = sorted({name for row in recent for name in row})  # a step may lack a term
        means = {k: float(np.mean([r[k] for r in recent if k in r])) for k in names}
        self._log(f"train_{phase}.csv", {"step": self.step, "seconds": round(self.seconds), **means})
        if not self.config.validate_every:
            return
        row = {"step": self.step} | self.validate() | {"phase": phase, "seconds": round(self.seconds)}
        self._log("validation.csv", row)
        measures = (f"{k} {v:.4g}" for k, v in row.items() if isinstance(v, float))
        log.info("step %d: %s", self.step, ", ".join(measures))
        if self.keep_averages:
            self._save(self.ema.state_dict(), f"step_{self.step:06d}.pt")
        if not self.best or row["kid"] < self.best["kid"]:
            self.best = row
            self._save(self.ema.state_dict(), "best.pt")

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


def _every(step: int, interval: int) -> bool:
    return bool(interval) and step % interval == 0
