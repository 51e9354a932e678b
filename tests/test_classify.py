"""Reading a painting with the shipped weights."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data as pictures

from workbench import models
from workbench.classify.classifier import DEFAULT_CLASSIFIER, Classifier, Reading, classifiers
from workbench.core.errors import ImageError, UnknownNameError, WeightsError, WorkbenchError


@pytest.fixture(scope="module")
def classifier():
    return Classifier.load()


@pytest.fixture(scope="module")
def cat():
    return Image.fromarray(pictures.chelsea())  # 451 × 300


def test_the_shipped_card():
    assert DEFAULT_CLASSIFIER in classifiers()
    card = models.card(DEFAULT_CLASSIFIER)
    assert sorted(card.class_names) == ["desolation", "elegance", "grandeur", "serenity", "vitality"]
    assert all(c["name_zh"] and c["description"] for c in card.classes)
    assert card.calibration["temperature"] > 0
    assert "diagnosis" in card.limitations
    assert "research" in card.training["data_licence"]
    assert "painter-grouped" in card.metrics["split"]
    weights = models.weights.SHIPPED / f"{DEFAULT_CLASSIFIER}.safetensors"
    assert weights.stat().st_size < 25e6


def test_probabilities(classifier, cat):
    reading = classifier.classify(cat)
    assert reading.model == DEFAULT_CLASSIFIER
    assert list(reading.probabilities) == classifier.card.class_names
    assert sum(reading.probabilities.values()) == pytest.approx(1)
    assert reading.probabilities[reading.top] == max(reading.probabilities.values())
    assert reading.calibrated
    assert classifier.classify(cat) == reading


def test_temperature_is_applied(classifier, cat):
    logits = classifier.logits(cat) / classifier.card.calibration["temperature"]
    expected = np.exp(logits) / np.exp(logits).sum()
    assert list(classifier.classify(cat).probabilities.values()) == pytest.approx(list(expected))


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P"])
def test_any_mode(classifier, mode):
    assert sum(classifier.classify(Image.new(mode, (50, 40))).probabilities.values()) == pytest.approx(1)


@pytest.mark.parametrize("size", [(1, 1), (2000, 3)])
def test_any_size(classifier, size):
    picture = Image.new("RGB", size, (90, 120, 30))
    assert sum(classifier.classify(picture).probabilities.values()) == pytest.approx(1)
    explanation = classifier.explain(picture)
    assert explanation.overlay.size == size
    assert explanation.heatmap.shape == size[::-1]


def test_explanation(classifier, cat):
    explanation = classifier.explain(cat)
    assert explanation.class_name == classifier.classify(cat).top
    assert explanation.overlay.size == cat.size
    assert explanation.overlay.mode == "RGB"
    assert explanation.heatmap.shape == (cat.height, cat.width)
    assert np.isfinite(explanation.heatmap).all()
    other = next(n for n in classifier.card.class_names if n != explanation.class_name)
    assert not np.allclose(classifier.explain(cat, other).heatmap, explanation.heatmap)


def test_the_map_of_stage_statistics_is_that_of_a_middle_stage(classifier):
    small = Image.fromarray(pictures.chelsea()).resize((96, 64))
    assert {n.split(".")[0] for n in classifier.layers} == {"lite0", "lite1"}
    name = classifier.card.class_names[0]
    default, named = classifier.explain(small, name), classifier.explain(small, name, layer="lite0.stage5")
    assert np.array_equal(default.heatmap, named.heatmap)
    other = classifier.explain(small, name, layer="lite1.stage5")
    assert not np.allclose(other.heatmap, named.heatmap)


def test_methods_and_layers():
    classifier = Classifier.load("mood_lite0")
    small = Image.fromarray(pictures.chelsea()).resize((96, 64))
    name = classifier.card.class_names[0]
    assert classifier.layers == ["stem", *(f"stage{i}" for i in range(1, 8)), "head"]
    default, head = classifier.explain(small, name), classifier.explain(small, name, "grad_cam", "head")
    assert np.array_equal(default.heatmap, head.heatmap)
    assert (default.method, default.layer, head.layer) == ("grad_cam", None, "head")
    earlier = classifier.explain(small, name, layer="stage5")
    assert not np.allclose(earlier.heatmap, default.heatmap)
    guided = classifier.explain(small, name, method="guided_grad_cam")
    assert guided.heatmap.min() >= 0
    assert guided.overlay.size == small.size
    with pytest.raises(UnknownNameError, match="method 'random'"):
        classifier.explain(small, name, method="random")  # a control explains nothing
    with pytest.raises(UnknownNameError, match="layer 'classifier'"):
        classifier.explain(small, name, layer="classifier")
    with pytest.raises(WorkbenchError, match="no layer for occlusion"):
        classifier.explain(small, name, method="occlusion", layer="stage5")


def test_the_usual_layer_and_the_methods_of_a_network(classifier):
    assert classifier.default_layer == "lite0.stage5"
    assert Classifier.load("mood_lite0").default_layer == "head"
    assert classifier.methods == ["grad_cam", "guided_grad_cam", "integrated_gradients", "occlusion"]


def test_progress_of_a_slow_method():
    classifier, seen = Classifier.load("mood_lite0"), []
    small = Image.fromarray(pictures.chelsea()).resize((48, 32))
    name = classifier.card.class_names[0]
    shown = classifier.explain(small, name, "occlusion", progress=seen.append)
    assert len(seen) > 30
    assert seen == sorted(seen)
    assert 0 < seen[0] < 0.1
    assert 0.9 < seen[-1] <= 1
    assert np.array_equal(shown.heatmap, classifier.explain(small, name, "occlusion").heatmap)
    count = len(seen)
    classifier.classify(small)
    assert len(seen) == count  # nobody listens any more


class Seen(Exception):
    """The shape of the first batch that a network is given."""


@pytest.fixture
def first_batch(classifier):
    def stop(network, arguments):
        raise Seen(tuple(arguments[0].shape[-2:]))

    handle = classifier.network.register_forward_pre_hook(stop)
    yield
    handle.remove()


@pytest.mark.parametrize(
    ("size", "expected"), [((451, 300), 48_000), ((3000, 100), 50_000), ((300, 300), 50_000)]
)
@pytest.mark.usefixtures("first_batch")
def test_costly_methods_see_a_moderate_picture(classifier, size, expected):
    with pytest.raises(Seen) as seen:
        classifier.explain(Image.new("RGB", size), "serenity", "integrated_gradients")
    height, width = seen.value.args[0]
    assert expected * 0.9 < width * height <= 224 * 224 * 1.02
    assert min(width, height) <= 224


@pytest.mark.usefixtures("first_batch")
def test_a_method_of_one_pass_sees_the_picture_at_the_scale_of_the_crops(classifier):
    with pytest.raises(Seen) as seen:
        classifier.explain(Image.new("RGB", (448, 224)), "serenity")
    assert seen.value.args[0] == (224, 448)


def test_unknown_names(classifier, cat):
    with pytest.raises(UnknownNameError, match=r"class 'joy'.*desolation"):
        classifier.explain(cat, "joy")
    with pytest.raises(UnknownNameError, match="model 'nothing'"):
        Classifier.load("nothing")
    with pytest.raises(ImageError, match="PIL image"):
        classifier.classify(np.zeros((4, 4, 3)))


def test_a_stylizer_is_no_classifier(classifier):
    import dataclasses

    with pytest.raises(WeightsError, match="Expected a classifier"):
        Classifier(classifier.network, dataclasses.replace(classifier.card, kind="stylizer"))


def test_loaded_once(classifier):
    assert Classifier.load() is classifier


def test_reading_top():
    assert Reading("m", {"a": 0.2, "b": 0.8}, False).top == "b"


@pytest.mark.parametrize("name", ["mood_lite0", DEFAULT_CLASSIFIER])
def test_several_pictures_at_once_are_read_as_one_by_one(name, cat):
    classifier = Classifier.load(name)
    images = [cat.resize((96, 64)), Image.new("L", (60, 40), 90), cat.resize((30, 50))]
    single = np.stack([classifier.logits(image) for image in images])
    assert np.abs(classifier.logits_of(images, 2) - single).max() < 1e-5
    assert [r.top for r in classifier.classify_all(images)] == [classifier.classify(i).top for i in images]


def test_a_classifier_on_a_named_device():
    assert Classifier.load("mood_lite0", device="cpu") is Classifier.load("mood_lite0", device="cpu")
    assert str(Classifier.load("mood_lite0", device="cpu").device) == "cpu"
    with pytest.raises(WorkbenchError, match="Expected a device"):
        Classifier.load("mood_lite0", device="abacus")


def test_out_of_memory_reads_fewer_at_once(cat, monkeypatch):
    """A network whose device holds two pictures at once."""
    small, images = (
        Classifier.load("mood_lite0"),
        [cat.resize((60, 40)), cat.resize((40, 60)), cat.resize((9, 9))],
    )
    network, room = small.network.forward, 2 * len(small.views)

    def forward(x):
        if len(x) > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return network(x)

    expected = small.logits_of(images, 1)
    monkeypatch.setattr(small.network, "forward", forward)
    assert small.logits_of(images, 4) == pytest.approx(expected, abs=1e-5)


def test_changed_weights_are_loaded_anew(tmp_path):
    network, card = models.load("mood_lite0")
    path = models.save(network, card, tmp_path)
    first = Classifier.load(path)
    with torch.no_grad():
        network.classifier.bias.add_(1.0)
    models.save(network, card, tmp_path)
    second = Classifier.load(path)
    assert second is not first
    assert torch.allclose(second.network.classifier.bias, first.network.classifier.bias + 1, atol=1e-2)
