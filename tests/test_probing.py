"""Probes, stage similarity and the recommendation, on features whose content is known."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import spearmanr
from torch import nn

from workbench.interpret.probing import (
    gains_over,
    probe,
    probe_class,
    probe_value,
    r_squared,
    recommend,
    relevance,
    similarity,
    stage_features,
)

GROUPS = np.repeat(np.arange(20), 4)


def features(seed=0):
    return np.random.default_rng(seed).normal(size=(80, 6))


def test_r_squared_by_hand():
    assert r_squared(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.0])) == pytest.approx(0.5)
    assert r_squared(np.array([1.0, 2.0, 3.0]), np.full(3, 2.0)) == 0
    assert np.isnan(r_squared(np.ones(3), np.ones(3)))


def test_probes_find_what_is_there_and_nothing_else():
    x, noise = features(), np.random.default_rng(9).normal(size=80)
    there, low, high = probe_value(x, 3 * x[:, 2] + 1, GROUPS, samples=50)
    assert there > 0.98
    assert low <= there <= high
    assert probe_value(x, noise, GROUPS, samples=50)[0] < 0.1
    assert probe_class(x, x[:, 1] > 0, GROUPS, samples=50)[0] > 0.85
    assert probe_class(x, noise > 0, GROUPS, samples=50)[0] < 0.65
    with pytest.raises(ValueError, match="finite"):
        probe_value(x, np.full(80, np.nan), GROUPS)


def test_a_painters_own_features_do_not_leak():
    rng = np.random.default_rng(0)
    own = np.eye(20)[GROUPS] + rng.normal(scale=0.01, size=(80, 20))  # the features name the painter only
    values = rng.normal(size=20)[GROUPS]
    assert probe_value(own, values, GROUPS, samples=20)[0] < 0.1


def test_pictures_without_a_value_are_left_out():
    x = features()
    values = x[:, 0].copy()
    values[:7] = np.nan
    moods = {"calm": x[:, 1] > 0}
    rows = {r["characteristic"]: r for r in probe({"stage": x}, {"line": values}, moods, GROUPS, samples=20)}
    assert (rows["line"]["pictures"], rows["calm"]["pictures"]) == (73, 80)
    assert rows["line"]["score"] == pytest.approx(
        probe_value(x[7:], values[7:], GROUPS[7:], samples=20)[0], abs=1e-12
    )
    assert not probe({"stage": x}, {"line": np.full(80, np.nan)}, {}, GROUPS, samples=20)
    labels = np.repeat([0, 1], 40)
    assert relevance(values, labels) == pytest.approx(relevance(values[7:], labels[7:]))
    assert relevance(np.full(80, np.nan), labels) == 0


def test_table():
    x = features()
    stages = {"shallow": x[:, :3], "deep": x[:, 3:]}
    rows = probe(stages, {"line": x[:, 0], "flat": np.ones(80)}, {"calm": x[:, 4] > 0}, GROUPS, samples=20)
    scores = {(r["layer"], r["characteristic"]): r["score"] for r in rows}
    assert set(scores) == {(a, b) for a in stages for b in ("line", "calm")}  # a constant one is left out
    assert scores["shallow", "line"] > 0.9 > scores["deep", "line"]
    assert scores["deep", "calm"] > 0.8 > scores["shallow", "calm"]
    assert {(r["kind"], r["measure"]) for r in rows} == {("descriptor", "R2"), ("mood", "balanced_accuracy")}


def test_similarity_by_hand():
    x, y = features(), features(1)
    names, found = similarity({"a": x, "scaled": 5 * x + 2, "other": y})
    assert names == ["a", "scaled", "other"]
    assert found[0, 1] == pytest.approx(1)
    assert abs(found[0, 2]) < 0.2

    def distances(z):
        z = (z - z.mean(0)) / z.std(0)
        return [1 - np.corrcoef(z[i], z[j])[0, 1] for i in range(80) for j in range(i + 1, 80)]

    assert found[0, 2] == pytest.approx(spearmanr(distances(x), distances(y)).statistic)
    with pytest.raises(ValueError, match="3 pictures"):
        similarity({"a": x[:2]})


def test_relevance_by_hand():
    assert relevance([0, 0, 1, 1], [0, 0, 1, 1]) == 1
    assert relevance([0, 1, 0, 1], [0, 0, 1, 1]) == 0
    assert relevance([0, 1, 1, 2], [0, 0, 1, 1]) == pytest.approx(0.5)
    assert relevance([3, 3], [0, 1]) == 0
    values, moods = [0, 1, 1, 2, np.nan], [0, 0, 1, 1, 1]
    counts = np.array([[1, 1, 1, 1, 1], [2, 0, 1, 1, 3], [1, 0, 1, 0, 0]])
    each = [relevance(np.repeat(values, c), np.repeat(moods, c)) for c in counts]
    assert each == pytest.approx([0.5, 2.25 / 2.75, 1])  # twice 0, 1 and 2: means 0 and 1.5 around 0.75
    assert relevance(values, moods, counts) == pytest.approx(each)


def test_recommendation_by_hand():
    gains = {
        "block0": {"line": 0.5, "colour": 0.1, "size": 0.9},
        "block1": {"line": 0.4, "colour": 0.3},
        "block2": {"line": -0.2, "colour": 0.3},
    }
    weights = {"line": 1.0, "colour": 2.0}
    # values: block0 .5 + .2, block1 .4 + .6, block2 .6; then block0 adds .1 and all is covered
    assert recommend(gains, weights, 1.0) == ["block1", "block0"]
    assert recommend(gains, weights, 0.9) == ["block1"]
    assert recommend(gains, {"colour": 1.0}) == ["block2"]  # a tie goes to the deeper block
    assert recommend(gains, {"size": 1.0, "line": 0.0}) == ["block0"]
    with pytest.raises(ValueError, match="above the control"):
        recommend(gains, {"unknown": 1.0})
    with pytest.raises(ValueError, match="share"):
        recommend(gains, weights, 0)


def test_gains_are_over_the_control_or_chance():
    def row(measure, score):
        return {"layer": "a", "characteristic": measure, "measure": measure, "score": score}

    found = gains_over(
        [row("R2", 0.5), row("balanced_accuracy", 0.7), row("other", 0.7)],
        [row("R2", -0.3), row("balanced_accuracy", 0.6)],
    )
    assert found["a"] == pytest.approx({"R2": 0.5, "balanced_accuracy": 0.1, "other": 0.2})


def test_stage_features_are_means_over_places_and_views():
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    with torch.no_grad():
        network[0].weight.copy_(torch.eye(3)[:, :, None, None])
        network[0].bias.zero_()

    def prepare(picture):
        x = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float()
        return torch.cat([x, 3 * x])

    pictures = [Image.new("RGB", (4, 4), (1, 2, 3)), Image.new("RGB", (4, 4), (0, 0, 9))]
    found = stage_features(network, pictures, prepare, {"conv": network[0]})
    assert found["conv"].tolist() == [[2, 4, 6], [0, 0, 18]]
