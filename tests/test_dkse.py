import pytest
import timm
import torch

from workbench import models
from workbench.classify.transfer import layer_groups
from workbench.models.dkse import DKSEModule, SeparableConv


def test_it_is_light_and_takes_any_size():
    network = models.create("dkse_small", num_classes=4).eval()
    assert sum(p.numel() for p in network.parameters()) < 1_000_000
    for size in ((32, 32), (65, 97), (224, 224)):
        assert network(torch.randn(2, 3, *size)).shape == (2, 4)
    assert network.forward_features(torch.randn(1, 3, 64, 64)).shape == (1, network.num_features, 4, 4)


def test_every_channel_chooses_between_its_kernels():
    torch.manual_seed(0)
    module = DKSEModule(4, 4, kernels=(3, 5), reduction=1).eval()
    x = torch.randn(2, 4, 8, 8)
    u = [branch(x) for branch in module.branches]
    with torch.no_grad():  # the first branch takes all: softmax of (+inf, -inf), and an open second gate
        module.select.weight.zero_()
        module.select.bias.copy_(torch.cat([torch.full((4,), 50.0), torch.full((4,), -50.0)]))
        module.excite.fc2.weight.zero_()
        module.excite.fc2.bias.fill_(50.0)
    torch.testing.assert_close(module(x), x + u[0])
    with torch.no_grad():
        module.select.bias.zero_()
        module.excite.fc2.bias.zero_()
    torch.testing.assert_close(module(x), x + 0.5 * (u[0] + u[1]) / 2)


def test_the_second_kernel_sees_further():
    x = torch.zeros(1, 1, 15, 15, requires_grad=True)
    for kernel, reach in ((3, 1), (5, 2), ((3, 2), 2), ((3, 4), 4)):
        layer = SeparableConv(1, 1, kernel)[0]
        (gradient,) = torch.autograd.grad(layer(x)[0, 0, 7, 7], x)
        seen = gradient[0, 0].abs().sum(0).nonzero().flatten()
        assert (seen.min(), seen.max()) == (7 - reach, 7 + reach)


@pytest.mark.parametrize(
    "arguments", [{"modules": 3}, {"kernels": [3, [3, 2]]}, {"reduction": 4}, {"width": 16}]
)
def test_arguments(arguments):
    base, other = models.create("dkse_small"), models.create("dkse_small", **arguments)
    assert other(torch.randn(2, 3, 48, 48)).shape == (2, 5)
    changed = [p.shape for p in base.parameters()] != [p.shape for p in other.parameters()]
    assert changed


@pytest.mark.parametrize(
    "arguments",
    [{"kernels": (3, 4)}, {"kernels": (3,)}, {"modules": 0}, {"pretrained": True}, {"kernels": (3, (3, 0))}],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match="Expected"):
        models.create("dkse_small", **arguments)


def test_timm_knows_it_and_its_layers_are_ordered():
    network = timm.create_model("dkse_small", num_classes=2, modules=4)
    depth = layer_groups(network)
    assert depth["stem.0.weight"] < depth["blocks.0.select.weight"] < depth["blocks.3.select.weight"]
    assert depth["classifier.weight"] == max(depth.values())
    assert set(depth) == {name for name, _ in network.named_parameters()}


def test_a_gradient_reaches_every_parameter():
    network = models.create("dkse_small").train()
    network(torch.randn(4, 3, 64, 64)).square().sum().backward()
    assert all(
        p.grad is not None and p.grad.abs().sum() > 0 for n, p in network.named_parameters() if p.ndim > 1
    )
