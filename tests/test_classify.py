"""Reading a painting with the shipped weights."""

import numpy as np
import pytest
from PIL import Image
from skimage import data as pictures

from workbench import models
from workbench.errors import ImageError, UnknownNameError, WeightsError
from workbench.inference.classify import DEFAULT_CLASSIFIER, Classifier, Reading, classifiers


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
