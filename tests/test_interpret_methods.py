"""Attribution methods by hand on tiny networks, and what they refuse."""

import pytest
import timm
import torch
from torch import nn

from workbench.core.errors import UnknownNameError
from workbench.interpret import layers
from workbench.interpret.attribution import AttributionError
from workbench.interpret.methods import METHODS, attribute, available, filled, guidable, methods, passes
from workbench.models import create


class Linear(nn.Module):
    """Logit 0 is the weighted sum of the pixels, logit 1 its double with the other sign."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x):
        score = (x * self.weight).sum((1, 2, 3))
        return torch.stack([score, -2 * score], 1)


class Net(nn.Module):
    """conv 1 × 1 (x and -x), an activation, mean, and two logits: their sum and the first."""

    def __init__(self, activation=nn.ReLU):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1, bias=False)
        self.conv.weight.data = torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1)
        self.act = activation()
        self.head = nn.Linear(2, 2, bias=False)
        self.head.weight.data = torch.tensor([[1.0, -1.0], [1.0, 0.0]])

    def forward(self, x):
        return self.head(self.act(self.conv(x)).mean((2, 3)))


X = torch.tensor([[[[1.0, -2.0], [0.0, 8.0]]]])


def test_integrated_gradients_by_hand():
    weight = torch.arange(12.0).reshape(3, 2, 2)
    x = torch.randn(2, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    network = Linear(weight).eval()
    found = attribute("integrated_gradients", network, x, 0, fill="zero", steps=3)
    assert torch.allclose(found, (x * weight).sum(1), atol=1e-5)
    second = attribute("integrated_gradients", network, x, torch.tensor([0, 1]), fill="zero", steps=3)
    assert torch.allclose(second[0], found[0], atol=1e-5)
    assert torch.allclose(second[1], -2 * found[1], atol=1e-5)


def test_integrated_gradients_are_complete():
    network = Net().eval()
    found = attribute("integrated_gradients", network, X, 1, steps=200)
    with torch.no_grad():
        expected = float((network(X) - network(filled(X)))[0, 1])
    assert expected == pytest.approx(9 / 4 - 7 / 4)  # mean of relu(x) less relu(mean of x)
    assert float(found.sum()) == pytest.approx(expected, abs=0.01)


def test_occlusion_by_hand():
    weight = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    found = attribute("occlusion", Linear(weight).eval(), X, 0, fill="zero", window=1, stride=1)
    assert torch.allclose(found, (X * weight)[:, 0])  # the logit falls by what the pixel gave
    mean = attribute("occlusion", Linear(weight).eval(), X, 0, window=1, stride=1)
    assert torch.allclose(mean, ((X - 1.75) * weight)[:, 0])  # 1.75 is the mean of X


def test_overlapping_windows_are_averaged():
    network = Linear(torch.ones(1, 1, 3)).eval()
    x = torch.tensor([[[[1.0, 2.0, 4.0]]]])
    found = attribute("occlusion", network, x, 0, fill="zero", window=1, stride=1)
    assert found.tolist() == [[[1, 2, 4]]]


def test_guided_grad_cam_by_hand():
    network = Net().eval()
    found = attribute("guided_grad_cam", network, X, 0, layer="act")
    # Grad-CAM of `act` for logit 0: (relu(x) - relu(-x)) / 4 = x / 4, of which the positive part is kept.
    # Guided backpropagation: channel 0 passes 1/4 where x > 0; channel 1 has a negative gradient: stopped.
    assert torch.allclose(found, torch.tensor([[[0.25 / 4, 0.0], [0.0, 2.0 / 4]]]))


def test_relu6_is_guided_too():
    relu, clipped = Net(nn.ReLU).eval(), Net(nn.ReLU6).eval()
    x = X.clamp(max=5)
    a, b = (attribute("guided_grad_cam", n, x, 0, layer="act") for n in (relu, clipped))
    assert torch.allclose(a, b)
    copied = guidable(clipped)
    assert torch.equal(copied(X), clipped(X))
    assert isinstance(clipped.act, nn.ReLU6)  # the network itself is left alone


@pytest.mark.parametrize(
    "activation", [nn.GELU, nn.SiLU, nn.Hardswish, nn.Mish, nn.ELU, nn.LeakyReLU, nn.Identity]
)
def test_guided_backpropagation_needs_relu(activation):
    with pytest.raises(AttributionError, match=r"plain\s+gradient"):
        attribute("guided_grad_cam", Net(activation).eval(), X, 0, layer="conv")


def test_timms_own_activations_are_refused_too():
    network = timm.create_model("efficientnet_b0", num_classes=2).eval()
    with pytest.raises(AttributionError, match="SiLU"):
        guidable(network)


def test_controls_know_nothing_of_the_network():
    x = torch.zeros(2, 3, 8, 8)
    x[:, :, :, 4:] = 1
    edges = attribute("edges", Net().eval(), x, 0)
    assert edges[0, 3, 3] == edges[0, 3, 4] == pytest.approx(0.5)
    assert edges[0, :, :3].abs().max() == edges[0, :, 5:].abs().max() == 0
    a, b, c = (attribute("random", Net().eval(), x, 0, seed=s) for s in (0, 0, 1))
    assert torch.equal(a, b)
    assert not torch.allclose(a, c)
    assert not torch.allclose(a[0], a[1])
    assert methods() == [n for n in METHODS if n not in ("random", "edges")]
    assert set(methods(controls=True)) == set(METHODS)


def test_fills():
    assert filled(X).unique().tolist() == [1.75]
    assert not filled(X, "zero").any()
    x = torch.rand(1, 3, 32, 48)
    blurred = filled(x, "blur")
    assert blurred.shape == x.shape
    assert blurred.std() < x.std() / 3
    with pytest.raises(UnknownNameError, match="fill 'black'"):
        filled(x, "black")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("lite0_classifier", {}),
        ("mafr_efficientnet_lite0", {"aggregated": [1, 8, 15]}),
        ("mafr_resnet50", {"aggregated": 2}),
        ("dkse_small", {"modules": 2, "width": 8}),
    ],
)
def test_every_classifier_and_method(name, arguments):
    torch.manual_seed(0)
    network = create(name, num_classes=3, **arguments).eval().requires_grad_(False)
    x = torch.rand(2, 3, 64, 64)
    for method in methods(controls=True):
        options = {"steps": 2} if method == "integrated_gradients" else {}
        options |= {"window": 32, "stride": 32} if method == "occlusion" else {}
        maps = attribute(method, network, x, torch.tensor([0, 2]), **options)
        assert maps.shape == (2, 64, 64)
        assert maps.dtype == torch.float32
        assert torch.isfinite(maps).all()
        assert not maps.requires_grad
    alone = attribute("grad_cam", network, x[1:], 2)
    assert torch.allclose(attribute("grad_cam", network, x, torch.tensor([0, 2]))[1], alone[0], atol=1e-5)
    assert not any(m._forward_hooks or m._backward_hooks for m in network.modules())


def test_grad_cam_of_an_untrained_network_is_told():
    network = timm.create_model("resnet18", num_classes=2, zero_init_last=True).eval()
    with pytest.raises(AttributionError, match="untrained"):
        attribute("grad_cam", network, torch.rand(1, 3, 64, 64), 0, layer="layer4.1.conv2")


def test_refusals():
    network = Net()
    with pytest.raises(AttributionError, match="eval mode"):
        attribute("occlusion", network.train(), X, 0)
    network.eval()
    with pytest.raises(UnknownNameError, match="method 'lime'"):
        attribute("lime", network, X, 0)
    with pytest.raises(UnknownNameError, match="layer 'stage9'"):
        attribute("grad_cam", network, X, 0, layer="stage9")
    with pytest.raises(AttributionError, match="no layer for occlusion"):
        attribute("occlusion", network, X, 0, layer="conv")
    with pytest.raises(AttributionError, match="h × w"):
        attribute("grad_cam", network, X, 0, layer="head")
    with pytest.raises(AttributionError, match="0 … 1"):
        attribute("occlusion", network, X, 2)
    with pytest.raises(AttributionError, match="one per picture"):
        attribute("occlusion", network, X, torch.tensor([0, 1]))
    with pytest.raises(AttributionError, match="shape"):
        attribute("edges", network, X[0], 0)
    half = Net()
    half.act.train()
    half.training = False
    with pytest.raises(AttributionError, match="training mode"):
        attribute("grad_cam", half, X, 0)
    assert not layers.find(network, "conv").training


def test_methods_that_a_network_allows():
    assert available(Net().eval()) == methods()
    assert available(Net(nn.SiLU).eval()) == [m for m in methods() if m != "guided_grad_cam"]


@pytest.mark.parametrize("size", [(16, 16), (16, 40), (21, 13)])
@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])
def test_the_number_of_passes_is_about_right(method, size):
    """A progress bar that counts pictures shown to the network ends at its end."""
    network, shown = Linear(torch.ones(3, *size)).eval(), []
    network.register_forward_pre_hook(lambda _module, args: shown.append(len(args[0])))
    attribute(method, network, torch.rand(1, 3, *size), 0)
    assert passes(method, size) == pytest.approx(sum(shown), abs=2)
