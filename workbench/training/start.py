"""Starting weights of a training run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from workbench import models
from workbench.core.errors import WeightsError
from workbench.training.configs import TrainingConfig


def starting_weights(config: TrainingConfig, generator: nn.Module) -> dict[str, torch.Tensor]:
    """State dict of the weights ``config.start``, checked against ``generator``.

    Raises:
        WeightsError: there are none, or they are of another network.
    """
    if config.start.endswith(".pt"):
        file = Path(config.start)
        if not file.is_file():
            raise WeightsError(f"Expected weights to start from at {file} but there is none. Check the path.")
        state = torch.load(file, map_location="cpu", weights_only=True)
    else:
        state = models.load(config.start)[0].state_dict()
    shapes = [{k: v.shape for k, v in s.items()} for s in (state, generator.state_dict())]
    if shapes[0] != shapes[1]:
        raise WeightsError(
            f"The weights of {config.start} do not fit {config.architecture}({config.arguments}). "
            "Start from weights of the same architecture and arguments."
        )
    return state


def time_before(start: str) -> dict[str, Any]:
    """Entries of the card about the starting weights: their name, and the steps, seconds and commands of all
    training runs that led to them.

    Empty if ``start`` is; only the name for a ``.pt``, which has no card.
    """
    if not start:
        return {}
    record: dict[str, Any] = {"start": Path(start).name}
    if not start.endswith(".pt"):
        training = models.card(start).training
        for key in ("steps", "seconds"):
            record[f"{key}_before"] = training.get(key, 0) + training.get(f"{key}_before", 0)
        record["commands_before"] = [*training.get("commands_before", ()), training.get("command", "")]
    return record
