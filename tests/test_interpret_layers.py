"""Stages and blocks of every classifier by name."""

import pytest
import timm
import torch
from torch import nn

from workbench.core.errors import UnknownNameError
from workbench.interpret.attribution import AttributionError, default_layer
from workbench.interpret.layers import activations, blocks, find, pooled_activations, stages
from workbench.models import create

STAGES = [f"stage{i}" for i in range(1, 8)]


@pytest.mark.parametrize(
    ("network", "names", "count"),
    [
        (lambda: create("lite0_classifier"), ["stem", *STAGES, "head"], 16),
        (lambda: create("mafr_efficientnet_lite0", aggregated=[0, 15]), ["stem", *STAGES, "head"], 16),
        (lambda: create("mafr_resnet50", aggregated=3), ["stem", *STAGES[:4]], 16),
        (lambda: timm.create_model("resnet18"), ["stem", *STAGES[:4]], 8),
        (
            lambda: create("dkse_small", modules=2, width=8),
            ["stem", "separable.0", "separable.1", "blocks.0", "blocks.1"],
            5,
        ),
    ],
    ids=["lite0", "mafr_lite0", "mafr_resnet50", "resnet18", "dkse"],
)
def test_names_and_order(network, names, count):
    network = network().eval()
    assert list(stages(network)) == names
    assert len(blocks(network)) == count
    maps = activations(network, torch.rand(1, 3, 64, 64), stages(network))
    assert list(maps) == names
    sides = [m.shape[-1] for m in maps.values()]
    assert sides == sorted(sides, reverse=True)
    assert default_layer(network) is list(stages(network).values())[-1]


def test_what_is_kept_is_what_the_layer_gave():
    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 1, bias=False)
            self.conv.weight.data.fill_(-1)
            self.act = nn.ReLU(inplace=True)

        def forward(self, x):
            return self.act(self.conv(x)).mean((2, 3))

    network, x = InPlace().eval(), torch.tensor([[[[1.0, 3.0]]]])
    kept = activations(network, x, {"conv": network.conv})
    assert kept["conv"].tolist() == [[[[-1, -3]]]]
    assert pooled_activations(network, x, {"conv": network.conv})["conv"].tolist() == [[-2]]
    assert not network.conv._forward_hooks


def test_refusals():
    network = create("dkse_small", modules=1, width=8).eval()
    with pytest.raises(UnknownNameError, match=r"layer 'stage1'.*separable"):
        find(network, "stage1")
    with pytest.raises(UnknownNameError):
        find(network, "")
    assert find(network, "blocks.0.branches.1") is network.blocks[0].branches[1]
    with pytest.raises(AttributionError, match=r"classifier.*\(1, 5\)"):
        activations(network, torch.rand(1, 3, 32, 32), {"classifier": network.classifier})
    with pytest.raises(AttributionError, match="convolutions"):
        stages(nn.Linear(2, 2))
    with pytest.raises(AttributionError, match="training"):
        activations(network.train(), torch.rand(1, 3, 32, 32), stages(network))
