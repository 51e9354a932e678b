"""The choice of the computing device, and batches that shrink when its memory is exhausted."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from workbench.core.errors import WorkbenchError

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

DEVICES = ("auto", "cpu", "cuda", "mps")
VARIABLE = "WORKBENCH_DEVICE"
_PROVIDERS = {"cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider"}

Item = TypeVar("Item")
Result = TypeVar("Result")


def resolve(name: str | None = None) -> torch.device:
    """The device to compute on.

    Args:
        name: "cpu", "cuda" (also "cuda:1"), "mps", or "auto": the first of CUDA, MPS and CPU that is there.
            None takes the environment variable ``WORKBENCH_DEVICE``, or "auto" without one.

    Raises:
        WorkbenchError: no such device, or this machine does not have it.
    """
    import torch

    full_name, kind, number = _read(name or os.environ.get(VARIABLE) or "auto")
    there = {
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
        "cpu": 1,
    }
    if kind == "auto":
        return torch.device(next(device for device, count in there.items() if count))
    if int(number or 0) >= there[kind]:
        have = ", ".join(device for device, count in there.items() if count)
        raise WorkbenchError(
            f"Expected the device {full_name} but this machine has: {have}. Use --device auto."
        )
    return torch.device(full_name)


def choose(name: str | None) -> None:
    """Set the default device of this process and of all that it starts; None leaves it as it is.

    Only the spelling is checked here, so that a process that computes nothing need not load torch:
    :func:`resolve` says whether the machine has it.

    Raises:
        WorkbenchError: no such device.
    """
    if name is not None:
        os.environ[VARIABLE] = _read(name)[0]


def _read(name: str) -> tuple[str, str, str]:
    """A device's name, its kind and its number, "" without."""
    text = name.strip().lower()
    kind, _, number = text.partition(":")
    if kind not in DEVICES or (number and (kind != "cuda" or not number.isdecimal())):
        raise WorkbenchError(
            f"Expected a device of {', '.join(DEVICES)} (or cuda:1 …) but got {text[:40]!r}. "
            "Choose one of them."
        )
    return text, kind, number


def refuse_launchers(reason: str) -> None:
    """Stop each of several processes that a launcher such as torchrun started, before it writes anything.

    Args:
        reason: why the work cannot be shared between processes.

    Raises:
        WorkbenchError: several processes were started.
    """
    count = int(os.environ.get("WORLD_SIZE") or 1)
    if count > 1:
        raise WorkbenchError(
            f"Expected one process but {count} were launched: {reason}. Start it without a launcher."
        )


def onnx_providers(device: torch.device) -> list[str | tuple[str, dict]]:
    """ONNX Runtime's execution providers for a device, the best first; the CPU is always the last.

    A provider that the installed ONNX Runtime was built without is left out, and the log says so.
    """
    onnxruntime = importlib.import_module("onnxruntime")  # of the extra [export]
    wanted = _PROVIDERS.get(device.type)
    if wanted is None:
        return ["CPUExecutionProvider"]
    if wanted not in onnxruntime.get_available_providers():
        log.warning("ONNX Runtime was installed without %s: it computes on the CPU.", wanted)
        return ["CPUExecutionProvider"]
    return [
        (wanted, {"device_id": device.index or 0}) if device.type == "cuda" else wanted,
        "CPUExecutionProvider",
    ]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a computation failed because the memory of its device, or the machine's, was not enough."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error).lower()
    words = ("out of memory", "can't allocate memory", "failed to allocate memory")  # CUDA, CPU, ONNX Runtime
    return any(word in text for word in words)


def in_batches(
    run: Callable[[Sequence[Item]], Sequence[Result]],
    items: Sequence[Item],
    size: int,
    progress: Callable[[int], None] | None = None,
) -> list[Result]:
    """``run`` on ``items`` in batches of ``size``; out of memory halves the batch, for good, and goes on.

    Args:
        run: gives one result per item of the batch, in their order.
        items: any number of them.
        size: of the first batches, at least 1.
        progress: called with how many items are done after each batch; an exception of it stops the work.

    Raises:
        Exception: whatever ``run`` raises, also out of memory once the batch is a single item.
    """
    if size < 1:
        raise ValueError(f"Expected a batch of at least 1 but got {size}.")
    results: list[Result] = []
    while len(results) < len(items):
        try:
            results += run(items[len(results) : len(results) + size])
        except Exception as error:
            if size == 1 or not is_out_of_memory(error):
                raise
            size //= 2
            log.warning("Out of memory: going on with batches of %d.", size)
        else:
            if progress is not None:
                progress(len(results))
            continue
        _free()  # outside the handler, whose traceback holds the tensors that did not fit
    return results


def _free() -> None:
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
