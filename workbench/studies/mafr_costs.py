"""Parameters, multiply-accumulates and latency of aggregated rescaling, in the paper's shapes and folded.

Latency is the median process time of interleaved forward passes of one picture, so that other load on
the machine affects all variants alike.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from workbench import models
from workbench.models.mafr import BLOCKS
from workbench.studies.study import Rows, TableStudy, register

HOSTS = {"mafr_resnet50": "ResNet-50", "mafr_efficientnet_lite0": "EfficientNet-lite0"}
VARIANTS: dict[str, dict] = {
    "n=0": {"aggregated": 0},
    "n=16": {"aggregated": BLOCKS},
    "n=16 r=16": {"aggregated": BLOCKS, "reduction": 16},
    "n=16 paper's shapes, r=16": {"aggregated": BLOCKS, "reduction": 16, "folded": False},
    "n=16 paper's shapes, no bottleneck": {"aggregated": BLOCKS, "reduction": 1, "folded": False},
}


@register
@dataclasses.dataclass(frozen=True)
class MafrCosts(TableStudy):
    """What does aggregated rescaling cost on two hosts?"""

    version = 2  # also without a bottleneck
    keys = ("host",)

    size: int = 224  # pixels of a side
    rounds: int = 15  # timed forward passes of each network
    threads: int = 1  # of torch

    def plan(self) -> list[dict]:
        """One run per host: its variants are timed alternately."""
        return [{"host": host} for host in HOSTS.values()]

    def prepare(self, out: Path) -> Callable[..., Rows]:
        return self._of_host

    def _of_host(self, host: str) -> list[dict]:
        names = {title: name for name, title in HOSTS.items()}
        x = torch.randn(1, 3, self.size, self.size).contiguous(memory_format=torch.channels_last)
        networks = {
            label: models.create(names[host], num_classes=1000, **arguments)
            .eval()
            .to(memory_format=torch.channels_last)
            for label, arguments in VARIANTS.items()
        }
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            times = _interleaved(networks, x, self.rounds)
        finally:
            torch.set_num_threads(before)
        return [
            {
                "variant": label,
                "parameters": sum(p.numel() for p in network.parameters()),
                "gmacs": _macs(network, x) / 1e9,
                "milliseconds": 1e3 * float(np.median(times[label])),
                "size": self.size,
                "threads": self.threads,
            }
            for label, network in networks.items()
        ]


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
