"""LeNet's parts with numbers worked out by hand, and study 01 on made-up pictures."""

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from torch import nn

from workbench import models
from workbench.models.building_blocks import ACTIVATIONS, StochasticPool2d
from workbench.plots import building_blocks as plots
from workbench.studies import building_blocks as study

WINDOW = torch.tensor([[[[1.0, 2.0], [3.0, 0.0]]]])


def count(network):
    return sum(p.numel() for p in network.parameters())


def test_stochastic_pooling_in_evaluation_is_the_expectation():
    pool = StochasticPool2d(2).eval()
    assert pool(WINDOW).item() == pytest.approx((1 + 4 + 9) / 6)
    assert pool(torch.zeros(1, 1, 2, 2)).item() == 0
    assert pool(torch.full((1, 1, 2, 2), 0.7)).item() == pytest.approx(0.7)


def test_stochastic_pooling_in_training_draws_by_the_activations():
    torch.manual_seed(0)
    drawn = StochasticPool2d(2).train()(WINDOW.expand(1, 20_000, 2, 2)).flatten()
    shares = [(drawn == value).float().mean().item() for value in (0, 1, 2, 3)]
    assert shares == pytest.approx([0, 1 / 6, 2 / 6, 3 / 6], abs=0.015)
    assert StochasticPool2d(2)(torch.zeros(1, 1, 2, 2)).item() == 0


def test_stochastic_pooling_passes_the_gradient_to_what_was_drawn():
    x = WINDOW.clone().requires_grad_()
    y = StochasticPool2d(2).train()(x)
    y.sum().backward()
    assert x.grad.sum().item() == 1
    assert x.detach()[x.grad == 1].item() == y.item()
    smooth = StochasticPool2d(2).eval()
    assert torch.autograd.gradcheck(
        smooth, (torch.rand(1, 2, 4, 4, dtype=torch.double) + 0.1).requires_grad_()
    )


def test_windows_are_neighbours_and_the_border_is_left_out():
    x = torch.arange(35.0).reshape(1, 1, 5, 7)
    x = (
        torch.where(x % 7 % 2 == 1, x, 0) * (torch.arange(5) % 2 == 1)[:, None]
    )  # one value a window: the last
    expected = nn.MaxPool2d(2)(x)
    assert torch.equal(StochasticPool2d(2).eval()(x), expected)
    assert torch.equal(StochasticPool2d(2).train()(x), expected)
    with pytest.raises(ValueError, match="windows"):
        StochasticPool2d(0)


def test_parameters_by_hand():
    convolutions = (3 * 25 + 1) * 6 + (6 * 25 + 1) * 16 + (16 * 25 + 1) * 120
    classic = models.create("lenet", activation="tanh", pooling="mean", size=32)
    assert count(classic) == convolutions + (120 + 1) * 84 + (84 + 1) * 5
    assert count(models.create("lenet", size=64)) == convolutions + (120 * 81 + 1) * 84 + (84 + 1) * 5
    assert count(models.create("lenet", head="gap", size=64)) == convolutions + (120 + 1) * 5


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("pooling", ["max", "mean", "stochastic"])
def test_every_combination(activation, pooling):
    if (activation, pooling) == ("tanh", "stochastic"):
        with pytest.raises(ValueError, match="stochastic pooling"):
            models.create("lenet", activation=activation, pooling=pooling)
        return
    for head in ("fc", "gap"):
        network = models.create(
            "lenet", num_classes=3, activation=activation, pooling=pooling, head=head, size=32
        )
        y = network(torch.randn(2, 3, 32, 32))
        assert y.shape == (2, 3)
        y.sum().backward()
        assert all(p.grad is not None for p in network.parameters())


def test_gap_takes_any_size_and_fully_connected_does_not():
    x = torch.randn(1, 3, 47, 90)
    assert models.create("lenet", head="gap")(x).shape == (1, 5)
    with pytest.raises(ValueError, match=r"64×64.* got 47×90.*head='gap'"):
        models.create("lenet")(x)


def test_gap_is_the_mean_of_each_map():
    network = models.create("lenet", head="gap").eval()
    x = torch.randn(2, 3, 64, 64)
    expected = network.features(x).mean((2, 3)) @ network.classifier.weight.T + network.classifier.bias
    assert torch.allclose(network(x), expected, atol=1e-6)


def test_timm_knows_it():
    network = timm.create_model("lenet", num_classes=7, head="gap")
    assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 7)
    assert models.create("lenet", num_classes=0, head="gap")(torch.zeros(1, 3, 64, 64)).shape == (1, 120)
    assert "lenet" in models.names("classifier")


@pytest.mark.parametrize("wrong", [{"activation": "gelu"}, {"pooling": "min"}, {"head": "mlp"}, {"size": 31}])
def test_unknown_parts(wrong):
    with pytest.raises(ValueError, match="Expected"):
        models.create("lenet", **wrong)


def test_nothing_is_pretrained():
    with pytest.raises(ValueError, match="no weights"):
        models.create("lenet", pretrained=True)


def test_alexnet_is_the_published_network():
    """61,100,840 weights with ImageNet's classes; the last features are 4096 numbers."""
    with torch.device("meta"):
        assert count(models.create("alexnet", num_classes=1000)) == 61_100_840
    network = models.create("alexnet", num_classes=0, dropout=0.0).eval()
    assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 4096)
    assert timm.create_model("alexnet", num_classes=7)(torch.zeros(1, 3, 63, 63)).shape == (1, 7)
    with pytest.raises(ValueError, match="no weights"):
        models.create("alexnet", pretrained=True)


