"""Measures of faithfulness, by hand on tiny networks and maps."""

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from workbench.interpret.attribution import AttributionError
from workbench.interpret.localisation import mask_area, pointing_game, rank_correlation, relevance_mass
from workbench.interpret.methods import attribute
from workbench.interpret.perturbation import deletion_insertion, infidelity, removal_order, sensitivity
from workbench.interpret.randomisation import cascade, parts, randomise
from workbench.models import create


class Pixels(nn.Module):
    """Logits (weighted sum of the pixels, 0)."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(torch.as_tensor(weight, dtype=torch.float32))

    def forward(self, x):
        score = (x * self.weight).sum((1, 2, 3))
        return torch.stack([score, torch.zeros_like(score)], 1)


def test_pointing_and_mass_by_hand():
    maps = torch.tensor([[[1.0, 3.0], [-5.0, 0.0]], [[1.0, 2.0], [3.0, 6.0]], [[-1.0, -2.0], [-3.0, -4.0]]])
    masks = torch.tensor([[[1, 0], [1, 0]], [[0, 0], [1, 1]], [[1, 1], [0, 0]]], dtype=torch.bool)
    assert pointing_game(maps, masks).tolist() == [0, 1, 1]
    mass = relevance_mass(maps, masks)
    assert mass[:2].tolist() == [0.25, 0.75]
    assert np.isnan(mass[2])
    assert mask_area(masks).tolist() == [0.5, 0.5, 0.5]
    with pytest.raises(AttributionError, match="boolean"):
        relevance_mass(maps, masks.float())


def test_rank_correlation_is_spearmans():
    g = torch.Generator().manual_seed(0)
    a, b = torch.randn(3, 8, 8, generator=g), torch.randn(3, 8, 8, generator=g)
    b[1] = torch.exp(a[1])
    b[2] = 5.0
    found = rank_correlation(a, b)
    assert found[0] == pytest.approx(spearmanr(a[0].flatten(), b[0].flatten()).statistic)
    assert found[1] == pytest.approx(1)
    assert found[2] == 0
    with pytest.raises(AttributionError, match="alike"):
        rank_correlation(a, b[:1])


def test_deletion_and_insertion_by_hand():
    weight, x = torch.tensor([[[2.0, 0.0], [1.0, -1.0]]]), torch.ones(1, 1, 2, 2)
    network, target = Pixels(weight).eval(), torch.tensor([0])

    def probability(score):
        return 1 / (1 + np.exp(-score))

    def area(scores):
        p = [probability(s) for s in scores]
        return sum((a + b) / 2 for a, b in itertools.pairwise(p)) / 4

    deletion, insertion = deletion_insertion(network, x, target, weight, fill="zero", count=2, steps=4)
    assert deletion[0] == pytest.approx(area([2, 0, -1, -1, 0]))  # 2 goes first, then 1, 0 and -1
    assert insertion[0] == pytest.approx(area([0, 2, 3, 3, 2]))
    worst = deletion_insertion(network, x, target, -weight, fill="zero", count=2, steps=4)
    assert worst[0] > deletion
    assert worst[1] < insertion
    assert removal_order(weight, 2).tolist() == [[0, 2, 1, 3]]


def test_infidelity_of_a_true_map_is_zero_whatever_its_scale():
    g = torch.Generator().manual_seed(0)
    weight, x = torch.randn(1, 8, 8, generator=g), torch.randn(3, 1, 8, 8, generator=g)
    network, target = Pixels(weight).eval(), torch.tensor([0, 0, 0])
    true = (x * weight)[:, 0]  # what the logit loses where a pixel is set to 0
    maps = {"true": true, "scaled": 1e-20 * true, "zero": torch.zeros_like(true), "reversed": -true}
    maps["other"] = torch.randn(3, 8, 8, generator=g)
    found = infidelity(network, x, target, maps, fill="zero", samples=40)
    assert found["true"] == pytest.approx(0, abs=1e-5)
    assert found["scaled"] == pytest.approx(0, abs=1e-5)
    assert found["reversed"] == pytest.approx(0, abs=1e-5)  # the best factor is -1: a sign is a scale
    assert found["zero"] == pytest.approx(1)
    assert (found["other"] > 0.3).all()
    again = infidelity(network, x, target, {"other": maps["other"]}, fill="zero", samples=40)
    assert again["other"] == pytest.approx(found["other"])  # it does not matter what else is measured
    other = infidelity(network, x, target, {"other": maps["other"]}, fill="zero", samples=40, seed=1)
    assert np.abs(other["other"] - found["other"]).max() > 1e-3


def test_infidelity_is_what_its_formula_says():
    g = torch.Generator().manual_seed(1)
    weight, x = torch.randn(1, 8, 8, generator=g), torch.randn(1, 1, 8, 8, generator=g)
    network, found = Pixels(weight).eval(), torch.randn(1, 8, 8, generator=g)
    value = infidelity(network, x, torch.tensor([0]), {"map": found}, fill="zero", samples=30, seed=3)["map"][
        0
    ]
    generator, sums, drops = torch.Generator().manual_seed(3), [], []
    for _ in range(30):
        h, w = (int(8 * (0.25 + 0.25 * torch.rand((), generator=generator))) for _ in range(2))
        top, left = (int(torch.randint(8 - k + 1, (), generator=generator)) for k in (h, w))
        box = (0, slice(top, top + h), slice(left, left + w))
        sums.append(float(found[box].sum()))
        drops.append(float((x[0] * weight)[box].sum()))
    sums, drops = np.array(sums), np.array(drops)
    beta = (sums * drops).mean() / (sums**2).mean()
    assert value == pytest.approx(((beta * sums - drops) ** 2).mean() / (drops**2).mean(), rel=1e-4)


def test_sensitivity_by_hand():
    x, target = torch.ones(2, 1, 4, 4), torch.tensor([0, 1])
    still = sensitivity(lambda inputs, target: torch.ones(len(inputs), 4, 4), x, target)
    assert still.tolist() == [0, 0]
    seen = []

    def explain(inputs, target):
        seen.append((inputs - x).abs().max())
        return inputs[:, 0]

    found = sensitivity(explain, x, target, radius=0.1, samples=4)
    assert 0 < found.min() <= found.max() <= 0.1  # the map is the picture: |noise| / |picture|
    assert max(seen) <= 0.1
    assert sensitivity(explain, x, target, radius=0.1, samples=4).tolist() == found.tolist()


def test_parts_hold_every_parameter_once():
    for network in (create("lite0_classifier"), create("dkse_small", modules=2, width=8)):
        found = parts(network)
        names = [name for group in found.values() for name in group]
        assert sorted(names) == sorted(n for n, _ in network.named_parameters())
        assert next(iter(found)) == "logits"
        assert found["logits"] == ["classifier.weight", "classifier.bias"]
    found = parts(create("lite0_classifier"))
    assert "conv_head.weight" in found["head"]
    assert "conv_stem.weight" in found["stem"]
    assert list(found)[:3] == ["logits", "head", "stage7"]


def test_redrawn_parameters_keep_mean_and_spread():
    network = nn.Conv2d(64, 64, 3)
    nn.init.normal_(network.weight, 3.0, 2.0)
    before, bias = network.weight.detach().clone(), network.bias.detach().clone()
    randomise(network, ["weight"], torch.Generator().manual_seed(0))
    assert float(network.weight.detach().mean()) == pytest.approx(float(before.mean()), abs=0.05)
    assert float(network.weight.detach().std()) == pytest.approx(float(before.std()), abs=0.05)
    assert not torch.allclose(network.weight, before)
    assert torch.equal(network.bias, bias)


def test_cascade_tells_what_looks_at_the_network():
    torch.manual_seed(0)
    network = create("dkse_small", modules=2, width=8).eval()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    x = torch.rand(2, 3, 48, 48)

    def by(method):
        return lambda n: attribute(method, n, x, torch.tensor([0, 1]))

    edges, looked = cascade(by("edges"), network), cascade(by("occlusion"), network)
    assert list(edges) == list(parts(network))
    assert all((v == 1).all() for v in edges.values())
    assert looked["stem"].max() < 0.9
    assert list(cascade(by("edges"), network, points=2)) == [list(parts(network))[2], "stem"]
    again = cascade(by("occlusion"), network)
    assert all(np.array_equal(again[k], looked[k]) for k in looked)
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())


def test_refusals():
    network, x = Pixels(torch.ones(1, 2, 2)).eval(), torch.ones(1, 1, 2, 2)
    with pytest.raises(AttributionError, match="maps of shape"):
        deletion_insertion(network, x, torch.tensor([0]), torch.ones(1, 3, 3))
    with pytest.raises(AttributionError, match="maps of shape"):
        infidelity(network, x, torch.tensor([0]), {"a": torch.ones(2, 2, 2)})
    with pytest.raises(AttributionError, match="training"):
        deletion_insertion(network.train(), x, torch.tensor([0]), torch.ones(1, 2, 2))
