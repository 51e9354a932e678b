"""Every choice of a portrait stylizer's training, written as JSON beside its results."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Literal

from workbench.drawing.portrait_teacher import PortraitTeacherConfig


@dataclasses.dataclass(frozen=True)
class PortraitConfig:
    """All choices of a training."""

    portraits: str  # folder of portraits on plain backdrops
    annotations: str  # their landmarks and masks, see `workbench.data.faces`
    scenes: str  # folder of photos that become backgrounds
    style: str  # folder of anime faces
    out: str  # folder for checkpoints, logs, validation pictures and the weights
    architecture: str = "afgan_small"  # generator's name in `models.names("generator")`
    arguments: dict = dataclasses.field(default_factory=dict)  # keyword arguments of the generator
    start: str = ""  # weights to begin from: a model's name, a .safetensors file or another training's .pt
    distil_steps: int = 5000  # steps of phase 1
    steps: int = 6000  # steps of both phases together
    minutes: float = 0.0  # time budget of this run; 0 has none
    total_minutes: float = 0.0  # time budget of all runs into this folder together; 0 has none
    clock: Literal["wall", "processor"] = "wall"  # what time budgets and `seconds` count
    batch: int = 8  # crops a step
    crop: int = 152  # side of the crops in pixels
    units: tuple[float, float] = (24.0, 48.0)  # smallest and largest distance between the eyes in pixels
    dark_twins: float = 0.25  # so many of the training portraits are seen with dark skin as well
    rare_times: int = 3  # so many times as often as others the bald and those with glasses are seen
    held_out: float = 0.17  # share of the people: half choose the weights, half measure the chosen ones
    seed: int = 0  # of the split, the batches and the initial weights
    lr_distil: float = 4e-4  # Adam, phase 1
    lr: float = 2.5e-4  # Adam of the generator, phase 2
    lr_discriminator: float = 2e-4  # Adam of the discriminators
    ema: float = 0.99  # decay of the averaged generator
    clip: float = 1.0  # largest gradient norm of the generator
    noise: float = 0.08  # std of Gaussian noise before the frozen features
    face_side: float = 4.0  # side of the square around the face that discriminators see, in eye distances
    face_pixels: int = 128  # and in pixels
    attention: float = 4.0  # how much more a pixel of eyes and mouth counts in L1
    w_mask: float = 4.0  # output mask against the true one; at 0.3 it shrank in phase 2
    w_cam: float = 0.02  # auxiliary classifier: photo or anime
    w_tone: float = 2.0  # colours of 8-pixel squares against the teacher's, chroma three times
    w_edges: float = 1.0  # edge maps against the teacher's
    w_features: float = 0.3  # frozen features against the teacher's
    features_every: int = 3  # they are compared every so many steps, with so much more weight
    w_teacher: float = 10.0  # factor of L1, tones and edges in phase 2
    w_picture: float = 1.2  # adversarial, frozen features
    w_patch: float = 0.5  # adversarial, patches weighed by attention
    validate_every: int = 500  # steps between validations; 0 never validates
    checkpoint_every: int = 0  # steps between checkpoints without validation; 0 has none
    mixed_precision: str = "no"  # "bf16" is three times faster where the processor supports it
    threads: int = 0  # CPU threads; 0 leaves PyTorch's default
    drawing: PortraitTeacherConfig = dataclasses.field(default_factory=PortraitTeacherConfig)

    def write(self, path: Path) -> None:
        """Write the configuration as JSON."""
        path.write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> PortraitConfig:
        """The configuration that :meth:`write` wrote."""
        values = json.loads(path.read_text())
        drawing = PortraitTeacherConfig(**values["drawing"])
        return cls(**values | {"drawing": drawing, "units": tuple(values["units"])})
