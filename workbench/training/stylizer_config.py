"""Every choice of a stylizer's training in one frozen dataclass, written as JSON beside its results."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from workbench.training.teacher import TeacherConfig


@dataclasses.dataclass(frozen=True)
class StylizerConfig:
    """All choices of a training, written as ``config.json`` beside its results."""

    photos: str  # folder of photos
    style: str  # folder of pictures in the style
    out: str  # folder for checkpoints, logs, validation pictures and the weights
    architecture: str = "fsgan_small"  # generator's name in `models.names("generator")`
    arguments: dict = dataclasses.field(default_factory=dict)  # keyword arguments of the generator
    distil_steps: int = 2000  # steps of phase 1
    steps: int = 5000  # steps of both phases together
    minutes: float = 0.0  # time budget of this run; 0 has none
    batch: int = 8  # crops a step
    crop: int = 192  # side of the crops in pixels
    photo_side: int = 288  # photos are shrunk to this short side
    style_side: int = 288  # style pictures likewise: strokes and photo details must have comparable size
    held_out: int = 80  # photos never trained on: half choose the weights, half measure the chosen ones
    seed: int = 0  # of the split, the batches and the initial weights
    lr_distil: float = 4e-4  # Adam, phase 1
    lr: float = 1e-4  # Adam of the generator, phase 2
    lr_discriminator: float = 2e-4  # Adam of the discriminators
    ema: float = 0.998  # decay of the averaged generator
    clip: float = 1.0  # largest gradient norm of the generator
    noise: float = (
        0.08  # std of Gaussian noise before the frozen features: invisible tricks do not survive it
    )
    w_teacher: float = 50.0  # L1 to the teacher's drawing, phase 2
    w_content: float = 0.05  # content distance to the photo, deepest features only: texture may go
    w_picture: float = 1.0  # adversarial, frozen features of the picture
    w_gray: float = 2.0  # adversarial, gray patches
    w_spectral: float = 0.1  # adversarial, spectrum; capped by `spectral_cap`
    spectral_cap: float = 0.3  # spectral gradient norm at most this part of all the other terms'
    w_color: float = 2.0  # colours of the photo
    w_block: float = 2.0  # flat inside regions
    w_boundary: float = 15.0  # borders as clear as the teacher inks them
    w_tv: float = 0.05  # total variation
    validate_every: int = 250  # steps between validations
    spectrum_size: int = 80  # side of the pictures whose spectra are compared
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
        drawing["ink_color"] = tuple(drawing["ink_color"])
        return cls(**values | {"drawing": TeacherConfig(**drawing)})
