"""Study 04 b: the paper's Figure 7 where the gates do move.

Fine-tuned end to end for a few epochs (study 04), the gates of MAFR stay within about 1 % of 1, so that a
network with 16 of them is one without, with other noise. Here the host keeps its ImageNet weights and only
gates and head are trained, at 224 pixels, until the loss on held-out painters stops falling, and the table
says how far from 1 the gates end (``gate_shift``, the mean of |scale - 1|).

The *control* are painted pictures whose class no sum of features tells: each is warm or cold and sharp or
blurred, and the class is whether both were changed alike. Scaling some channels by others can tell it. If MAFR
gains there and not on paintings, the test could have seen a gain.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from PIL import Image, ImageFilter

from workbench.classify.configs import FinetuneConfig
from workbench.classify.finetune import FinetuneEstimator, predict
from workbench.core.files import write_image, write_whole
from workbench.data.atelier import open_dataset
from workbench.data.paintings import Paintings
from workbench.models.mafr import AggregatedRescaling
from workbench.studies.study import ComparisonStudy, register

COUNTS = (0, 3, 7, 13)
CONFIG = FinetuneConfig(
    model="mafr_efficientnet_lite0",
    transfer="frozen",
    augmentation="none",
    epochs=40,
    patience=5,
    learning_rate=3e-3,
    weight_decay=0.01,
    folds=3,
)
_BLUR = 0.012  # standard deviation of the control's blur, of the picture's side


class GatedEstimator(FinetuneEstimator):
    """A frozen network whose gates and head are trained; says how far from 1 the gates are."""

    def measures(self, paintings: Paintings, rows: ArrayLike) -> Mapping[str, float]:
        """``gate_shift``: mean of |scale - 1| over channels, blocks and pictures."""
        network, shifts = self.network(), []
        gates = [module for module in network.modules() if isinstance(module, AggregatedRescaling)]
        hooks = [
            gate.register_forward_hook(lambda _m, _i, scale: shifts.append(float((scale - 1).abs().mean())))
            for gate in gates
        ]
        try:
            predict(network, self.pictures(paintings), np.asarray(rows), self.config)
        finally:
            for hook in hooks:
                hook.remove()
        return {"gate_shift": float(np.mean(shifts)) if shifts else 0.0}


@register
@dataclasses.dataclass(frozen=True)
class MafrGates(ComparisonStudy):
    """Does accuracy rise with the number of aggregated blocks, where only gates and head are trained?"""

    baseline = "n=0"
    sources = ("data",)

    data: str = "atelier:60"  # folder of labelled paintings, "atelier:N", or "control:N" for the control
    counts: tuple[int, ...] = COUNTS  # numbers of aggregated blocks, from the deep end
    start: float = 0.01  # standard deviation of the gates' last matrix before training
    config: FinetuneConfig = CONFIG  # the training, the same for all
    split_seeds: tuple[int, ...] = (0, 1, 2, 3, 4)  # one grouped cross-validation, and other noise, each
    samples: int = 2000  # of the bootstrap

    def estimators(self, out: Path) -> dict[str, GatedEstimator]:
        """The host with each number of aggregated blocks."""
        return {
            f"n={n}": GatedEstimator(
                self.config,
                arguments={**self.config.arguments, "aggregated": n, **({"start": self.start} if n else {})},
            )
            for n in self.counts
        }

    def folds_per_split(self) -> int:
        """As the training says."""
        return self.config.folds

    def run(self, out: str | os.PathLike) -> Path:
        """Cross-validate and write the tables; those of the control are called ``mafr_gates_control``."""
        kind, _, count = self.data.partition(":")
        if kind != "control":
            return super().run(out)
        paintings = plant(int(count or 240), Path(out) / "control")
        return self.compare(f"{self.name}_control", Path(out), paintings)


def plant(count: int, out: Path) -> Paintings:
    """Paint the control's pictures into the folder ``out``: 2 classes, :data:`count` pictures."""
    painted = open_dataset(f"atelier:{count}")
    rows = []
    for i in range(count):
        cold, blurred = i % 2 == 1, i // 2 % 2 == 1
        picture = painted.read(i)
        if cold:
            picture = Image.merge("RGB", picture.split()[::-1])
        if blurred:
            picture = picture.filter(ImageFilter.GaussianBlur(_BLUR * min(picture.size)))
        name = f"{i:04d}.png"
        if not (out / name).is_file():
            write_image(picture, out / name)
        label = "alike" if cold == blurred else "different"
        rows.append({"path": name, "label": label, "artist": painted.groups[i]})
    write_whole(pd.DataFrame(rows).to_csv(index=False).encode(), out / "ratings.csv")
    return open_dataset(str(out))
