"""Every choice of a stylizer's training in one frozen dataclass, written as JSON beside its results."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Literal

from workbench.drawing.teacher import TeacherConfig


@dataclasses.dataclass(frozen=True)
class StylizerConfig:
    """All choices of a training that do not depend on its recipe; those that do are in ``settings``."""

    photos: str  # folder of photos
    style: str  # folder of pictures in the style
    out: str  # folder for checkpoints, logs, validation pictures and the weights
    recipe: str = "fsgan"  # one of `stylizer_recipes.names()`: losses, discriminators and phases
    settings: dict = dataclasses.field(default_factory=dict)  # of the recipe: weights of its terms …
    architecture: str = "fsgan_small"  # generator's name in `models.names("generator")`
    arguments: dict = dataclasses.field(default_factory=dict)  # keyword arguments of the generator
    start: str = (
        ""  # weights to begin from: a model's name, a .safetensors file, or another training's best.pt
    )
    distil_steps: int = 2000  # steps of phase 1, before there is an adversary, where the recipe has one
    steps: int = 5000  # steps of both phases together
    minutes: float = 0.0  # time budget of this run; 0 has none
    total_minutes: float = 0.0  # time budget of all runs into this folder together; 0 has none
    clock: Literal["wall", "processor"] = "wall"  # what time budgets and `seconds` count
    batch: int = 8  # crops a step
    crop: int = 192  # side of the crops in pixels
    photo_side: int = 288  # photos are shrunk to this short side
    style_side: int = 288  # style pictures likewise: strokes and photo details must have comparable size
    held_out: int = 80  # photos never trained on: half choose the weights, half measure the chosen ones
    seed: int = 0  # of the batches, the noise and the initial weights
    split_seed: int | None = None  # of the choice of held-out photos; None takes `seed`
    lr_distil: float = 4e-4  # Adam of the generator, phase 1
    lr: float = 1e-4  # Adam of the generator, phase 2
    lr_discriminator: float = 2e-4  # Adam of the discriminators
    ema: float = 0.998  # decay of the averaged generator
    clip: float = 1.0  # largest gradient norm of the generator
    validate_every: int = 250  # steps between validations; 0 never validates
    checkpoint_every: int = 0  # steps between checkpoints without validation; 0 has none
    mixed_precision: str = "no"  # "bf16" is three times faster where the processor supports it
    threads: int = 0  # CPU threads; 0 leaves PyTorch's default
    drawing: TeacherConfig = dataclasses.field(default_factory=TeacherConfig)

    def write(self, path: Path) -> None:
        """Write the configuration as JSON."""
        path.write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> StylizerConfig:
        """The configuration that :meth:`write` wrote."""
        values = json.loads(path.read_text())
        drawing = values["drawing"]
        for name in ("ink_color", "paper"):
            if drawing.get(name) is not None:
                drawing[name] = tuple(drawing[name])
        return cls(**values | {"drawing": TeacherConfig(**drawing)})
