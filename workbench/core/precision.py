"""The arithmetic's precision, which each training of a process chooses for itself.

Accelerate's own setting is fixed for the life of a process, where a notebook may train twice.
"""

import torch
from accelerate import Accelerator

from workbench.core.errors import WorkbenchError

_TYPES = {"no": None, "bf16": torch.bfloat16}


def one_process(work: str = "discriminators are not shared between processes") -> Accelerator:
    """Accelerate's device, for a training that must not be launched as several processes.

    Raises:
        WorkbenchError: several were launched; the message says that ``work`` stands in the way.
    """
    accelerator = Accelerator()
    if accelerator.num_processes > 1:
        raise WorkbenchError(
            f"Expected one process but {accelerator.num_processes} were launched: {work}. "
            "Start it without a launcher."
        )
    return accelerator


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Context in which convolutions and products run in ``precision``, "no" (float32) or "bf16".

    Raises:
        WorkbenchError: another precision.
    """
    if precision not in _TYPES:
        raise WorkbenchError(f"Expected mixed precision {' or '.join(_TYPES)} but got {precision!r}.")
    return torch.autocast(device.type, _TYPES[precision], enabled=precision != "no")
