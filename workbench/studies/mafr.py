"""Study 04: does accuracy rise with the number of aggregated blocks (the paper's Figure 7)?

Every variant is the same host with the same ImageNet weights, head and training; only the number of blocks
with aggregated rescaling differs, from none to all 16. ``gate=paper`` is the paper's plain sigmoid, which
does not leave the pretrained network unchanged at the start. ``gate_shift`` says how far the gates of each
training end from 1, the mean of |scale - 1|.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from workbench.classify.configs import FinetuneConfig
from workbench.studies.mafr_gates import GatedEstimator
from workbench.studies.study import ComparisonStudy, register

COUNTS = (0, 1, 3, 7, 13, 16)
BASELINE = "n=0"
CONFIG = FinetuneConfig(
    model="mafr_efficientnet_lite0", size=128, epochs=4, learning_rate=1e-3, folds=3, augmentation="brush"
)


@register
@dataclasses.dataclass(frozen=True)
class Mafr(ComparisonStudy):
    """Does accuracy rise with the number of aggregated blocks?"""

    baseline = BASELINE
    sources = ("data",)

    data: str = "atelier:60"  # folder of labelled paintings, or atelier:N
    counts: tuple[int, ...] = COUNTS  # numbers of aggregated blocks, from the deep end
    config: FinetuneConfig = CONFIG  # settings of training, the same for all
    split_seeds: tuple[int, ...] = (0, 1, 2)  # one grouped cross-validation each
    paper_gate: bool = True  # also the largest number with the paper's sigmoid
    samples: int = 2000  # of the bootstrap

    def estimators(self, out: Path) -> dict[str, GatedEstimator]:
        variants: dict[str, dict] = {f"n={n}": {"aggregated": n} for n in self.counts}
        if self.paper_gate:
            most = max(self.counts)
            variants[f"n={most} gate=paper"] = {"aggregated": most, "neutral": False}
        return {
            label: GatedEstimator(self.config, arguments={**self.config.arguments, **arguments})
            for label, arguments in variants.items()
        }
