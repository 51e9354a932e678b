"""Networks without their heads: what they put out, and classifiers on them."""

import dataclasses
import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from hues import write_hues
from PIL import Image
from safetensors.torch import save_file

from workbench import models
from workbench.classify.classifier import Classifier
from workbench.classify.configs import EmbeddingConfig, Publication, Source
from workbench.classify.embedding import EmbeddingEstimator
from workbench.classify.publish import train_classifier
from workbench.cli import main
from workbench.core.cache import Cache, digest
from workbench.core.errors import WeightsError
from workbench.data.paintings import read_paintings
from workbench.interpret.embedding import embed
from workbench.models.backbones import load_backbone


def run(*arguments):
    """Exit code of the command line."""
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return left.value.code or 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_hues(tmp_path_factory.mktemp("paintings"), count=6, painters=3, shape=(70, 90))


@pytest.fixture(scope="module")
def resnet(tmp_path_factory):
    """A file of weights of timm's smallest network, with a head of 3 classes."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "resnet.safetensors"
    save_file(timm.create_model("test_resnet", num_classes=3).state_dict(), path)
    return path


def test_a_classifier_of_our_own_gives_what_its_layer_reads():
    """Its embeddings times its last layer are its logits."""
    found = load_backbone("mood_statistics")
    whole, card = models.load("mood_statistics")
    x = torch.rand(2, 3, 64, 64) * 2 - 1
    torch.testing.assert_close(whole.classifier(found.network(x)), whole(x))
    assert (found.size, list(found.mean)) == (card.preprocessing["size"], card.preprocessing["mean"])


def test_a_stylizer_gives_the_style_of_its_trunk():
    """Means and deviations over positions of the quarter-resolution map, which a flat picture lacks."""
    found = load_backbone("fsgan_comic")
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    seen = []
    handle = found.network.network.trunk.register_forward_hook(lambda *call: seen.append(call[-1]))
    y = found.network(x)
    handle.remove()
    np.testing.assert_allclose(y[0, :64], seen[0][0].mean((1, 2)), atol=1e-5)
    np.testing.assert_allclose(y[0, 64:], seen[0][0].flatten(1).std(1, correction=0), atol=1e-3)


@pytest.mark.parametrize(
    ("name", "weights", "words"),
    [
        ("no_such_network", None, "cannot be loaded"),
        ("dkse_small", None, "no weights of dkse_small are published"),
        ("lite0", "nowhere.pth", "no such file"),
        ("nowhere.safetensors", None, "nowhere.safetensors"),
        ("resnet18", "resnet", "do not fit resnet18"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(resnet, name, weights, words):
    with pytest.raises(WeightsError, match=words) as error:
        load_backbone(name, resnet if weights == "resnet" else weights)
    assert "\n" not in str(error.value)


def test_replaced_weights_are_loaded_again(folder, resnet, tmp_path):
    copy = tmp_path / "w.safetensors"
    copy.write_bytes(resnet.read_bytes())
    before = embed(folder, "test_resnet", weights=copy, cache=tmp_path / "cache").vectors
    torch.manual_seed(1)
    save_file(timm.create_model("test_resnet").state_dict(), copy)
    after = embed(folder, "test_resnet", weights=copy, cache=tmp_path / "cache").vectors
    assert np.abs(before - after).max() > 0.01


def test_a_classifier_on_a_backbone_is_trained_kept_and_used(folder, resnet, tmp_path, capsys):
    flags = ("--backbone", "test_resnet", "--weights", resnet, "--folds", "2", "--samples", "10")
    assert run("train", "classifier", "--data", folder, "--out", tmp_path / "a", *flags) == 0
    path = tmp_path / "a" / "my_classifier.safetensors"
    assert capsys.readouterr().out.strip() == str(path)
    card = models.card(path)
    assert (card.architecture, card.arguments["backbone"]) == ("backbone_probe", "test_resnet")
    assert card.metrics["accuracy"]["estimate"] == 1  # hue is easy
    assert "resnet.safetensors" in card.training["initial_weights"]
    said = card.training["command"]
    assert str(resnet) not in said
    words = said.replace("DATA", str(folder)).replace("OUT", str(tmp_path / "b"))
    assert run(*shlex.split(words.replace("WEIGHTS", str(resnet)))[1:]) == 0
    assert models.card(tmp_path / "b" / "my_classifier.safetensors").sha256 == card.sha256
    capsys.readouterr()
    assert run("classify", folder, "--model", path, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told) == 12
    for reading in told:
        assert Path(reading["path"]).parent.name == reading["top"]


def test_what_is_published_computes_what_was_validated(folder, tmp_path):
    """Logits of the saved network against those of the estimator, but for the rounding of saved weights."""
    config = EmbeddingConfig(backbone="fsgan_comic", folds=2)
    path = train_classifier(Source(folder), tmp_path, config, Publication("own", samples=10))
    data = read_paintings(folder)
    everything = np.arange(len(data))
    estimator = EmbeddingEstimator(config, cache=Cache(tmp_path / "cache")).fit(data, everything)
    expected = estimator.predict_logits(data, everything)
    classifier = Classifier.load(path)
    found = classifier.logits_of([data.read(i) for i in range(len(data))])
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())
    reading = classifier.classify(Image.new("RGB", (90, 70), "lime"))
    assert reading.novelty is not None
    assert reading.novelty > 0.9  # nothing like warm or cold noise
    assert classifier.explain(data.read(0)).heatmap.shape == (70, 90)


def test_other_weights_under_the_same_name_are_another_fit(resnet, tmp_path):
    copy = tmp_path / "w.safetensors"
    copy.write_bytes(resnet.read_bytes())
    config = EmbeddingConfig(backbone="test_resnet", weights=str(copy))
    same = EmbeddingEstimator(dataclasses.replace(config, weights=str(resnet)))
    before = digest(EmbeddingEstimator(config).identity)
    assert before == digest(same.identity)
    save_file(timm.create_model("test_resnet").state_dict(), copy)
    assert digest(EmbeddingEstimator(config).identity) != before
