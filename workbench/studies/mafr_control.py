"""Study 04 c: a positive control of study 04 b, on a task that a channel gate is needed for.

Each picture has one colour: red and green each encode a bit, and blue encodes which of the two is the label.
The frozen host is a ResNet-50 whose convolutions copy the three colours through all layers, so that its
features are linear in them. Without a gate the best linear head follows red and green alike, and is right
where they agree and by chance where they do not: on 3 of 4 pictures. A gate that depends on blue and passes
red or green is right on all.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from workbench import models
from workbench.classify.configs import FinetuneConfig
from workbench.core.runs import write_rows
from workbench.data.paintings import read_paintings
from workbench.studies.mafr_gates import CONFIG, GatedEstimator
from workbench.studies.study import ComparisonStudy, register

HOST = "planted_host"
CEILING = 0.75  # of a head that is linear in the colours
SIZE = 32  # pixels of a side
NARROW = {"base_width": 16}  # a quarter of the channels within a block
_CLASSES = ("no", "yes")
_LEVEL, _STEP, _NOISE = 128, 48, 12  # mean of a colour channel, shift that encodes a bit, noise


@register
@dataclasses.dataclass(frozen=True)
class MafrControl(ComparisonStudy):
    """Do gates that are trained as in study 04 b find a signal that only they can use?"""

    baseline = "n=0"

    pictures: int = 396  # as many as there are Chinese paintings
    counts: tuple[int, ...] = (0, 3)  # numbers of aggregated blocks, from the deep end
    start: float = 0.01  # standard deviation of the gates' last matrix before training
    patience: int = CONFIG.patience  # epochs without a better loss before stopping; 0 is never
    split_seeds: tuple[int, ...] = (0, 1, 2)  # one cross-validation, and other noise, each
    seed: int = 0  # of the pictures
    samples: int = 2000  # of the bootstrap

    def run(self, out: str | Path) -> Path:  # type: ignore[override]
        """Draw the pictures, build the host, train."""
        folder = write_pictures(Path(out) / "planted", self.pictures, self.seed)
        return self.compare(self.name, Path(out), read_paintings(folder))

    def estimators(self, out: Path) -> dict[str, GatedEstimator]:
        config = dataclasses.replace(
            CONFIG, model="mafr_resnet50", arguments=NARROW, size=SIZE, patience=self.patience
        )
        config = dataclasses.replace(config, initial=str(copying_host(out, config)))
        return {
            f"n={n}": GatedEstimator(
                config, arguments={**NARROW, "aggregated": n, **({"start": self.start} if n else {})}
            )
            for n in self.counts
        }

    def folds_per_split(self) -> int:
        return CONFIG.folds


def write_pictures(folder: Path, count: int, seed: int = 0) -> Path:
    """Write ``count`` pictures and their table into ``folder``; return it.

    The table's painters keep each picture in a group of its own: all look alike and would pass as
    near-duplicates.
    """
    rng, rows = np.random.default_rng(seed), []
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        red, green, blue = bits = rng.integers(0, 2, 3)
        level = _LEVEL + _STEP * (2 * bits - 1) + rng.normal(0, _NOISE, 3)
        pixels = np.broadcast_to(level.clip(0, 255).astype(np.uint8), (SIZE, SIZE, 3))
        path = f"{i}.png"
        Image.fromarray(np.ascontiguousarray(pixels)).save(folder / path)
        rows.append({"path": path, "label": _CLASSES[red if blue else green], "painter": path})
    write_rows(rows, folder / "ratings.csv")
    return folder


def copying_host(out: Path, config: FinetuneConfig) -> Path:
    """Weights of a ResNet-50 whose every channel is a copy of red, green or blue; saved with a card."""
    network = models.create(config.model, num_classes=2, aggregated=0, **config.arguments)
    with torch.no_grad():
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv2d):
                # branches of the first three stages add nothing
                silent = name.endswith("conv3") and not name.startswith("layer4")
                module.weight.zero_()
                centre = module.kernel_size[0] // 2
                channels = torch.arange(module.out_channels)
                module.weight[channels, channels % 3, centre, centre] = 0.0 if silent else 1.0
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.fill_(1.0)  # timm starts the last one of a branch at 0
    network.get_parameter("bn1.bias").data.fill_(2.0)  # above 0, where rectifiers change nothing
    card = models.Card(
        name=HOST,
        kind="classifier",
        title="Copies of three colours",
        description="The frozen host of a control study, not meant for use.",
        architecture=config.model,
        arguments={"num_classes": 2, "aggregated": 0, **config.arguments},
        preprocessing={"size": SIZE, **config.views.to_card()},
        training={},
        metrics={},
        limitations="It sees mean colours only.",
        licence="free",
        classes=tuple({"name": c} for c in _CLASSES),
    )
    return models.save(network.eval(), card, out)
