"""Study 04: does accuracy rise with the number of aggregated blocks (the paper's Figure 7)?

Every variant is the same host with the same ImageNet weights, head and training; only the number of blocks
with aggregated rescaling differs, from none to all 16. ``gate=paper`` is the paper's plain sigmoid, which
does not leave the pretrained network unchanged at the start.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from workbench import models
from workbench.classify.configs import FinetuneConfig
from workbench.classify.finetune import FinetuneEstimator
from workbench.classify.summary import compare
from workbench.core.runs import Runs
from workbench.data.paintings import Paintings
from workbench.models.mafr import BLOCKS

COUNTS = (0, 1, 3, 7, 13, 16)
BASELINE = "n=0"
CONFIG = FinetuneConfig(
    model="mafr_efficientnet_lite0", size=128, epochs=4, learning_rate=1e-3, folds=3, augmentation="brush"
)


def run(
    data: Paintings,
    out: str | Path,
    counts: Sequence[int] = COUNTS,
    config: FinetuneConfig = CONFIG,
    split_seeds: Sequence[int] = (0, 1, 2),
    paper_gate: bool = True,
    samples: int = 2000,
) -> Path:
    """Cross-validate the host with each number of aggregated blocks; ``mafr.csv`` and predictions in ``out``.

    Args:
        data: the paintings.
        out: folder.
        counts: numbers of blocks, from the deep end.
        config: the training, the same for all.
        split_seeds: one grouped cross-validation of ``config.folds`` folds each.
        paper_gate: also the largest number with the paper's sigmoid.
        samples: of the bootstrap.
    """
    plans = {f"n={n}": {"aggregated": n} for n in counts}
    if paper_gate:
        plans[f"n={max(counts)} gate=paper"] = {"aggregated": max(counts), "neutral": False}
    estimators = {
        label: FinetuneEstimator(config, arguments={**config.arguments, **arguments})
        for label, arguments in plans.items()
    }
    sizes = {"folds": config.folds, "split_seeds": split_seeds, "samples": samples}
    return compare("mafr", out, data, estimators, BASELINE, **sizes)


HOSTS = {
    "mafr_resnet50": "ResNet-50",
    "mafr_efficientnet_lite0": "EfficientNet-lite0",
}


def costs(out: str | Path, size: int = 224, rounds: int = 15, threads: int = 1) -> Path:
    """Parameters, GMACs and latency of both hosts with n = 0 and 16, in the paper's shapes and folded.

    Latency is the median process time of interleaved forward passes of one picture, so that what else the
    machine does falls on all alike. Written to ``mafr_costs.csv``.
    """
    variants = {
        "n=0": {"aggregated": 0},
        "n=16": {"aggregated": BLOCKS},
        "n=16 r=16": {"aggregated": BLOCKS, "reduction": 16},
        "n=16 paper's shapes, r=16": {"aggregated": BLOCKS, "reduction": 16, "folded": False},
    }
    runs = Runs(Path(out) / "mafr_costs.csv", ("host", "variant"))
    x = torch.randn(1, 3, size, size).contiguous(memory_format=torch.channels_last)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for name, host in HOSTS.items():
            networks = {
                label: models.create(name, num_classes=1000, **arguments)
                .eval()
                .to(memory_format=torch.channels_last)
                for label, arguments in variants.items()
            }
            start = time.perf_counter()
            times = _interleaved(networks, x, rounds)
            for label, network in networks.items():
                if {"host": host, "variant": label} in runs:
                    continue
                measured = {
                    "parameters": sum(p.numel() for p in network.parameters()),
                    "gmacs": _macs(network, x) / 1e9,
                    "milliseconds": 1e3 * float(np.median(times[label])),
                    "size": size,
                    "threads": threads,
                }
                runs.add({"host": host, "variant": label}, measured, seconds=time.perf_counter() - start)
    finally:
        torch.set_num_threads(before)
    return runs.path


@torch.inference_mode()
def _interleaved(
    networks: dict[str, torch.nn.Module], x: torch.Tensor, rounds: int
) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {label: [] for label in networks}
    for round_ in range(rounds + 3):
        for label, network in networks.items():
            start = time.process_time()
            network(x)
            if round_ >= 3:  # after warming up
                times[label].append(time.process_time() - start)
    return times


@torch.inference_mode()
def _macs(network: torch.nn.Module, x: torch.Tensor) -> int:
    """Multiply-accumulates of convolutions and linear layers, counted by torch."""
    with FlopCounterMode(display=False) as counter:
        network(x)
    return counter.get_total_flops() // 2
