"""Study 04 b: the paper's Figure 7, with gates that are trained until they differ from 1.

Fine-tuned end to end for a few epochs (study 04), gates that start at exactly 1 have little time to move, so
that a network with 16 of them may equal one without, up to noise. Here the host keeps its ImageNet weights
and only gates and head are trained, at 224 pixels, until the loss on held-out painters stops falling, and the
table gives the distance of the gates from 1 after training (``gate_shift``, the mean of |scale - 1|).

The paper's host is ResNet-50. ``--host mafr_resnet50`` takes its ImageNet weights, which are fetched once;
with ``--source`` it first learns labelled pictures (western styles) from random weights instead, which needs
no network.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from workbench.classify.configs import FinetuneConfig
from workbench.classify.finetune import FinetuneEstimator, predict
from workbench.data.atelier import open_dataset
from workbench.data.paintings import Paintings, PictureList
from workbench.models.mafr import AggregatedRescaling
from workbench.studies import transfer
from workbench.studies.study import ComparisonStudy, register

COUNTS = (0, 3, 7, 13, 16)
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


class GatedEstimator(FinetuneEstimator):
    """A network with gates; measures how far they are from 1 after training."""

    def measures(self, paintings: PictureList, rows: ArrayLike) -> Mapping[str, float]:
        """``gate_shift``: mean of |scale - 1| over channels, blocks and pictures."""
        assert isinstance(paintings, Paintings)
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
    sources = ("data", "source")

    data: str = "atelier:60"  # folder of labelled paintings, or atelier:N
    counts: tuple[int, ...] = COUNTS  # numbers of aggregated blocks, from the deep end
    start: float = 0.01  # standard deviation of the gates' last matrix before training
    config: FinetuneConfig = CONFIG  # settings of training, the same for all
    split_seeds: tuple[int, ...] = (0, 1, 2)  # one grouped cross-validation, and other noise, each
    samples: int = 2000  # of the bootstrap
    host: str = ""  # architecture whose blocks are aggregated; "" keeps the training's
    source: str = ""  # labelled pictures that the host learns first, from random weights, or atelier:N
    source_epochs: int = 10  # passes over them

    def estimators(self, out: Path) -> dict[str, GatedEstimator]:
        config = dataclasses.replace(self.config, model=self.host or self.config.model)
        if self.source:
            learning = dataclasses.replace(
                transfer.CONFIG,
                model=config.model,
                pretrained=False,
                layer_decay=1.0,
                size=config.size,
                epochs=self.source_epochs,
                mixed_precision=config.mixed_precision,
            )
            domain, name = open_dataset(self.source), f"source_{config.model}"
            config = dataclasses.replace(config, initial=str(transfer.pretrain(domain, out, name, learning)))
        return {
            f"n={n}": GatedEstimator(
                config,
                arguments={**config.arguments, "aggregated": n, **({"start": self.start} if n else {})},
            )
            for n in self.counts
        }
