"""Base class of the recipes: networks besides the generator, two optimisers, the training step, the data."""

from __future__ import annotations

import abc
import contextlib
import functools
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar

import torch
from PIL import Image
from torch import Tensor, nn

from workbench.core.cache import digest
from workbench.core.precision import autocast
from workbench.training.targets import Cost

Network = TypeVar("Network", bound=nn.Module)


class Recipe(abc.ABC):
    """Trains ``generator``; a subclass defines one method ``PHASE_step`` for each of its phases.

    Args:
        config: all settings.
        device: where networks are placed.
        generator: the network to train, already on the device.
        data: result of :meth:`load`.
    """

    phases: ClassVar[tuple[str, ...]] = ("distil", "adversarial")  # at most two
    betas: ClassVar[tuple[float, float]] = (0.5, 0.99)  # of Adam
    weight_decay: ClassVar[float] = 0.0
    # measure of the validation that is lowest for the best weights; "": the newest are the best
    criterion: str = "kid"
    subjects: ClassVar[str] = "photos"  # what is redrawn
    # whether the averaged weights of each validation are kept, as step_*.pt
    keep_averages: ClassVar[bool] = False

    def __init__(self, config: Any, device: torch.device, generator: Any, data: Any):
        self.config, self.device, self.generator, self.data = config, device, generator, data
        self.partners = self.place(self.build_partners())
        self.discriminators = self.place(self.build_discriminators())
        self._drawing = [*generator.parameters(), *self.partners.parameters()]
        judging = list(self.discriminators.parameters())
        adam: dict[str, Any] = {"betas": self.betas, "weight_decay": self.weight_decay}
        self.optimizer = torch.optim.Adam(self._drawing, config.lr, **adam)
        if judging:
            self.optimizer_d = torch.optim.Adam(judging, config.lr_discriminator, **adam)

    # -- defined by a recipe -------------------------------------------------------------------------------

    @classmethod
    @abc.abstractmethod
    def load(cls, config: Any) -> Any:
        """Decode the pictures, without computing anything from them.

        Raises:
            DatasetError: too few pictures, or unusable ones.
        """

    def prepare(self) -> Cost:
        """Compute what batches need besides the pictures; called once, before the first step."""
        return Cost()

    def pictures(self) -> dict[str, list[str]]:
        """Digests of all pictures by their use; training resumes with the same pictures only."""
        parts = {name: getattr(self.data, name) for name in ("training", "validation", "test")}
        digests = {f"{k} {self.subjects}": [digest(p) for p in part.values()] for k, part in parts.items()}
        return digests | {"style pictures": [digest(p) for p in self.data.style]}

    def build_partners(self) -> nn.ModuleDict:
        """Further generators that are trained but not published; none by default."""
        return nn.ModuleDict()

    def build_discriminators(self) -> nn.ModuleDict:
        """The discriminators; none by default."""
        return nn.ModuleDict()

    @abc.abstractmethod
    def batch(self, step: int) -> Any:
        """The pictures of step number ``step``; depends on the step and the seed only."""

    @abc.abstractmethod
    def stylize(self, network: nn.Module, photos: Iterable) -> list[Image.Image]:
        """Drawings by ``network`` of pictures as :meth:`load` decodes them."""

    @abc.abstractmethod
    def validate(self, network: nn.Module) -> tuple[dict[str, float], Image.Image]:
        """Measures on the validation pictures, including :attr:`criterion`, and a contact sheet."""

    @abc.abstractmethod
    def measure(self, network: nn.Module, name: str) -> tuple[list[dict], str]:
        """Rows of measures on the test pictures, with ``network`` under ``name``, and a phrase that describes
        these pictures.
        """

    @property
    @abc.abstractmethod
    def card(self) -> dict[str, Any]:
        """Fields of the card that follow from the recipe: kind and preprocessing."""

    # -- one step ------------------------------------------------------------------------------------------

    def phase(self, step: int) -> str:
        """Name of the phase to which step number ``step`` (from 0) belongs."""
        return self.phases[0] if step < self.config.distil_steps else self.phases[-1]

    def learning_rate(self, step: int, progress: float) -> float:
        """Learning rate of the generator in step ``step``, after ``progress`` in [0, 1) of the run."""
        return self.config.lr if self.phase(step) == "adversarial" else self.config.lr_distil

    def step(self, step: int, progress: float) -> dict[str, float]:
        """Do step number ``step``; return the value of each term."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(step, progress)
        return getattr(self, f"{self.phase(step)}_step")(self.batch(step), step)

    def draw(self, photos: Tensor) -> Tensor:
        """The generator's drawings, float32, computed in the precision of training."""
        with self.autocast():
            return self.generator(photos).float()

    def autocast(self) -> torch.autocast:
        """Context of the precision of training."""
        return autocast(self.device, self.config.mixed_precision)

    def place(self, network: Network) -> Network:
        """The network on the device, in channels-last order."""
        return network.to(self.device).to(memory_format=torch.channels_last)

    def update_generator(self, *outputs: Tensor, gradients: tuple[Tensor, ...] | None = None) -> None:
        """One clipped step down the gradient of the outputs' sum, or with given ``gradients`` at them."""
        self.optimizer.zero_grad()
        if gradients is None:
            total(outputs).backward()
        else:
            torch.autograd.backward(outputs, gradients)
        nn.utils.clip_grad_norm_(self._drawing, self.config.clip)
        self.optimizer.step()

    def update_discriminators(self, loss: Tensor) -> None:
        """One step down the gradient of ``loss``."""
        self.optimizer_d.zero_grad()
        loss.backward()
        self.optimizer_d.step()

    @contextlib.contextmanager
    def frozen_discriminators(self) -> Iterator[nn.ModuleDict]:
        """The discriminators, whose parameters get no gradients within; gradients pass through to their
        inputs.
        """
        self.discriminators.requires_grad_(False)
        try:
            yield self.discriminators
        finally:
            self.discriminators.requires_grad_(True)

    # -- checkpoints ---------------------------------------------------------------------------------------

    def state_dict(self) -> dict:
        """All that is needed to resume training, except the generator itself."""
        return {name: getattr(self, name).state_dict() for name in self._parts()}

    def load_state_dict(self, state: dict) -> None:
        """Take what :meth:`state_dict` gave."""
        for name in self._parts():
            getattr(self, name).load_state_dict(state[name])

    def _parts(self) -> tuple[str, ...]:
        judges = ("discriminators", "optimizer_d") if len(self.discriminators) else ()
        return ("partners", "optimizer", *judges)


def total(terms: Iterable[Tensor]) -> Tensor:
    """The sum of one term or more."""
    return functools.reduce(operator.add, terms)


def weigh(**terms: tuple[float, Callable[[], Tensor]]) -> dict[str, Tensor]:
    """Weighted terms by name; a term of weight 0 is left out and not computed.

    Args:
        terms: for each term its weight and a function that computes it.
    """
    return {name: weight * term() for name, (weight, term) in terms.items() if weight}


def values(terms: Mapping[str, Tensor]) -> dict[str, float]:
    """Terms as numbers, for the log."""
    return {name: term.item() for name, term in terms.items()}
