"""Scores, curves and their weights against scikit-learn, torchmetrics and numbers worked out by hand."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn import metrics as sk
from torchmetrics.functional.classification import multiclass_auroc, multiclass_calibration_error

from workbench.metrics import calibration, checks, classification, curves, proper_scores


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(300, 5)) * 2
    labels = np.where(rng.random(300) < 0.6, logits.argmax(1), rng.integers(5, size=300))
    return softmax(logits, axis=1).round(2), labels  # rounded: tied scores


@pytest.fixture(scope="module")
def proper(sample):
    p, y = sample
    p = (p + 0.01) / (p + 0.01).sum(1, keepdims=True)
    return p, y


def test_per_class_scores_agree_with_scikit_learn(proper):
    p, y = proper
    matrix = classification.confusion_matrix(y, p.argmax(1), 5)
    assert np.array_equal(matrix, sk.confusion_matrix(y, p.argmax(1)))
    reference = sk.precision_recall_fscore_support(y, p.argmax(1))
    found = classification.per_class(matrix)
    for name, values in zip(("precision", "recall", "f1", "support"), reference, strict=True):
        assert found[name] == pytest.approx(values)


def test_a_ratio_with_nothing_to_count_is_nan():
    found = classification.per_class(np.array([[2, 0, 0], [2, 0, 0], [0, 0, 0]]))
    assert found["precision"] == pytest.approx([0.5, np.nan, np.nan], nan_ok=True)
    assert found["recall"] == pytest.approx([1, 0, np.nan], nan_ok=True)
    assert found["f1"] == pytest.approx([2 / 3, 0, np.nan], nan_ok=True)


def test_brier_agrees_with_scikit_learn(proper):
    p, y = proper
    assert proper_scores.brier(p, y) == pytest.approx(sk.brier_score_loss(y, p, scale_by_half=False))
    assert proper_scores.d2_brier(p, y) == pytest.approx(sk.d2_brier_score(y, p))


def test_brier_by_hand():
    assert proper_scores.brier([[0.7, 0.2, 0.1]], [0]) == pytest.approx(0.09 + 0.04 + 0.01)
    assert proper_scores.brier([[0.5, 0.5]], [[0.8, 0.2]]) == pytest.approx(0.18)
    votes = np.array([[0.8, 0.2], [0.4, 0.6]])
    assert proper_scores.d2_brier(votes, votes) == 1
    assert proper_scores.d2_brier([[0.6, 0.4], [0.6, 0.4]], votes) == pytest.approx(0)
    assert np.isnan(proper_scores.d2_brier([[0.6, 0.4]], [0]))


def test_areas_agree_with_scikit_learn_and_torchmetrics_where_scores_tie(proper):
    p, y = proper
    assert curves.roc_auc(p, y) == pytest.approx(sk.roc_auc_score(y, p, multi_class="ovr"))
    hot = np.eye(5)[y]
    assert curves.average_precision(p, y) == pytest.approx(
        sk.average_precision_score(hot, p, average="macro")
    )
    assert curves.average_precision(p, y, average="none") == pytest.approx(
        sk.average_precision_score(hot, p, average=None)
    )
    reference = multiclass_auroc(torch.tensor(p), torch.tensor(y), num_classes=5, average="none")
    assert curves.roc_auc(p, y, average="none") == pytest.approx(reference.numpy(), abs=1e-6)


def test_a_class_that_is_nowhere_has_no_area():
    p = np.array([[0.6, 0.3, 0.1], [0.3, 0.6, 0.1], [0.5, 0.4, 0.1]])
    assert np.isnan(curves.roc_auc(p, [0, 1, 1], average="none")[2])
    assert curves.roc_auc(p, [0, 1, 1]) == 1
    assert np.isnan(curves.roc_auc(p, [0, 0, 0]))
    with pytest.raises(ValueError, match="macro"):
        curves.roc_auc(p, [0, 1, 1], average="micro")


def test_reliability_bins_by_hand_and_their_gap_is_the_ece(proper):
    found = calibration.reliability_bins([[0.95, 0.05], [0.91, 0.09], [0.65, 0.35]], [0, 1, 0], bins=10)
    assert found.count.tolist() == [0] * 6 + [1, 0, 0, 2]
    assert found.accuracy[[6, 9]] == pytest.approx([1, 0.5])
    assert found.confidence[[6, 9]] == pytest.approx([0.65, 0.93])
    assert np.isnan(found.accuracy[0])
    p, y = proper
    bins = calibration.reliability_bins(p, y, bins=12)
    gap = np.nansum(bins.count * np.abs(bins.accuracy - bins.confidence)) / len(y)
    reference = multiclass_calibration_error(torch.tensor(p), torch.tensor(y), num_classes=5, n_bins=12)
    assert gap == pytest.approx(calibration.expected_calibration_error(p, y, 12))
    assert gap == pytest.approx(float(reference), abs=1e-6)


def test_weights_count_pictures_as_often_as_they_say(proper):
    p, y = proper
    rng = np.random.default_rng(1)
    votes = softmax(rng.normal(size=p.shape), axis=1)
    weights = rng.integers(0, 4, size=(6, len(y)))
    found = classification.classification_report(p, y, votes, weights, extended=True)
    assert len(found) == 11
    for s, row in enumerate(weights):
        i = np.repeat(np.arange(len(y)), row)
        repeated = classification.classification_report(p[i], y[i], votes[i], extended=True)
        assert {name: values[s] for name, values in found.items()} == pytest.approx(repeated)
    assert found["roc_auc"][0] == pytest.approx(
        np.mean([sk.roc_auc_score(y == c, p[:, c], sample_weight=weights[0]) for c in range(5)])
    )


def test_the_report_is_extended_only_when_asked(proper):
    p, y = proper
    plain = classification.classification_report(p, y)
    assert list(plain) == ["accuracy", "balanced_accuracy", "macro_f1", "ece", "log_loss"]
    assert all(isinstance(value, float) for value in plain.values())
    extended = classification.classification_report(p, y, np.eye(5)[y], extended=True)
    assert extended["rater_agreement"] == pytest.approx(plain["accuracy"])  # raters who all name the label
    assert extended["log_loss_votes"] == pytest.approx(plain["log_loss"])


def test_weighted_mean_of_nothing_is_nan():
    assert np.isnan(checks.weighted_mean([1.0, 2.0], [0, 0]))
    assert checks.weighted_mean([1.0, 2.0], [[1, 3], [1, 0]]) == pytest.approx([1.75, 1])


@pytest.mark.parametrize(
    "call",
    [
        lambda: checks.check_labels([0, 5], 5),
        lambda: checks.check_labels([-1, 0], 5),
        lambda: checks.check_labels([0.0, 1.0], 5),
        lambda: checks.as_weights([1, -1], 2),
        lambda: checks.as_weights([1, 1, 1], 2),
        lambda: classification.confusion_matrix([0, 1], [0], 2),
        lambda: proper_scores.brier([[0.5, 0.5]], [[0.2, 0.3, 0.5]]),
        lambda: calibration.reliability_bins([[0.5, 0.5]], [0], bins=0),
        lambda: classification.classification_report([[0.5, 0.5]], [2]),
    ],
)
def test_what_does_not_fit_is_refused(call):
    with pytest.raises(ValueError, match="Expected"):
        call()
