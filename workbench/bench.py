"""What stylization networks cost on this machine: parameters, multiply-accumulates, latency, memory.

All networks are timed in one process, one after the other in every round, so that whatever else the machine
does falls on all of them alike; compare ratios between rows rather than seconds between machines. The order
is another one in every round, and a pass starts when no thread of the process computes any more: thread pools
spin for a while after a pass (ONNX Runtime's for some 40 ms by default), and would slow whoever comes next.
Each network runs in the memory layout (default or channels_last) that is faster for it. Peers have random
weights, which costs the same as trained ones. The shipped stylizers have a row a runtime ("NAME, onnx"), so
that everybody sees which is faster on their machine.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime
import importlib.util
import json
import logging
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from workbench import models
from workbench.core import devices
from workbench.core.provenance import commit
from workbench.models import weights
from workbench.rating.orders import williams
from workbench.styles.names import DEFAULT_STYLE, RUNTIMES
from workbench.styles.stylize import network_of

log = logging.getLogger(__name__)

PEERS = ("animeganv2", "cartoongan", "whitebox")
REFERENCE = "animeganv2"
SECOND = "whitebox"  # the fastest of the peers
NOTES = (
    "Latency: median of rounds in one process, each in another order, batch 1; "
    "a pass starts when no thread of the process computes.\n"
    "Memory: peak resident memory of one pass above what its own fresh process held before it.\n"
    "Ratios: images per second against AnimeGANv2's and White-box's networks, medians over the rounds.\n"
    "Share: of the throughput of one 3×3 convolution, 64 to 64 channels, on this machine."
)


@dataclasses.dataclass
class Row:
    """One network's costs. Dictionaries are keyed by the side of the square input in pixels."""

    name: str
    parameters: int
    layout: str  # "channels_last" or "default": the faster one
    gmacs: dict[int, float]  # 10⁹ multiply-accumulates of the convolutions
    seconds: dict[int, list[float]]  # each round's latency
    ratio: dict[int, float]  # images/s relative to REFERENCE
    share: dict[int, float]  # of the machine's convolution throughput
    runtime: str = "torch"  # of workbench.styles.names.RUNTIMES
    whitebox_ratio: dict[int, float] = dataclasses.field(default_factory=dict)  # images/s relative to SECOND
    peak_mb: float | None = None  # extra resident memory at the largest size, 10⁶ bytes


def build(name: str) -> nn.Module:
    """A shipped stylizer ("NAME" or "NAME, RUNTIME") or an architecture with random weights, in eval mode and
    on the device of ``WORKBENCH_DEVICE``.
    """
    name, _, runtime = name.partition(", ")
    if runtime:
        return network_of(name, runtime)
    shipped = name in weights.trained("stylizer", weights.SHIPPED)
    network = models.load(name, weights.SHIPPED)[0] if shipped else models.create(name)
    return network.eval().requires_grad_(False).to(devices.resolve())


def contenders() -> list[str]:
    """The shipped stylizers (or, without any, the architecture of their family), then the peers.

    The first stylizer of each architecture also has a row for each other runtime whose packages are
    installed: other weights gain as much.
    """
    cards = [weights.card(name, weights.SHIPPED) for name in weights.trained("stylizer", weights.SHIPPED)]
    cards.sort(key=lambda card: card.name != DEFAULT_STYLE)
    packages = ("onnx", "onnxscript", "onnxruntime")
    exported = all(importlib.util.find_spec(package) for package in packages)
    others = [runtime for runtime in RUNTIMES[1:] if runtime != "onnx" or exported]
    first = {(card.architecture, str(card.arguments)): card.name for card in reversed(cards)}.values()
    shipped = [card.name for card in cards]
    named = [row for name in shipped for row in (name, *(f"{name}, {r}" for r in others if name in first))]
    return [*(named or ["fsgan_small"]), *PEERS]


def gmacs(network: nn.Module, size: int) -> float:
    """10⁹ multiply-accumulates of one forward pass at ``size``² (convolutions and matrix products).

    Counted from the shapes alone, on a copy without values: nothing is computed.
    """
    shapes = copy.deepcopy(network).to("meta")
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        shapes(torch.empty(1, 3, size, size, device="meta"))
    return counter.get_total_flops() / 2e9


@torch.inference_mode()
def latency(network: nn.Module, x: torch.Tensor) -> float:
    """Seconds of one forward pass, which starts when no thread of this process computes any more."""
    _synchronize(x.device)
    wait_until_idle()
    start = time.perf_counter()
    network(x)
    _synchronize(x.device)
    return time.perf_counter() - start


