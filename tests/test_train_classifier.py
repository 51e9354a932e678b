"""The whole training on drawn pictures: two classes that differ in hue, three painters each."""

import copy
import csv
import dataclasses

import numpy as np
import pytest
import torch
from hues import write_hues
from sklearn.linear_model import LogisticRegression
from workbench.classify.linear_probe import linear_probe, pooled_features, soft_probe
from workbench.classify.soft_targets import soft_targets

from workbench import models
from workbench.classify import bank as fitting
from workbench.classify import summary as report
from workbench.classify.publish import main
from workbench.classify.reading import Classifier
from workbench.core.errors import DatasetError
from workbench.data.paintings import read_paintings

CONFIG = fitting.ClassifierConfig(
    frozen_stages=7, train_views=2, eval_crops=((64, 2),), size=64, folds=2, split_seeds=(0, 1), epochs=1
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_hues(tmp_path_factory.mktemp("paintings"), count=6, painters=3, shape=(70, 90))


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return main(folder, out, name="hue", config=CONFIG, samples=20)


def test_what_training_leaves(trained, folder):
    card = models.card(trained)
    assert card.class_names == ["cold", "warm"]
    assert card.calibration["temperature"] > 0
    assert card.training["pictures"] == 12
    assert card.training["painters"] == 6
    rows = list(csv.DictReader(trained.with_name("hue_folds.csv").open()))
    assert len(rows) == 4 * 2 * 2  # the network and three probes, two split seeds, two folds
    assert {"commit", "device", "seconds", "versions", "split_seed", "accuracy"} <= set(rows[0])
    summary = {
        (r["model"], r["metric"]): r for r in csv.DictReader(trained.with_name("hue_summary.csv").open())
    }
    assert float(summary["linear_probe_views", "accuracy"]["estimate"]) == 1  # hue is easy
    assert ("hue - linear_probe_views", "accuracy") in summary
    predictions = list(csv.DictReader(trained.with_name("hue_predictions.csv").open()))
    assert len(predictions) == 4 * 2 * 12
    assert all(float(p["p_cold"]) + float(p["p_warm"]) == pytest.approx(1, abs=1e-4) for p in predictions)


def test_the_result_classifies(trained, folder):
    classifier = Classifier.load(str(trained))
    data = read_paintings(folder)
    tops = [classifier.classify(data.read(i)).top for i in range(len(data))]
    assert tops == [data.classes[c] for c in data.labels]


def test_interrupted_training_resumes(folder, trained, monkeypatch):
    calls = []
    monkeypatch.setattr(fitting, "fit_tail", lambda tail, *rest: calls.append(rest) or tail.eval())
    before = trained.with_name("hue_folds.csv").read_text()
    main(folder, trained.parent, name="hue", config=CONFIG, samples=20)
    assert len(calls) == 1  # only the final model; all folds came from their files
    after = trained.with_name("hue_folds.csv").read_text()
    network = [line for line in before.splitlines() if line.startswith("hue,")]
    assert network == [line for line in after.splitlines() if line.startswith("hue,")]
    main(folder, trained.parent, name="hue", config=dataclasses.replace(CONFIG, epochs=2), samples=20)
    assert len(calls) == 2 + 4  # other settings: every fold again


def test_training_is_repeatable_and_leaves_the_norms_alone(folder):
    data = read_paintings(folder)
    network = fitting.new_network(CONFIG, 2)
    trunk, tail = fitting.split_network(network, 7)
    bank = fitting.build_bank(data, trunk, CONFIG)
    start = {k: v.clone() for k, v in tail.state_dict().items()}
    features = torch.from_numpy(pooled_features(tail, bank.evaluate)).mean(1).float()
    runs = [
        fitting.fit_tail(copy.deepcopy(tail), bank, features, data, np.arange(12), CONFIG, 5).state_dict()
        for _ in range(2)
    ]
    for key, value in runs[0].items():
        assert torch.equal(value, runs[1][key])
        if "running" in key:
            assert torch.equal(value, start[key])
    assert not torch.equal(runs[0]["0.weight"], start["0.weight"])  # the head convolution was trained


def test_without_tuning_the_model_is_the_probe(folder):
    data = read_paintings(folder)
    trunk, tail = fitting.split_network(fitting.new_network(CONFIG, 2), 7)
    config = dataclasses.replace(CONFIG, interpolation=0.0)
    bank = fitting.build_bank(data, trunk, config)
    features = torch.from_numpy(pooled_features(tail, bank.evaluate)).mean(1).float()
    start = tail[0].weight.clone()
    fitted = fitting.fit_tail(tail, bank, features, data, np.arange(12), config, 0)
    assert torch.equal(fitted[0].weight, start)
    targets, weights = soft_targets(data, np.arange(12), config.hard_share, config.class_weight_power)
    weight, bias = soft_probe(features, targets, weights, config.probe_penalty)
    logits = fitting.predict(fitted, bank, np.arange(12))
    assert logits == pytest.approx((features @ weight.T + bias).numpy(), abs=1e-4)


def test_trunk_and_tail_make_the_network():
    network = fitting.new_network(CONFIG, 3).eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        for stages in (0, 4, 7):
            trunk, tail = fitting.split_network(network, stages)
            assert torch.allclose(tail.eval()(trunk(x)), network(x), atol=1e-5)
    with pytest.raises(ValueError, match="frozen stages"):
        fitting.split_network(network, 8)


def test_weights_balance_the_classes(folder):
    data = read_paintings(folder)
    data = dataclasses.replace(data, labels=np.array([0] * 9 + [1] * 3), votes=np.full((12, 2), 0.5))
    config = dataclasses.replace(CONFIG, class_weight_power=1.0, hard_share=0.5)
    targets, weights = soft_targets(data, np.arange(12), config.hard_share, config.class_weight_power)
    assert float(weights[:9].sum()) == pytest.approx(float(weights[9:].sum()))
    assert float(weights.mean()) == pytest.approx(1)
    assert targets[0].tolist() == [0.75, 0.25]


def test_temperature_comes_from_the_other_folds():
    labels = np.array([0, 1, 0, 1])
    hot = np.array([[4.0, 0.0], [0.0, 4.0]])
    folds = [
        {"split_seed": 0, "fold": 0, "test": np.array([0, 1]), "logits": hot},
        {"split_seed": 0, "fold": 1, "test": np.array([2, 3]), "logits": -hot},  # always wrong
    ]
    first, second = report.calibrate_across_folds(folds, labels)
    assert first[0, 0] == pytest.approx(1 / (1 + np.exp(-4 / 20)), abs=1e-3)  # fold 1 says: trust nothing
    assert second[0, 1] > 0.99  # fold 0 says: trust everything
    with pytest.raises(ValueError, match="every picture"):
        report.out_of_fold(folds, np.zeros(5, int), 2)


def test_probe_separates_what_is_separable():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    features = rng.normal(size=(60, 8)) + 6 * np.eye(8)[labels]
    logits = linear_probe(features, labels, np.arange(40), np.arange(40, 60))
    assert (logits.argmax(1) == labels[40:]).all()
    assert np.exp(logits).sum(1) == pytest.approx(1)


def test_soft_probe_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    features = rng.normal(size=(90, 6)) * [1, 5, 1, 1, 2, 1] + 2 + np.eye(6)[labels]
    weight, bias = soft_probe(
        torch.tensor(features, dtype=torch.float32), torch.eye(3)[labels], torch.ones(90), penalty=0.1
    )
    x = (features - features.mean(0)) / features.std(0, ddof=1)
    reference = LogisticRegression(C=1 / (2 * 0.1 * 90), max_iter=1000, tol=1e-8).fit(x, labels)
    found = features @ weight.numpy().T.astype(float) + bias.numpy()
    expected = reference.decision_function(x)
    assert found - found.mean(1, keepdims=True) == pytest.approx(expected, abs=0.01)


def test_bad_requests(folder, tmp_path):
    with pytest.raises(DatasetError, match="plain model name"):
        main(folder, tmp_path, name="../x", config=CONFIG)
    with pytest.raises(DatasetError, match="at least 10 groups"):
        main(folder, tmp_path / "new", config=dataclasses.replace(CONFIG, folds=10))
    assert not (tmp_path / "new").exists()
    with pytest.raises(DatasetError, match="at least 1 epoch"):
        fitting.ClassifierConfig(epochs=0)
