"""Feature maps and the pictures that excite a channel."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from workbench.interpret.attribution import AttributionError
from workbench.interpret.features import (
    exciting_picture,
    fourier_picture,
    most_activating,
    strongest_channels,
)


class Colours(nn.Module):
    """Channels red, green, blue and red minus blue, then three logits."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1, bias=False)
        weight = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, -1]])
        self.conv.weight = nn.Parameter(weight[:, :, None, None])
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.conv(x).mean((2, 3)))


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Colours().eval()


def prepare(picture):
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255


def test_strongest_channels_by_hand(network):
    x = torch.tensor([0.2, 0.9, 0.5])[None, :, None, None].expand(1, 3, 4, 4)
    found = strongest_channels(network, x, network.conv, count=3)
    assert [f.channel for f in found] == [1, 2, 0]
    assert [f.mean for f in found] == pytest.approx([0.9, 0.5, 0.2])
    assert found[0].map.shape == (4, 4)
    with pytest.raises(AttributionError, match="one picture"):
        strongest_channels(network, x.repeat(2, 1, 1, 1), network.conv)


def test_most_activating_by_hand(network):
    colours = [(255, 0, 0), (0, 255, 0), (51, 51, 51)]
    pictures = [Image.new("RGB", (4, 4), c) for c in colours]
    found = most_activating(network, pictures, prepare, network.conv, [0, 1], count=2)
    assert [i for i, _ in found[0]] == [0, 2]
    assert [i for i, _ in found[1]] == [1, 2]
    assert found[0][1][1] == pytest.approx(0.2)


def test_zero_coefficients_are_gray_and_low_frequencies_are_large():
    assert torch.allclose(fourier_picture(torch.zeros(3, 16, 9, 2), 16), torch.full((1, 3, 16, 16), 0.5))
    low, high = torch.zeros(3, 16, 9, 2), torch.zeros(3, 16, 9, 2)
    low[0, 0, 1, 0] = high[0, 0, 7, 0] = 0.01
    assert fourier_picture(low, 16).std() > 3 * fourier_picture(high, 16).std()


def test_the_exciting_picture_is_what_the_channel_wants(network):
    picture, history = exciting_picture(network, network.conv, 3, size=32, steps=40)
    red, _, blue = np.asarray(picture).mean((0, 1))
    assert picture.size == (32, 32)
    assert red > blue + 60
    assert history[-1] > history[0] + 0.3
    assert len(history) == 40
    again, _ = exciting_picture(network, network.conv, 3, size=32, steps=40)
    other, _ = exciting_picture(network, network.conv, 3, size=32, steps=40, seed=1)
    assert np.array_equal(picture, again)
    assert not np.array_equal(picture, other)
    assert network.conv.weight.grad is None
    assert not network.conv._forward_hooks


def test_refusals(network):
    with pytest.raises(AttributionError, match="0 … 3"):
        exciting_picture(network, network.conv, 4, size=32)
    with pytest.raises(AttributionError, match=r"\(B, K, h, w\)"):
        exciting_picture(network, network.head, 0, size=32)
    with pytest.raises(AttributionError, match="training"):
        exciting_picture(network.train(), network.conv, 0, size=32)
