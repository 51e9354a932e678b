"""What every recipe has: networks beside the generator, two optimisers, and one step of training."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from workbench.core.errors import WorkbenchError
from workbench.core.precision import autocast
from workbench.training.stylizer_config import StylizerConfig


@dataclasses.dataclass(frozen=True)
class Batch:
    """Crops of one step on the training's device; photos and style pictures do not belong together."""

    photo: Tensor  # (B, 3, S, S) in [-1, 1]
    style: Tensor  # (B, 3, S, S) in [-1, 1]
    drawing: Tensor | None = None  # (B, 3, S, S): the teacher's drawing of `photo`
    regions: Tensor | None = None  # (B, S, S) integer region labels of `photo`


@dataclasses.dataclass(frozen=True)
class NoSettings:
    """For a recipe without choices of its own."""


class Recipe(abc.ABC):
    """Teaches ``generator``; subclasses say with what, in one method ``PHASE_step`` for each of their phases.

    Args:
        config: of the whole training.
        accelerator: places networks.
        generator: the network to be taught, already placed.

    Raises:
        WorkbenchError: ``config.settings`` names a setting that the recipe does not have.
    """

    Settings: ClassVar[type] = NoSettings  # frozen dataclass of weights and other choices
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {}
    )  # fields of StylizerConfig that the paper sets otherwise
    phases: ClassVar[tuple[str, ...]] = ("distil", "adversarial")  # at most two
    needs_targets: ClassVar[bool] = False  # whether batches need `drawing` and `regions`
    betas: ClassVar[tuple[float, float]] = (0.5, 0.99)  # of Adam
    weight_decay: ClassVar[float] = 0.0

    def __init__(self, config: StylizerConfig, accelerator: Accelerator, generator: nn.Module):
        self.config, self.accelerator = config, accelerator
        known = [f.name for f in dataclasses.fields(self.Settings)]
        unknown = sorted(set(config.settings) - set(known))
        if unknown:
            raise WorkbenchError(
                f"Expected settings of {config.recipe} among {', '.join(known) or '(none)'} but got "
                f"{', '.join(unknown)}."
            )
        self.settings = self.Settings(**config.settings)
        self.partners = self._place(self.build_partners())
        self.discriminators = self._place(self.build_discriminators())
        drawing = [*generator.parameters(), *self.partners.parameters()]
        judging = list(self.discriminators.parameters())
        adam = {"betas": self.betas, "weight_decay": self.weight_decay}
        self.optimizer = accelerator.prepare(torch.optim.Adam(drawing, config.lr, **adam))
        self.optimizer_d = accelerator.prepare(torch.optim.Adam(judging, config.lr_discriminator, **adam))
        self.generator = accelerator.prepare(generator)
        self._drawing = drawing

    def autocast(self) -> torch.autocast:
        """Context of the training's own precision."""
        return autocast(self.accelerator.device, self.config.mixed_precision)

    def draw(self, photos: Tensor) -> Tensor:
        """The generator's drawings, float32, computed in the training's own precision."""
        with self.autocast():
            return self.generator(photos).float()

    def _place(self, network: nn.Module) -> nn.Module:
        return network.to(self.accelerator.device, memory_format=torch.channels_last)

    # -- what a recipe may say -----------------------------------------------------------------------------

    def build_partners(self) -> nn.ModuleDict:
        """Generators trained with the one that is kept, e.g. back to photos; none by default."""
        return nn.ModuleDict()

    @abc.abstractmethod
    def build_discriminators(self) -> nn.ModuleDict:
        """Networks that judge."""

    @abc.abstractmethod
    def adversarial_step(self, batch: Batch, step: int) -> dict[str, float]:
        """One step of the last phase, number ``step`` from 0; returns the value of each term."""

    # -- one step ------------------------------------------------------------------------------------------

    def phase(self, step: int) -> str:
        """Name of the phase to which step number ``step`` (from 0) belongs."""
        return self.phases[0] if step < self.config.distil_steps else self.phases[-1]

    def step(self, batch: Batch, step: int) -> dict[str, float]:
        """Train on one batch; returns the value of each term."""
        phase = self.phase(step)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.lr if phase == "adversarial" else self.config.lr_distil
        return getattr(self, f"{phase}_step")(batch, step)

    def update_generator(self, *outputs: Tensor, gradients: tuple[Tensor, ...] | None = None) -> None:
        """Go down the gradient of the outputs' sum, or from the ``gradients`` at them, clipped."""
        self.optimizer.zero_grad()
        if gradients is None:
            self.accelerator.backward(sum(outputs))
        else:
            torch.autograd.backward(outputs, gradients)
        self.accelerator.clip_grad_norm_(self._drawing, self.config.clip)
        self.optimizer.step()

    def update_discriminators(self, loss: Tensor) -> None:
        """Go down the gradient of ``loss``."""
        self.optimizer_d.zero_grad()
        self.accelerator.backward(loss)
        self.optimizer_d.step()

    @contextlib.contextmanager
    def frozen_discriminators(self) -> Iterator[nn.ModuleDict]:
        """The discriminators, which collect no gradients within; these pass through to what is judged."""
        self.discriminators.requires_grad_(False)
        try:
            yield self.discriminators
        finally:
            self.discriminators.requires_grad_(True)

    # -- checkpoints ---------------------------------------------------------------------------------------

    def state_dict(self) -> dict:
        """All that a training needs to go on, the generator itself excepted."""
        return {name: getattr(self, name).state_dict() for name in self._parts()}

    def load_state_dict(self, state: dict) -> None:
        """Take what :meth:`state_dict` gave."""
        for name in self._parts():
            getattr(self, name).load_state_dict(state[name])

    def _parts(self) -> tuple[str, ...]:
        return ("partners", "discriminators", "optimizer", "optimizer_d")


def weigh(**terms: tuple[float, Callable[[], Tensor]]) -> dict[str, Tensor]:
    """Weighted terms by name; a term of weight 0 is left out and not computed.

    Args:
        terms: for each term its weight and a function that computes it.
    """
    return {name: weight * term() for name, (weight, term) in terms.items() if weight}


def values(terms: dict[str, Tensor]) -> dict[str, float]:
    """Terms as numbers, for the log."""
    return {name: term.item() for name, term in terms.items()}
