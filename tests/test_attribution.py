"""Grad-CAM by hand on tiny networks, and what it refuses."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from workbench.interpret.attribution import default_layer, grad_cam, overlay, upsample
from workbench.models.classifiers import lite0_classifier


class Tiny(nn.Module):
    """Two channels, x and 2x, pooled to two logits by known weights."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1, bias=False)
        self.conv.weight.data = torch.tensor([1.0, 2.0]).reshape(2, 1, 1, 1)
        self.head = nn.Linear(2, 2, bias=False)
        self.head.weight.data = torch.tensor([[3.0, 0.0], [1.0, -1.0]])

    def forward(self, x):
        return self.head(self.conv(x).mean((2, 3)))


def test_by_hand():
    x = torch.tensor([[[[1.0, -2.0], [0.0, 4.0]]]])
    network = Tiny().eval()
    # logit 0 has gradient 3/4 to channel 0 everywhere: the map is 0.75 x; for logit 1 it is (x - 2x) / 4
    assert torch.allclose(grad_cam(network, x, 0, network.conv), 0.75 * x[:, 0])
    assert torch.allclose(grad_cam(network, x, 1, network.conv), -0.25 * x[:, 0])
    assert torch.allclose(grad_cam(network, x, 0, network.conv, relu=True), 0.75 * x[:, 0].clamp(min=0))


def test_the_map_sums_to_the_logit():
    torch.manual_seed(0)
    network = lite0_classifier(3, pretrained=True).eval().requires_grad_(False)
    nn.init.normal_(network.classifier.weight, std=0.05)
    x = torch.randn(1, 3, 64, 96)
    logits = network(x) - network.classifier.bias
    for target in range(3):  # pooled features are linear in the map, so its sum is the logit without bias
        found = grad_cam(network, x, target)
        assert found.shape == (1, 2, 3)
        assert float(found.sum()) == pytest.approx(float(logits[0, target]), abs=1e-4)


def test_works_after_inference_mode():
    network = lite0_classifier(2, pretrained=True).eval().requires_grad_(False)
    with torch.inference_mode():
        x = torch.randn(1, 3, 64, 64)
        assert grad_cam(network, x, 1).shape == (1, 2, 2)


def test_refusals():
    x, network = torch.zeros(1, 1, 2, 2), Tiny()
    with pytest.raises(ValueError, match="eval mode"):
        grad_cam(network.train(), x, 0, network.conv)
    network.eval()
    with pytest.raises(ValueError, match=r"target.*0 … 1"):
        grad_cam(network, x, 2, network.conv)
    with pytest.raises(ValueError, match="target"):
        grad_cam(network, x, -1, network.conv)
    with pytest.raises(ValueError, match=r"\(B, K, h, w\)"):
        grad_cam(network, x, 0, network.head)
    with pytest.raises(ValueError, match="h × w"):
        grad_cam(network, x[..., :1, :1], 0, network.conv)
    with pytest.raises(ValueError, match="not part"):
        grad_cam(network, x, 0, nn.Conv2d(1, 1, 1))
    with pytest.raises(ValueError, match="shape"):
        grad_cam(network, x[0], 0, network.conv)
    with pytest.raises(ValueError, match="convolutions"):
        default_layer(nn.Linear(2, 2))


def test_upsampling_stays_in_range():
    maps = torch.tensor([[[-1.0, 3.0], [0.0, 2.0]]])
    large = upsample(maps, (7, 11))
    assert large.shape == (1, 7, 11)
    assert large.min() >= -1
    assert large.max() <= 3
    assert large[0, 0, 0] == -1


def test_overlay_leaves_the_rest_of_the_picture():
    picture = Image.new("RGB", (4, 2), (10, 200, 30))
    heat = np.zeros((2, 4), np.float32)
    heat[0, 0], heat[1, 3] = 2.0, -5.0
    shown = np.asarray(overlay(picture, heat))
    assert shown.shape == (2, 4, 3)
    assert shown[1, 3].tolist() == [10, 200, 30]  # against the class: not drawn
    # inferno's last colour is (252, 255, 164), mixed in at 0.6
    assert (
        np.abs(shown[0, 0] - [0.4 * 10 + 0.6 * 252, 0.4 * 200 + 0.6 * 255, 0.4 * 30 + 0.6 * 164]).max() <= 1.5
    )
    assert np.array_equal(np.asarray(overlay(picture, np.zeros((2, 4)))), np.asarray(picture))


@pytest.mark.parametrize("heat", [np.zeros((4, 2)), np.full((2, 4), np.nan)])
def test_overlay_refuses(heat):
    with pytest.raises(ValueError, match="heat map"):
        overlay(Image.new("RGB", (4, 2)), heat)
