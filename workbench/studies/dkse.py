"""Study 03: gains of the light double-kernel classifier from augmentations and from each of its parts.

Every variant differs from the base in one thing: the augmentation policy, the kernel pair, the reduction or
the number of modules. All start from random weights, or from what their architecture learnt on ``source``.

From scratch at 64 pixels and with 17 variants little can be seen. The fair test has the source (western
styles), 96 pixels or more, five splits, and :data:`PLANNED` as its only variants, one contrast for
augmentation and one for the double kernel, so that Holm's correction is for two:

    workbench study dkse --data PAINTINGS --source WESTERN --size 96 --variants augmentation=none
        --variants kernels=3,3 --split-seeds 0 --split-seeds 1 --split-seeds 2 --split-seeds 3 --split-seeds 4

Stated in advance: the paired difference of accuracy from the base decides, with a margin of ± 0.03 and a 95 %
interval over painters and training runs. An interval on one side of 0 means that the part helps or harms, one
within the margin that it makes no difference; any other is inconclusive. Other scores are reported too.
The committed tables are ``dkse_planned…``.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from workbench.classify.configs import FinetuneConfig
from workbench.classify.finetune import FinetuneEstimator
from workbench.core.cache import digest
from workbench.data.atelier import open_dataset
from workbench.studies.study import ComparisonStudy, register
from workbench.studies.transfer import pretrain

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
PLANNED = ("augmentation=none", "kernels=3,3")


@register
@dataclasses.dataclass(frozen=True)
class Dkse(ComparisonStudy):
    """What does the light double-kernel classifier gain from augmentation, and from its own parts?"""

    baseline = BASELINE
    sources = ("data", "source")

    data: str = "atelier:60"  # folder of labelled paintings, or atelier:N
    config: FinetuneConfig = CONFIG  # settings that all variants start from
    variants: tuple[str, ...] = tuple(VARIANTS)  # names of the variants that are compared
    split_seeds: tuple[int, ...] = (0,)  # one grouped cross-validation each
    samples: int = 2000  # of the bootstrap
    source: str = ""  # labelled pictures that every architecture learns first, or atelier:N
    size: int = 0  # pixels of the networks' pictures; 0 keeps the training's

    def estimators(self, out: Path) -> dict[str, FinetuneEstimator]:
        """The base, and variants with one change each."""
        labels, base = dict.fromkeys([BASELINE, *self.variants]), self.config
        if self.size:
            base = dataclasses.replace(base, size=self.size)
        return {
            label: FinetuneEstimator(base, **VARIANTS[label], **self._start(base, label, out))
            for label in labels
        }

    def _start(self, base: FinetuneConfig, label: str, out: Path) -> dict[str, Any]:
        """Where a variant starts from; variants of one architecture share it, trained as the base is."""
        if not self.source:
            return {}
        arguments = {**base.arguments, **VARIANTS[label].get("arguments", {})}
        config = dataclasses.replace(base, arguments=arguments)
        name = f"source_{digest(arguments)[:8]}"
        return {"initial": str(pretrain(open_dataset(self.source), out, name, config))}
