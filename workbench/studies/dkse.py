"""Study 03: the gain of the light double-kernel classifier from each augmentation and each of its parts.

Every variant differs from the base in one thing: the augmentation policy, the kernel pair, the reduction or
the number of modules. All start from random weights.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from workbench.classify.configs import FinetuneConfig
from workbench.classify.finetune import FinetuneEstimator
from workbench.studies.study import ComparisonStudy, register

BASELINE = "augmentation=brush"
CONFIG = FinetuneConfig(
    model="dkse_small",
    pretrained=False,
    size=64,
    epochs=15,
    batch_size=32,
    learning_rate=3e-3,
    layer_decay=1.0,
    folds=3,
)
VARIANTS: dict[str, dict] = {
    BASELINE: {},
    **{
        f"augmentation={name}": {"augmentation": name}
        for name in ("none", "flip", "crop", "colour", "rotate", "cutout", "strong")
    },
    "mixup=0.2": {"mixup": 0.2},
    "kernels=3,3": {"arguments": {"kernels": [3, 3]}},
    "kernels=3,7": {"arguments": {"kernels": [3, 7]}},
    "kernels=3,3 dilated 2": {"arguments": {"kernels": [3, [3, 2]]}},
    "reduction=4": {"arguments": {"reduction": 4}},
    "reduction=16": {"arguments": {"reduction": 16}},
    "modules=3": {"arguments": {"modules": 3}},
    "modules=4": {"arguments": {"modules": 4}},
    "dropout=0.5": {"arguments": {"dropout": 0.5}},
}


@register
@dataclasses.dataclass(frozen=True)
class Dkse(ComparisonStudy):
    """What does the light double-kernel classifier gain from augmentation, and from its own parts?"""

    baseline = BASELINE
    sources = ("data",)

    data: str = "atelier:60"  # folder of labelled paintings, or atelier:N
    config: FinetuneConfig = CONFIG  # settings that all variants start from
    variants: tuple[str, ...] = tuple(VARIANTS)  # names of the variants that are compared
    split_seeds: tuple[int, ...] = (0,)  # one grouped cross-validation each
    samples: int = 2000  # of the bootstrap

    def estimators(self, out: Path) -> dict[str, FinetuneEstimator]:
        """The base with one thing changed each."""
        labels = dict.fromkeys([BASELINE, *self.variants])
        return {label: FinetuneEstimator(self.config, **VARIANTS[label]) for label in labels}

    def folds_per_split(self) -> int:
        """As the config says."""
        return self.config.folds
