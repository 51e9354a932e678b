"""Study 06: every classifier of the project on the same folds of several data sets, in one table.

Networks are trained as their own studies found best within the stated budget; the linear probe and the
statistics model read frozen ImageNet networks; the colour-and-line model is a linear classifier on the
expression descriptors. The majority class is the floor.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from workbench.classify.configs import FinetuneConfig, StatisticsConfig
from workbench.classify.estimators import Estimator
from workbench.classify.features import DescriptorFeatures, StatisticsFeatures
from workbench.classify.finetune import FinetuneEstimator
from workbench.classify.probes import LinearProbe, MajorityClass
from workbench.classify.statistics import StatisticsEstimator
from workbench.classify.summary import compare
from workbench.data.paintings import Paintings

BASELINE = "lite0 linear probe"
_SCRATCH = {"pretrained": False, "layer_decay": 1.0, "learning_rate": 2e-3}
_RESNET = {"size": 64, "mixed_precision": "bf16", **_SCRATCH}  # what a CPU has time for
_BASE = FinetuneConfig(size=96, epochs=6, learning_rate=1e-3, folds=3)
NETWORKS: dict[str, FinetuneConfig] = {
    "DKSE (scratch)": dataclasses.replace(
        _BASE, model="dkse_small", size=64, epochs=15, **_SCRATCH | {"learning_rate": 3e-3}
    ),
    "lite0 (ImageNet)": dataclasses.replace(_BASE, arguments={"aggregated": 0}),
    "MAFR lite0, n=16 (ImageNet)": dataclasses.replace(_BASE, arguments={"aggregated": 16}),
    "ResNet-50 (scratch)": dataclasses.replace(
        _BASE, model="mafr_resnet50", arguments={"aggregated": 0}, **_RESNET
    ),
    "MAFR ResNet-50, n=16 (scratch)": dataclasses.replace(
        _BASE, model="mafr_resnet50", arguments={"aggregated": 16}, **_RESNET
    ),
}


def run(
    data: Mapping[str, Paintings],
    out: str | Path,
    networks: Mapping[str, FinetuneConfig] = NETWORKS,
    split_seeds: Sequence[int] = (0,),
    folds: int = 3,
    config: StatisticsConfig | None = None,
    cache: str | Path | None = None,
    samples: int = 2000,
) -> list[Path]:
    """One table ``benchmark_DATASET.csv`` (and predictions) a data set in ``out``.

    Args:
        data: name -> paintings.
        out: folder.
        networks: label -> training.
        split_seeds: one grouped cross-validation each.
        folds: of each.
        config: of the statistics model.
        cache: folder of features and finished folds; by default ``cache`` in ``out``.
        samples: of the bootstrap.
    """
    config = config or StatisticsConfig()
    estimators: dict[str, Estimator] = {
        "majority class": MajorityClass(),
        "colour and line, linear": LinearProbe(features=DescriptorFeatures(), strength=0.3),
        BASELINE: LinearProbe(features=StatisticsFeatures.of(config, columns=1280)),
        "stage statistics, linear": StatisticsEstimator(config),
        **{label: FinetuneEstimator(one) for label, one in networks.items()},
    }
    sizes = {"folds": folds, "split_seeds": split_seeds, "samples": samples, "cache": cache}
    return [
        compare(f"benchmark_{name}", out, paintings, estimators, BASELINE, **sizes)
        for name, paintings in data.items()
    ]
