"""The rebuilt peers against their published sizes, and the guided filter against the definition."""

import pytest
import torch

from workbench import models
from workbench.bench import gmacs
from workbench.models.peers.whitebox import guided_filter


@pytest.mark.parametrize(
    ("name", "parameters", "millions", "macs"),
    [
        ("animeganv2", 2_143_552, 2.14, 26.3),
        ("cartoongan", 11_129_667, 11.13, 54.4),
        ("whitebox", 1_467_075, 1.47, 8.2),
        ("ugatit_light", 10_589_888, 10.59, 52.5),
    ],
)
def test_parameters_and_gmacs_at_256(name, parameters, millions, macs):
    network = models.create(name).eval()
    count = sum(p.numel() for p in network.parameters())
    assert count == parameters
    assert round(count / 1e6, 2) == millions
    assert gmacs(network, 256) == pytest.approx(macs, abs=0.05)


@pytest.mark.parametrize("name", ["animeganv2", "cartoongan", "ugatit_light", "whitebox"])
@pytest.mark.parametrize("size", [(64, 64), (48, 80)])
def test_output_has_the_size_of_the_input_and_depends_on_it(name, size):
    torch.manual_seed(0)
    network = models.create(name).eval()
    with torch.inference_mode():
        first, second = network(torch.rand(2, 3, *size) * 2 - 1)
    assert first.shape == (3, *size)
    assert torch.isfinite(first).all()
    assert not torch.equal(first, second)


def test_bounded_outputs():
    torch.manual_seed(0)
    for name in ("animeganv2", "cartoongan", "ugatit_light"):
        with torch.inference_mode():
            assert models.create(name).eval()(torch.randn(1, 3, 32, 32) * 9).abs().max() <= 1


def test_gradients_reach_every_parameter():
    torch.manual_seed(0)
    for name in ("animeganv2", "cartoongan", "whitebox"):
        network = models.create(name)
        network(torch.rand(1, 3, 32, 32)).square().mean().backward()
        assert all(p.grad is not None for p in network.parameters())
        assert any(p.grad.abs().max() > 0 for p in network.parameters())


def test_peers_are_listed_as_generators():
    assert {"animeganv2", "cartoongan", "ugatit_light", "whitebox"} <= set(models.names("generator"))


def test_guided_filter_against_a_loop():
    torch.manual_seed(0)
    guide, x = torch.rand(2, 1, 1, 6, 7, dtype=torch.float64)
    radius, epsilon = 1, 0.01
    slope, offset = torch.zeros(6, 7, dtype=torch.float64), torch.zeros(6, 7, dtype=torch.float64)
    windows = {}
    for i in range(6):
        for j in range(7):
            window = (slice(max(i - radius, 0), i + radius + 1), slice(max(j - radius, 0), j + radius + 1))
            g, p = guide[0, 0][window], x[0, 0][window]
            slope[i, j] = ((g * p).mean() - g.mean() * p.mean()) / (g.var(correction=0) + epsilon)
            offset[i, j] = p.mean() - slope[i, j] * g.mean()
            windows[i, j] = window
    expected = torch.zeros(6, 7, dtype=torch.float64)
    for (i, j), window in windows.items():
        expected[i, j] = slope[window].mean() * guide[0, 0, i, j] + offset[window].mean()
    torch.testing.assert_close(guided_filter(guide, x, radius, epsilon)[0, 0], expected)


def test_guided_filter_as_postprocess_changes_only_what_is_not_flat():
    torch.manual_seed(0)
    network = models.create("whitebox").eval()
    smooth = models.create("whitebox", smooth=True).eval()
    smooth.load_state_dict(network.state_dict())
    photo = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(smooth(photo), guided_filter(photo, network(photo)))
    flat = torch.full((1, 1, 9, 9), 0.3)
    torch.testing.assert_close(guided_filter(torch.rand(1, 1, 9, 9), flat), flat)


def test_ugatit_attends_and_its_gradients_reach_every_parameter():
    torch.manual_seed(0)
    network = models.create("ugatit_light", width=8, blocks=1)
    drawing, logits = network.attend(torch.rand(2, 3, 32, 32))
    assert drawing.shape == (2, 3, 32, 32)
    assert logits.shape == (2, 2)
    (drawing.square().mean() + logits.sum()).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())


def test_layer_instance_normalisation_begins_as_layer_normalisation():
    from workbench.models.peers.ugatit import LIN

    x = torch.randn(2, 3, 5, 4)
    expected = torch.nn.functional.group_norm(x, 1)
    torch.testing.assert_close(LIN(3)(x), expected, atol=5e-3, rtol=0)


def test_ratios_of_normalisations_stay_where_they_can_learn():
    from workbench.models.afgan import keep_ratios
    from workbench.models.peers.ugatit import LIN

    norm = LIN(3)
    for value in (-0.5, 1.5):
        torch.nn.init.constant_(norm.rho, value)
        keep_ratios(norm)
        assert 0 < norm.rho.min() <= norm.rho.max() < 1
        norm.zero_grad()
        (norm(torch.randn(2, 3, 5, 4)) * torch.randn(2, 3, 5, 4)).sum().backward()
        assert norm.rho.grad.abs().min() > 0


@pytest.mark.parametrize(("strides", "side"), [(3, 18), (5, 3)])
def test_ugatit_discriminators_judge_patches_and_the_whole(strides, side):
    scores, logits = models.create("ugatit_discriminator", strides=strides, base=2)(
        torch.rand(2, 3, 160, 160)
    )
    assert scores.shape == (2, 1, side, side)
    assert logits.shape == (2, 2)


@pytest.mark.parametrize("arguments", [{}, {"norm": "layer", "spectral": True}])
def test_cartoon_discriminator_scores_at_a_quarter_of_the_size(arguments):
    network = models.create("cartoon_discriminator", base=4, **arguments)
    (scores,) = network(torch.rand(2, 3, 32, 48))
    assert scores.shape == (2, 1, 8, 12)
    with pytest.raises(ValueError, match="B, 3, H, W"):
        network(torch.rand(2, 1, 32, 32))
    with pytest.raises(ValueError, match="norm"):
        models.create("cartoon_discriminator", norm="batch")