def wait_until_idle(at_most: float = 1.0) -> bool:
    """Wait until all threads of this process rest, ``at_most`` so many seconds; whether they do.

    A thread pool that has finished a pass keeps its threads spinning, in case more work comes soon.
    """
    step = 0.02  # seconds
    deadline = time.perf_counter() + at_most
    while True:
        used = time.process_time()
        time.sleep(step)
        if time.process_time() - used < step / 10:
            return True
        if time.perf_counter() > deadline:
            log.warning("Another thread of this process does not stop computing, which slows what is timed.")
            return False


def _synchronize(device: torch.device) -> None:
    """Wait until an accelerator has done what it was told."""
    if device.type != "cpu":
        torch.get_device_module(device).synchronize()


def _picture(network: nn.Module, size: int, memory_format: torch.memory_format) -> torch.Tensor:
    """A random square picture where the network is."""
    where = next(network.parameters(), torch.empty(0)).device
    return torch.rand(1, 3, size, size, device=where).contiguous(memory_format=memory_format)


@torch.inference_mode()
def conv_throughput(seconds: float = 0.5) -> float:
    """10⁹ multiply-accumulates a second of a 3×3 convolution (64 to 64 channels at 128², channels_last).

    Averaged over ``seconds``, so that other load on the machine slows it as it slows the networks.
    """
    device = devices.resolve()
    conv = nn.Conv2d(64, 64, 3, padding=1).requires_grad_(False).to(device)
    conv = conv.to(memory_format=torch.channels_last)
    x = torch.rand(1, 64, 128, 128).to(device, memory_format=torch.channels_last)
    latency(conv, x)
    passes, start = 0, time.perf_counter()
    while passes == 0 or time.perf_counter() - start < seconds:
        conv(x)
        _synchronize(x.device)
        passes += 1
    return passes * 64 * 64 * 9 * 128 * 128 / 1e9 / (time.perf_counter() - start)


def fastest_layout(network: nn.Module, size: int) -> str:
    """Name of the memory layout in which ``network`` is faster, and bring its weights into it."""
    times: dict[str, list[float]] = {layout: [] for layout in _FORMATS}
    for turn in range(3):
        for layout, memory_format in _FORMATS.items():
            network.to(memory_format=memory_format)
            seconds = latency(network, _picture(network, size, memory_format))
            if turn:  # the first pass warms up
                times[layout].append(seconds)
    best = min(times, key=lambda layout: min(times[layout]))
    network.to(memory_format=_FORMATS[best])
    return best


_FORMATS = {"channels_last": torch.channels_last, "default": torch.contiguous_format}


def bench_stylizers(
    names: list[str] | None = None,
    sizes: tuple[int, ...] = (256, 512),
    threads: int = 2,
    rounds: int = 5,
    memory: bool = True,
) -> dict:
    """Measure the networks ``names`` (default :func:`contenders`; :data:`REFERENCE` is always among them).

    Args:
        sizes: sides of the square inputs in pixels, multiples of 4.
        threads: CPU threads of each network.
        rounds: timed passes of every network at every size, after one that is not timed; the networks'
            order is another one in every round (a Williams design), and the same in every run.
        memory: also measure peak memory at the largest size, each network in its own process.

    Returns:
        JSON-ready: "machine", "device", "threads", "torch", "date", "rounds", "notes" and "networks", a list
        of :class:`Row` as dictionaries.
    """
    names = list(dict.fromkeys([*(contenders() if names is None else names), REFERENCE]))
    before, load = torch.get_num_threads(), [_load()]
    torch.set_num_threads(threads)
    try:
        rows, throughput = measure_rounds(names, sizes, rounds)
    finally:
        torch.set_num_threads(before)
    load.append(_load())
    by_name = {row.name: row for row in rows}
    for row in rows:
        for size in sizes:
            row.ratio[size] = _times_as_fast(row, by_name[REFERENCE], size)
            if SECOND in by_name:
                row.whitebox_ratio[size] = _times_as_fast(row, by_name[SECOND], size)
            row.share[size] = row.gmacs[size] / statistics.median(row.seconds[size]) / throughput
        if memory:
            row.peak_mb = peak_memory(row.name, max(sizes), row.layout, threads)
    return {
        "machine": {"cpu": _cpu(), "system": platform.platform(), "conv_gmacs_per_s": throughput},
        "load": load,  # processes that wanted a core before and after: more than the threads spoils seconds
        "device": str(devices.resolve()),
        "threads": threads,
        "torch": torch.__version__,
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "rounds": rounds,
        "notes": NOTES,
        "networks": [dataclasses.asdict(row) for row in rows],
    }


