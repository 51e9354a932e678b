"""The whole training on drawn pictures: two classes that differ in hue, three painters each."""

import copy
import csv
import dataclasses
import json
import shlex
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from hues import write_hues
from PIL import Image
from sklearn.linear_model import LogisticRegression

from workbench import models
from workbench.classify.classifier import Classifier
from workbench.classify.configs import Publication, Source, StatisticsConfig, ViewsConfig
from workbench.classify.features import (
    StatisticsFeatures,
    ViewFeatures,
    split_network,
    view_bank,
    views_network,
)
from workbench.classify.probes import linear_probe, soft_probe, soft_targets
from workbench.classify.publish import train_classifier
from workbench.classify.statistics import StatisticsEstimator
from workbench.classify.views import ViewsEstimator, tune
from workbench.cli import main
from workbench.core.cache import Cache
from workbench.core.errors import DatasetError
from workbench.data.atelier import write_atelier
from workbench.data.paintings import read_paintings

CONFIG = ViewsConfig(
    frozen_stages=7, train_views=2, eval_crops=((64, 2),), size=64, folds=2, split_seeds=(0, 1), epochs=1
)
QUICK = StatisticsConfig(variants=("lite0",), size=64, eval_crops=((64, 2),), folds=2, split_seeds=(0,))
HUE = Publication("hue", samples=20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_hues(tmp_path_factory.mktemp("paintings"), count=6, painters=3, shape=(70, 90))


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    return train_classifier(Source(folder), tmp_path_factory.mktemp("out"), CONFIG, HUE)


def rows(path):
    return list(csv.DictReader(path.open()))


def test_what_training_leaves(trained, folder):
    card = models.card(trained)
    assert card.class_names == ["cold", "warm"]
    assert card.calibration["temperature"] > 0
    assert card.training["pictures"] == 12
    assert card.training["painters"] == 6
    assert set(card.metrics) >= {"split", "accuracy", "ece", "log_loss", "baselines"}
    folds = rows(trained.with_name("hue_folds.csv"))
    assert len(folds) == 4 * 2 * 2  # the network and three probes, two split seeds, two folds
    assert {"commit", "device", "seconds", "versions", "split_seed", "accuracy"} <= set(folds[0])
    summary = {(r["model"], r["metric"]): r for r in rows(trained.with_name("hue_summary.csv"))}
    assert float(summary["linear_probe_views", "accuracy"]["estimate"]) == 1  # hue is easy
    assert summary["hue", "accuracy"]["difference"]
    predictions = rows(trained.with_name("hue_predictions.csv"))
    assert len(predictions) == 4 * 2 * 12
    assert all(float(p["p_cold"]) + float(p["p_warm"]) == pytest.approx(1, abs=1e-8) for p in predictions)


def test_the_result_classifies(trained, folder):
    classifier = Classifier.load(str(trained))
    data = read_paintings(folder)
    tops = [classifier.classify(data.read(i)).top for i in range(len(data))]
    assert tops == [data.classes[c] for c in data.labels]


@pytest.fixture
def mine(folder, tmp_path):
    """A copy of the folder that a test may change."""
    return shutil.copytree(folder, tmp_path / "mine")


def relabel(folder, path, **changes):
    table = pd.read_csv(folder / "ratings.csv")
    for column, value in changes.items():
        table.loc[table["path"] == path, column] = value
    table.to_csv(folder / "ratings.csv", index=False)


@pytest.mark.parametrize("changes", [{"label": "cold"}, {"painter": "warm0"}])
def test_after_a_change_of_the_table_the_same_folder_holds_what_a_new_one_would(mine, tmp_path, changes):
    first = train_classifier(Source(mine), tmp_path / "out", QUICK, HUE)
    before, digest = rows(first.with_name("hue_predictions.csv")), models.card(first).sha256
    relabel(mine, "warm/4.png", **changes)
    again = train_classifier(Source(mine), tmp_path / "out", QUICK, HUE)
    fresh = train_classifier(Source(mine), tmp_path / "fresh", QUICK, HUE)
    assert rows(again.with_name("hue_predictions.csv")) == rows(fresh.with_name("hue_predictions.csv"))
    assert rows(again.with_name("hue_predictions.csv")) != before
    assert models.card(again).sha256 == models.card(fresh).sha256
    if "label" in changes:  # painters only divide: the network of all pictures is the same
        assert models.card(again).sha256 != digest


def test_the_same_training_is_found_again(mine, tmp_path):
    first = train_classifier(Source(mine), tmp_path / "out", QUICK, HUE)
    card, folds = models.card(first), first.with_name("hue_folds.csv").read_text()
    again = train_classifier(Source(mine), tmp_path / "out", QUICK, dataclasses.replace(HUE, title="Hues"))
    assert again.with_name("hue_folds.csv").read_text() == folds  # with the seconds of the first run
    assert models.card(again).sha256 == card.sha256
    assert models.card(again).training["seconds"] == card.training["seconds"]
    assert models.card(again).title == "Hues"


def test_of_an_added_painting_only_its_own_features_are_computed(mine, tmp_path):
    train_classifier(Source(mine), tmp_path / "out", QUICK, HUE)
    kept = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out" / "cache").glob("statistics-*")}
    assert len(kept) == 12
    (mine / "cold" / "0.png").rename(mine / "cold" / "first.png")  # the same picture by another name
    noise = np.random.default_rng(7).integers(0, 256, (70, 90, 3), dtype=np.uint8)
    Image.fromarray(noise).save(mine / "warm" / "new.png")
    table = (mine / "ratings.csv").read_text().replace("cold/0.png", "cold/first.png")
    (mine / "ratings.csv").write_text(table + "warm/new.png,warm,warm0\n")
    train_classifier(Source(mine), tmp_path / "out", QUICK, HUE)
    now = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out" / "cache").glob("statistics-*")}
    assert len(now) == 13
    assert kept.items() <= now.items()


def test_the_views_of_a_painting_are_its_own_wherever_it_stands(mine, tmp_path):
    cache = Cache(tmp_path / "cache")
    before = view_bank(CONFIG, read_paintings(mine), cache)["train"]
    kept = {p.name: p.stat().st_mtime_ns for p in cache.folder.iterdir()}
    noise = np.random.default_rng(7).integers(0, 256, (70, 90, 3), dtype=np.uint8)
    Image.fromarray(noise).save(mine / "cold" / "000.png")  # sorted before all others
    table = (
        (mine / "ratings.csv")
        .read_text()
        .replace("label,painter\n", "label,painter\ncold/000.png,cold,cold0\n")
    )
    (mine / "ratings.csv").write_text(table)
    data = read_paintings(mine)
    assert len(data) == len(before) + 1
    after = view_bank(CONFIG, data, cache)["train"]
    others = [i for i, path in enumerate(data.paths) if path != "cold/000.png"]
    assert np.array_equal(after[others], before)
    now = {p.name: p.stat().st_mtime_ns for p in cache.folder.iterdir()}
    assert len(now) == len(kept) + 2  # the new one's random and fixed views
    assert kept.items() <= now.items()


def test_training_is_repeatable_and_leaves_the_norms_alone(folder):
    data = read_paintings(folder)
    _, tail = split_network(views_network(CONFIG, 2), 7)
    start = {k: v.clone() for k, v in tail.state_dict().items()}
    views = torch.from_numpy(view_bank(CONFIG, data)["train"])
    features = torch.from_numpy(ViewFeatures(CONFIG).table(data)).float()
    runs = [
        tune(copy.deepcopy(tail), views, features, data, np.arange(12), CONFIG, 5).state_dict()
        for _ in range(2)
    ]
    for key, value in runs[0].items():
        assert torch.equal(value, runs[1][key])
        if "running" in key:
            assert torch.equal(value, start[key])
    assert not torch.equal(runs[0]["0.weight"], start["0.weight"])  # the head convolution was trained


def test_without_tuning_the_model_is_the_probe(folder):
    data = read_paintings(folder)
    config = dataclasses.replace(CONFIG, interpolation=0.0)
    fitted = ViewsEstimator(config).fit(data, np.arange(12))
    features = torch.from_numpy(ViewFeatures(config).table(data)).float()
    targets, weights = soft_targets(data, np.arange(12), config.hard_share, config.class_weight_power)
    weight, bias = soft_probe(features, targets, weights, config.probe_penalty)
    expected = (features @ weight.T + bias).numpy()
    assert fitted.predict_logits(data, np.arange(12)) == pytest.approx(expected, abs=1e-4)


def test_trunk_and_tail_make_the_network():
    network = views_network(CONFIG, 3).eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        for stages in (0, 4, 7):
            trunk, tail = split_network(network, stages)
            assert torch.allclose(tail.eval()(trunk(x)), network(x), atol=1e-5)
    with pytest.raises(ValueError, match="frozen stages"):
        split_network(network, 8)


def test_the_fitted_layer_is_what_the_network_reads(folder, tmp_path):
    data = read_paintings(folder)
    estimator = StatisticsEstimator(QUICK).fit(data, np.arange(12))
    views = torch.stack([QUICK.views(data.read(i)) for i in (0, 7)])
    with torch.no_grad():
        read = torch.stack([estimator.network()(x).mean(0) for x in views]).numpy()
    assert estimator.predict_logits(data, [0, 7]) == pytest.approx(read, abs=1e-3)


def test_stage_statistics_are_means_and_deviations():
    network = models.create("lite_statistics", num_classes=2, variants=("lite0",)).eval()
    x = torch.randn(2, 3, 64, 64)
    found = network.forward_features(x)
    assert found.shape == (2, network.num_features)
    y = network.statistics[0].network.blocks[0](
        network.statistics[0].network.bn1(network.statistics[0].network.conv_stem(x))
    )
    torch.testing.assert_close(found[:, 1280:1296], y.mean((2, 3)))
    torch.testing.assert_close(found[:, 1296:1312], y.std((2, 3), correction=0), atol=1e-4, rtol=1e-3)


def test_covariances_are_those_of_the_stage():
    network = models.create("lite_statistics", num_classes=2, variants=("lite0", "lite1"), covariance_stage=5)
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        features = network.eval().forward_features(x)
        first = network.statistics[0].network
        y = first.blocks[:5](first.bn1(first.conv_stem(x)))[1].flatten(1).numpy()  # (112, positions)
    assert network.parts[:2] == (2848, 112 * 113 // 2)
    expected = np.cov(y, bias=True)[np.triu_indices(112)]
    assert features[1, 2848 : 2848 + 6328].numpy() == pytest.approx(expected, abs=1e-5)
    with pytest.raises(ValueError, match="stage from 0"):
        models.create("lite_statistics", covariance_stage=8)


def test_the_parts_of_the_features_are_its_columns(folder):
    data = read_paintings(folder).subset([0, 6])
    features = StatisticsFeatures(("lite0", "lite1"), 64, ((64, 2),), 5)
    whole = features.table(data)
    assert features.sizes == (2848, 6328, 2848)
    parts = dataclasses.replace(features, parts=(0, 2))
    assert parts.sizes == (2848, 2848)
    assert (parts.table(data) == np.delete(whole, slice(2848, 2848 + 6328), 1)).all()


def test_the_pooled_columns_are_the_features_of_the_first_network(folder):
    data = read_paintings(folder).subset([0, 6])
    pooled = StatisticsFeatures.of(QUICK, columns=1280).table(data)
    network = models.create("lite0_classifier", num_classes=0, pretrained=True).eval()
    with torch.no_grad():
        expected = torch.stack([network(QUICK.views(data.read(i))).mean(0) for i in range(2)]).numpy()
    assert pooled == pytest.approx(expected, abs=1e-4)


def test_weights_balance_the_classes(folder):
    data = read_paintings(folder)
    data = dataclasses.replace(data, labels=np.array([0] * 9 + [1] * 3), votes=np.full((12, 2), 0.5))
    targets, weights = soft_targets(data, np.arange(12), hard_share=0.5, class_weight_power=1.0)
    assert float(weights[:9].sum()) == pytest.approx(float(weights[9:].sum()))
    assert float(weights.mean()) == pytest.approx(1)
    assert targets[0].tolist() == [0.75, 0.25]


def test_probe_separates_what_is_separable():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    features = rng.normal(size=(60, 8)) + 6 * np.eye(8)[labels]
    probe = linear_probe().fit(features[:40], labels[:40])
    assert (probe.predict(features[40:]) == labels[40:]).all()


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
        Publication("../x")
    with pytest.raises(DatasetError, match="at least 10 groups"):
        train_classifier(Source(folder), tmp_path / "new", dataclasses.replace(CONFIG, folds=10))
    assert not (tmp_path / "new").exists()
    with pytest.raises(DatasetError, match="at least 1 epoch"):
        ViewsConfig(epochs=0)


@pytest.fixture(scope="module")
def atelier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("atelier")
    write_atelier(folder / "pictures", n=20, size=64, painters=4)
    return folder / "pictures"


def run(*arguments):
    """Exit code of the command line."""
    with pytest.raises(SystemExit) as left:
        main(["train", "classifier", *map(str, arguments)])
    return left.value.code or 0


SMALL = ("--size", "64", "--folds", "2", "--samples", "10")


@pytest.mark.parametrize(
    ("model", "flags"),
    [
        ("lite_statistics", ("--seed", "1", "--variants", "lite0", "--split-seeds", "0")),
        ("lenet", ("--epochs", "1")),
        ("dkse_small", ("--epochs", "1", "--arguments", '{"modules": 1, "width": 4}', "--mixup", "0.2")),
        ("lite0_classifier", ("--epochs", "1", "--frozen-stages", "7", "--eval-crops", "[64, 1]")),
    ],
)
def test_the_commands_train_and_the_card_says_how(atelier, tmp_path, capsys, model, flags):
    arguments = ("--data", atelier, "--out", tmp_path / "a", "--model", model, *flags, *SMALL)
    assert run(*arguments) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "a" / "my_classifier.safetensors")
    card = models.card(tmp_path / "a" / "my_classifier.safetensors")
    assert card.architecture == model
    said = card.training["command"]
    words = shlex.split(said.replace("DATA", str(atelier)).replace("OUT", str(tmp_path / "b")))
    assert words[:3] == ["workbench", "train", "classifier"]
    assert run(*words[3:]) == 0
    again = models.card(tmp_path / "b" / "my_classifier.safetensors")
    assert (again.sha256, again.metrics) == (card.sha256, card.metrics)
    assert again.training["command"] == said
    config = json.loads((tmp_path / "a" / "my_classifier_config.json").read_text())
    assert config == json.loads((tmp_path / "b" / "my_classifier_config.json").read_text())


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--model", "lite_statistics", "--epochs", "3"), "Unknown setting of lite_statistics 'epochs'"),
        (("--model", "lenet", "--pretrained"), "there are none of lenet"),
        (("--model", "lenet", "--arguments", '{"pooling": "median"}'), "other arguments of lenet"),
        (("--model", "oracle"), "Unknown classifier architecture 'oracle'"),
        (("--folds", "9"), "at least 9 groups"),
    ],
)
def test_what_cannot_be_done_is_one_line(atelier, tmp_path, capsys, flags, words):
    assert run("--data", atelier, "--out", tmp_path / "out", "--folds", "2", *flags) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("error: ")
    assert words in lines[-1]
