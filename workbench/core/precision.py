"""The arithmetic's precision, which each training of a process chooses for itself, and its one process."""

import os

import torch

from workbench.core.errors import WorkbenchError

_TYPES = {"no": None, "bf16": torch.bfloat16}


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Context in which convolutions and products run in ``precision``, "no" (float32) or "bf16".

    Raises:
        WorkbenchError: another precision.
    """
    if precision not in _TYPES:
        raise WorkbenchError(f"Expected mixed precision {' or '.join(_TYPES)} but got {precision!r}.")
    return torch.autocast(device.type, _TYPES[precision], enabled=precision != "no")


def one_process(work: str) -> None:
    """Stop each of several processes that a launcher such as torchrun started, before it writes anything.

    Args:
        work: what stands in the way, for the message: "networks are not shared between processes".

    Raises:
        WorkbenchError: there are several.
    """
    count = int(os.environ.get("WORLD_SIZE") or 1)
    if count > 1:
        raise WorkbenchError(
            f"Expected one process but {count} were launched: {work}. Start it without a launcher."
        )