def test_gain_scales_the_first_weights():
    torch.manual_seed(0)
    usual = models.create("lenet")
    torch.manual_seed(0)
    large = models.create("lenet", gain=4)
    assert torch.allclose(large.features.c1.weight, 4 * usual.features.c1.weight)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_derivatives_agree_with_autograd(activation):
    module = ACTIVATIONS[activation]()
    x = torch.linspace(-6, 6, 40, requires_grad=True)
    y = module(x)
    (expected,) = torch.autograd.grad(y.sum(), x)
    slope, greatest = study.derivative(module, y.detach())
    assert torch.allclose(slope, expected, atol=1e-6)
    assert slope.max() <= greatest
    with pytest.raises(ValueError, match="GELU"):
        study.derivative(nn.GELU(), y)


def test_saturation_by_hand():
    network = models.create("lenet", num_classes=2, activation="sigmoid", size=32)
    x, labels = torch.zeros(4, 3, 32, 32), torch.tensor([0, 1, 0, 1])
    for name in ("c1", "c3", "c5"):
        nn.init.zeros_(getattr(network.features, name).weight)
    nn.init.zeros_(network.hidden.f6.weight)
    with torch.no_grad():
        network.features.c3.bias[:4] = 10.0  # 4 of C3's 16 maps: σ' = 4.5e-5, far below 5 % of 1/4
        network.hidden.f6.bias[:21] = -10.0  # 21 of 84 units
    rows = {row["layer"]: row for row in study.saturation(network, x, labels)}
    assert list(rows) == ["C1", "C3", "C5", "F6"]
    assert [rows[name]["flat"] for name in rows] == pytest.approx([0, 0.25, 0, 0.25])
    assert rows["C3"]["stuck"] == 0.25
    assert rows["C1"]["slope"] == pytest.approx(0.25)
    assert rows["C3"]["slope"] == pytest.approx(0.75 * 0.25, abs=1e-4)
    assert rows["C1"]["gradient"] == 0  # nothing passes weights of zero
    assert rows["F6"]["gradient"] > 0


@pytest.fixture
def pictures():
    """Bright and dark squares by twelve painters: told apart by anything that learns."""
    rng = np.random.default_rng(0)
    labels = np.arange(48) % 2
    x = (
        torch.from_numpy(rng.normal(0, 0.2, (48, 3, 32, 32))).float()
        + torch.from_numpy(labels - 0.5)[:, None, None, None].float()
    )
    groups = np.array([f"p{i // 4}" for i in range(48)])
    return study.Pictures("squares", x, labels, groups, ("dark", "light"))


@pytest.mark.slow
def test_the_study_runs_resumes_and_is_drawn(pictures, tmp_path, monkeypatch):
    asked = study.BuildingBlocks(("squares",), seeds=2, folds=2, epochs=3, side=32, learning_rate=1e-3)
    monkeypatch.setattr(study, "load", lambda *_: pictures)
    path = asked.run(tmp_path)
    tables = study.tables(path)
    runs, summary = tables["runs"], tables["summary"]
    assert len(runs) == len(study.NETWORKS) * 4
    assert runs.loc[runs["network"] == "reference", "balanced_accuracy"].mean() > 0.9
    mine = runs[runs["network"] == "GAP head"]
    expected = np.average(mine["accuracy"], weights=mine["test_pictures"])
    found = summary[(summary["network"] == "GAP head") & (summary["metric"] == "accuracy")].iloc[0]
    assert found["estimate"] == pytest.approx(expected, abs=1e-3)
    assert found["low"] <= found["estimate"] <= found["high"]
    means = summary[summary["metric"] == "accuracy"].set_index("network")["estimate"]
    differences = summary[summary["metric"] == "accuracy_minus_reference"].set_index("network")["estimate"]
    assert differences["sigmoid"] == pytest.approx(means["sigmoid"] - means["reference"], abs=2e-4)
    assert "reference" not in differences
    assert set(tables["saturation"]["moment"]) == set(plots.MOMENTS)

    def refuse(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(study, "fit", refuse)
    assert asked.run(tmp_path) == path
    pd.testing.assert_frame_equal(study.tables(path)["summary"], summary)

    figure = plots.scores(summary)
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == list(study.NETWORKS)
    figure = plots.saturation(tables["saturation"])
    assert len(figure.axes) == 4
    figure = plots.gradients(tables["saturation"])
    assert {ax.get_yscale() for ax in figure.axes} == {"log"}
    figure = plots.savings(tables["parameters"])
    assert {t.get_text() for t in figure.axes[0].texts} >= {"−94%", "−89%"}  # LeNet at 64 px, VGG-16


def test_equal_seeds_give_equal_numbers(pictures):
    plan = study.BuildingBlocks(folds=2, epochs=1, side=32)
    first, again = (study.train_and_test(pictures, "stochastic pooling", 3, 0, plan) for _ in range(2))
    assert {k: v for k, v in first[0].items() if k != "train_seconds"} == {
        k: v for k, v in again[0].items() if k != "train_seconds"
    }
    assert np.array_equal(first[1], again[1])
    assert (first[1] >= 0).sum() == first[0]["test_pictures"]


def test_published_parameters():
    table = pd.DataFrame(study.parameters("published")).set_index("network")
    assert table.loc["AlexNet", "fc_parameters"] == 61_100_840
    assert table.loc["VGG-16", "fc_parameters"] == 138_357_544
    assert table.loc["VGG-16", "gap_parameters"] == 14_714_688 + 512 * 1000 + 1000
