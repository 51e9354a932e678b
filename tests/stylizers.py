"""A tiny stylizer with random weights and its card, for tests that must not depend on the shipped ones."""

import torch

from workbench import models
from workbench.models import Card


def save_tiny(folder, name="tiny", kind="stylizer", seed=0, **changes):
    """Write a 6-kB generator that visibly changes pictures; return the path of its weights."""
    torch.manual_seed(seed)
    arguments = {"stem": 4, "middle": 4, "trunk": 4, "blocks": 1}
    network = models.create("fsgan_small", **arguments)
    torch.nn.init.normal_(network.out.weight, std=0.3)
    values = {
        "name": name,
        "kind": kind,
        "title": f"Title of {name}",
        "description": f"Description of {name}",
        "architecture": "fsgan_small",
        "arguments": arguments,
        "preprocessing": {"range": [-1, 1]},
        "training": {},
        "metrics": {},
        "limitations": "none",
        "licence": "CC-BY-4.0",
    }
    return models.save(network, Card(**values | changes), folder)
