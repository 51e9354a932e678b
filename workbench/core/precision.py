"""Precision of the arithmetic, chosen for each training run of a process."""

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
