"""Scores against torchmetrics, scikit-learn and numbers worked out by hand."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn import metrics as sk
from torchmetrics.functional.classification import multiclass_calibration_error

from workbench.metrics import calibration, classification


@pytest.fixture
def sample():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(300, 5)) * 2
    labels = np.where(rng.random(300) < 0.6, logits.argmax(1), rng.integers(5, size=300))
    return logits, softmax(logits, axis=1), labels


def test_scores_agree_with_scikit_learn(sample):
    _, p, y = sample
    votes = softmax(np.random.default_rng(1).normal(size=p.shape), axis=1)
    found = classification.classification_report(p, y, votes)
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(y, p.argmax(1)))
    assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(y, p.argmax(1)))
    assert found["macro_f1"] == pytest.approx(sk.f1_score(y, p.argmax(1), average="macro"))
    assert found["log_loss"] == pytest.approx(sk.log_loss(y, p))
    assert found["log_loss_votes"] == pytest.approx(-(votes * np.log(p)).sum(1).mean())


@pytest.mark.parametrize("bins", [1, 7, 15])
def test_ece_agrees_with_torchmetrics(sample, bins):
    _, p, y = sample
    reference = multiclass_calibration_error(
        torch.tensor(p, dtype=torch.float64), torch.tensor(y), num_classes=5, n_bins=bins, norm="l1"
    )
    assert calibration.expected_calibration_error(p, y, bins) == pytest.approx(float(reference), abs=1e-6)


def test_ece_by_hand():
    p = [[0.95, 0.05], [0.95, 0.05], [0.65, 0.35]]
    # one bin holds two pictures at 0.95 with one right: gap 0.45; another one at 0.65, right: gap 0.35
    assert calibration.expected_calibration_error(p, [0, 1, 0], bins=10) == pytest.approx(
        (2 * 0.45 + 0.35) / 3
    )


def test_a_class_that_is_absent_does_not_count():
    matrix = classification.confusion_matrix([0, 0, 1, 1], [0, 1, 1, 1], 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]
    assert classification.balanced_accuracy(matrix) == pytest.approx(0.75)
    assert classification.macro_f1(matrix) == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_temperature_is_recovered():
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(20000, 4)) * 1.5
    labels = np.array([rng.choice(4, p=row) for row in softmax(logits, axis=1)])
    assert calibration.fit_temperature(3 * logits, labels) == pytest.approx(3, rel=0.05)
    assert calibration.fit_temperature(3 * logits, softmax(logits, axis=1)) == pytest.approx(3, rel=1e-3)
    scaled = calibration.apply_temperature(3 * logits, 3.0)
    assert np.allclose(scaled, softmax(logits, axis=1))
    assert calibration.expected_calibration_error(scaled, labels) < 0.02


def test_temperature_keeps_the_order(sample):
    logits, _, _ = sample
    assert (calibration.apply_temperature(logits, 5.0).argmax(1) == logits.argmax(1)).all()


@pytest.mark.parametrize(
    "wrong", [[[0.5, 0.6]], [[-0.1, 1.1]], [[np.nan, 1.0]], [0.5, 0.5], np.zeros((0, 2))]
)
def test_what_is_no_probability_is_refused(wrong):
    with pytest.raises(ValueError, match="Expected"):
        classification.check_probabilities(wrong)


def test_temperature_must_be_positive():
    with pytest.raises(ValueError, match="above 0"):
        calibration.apply_temperature([[1.0, 2.0]], 0)
