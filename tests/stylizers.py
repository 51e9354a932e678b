"""Tiny stylizers with random weights and cards, for tests that must not depend on the shipped ones."""

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


def save_tiny_portrait(folder, name="mine", mask=0.0):
    """Write a tiny portrait network; return the path of its weights. By itself it takes nothing for a person,
    with a ``mask`` of 9 everything.
    """
    torch.manual_seed(0)
    arguments = {"widths": (4, 8, 8, 8), "encoder_blocks": 1, "blocks": 1}
    network = models.create("afgan_small", **arguments)
    torch.nn.init.constant_(network.out.bias[3:], mask)
    values = dict.fromkeys(("title", "description", "limitations", "licence"), "")
    values |= {"preprocessing": {}, "metrics": {}, "training": {"steps": 3, "seconds": 60}}
    card = Card(
        name=name, kind="portrait_stylizer", architecture="afgan_small", arguments=arguments, **values
    )
    return models.save(network, card, folder)