def _times_as_fast(row: Row, other: Row, size: int) -> float:
    pairs = zip(other.seconds[size], row.seconds[size], strict=True)
    return statistics.median(theirs / ours for theirs, ours in pairs)


def _load() -> float | None:
    """Average number of processes that want a core, over the last minute, where the system tells."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return None


def measure_rounds(names: list[str], sizes: tuple[int, ...], rounds: int) -> tuple[list[Row], float]:
    """Rows without ratio, share and memory, and the median of the machine's throughput in the same rounds."""
    networks, rows, throughput = {}, [], []
    for name in tqdm(names, desc="set up", disable=None, leave=False):
        networks[name] = network = build(name)
        plain, _, runtime = name.partition(", ")
        counted = build(plain) if runtime else network
        cost = {size: gmacs(counted, size) for size in sizes}
        parameters = sum(p.numel() for p in counted.parameters())
        layout = "default" if runtime == "onnx" else fastest_layout(network, min(256, *sizes))
        rows.append(
            Row(name, parameters, layout, cost, {size: [] for size in sizes}, {}, {}, runtime or "torch")
        )
    orders = williams(len(rows))  # from round to round each row follows another one, in another place
    with tqdm(total=len(sizes) * (rounds + 1) * len(rows), desc="timing", disable=None, leave=False) as bar:
        for size in sizes:
            for turn in range(rounds + 1):
                for row in (rows[i] for i in orders[turn % len(orders)]):
                    x = _picture(networks[row.name], size, _FORMATS[row.layout])
                    seconds = latency(networks[row.name], x)
                    if turn:  # the first pass warms up
                        row.seconds[size].append(seconds)
                    bar.update()
                if turn:
                    throughput.append(conv_throughput())
    return rows, statistics.median(throughput)


def peak_memory(name: str, size: int, layout: str, threads: int) -> float:
    """Peak memory (10⁶ bytes) that a pass adds, of the process or its CUDA device, in a fresh process."""
    call = [sys.executable, "-m", "workbench.bench", name, str(size), layout, str(threads)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"Measuring the memory of {name} failed: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)


def extra_memory(name: str, size: int, layout: str, threads: int) -> float:
    """Megabytes by which one pass at `size` raises this process's peak."""
    torch.set_num_threads(threads)
    network = build(name).to(memory_format=_FORMATS[layout])
    # libraries and kernels are in memory before the measurement starts
    latency(network, _picture(network, 64, _FORMATS[layout]))
    x = _picture(network, size, _FORMATS[layout])
    if x.is_cuda:
        torch.cuda.reset_peak_memory_stats(x.device)
        held = torch.cuda.memory_allocated(x.device)
        latency(network, x)
        return (torch.cuda.max_memory_allocated(x.device) - held) / 1e6
    before = _resident(reset=True)
    latency(network, x)
    return max(_resident(peak=True) - before, 0.0)


def _resident(peak: bool = False, reset: bool = False) -> float:
    """Resident memory now or, with ``peak``, at most since the last ``reset``; 10⁶ bytes.

    Where the system cannot reset its high-water mark, the mark since the start of the process stands for
    both, and a difference of two such values is a lower bound.
    """
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        wanted = "VmHWM:" if peak else "VmRSS:"
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(wanted)) * 1024 / 1e6
    except OSError:
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def table(result: dict) -> list[tuple[str, ...]]:
    """Rows of text, the header first."""
    sizes = list(result["networks"][0]["seconds"])
    head = ["network", "params M"]
    head += [f"GMAC {size}²" for size in sizes] + [f"ms {size}²" for size in sizes]
    last = sizes[-1]
    head += [f"memory {last}²", "× AnimeGANv2", "× White-box", f"share {last}²", "layout"]
    rows = [tuple(head)]
    for row in result["networks"]:
        memory = "-" if row["peak_mb"] is None else f"{row['peak_mb']:.0f} MB"
        cells = [row["name"], f"{row['parameters'] / 1e6:.2f}"]
        cells += [f"{row['gmacs'][size]:.2f}" for size in sizes]
        cells += [f"{1000 * statistics.median(row['seconds'][size]):.0f}" for size in sizes]
        second = row["whitebox_ratio"].get(last)
        cells += [memory, f"{row['ratio'][last]:.1f}×", "-" if second is None else f"{second:.1f}×"]
        cells += [f"{row['share'][last]:.0%}", row["layout"]]
        rows.append(tuple(cells))
    return rows


if __name__ == "__main__":
    sys.stdout.write(json.dumps(extra_memory(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))))
