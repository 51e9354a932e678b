"""Study 03: what the light double-kernel classifier gains from each kind of augmentation, and from its own
parts.

Every variant differs from the base in one thing: the augmentation policy, the kernel pair, the reduction or
the number of modules. All start from random weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from workbench.classify.configs import FinetuneConfig
from workbench.classify.finetune import FinetuneEstimator
from workbench.classify.summary import compare
from workbench.data.paintings import Paintings

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


def run(
    data: Paintings,
    out: str | Path,
    config: FinetuneConfig = CONFIG,
    split_seeds: Sequence[int] = (0,),
    variants: Mapping[str, Mapping] = VARIANTS,
    samples: int = 2000,
) -> Path:
    """Cross-validate every variant; ``dkse.csv`` and ``dkse_predictions.csv`` in ``out``.

    Args:
        data: the paintings.
        out: folder.
        config: the base.
        split_seeds: one grouped cross-validation each.
        variants: label -> fields of the config that differ.
        samples: of the bootstrap.
    """
    estimators = {label: FinetuneEstimator(config, **changes) for label, changes in variants.items()}
    sizes = {"folds": config.folds, "split_seeds": split_seeds, "samples": samples}
    return compare("dkse", out, data, estimators, BASELINE, **sizes)
