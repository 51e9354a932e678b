"""Study 06: every classifier of the project on the same folds of several data sets, in one table.

Networks are trained as their own studies found best within the stated budget; the linear probe and the
statistics model read frozen ImageNet networks; the colour-and-line model is a linear classifier on the
expression descriptors. The floors are the majority class and two old networks from random weights, LeNet and
AlexNet.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from workbench.classify.configs import FinetuneConfig, StatisticsConfig
from workbench.classify.estimators import Estimator
from workbench.classify.features import DescriptorFeatures, StatisticsFeatures
from workbench.classify.finetune import FinetuneEstimator
from workbench.classify.probes import LinearProbe, MajorityClass
from workbench.classify.statistics import StatisticsEstimator
from workbench.data.atelier import open_dataset
from workbench.studies.study import ComparisonStudy, register

BASELINE = "lite0 linear probe"
_SCRATCH: dict[str, Any] = {"pretrained": False, "layer_decay": 1.0, "learning_rate": 2e-3}
_RESNET: dict[str, Any] = {"size": 64, "mixed_precision": "bf16", **_SCRATCH}  # what a CPU has time for
_BASE = FinetuneConfig(size=96, epochs=6, learning_rate=1e-3, folds=3)
NETWORKS: dict[str, FinetuneConfig] = {
    "DKSE (scratch)": dataclasses.replace(
        _BASE, model="dkse_small", size=64, epochs=15, **_SCRATCH | {"learning_rate": 3e-3}
    ),
    "LeNet (scratch)": dataclasses.replace(_BASE, model="lenet", size=64, epochs=15, **_SCRATCH),
    "AlexNet (scratch)": dataclasses.replace(
        _BASE, model="alexnet", size=64, epochs=15, **_SCRATCH | {"learning_rate": 3e-4}
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


@register
@dataclasses.dataclass(frozen=True)
class Benchmark(ComparisonStudy):
    """How do all classifiers of the project compare on the same folds of several data sets?"""

    baseline = BASELINE
    sources = ("data",)

    data: tuple[str, ...] = ("atelier:60",)  # folders of labelled paintings, or atelier:N
    networks: tuple[str, ...] = tuple(NETWORKS)  # which are trained
    size: int = 0  # pixels of the networks' pictures; 0 keeps each network's own
    epochs: int = 0  # of each network; 0 keeps its own
    split_seeds: tuple[int, ...] = (0,)  # one grouped cross-validation each
    folds: int = 3  # of each
    config: StatisticsConfig = dataclasses.field(default_factory=StatisticsConfig)  # of the statistics model
    samples: int = 2000  # of the bootstrap

    def estimators(self, out: Path) -> dict[str, Estimator]:
        """Floor, linear classifiers on what is measured, and networks."""
        changes: dict[str, Any] = {k: v for k, v in (("size", self.size), ("epochs", self.epochs)) if v}
        return {
            "majority class": MajorityClass(),
            "colour and line, linear": LinearProbe(features=DescriptorFeatures(), strength=0.3),
            BASELINE: LinearProbe(features=StatisticsFeatures.of(self.config, columns=1280)),
            "stage statistics, linear": StatisticsEstimator(self.config),
            **{label: FinetuneEstimator(NETWORKS[label], **changes) for label in self.networks},
        }

    def folds_per_split(self) -> int:
        return self.folds

    def run(self, out: str | os.PathLike) -> list[Path]:  # type: ignore[override]
        """The tables ``benchmark_NAME.csv`` of every data set."""
        return [
            self.compare(f"benchmark_{Path(source).name.split(':')[0]}", Path(out), open_dataset(source))
            for source in self.data
        ]
