import pytest
import timm
import torch
from timm.models import is_model

from workbench import models
from workbench.models.classifiers import imagenet_lite0
from workbench.models.mafr import BLOCKS, AggregatedRescaling, block_indices

HOSTS = {"mafr_resnet50": "resnet50", "mafr_efficientnet_lite0": "tf_efficientnet_lite0"}


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def rescaled(network):
    return [n for n, m in network.named_modules() if isinstance(m, AggregatedRescaling)]


@pytest.mark.parametrize("name", HOSTS)
def test_without_aggregation_it_is_timms_network_bit_for_bit(name):
    host = timm.create_model(HOSTS[name], num_classes=3).eval()
    network = models.create(name, num_classes=3, aggregated=0).eval()
    assert list(network.state_dict()) == list(host.state_dict())
    network.load_state_dict(host.state_dict())
    x = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(x), host(x))


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize("aggregated", [1, 16, (0, 7)])
def test_trained_weights_are_unchanged_at_step_0_and_then_learn(name, aggregated):
    host = timm.create_model(HOSTS[name], num_classes=3).eval()
    for block_name, norm in host.named_modules():
        if block_name.endswith("bn3"):  # timm starts them at 0: the blocks would be empty
            torch.nn.init.ones_(norm.weight)
    network = models.create(name, num_classes=3, aggregated=aggregated).eval()
    missing, unexpected = network.load_state_dict(host.state_dict(), strict=False)
    assert not unexpected
    assert missing
    assert all(".rescale." in key for key in missing)
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(x), host(x))

    network(x).square().sum().backward()
    gates = [network.get_submodule(n).fc2.weight.grad for n in rescaled(network)]
    assert any(float(g.abs().sum()) > 0 for g in gates)  # a few hidden units may all be dead on two pictures


def test_the_pretrained_lite0_keeps_its_imagenet_answers():
    host = imagenet_lite0(timm.create_model("tf_efficientnet_lite0", num_classes=1000)).eval()
    network = models.create("mafr_efficientnet_lite0", num_classes=1000, pretrained=True).eval()
    x = torch.randn(1, 3, 96, 96)
    assert torch.equal(network(x), host(x))


def test_equations_against_hand_computed_numbers():
    gate = AggregatedRescaling(2, 2, reduction=1, folded=False, neutral=False)
    with torch.no_grad():  # 2 units deep would be fewer than the 4 hidden ones that stay
        gate.up.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
        gate.fc1.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [-1.0, 0.0]]))
        gate.fc2.weight.copy_(torch.tensor([[1.0, 0.0, 0.0, 5.0], [0.0, 0.5, 0.0, 0.0]]))
    # e = W_up (1, 2) + (0.5, -1) = (1.5, 3); relu(W_1 e) = (1.5, 3, 0, 0); W_2 of it = (1.5, 1.5)
    scale = gate(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.5, -1.0]]))
    assert scale[0].tolist() == pytest.approx([0.8175745, 0.8175745], abs=1e-6)  # sigmoid(1.5)


def test_the_folded_form_computes_the_papers():
    torch.manual_seed(0)
    paper = AggregatedRescaling(6, 16, reduction=4, folded=False, neutral=False)
    folded = AggregatedRescaling(6, 16, reduction=4, folded=True, neutral=False)
    with torch.no_grad():
        folded.up.weight.copy_(paper.fc1.weight @ paper.up.weight)
        folded.fc1.weight.copy_(paper.fc1.weight)
        folded.fc2.weight.copy_(paper.fc2.weight)
    shallow, deep = torch.randn(3, 6), torch.randn(3, 16)
    torch.testing.assert_close(folded(shallow, deep), paper(shallow, deep))
    # and back: every V is W_1 W_up of some W_up, as W_1 has full row rank
    up = torch.linalg.pinv(paper.fc1.weight.double()) @ torch.randn(4, 6).double()
    assert torch.linalg.matrix_rank(paper.fc1.weight) == 4
    assert up.shape == (16, 6)


def test_a_block_rescales_every_channel_of_its_last_layer():
    network = models.create("mafr_resnet50", num_classes=3, aggregated=1).eval()
    block = network.layer4[2]
    a1 = block.act1(block.bn1(block.conv1(x := torch.randn(1, 2048, 4, 4))))
    a2 = block.act2(block.bn2(block.conv2(a1)))
    a3 = block.bn3(block.conv3(a2))
    with torch.no_grad():
        torch.nn.init.normal_(block.rescale.fc2.weight)
        s = block.rescale(a1.mean((2, 3)) + a2.mean((2, 3)), a3.mean((2, 3)))
        assert (s.max() - s.min()) > 0.1
        torch.testing.assert_close(block(x), torch.relu(x + s[:, :, None, None] * a3))


@pytest.mark.parametrize(("name", "share"), [("mafr_resnet50", 0.12), ("mafr_efficientnet_lite0", 0.12)])
def test_all_blocks_cost_less_than_an_eighth_more_parameters(name, share):
    none, all_blocks = (parameters(models.create(name, aggregated=n)) for n in (0, BLOCKS))
    assert none < all_blocks < (1 + share) * none
    assert parameters(models.create(name, reduction=16, folded=False)) > 1.3 * none  # the paper's own shapes


@pytest.mark.parametrize("name", HOSTS)
def test_blocks_are_replaced_from_the_deep_end(name):
    assert len(rescaled(models.create(name, aggregated=BLOCKS))) == BLOCKS
    deepest = rescaled(models.create(name, aggregated=3))
    everything = rescaled(models.create(name))
    assert deepest == everything[-3:]
    assert rescaled(models.create(name, aggregated=[1, 0])) == everything[:2]


def test_timm_knows_both():
    for name in HOSTS:
        assert is_model(name)
        assert timm.create_model(name, num_classes=2)(torch.randn(2, 3, 64, 64)).shape == (2, 2)


@pytest.mark.parametrize("wrong", [-1, 17, (1, 1), (16,), (-1, 2)])
def test_wrong_blocks_are_refused(wrong):
    with pytest.raises(ValueError, match="Expected"):
        block_indices(wrong)
