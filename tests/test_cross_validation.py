"""One cross-validation, calibration and summary for every estimator, on drawn pictures of two hues."""

import csv
import dataclasses

import numpy as np
import pandas as pd
import pytest
from hues import write_hues
from sklearn.base import clone

from workbench.classify import calibration
from workbench.classify.configs import FinetuneConfig, StatisticsConfig, ViewsConfig
from workbench.classify.estimators import config_for, estimator_for
from workbench.classify.features import DescriptorFeatures
from workbench.classify.finetune import FinetuneEstimator
from workbench.classify.probes import LinearProbe, MajorityClass, SoftProbe
from workbench.classify.statistics import StatisticsEstimator
from workbench.classify.summary import compare, read_summary, summarise, write_summary, write_tables
from workbench.classify.validation import Fold, Validation, cross_validate
from workbench.core.errors import DatasetError, UnknownNameError, WorkbenchError
from workbench.data.paintings import read_paintings
from workbench.interpret.descriptors import describe_folder


@dataclasses.dataclass(frozen=True)
class MeanColour:
    """A feature source that takes no time."""

    channels: int = 3

    def table(self, paintings, cache=None):
        means = [np.asarray(paintings.read(i)).mean((0, 1)) for i in range(len(paintings))]
        return np.array(means)[:, : self.channels]


PROBE = LinearProbe(features=MeanColour(), strength=1.0)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "paintings").mkdir()
    return write_hues(tmp_path / "paintings", count=8, painters=4, shape=(24, 30))


@pytest.fixture
def paintings(folder):
    return read_paintings(folder)


def relabel(folder, path, **changes):
    """Change the row of one picture in the folder's table."""
    table = pd.read_csv(folder / "ratings.csv")
    for column, value in changes.items():
        table.loc[table["path"] == path, column] = value
    table.to_csv(folder / "ratings.csv", index=False)
    return read_paintings(folder)


def logits(validation):
    return np.concatenate([fold.outputs for fold in validation.folds])


def test_every_picture_is_tested_once_by_what_has_not_seen_its_painter(paintings):
    found = cross_validate(PROBE, paintings, folds=4, split_seeds=(3, 1))
    assert [(f.split_seed, f.fold) for f in found.folds] == [(s, f) for s in (3, 1) for f in range(4)]
    for seed in (1, 3):
        rows = np.concatenate([f.rows for f in found.folds if f.split_seed == seed])
        assert sorted(rows) == list(range(16))
    for fold in found.folds:
        others = np.setdiff1d(np.arange(16), fold.rows)
        assert not set(paintings.groups[fold.rows]) & set(paintings.groups[others])
        assert np.array_equal(fold.truth, paintings.labels[fold.rows])
        assert fold.outputs.shape == (len(fold.rows), 2)
        assert fold.parameters == 2 * 4
        assert fold.provenance["device"].startswith("cpu")
    assert found.split_seeds == [1, 3]
    assert found.probabilities().shape == (2, 16, 2)
    assert (found.probabilities().argmax(2) == paintings.labels).all()  # hue is easy
    assert not hasattr(PROBE, "pipeline_")  # it was cloned


def test_the_majority_class_is_its_share(paintings):
    data = dataclasses.replace(paintings, labels=np.array([0] * 12 + [1] * 4))
    shares = MajorityClass().fit(data, np.arange(8, 16)).predict_proba(data, [0, 1])
    assert shares == pytest.approx(np.array([[0.5, 0.5], [0.5, 0.5]]))
    shares = MajorityClass().fit(data, np.arange(16)).predict_proba(data, [5])
    assert shares == pytest.approx(np.array([[13 / 18, 5 / 18]]))


@pytest.mark.parametrize(
    "estimator",
    [
        PROBE,
        MajorityClass(),
        SoftProbe(penalty=2.0),
        StatisticsEstimator(size=64),
        FinetuneEstimator(epochs=3),
    ],
)
def test_scikit_learns_conventions(estimator):
    copy = clone(estimator)
    assert copy is not estimator
    assert copy.get_params() == estimator.get_params()
    assert clone(type(estimator)(**estimator.get_params())).get_params() == estimator.get_params()
    with pytest.raises(UnknownNameError, match="Unknown setting 'warmup'"):
        copy.set_params(warmup=3)
    if copy.get_params():
        name, value = next(iter(copy.get_params().items()))
        assert copy.set_params(**{name: value}) is copy


def test_settings_are_changed_and_shown():
    probe = PROBE.clone().set_params(strength=0.5)
    assert (probe.config.strength, PROBE.config.strength) == (0.5, 1.0)
    assert "strength=0.5" in repr(probe)


def test_a_changed_label_is_learnt_anew(folder, tmp_path):
    first = cross_validate(PROBE, read_paintings(folder), folds=2, out=tmp_path / "cache")
    changed = relabel(folder, "warm/3.png", label="cold")
    second = cross_validate(PROBE, changed, folds=2, out=tmp_path / "cache")
    fresh = cross_validate(PROBE, changed, folds=2)
    assert np.array_equal(logits(second), logits(fresh))
    assert not np.array_equal(logits(second), logits(first))


def test_changed_painters_give_other_folds(folder, tmp_path):
    first = cross_validate(PROBE, read_paintings(folder), folds=2, out=tmp_path / "cache")
    changed = relabel(folder, "warm/3.png", painter="warm0")
    second = cross_validate(PROBE, changed, folds=2, out=tmp_path / "cache")
    assert [f.rows.tolist() for f in second.folds] != [f.rows.tolist() for f in first.folds]
    assert np.array_equal(logits(second), logits(cross_validate(PROBE, changed, folds=2)))


def test_changed_votes_are_learnt_anew(folder, tmp_path):
    table = pd.read_csv(folder / "ratings.csv")
    for name, share in (("warm", 0.8), ("cold", 0.2)):
        table[f"votes_{name}"] = share
    table.to_csv(folder / "ratings.csv", index=False)
    estimator = SoftProbe(features=MeanColour())
    first = cross_validate(estimator, read_paintings(folder), folds=2, out=tmp_path / "cache")
    changed = relabel(folder, "warm/3.png", votes_warm=0.1, votes_cold=0.9)
    second = cross_validate(estimator, changed, folds=2, out=tmp_path / "cache")
    assert np.array_equal(logits(second), logits(cross_validate(estimator, changed, folds=2)))
    assert not np.array_equal(logits(second), logits(first))


def test_a_changed_picture_is_read_anew(folder, tmp_path):
    first = cross_validate(PROBE, read_paintings(folder), folds=2, out=tmp_path / "cache")
    (folder / "warm" / "3.png").write_bytes((folder / "cold" / "5.png").read_bytes()[:-12] + b"\0" * 12)
    changed = read_paintings(folder)
    second = cross_validate(PROBE, changed, folds=2, out=tmp_path / "cache")
    assert not np.array_equal(logits(second), logits(first))


def test_the_same_run_is_found_again(folder, tmp_path):
    first = cross_validate(PROBE, read_paintings(folder), folds=2, out=tmp_path / "cache")
    second = cross_validate(PROBE.clone(), read_paintings(folder), folds=2, out=tmp_path / "cache")
    assert [f.seconds for f in second.folds] == [
        f.seconds for f in first.folds
    ]  # those of the first training
    other = cross_validate(
        PROBE.clone().set_params(strength=0.1), read_paintings(folder), folds=2, out=tmp_path
    )
    assert not np.array_equal(logits(other), logits(first))


def test_tables_of_one_folder_hold_the_pictures_of_the_last_call(paintings, tmp_path):
    variants = {"colour": PROBE, "floor": MajorityClass()}
    compare("study", tmp_path, paintings, variants, "floor", folds=2, samples=20)
    few = paintings.subset([i for i in range(16) if i % 8 < 6])
    path = compare("study", tmp_path, few, variants, "floor", folds=2, samples=20)
    answers = pd.read_csv(tmp_path / "study_predictions.csv")
    assert set(answers["path"]) == set(few.paths)
    assert len(answers) == 2 * len(few)
    assert pd.read_csv(path)["pictures"].sum() == 2 * len(few)


def test_the_tables_of_a_study(paintings, tmp_path):
    blurred = LinearProbe(features=MeanColour(1))
    path = compare(
        "study", tmp_path, paintings, {"floor": MajorityClass(), "red": blurred}, "floor", folds=2,
        split_seeds=(0, 1), samples=50,
    )  # fmt: skip
    runs = list(csv.DictReader(path.open()))
    assert [(r["variant"], r["split_seed"], r["fold"]) for r in runs[:3]] == [
        ("floor", "0", "0"), ("floor", "0", "1"), ("floor", "1", "0"),
    ]  # fmt: skip
    assert {"accuracy", "parameters", "seconds", "commit", "device", "versions", "date"} <= set(runs[0])
    summary = read_summary(path).set_index(["variant", "metric"])
    assert summary.loc[("red", "accuracy"), "estimate"] == 1
    assert np.isnan(summary.loc[("floor", "accuracy"), "difference"])
    gain = summary.loc[("red", "accuracy"), "difference"]
    assert gain == pytest.approx(1 - summary.loc[("floor", "accuracy"), "estimate"], abs=1e-4)
    with pytest.raises(DatasetError, match="baseline"):
        compare("study", tmp_path, paintings, {"red": blurred}, "blue", folds=2)


def test_an_estimator_of_each_split(paintings):
    found = cross_validate(
        lambda seed: LinearProbe(features=MeanColour(seed + 1)), paintings, folds=2, split_seeds=(0, 1)
    )
    assert [f.parameters for f in found.folds] == [4, 4, 6, 6]


def validation(paintings, answers, seeds=1):
    """A validation whose two folds answer ``answers`` (N,) surely, all split seeds alike."""
    parts = np.array_split(np.arange(len(paintings)), 2)
    folds = tuple(
        Fold(seed, i, rows, 6 * np.eye(2)[answers[rows]], paintings.labels[rows], 1.0, 2, {})
        for seed in range(seeds)
        for i, rows in enumerate(parts)
    )
    return Validation(paintings, folds)


def test_the_table_of_answers_gives_their_log_loss_again(paintings, tmp_path):
    answers = paintings.labels.copy()
    answers[[0, 1, 8]] = 1 - answers[[0, 1, 8]]  # 3 of 16 wrong, each with a chance of 1 / (1 + e⁶)
    write_tables(
        "study", tmp_path, {"one": validation(paintings, answers)}, "one", samples=2, calibrated=False
    )
    table = pd.read_csv(tmp_path / "study_predictions.csv")
    chances = [row[f"p_{row['label']}"] for _, row in table.iterrows()]
    assert -np.log(chances).mean() == pytest.approx(np.log1p(np.exp(-6)) + 6 * 3 / 16, abs=1e-8)


def test_answers_are_the_same_float32_again(paintings, tmp_path):
    """Whoever reads the table has the probabilities that the network gave, not rounded ones."""
    outputs = np.random.default_rng(0).normal(0, 8, (16, 2))
    folds = tuple(
        Fold(0, i, rows, outputs[rows], paintings.labels[rows], 1.0, 2, {})
        for i, rows in enumerate(np.array_split(np.arange(16), 2))
    )
    own = Validation(paintings, folds)
    write_tables("study", tmp_path, {"one": own}, "one", samples=2, calibrated=False)
    table = pd.read_csv(tmp_path / "study_predictions.csv", float_precision="round_trip")
    columns = [f"p_{name}" for name in paintings.classes]
    written = table.set_index("path").loc[list(paintings.paths), columns].to_numpy()
    assert written.min() < 1e-5  # where four decimals would leave nothing
    assert np.array_equal(written.astype(np.float32), own.probabilities(False)[0].astype(np.float32))


def test_a_small_p_of_a_summary_is_not_rounded_to_zero(tmp_path):
    write_summary(pd.DataFrame({"variant": ["one"], "mcnemar_p": [1.25e-9]}), tmp_path / "s.csv")
    assert pd.read_csv(tmp_path / "s.csv")["mcnemar_p"][0] == 1.25e-9


def test_a_summary_by_hand(paintings):
    right = paintings.labels.copy()
    worse = right.copy()
    worse[[0, 1, 8]] = 1 - worse[[0, 1, 8]]  # 2 of 8 and 1 of 8 pictures wrong
    table = summarise(
        {"best": validation(paintings, right, 2), "worse": validation(paintings, worse, 2)}, "best",
        ("accuracy", "balanced_accuracy"), samples=400, calibrated=False,
    ).set_index(["model", "metric"])  # fmt: skip
    painters = len(set(paintings.groups))
    best = table.loc[("best", "accuracy"), ["estimate", "low", "high"]].tolist()
    assert best == pytest.approx([1, painters / (painters + 1.959964**2), 1])  # Wilson's, over painters
    row = table.loc[("worse", "accuracy")]
    assert row["estimate"] == pytest.approx(13 / 16)
    assert row["difference"] == pytest.approx(-3 / 16)
    assert row["difference_low"] < -3 / 16 < row["difference_high"] <= 0
    assert row["mcnemar_p"] == pytest.approx(0.125)  # mid-p of three pictures, all against: 2 · 0.5³ / 2
    assert table.loc[("worse", "balanced_accuracy"), "estimate"] == pytest.approx((6 / 8 + 7 / 8) / 2)
    fewer = paintings.subset(np.arange(14))
    with pytest.raises(DatasetError, match="tested on the pictures"):
        summarise(
            {"best": validation(paintings, right), "other": validation(fewer, fewer.labels)},
            "best",
            samples=5,
        )


def test_temperature_comes_from_the_other_folds(paintings):
    hot = np.array([[4.0, 0.0], [0.0, 4.0]])
    labels = np.array([0, 1])
    folds = [
        Fold(0, 0, np.array([0, 1]), hot, labels, 1.0, 1, {}),
        Fold(0, 1, np.array([2, 3]), -hot, labels, 1.0, 1, {}),  # always wrong
    ]
    first, second = calibration.calibrate_across_folds(folds, np.tile(np.eye(2), (2, 1)))
    assert first[0, 0] == pytest.approx(1 / (1 + np.exp(-4 / 20)), abs=1e-3)  # fold 1 says: trust nothing
    assert second[0, 1] > 0.99  # fold 0 says: trust everything
    with pytest.raises(ValueError, match="every picture"):
        Validation(paintings, tuple(folds)).probabilities()


def test_calibrated_to_votes_the_probabilities_are_their_shares(paintings):
    """Sure of the label where three raters in four name it, it says .75."""
    votes = 0.5 * paintings.onehot + 0.25
    rated = dataclasses.replace(paintings, votes=votes)
    found = validation(rated, rated.labels)
    to_votes = dataclasses.replace(found, calibrate_to="votes").probabilities()[0]
    assert to_votes == pytest.approx(votes, abs=1e-3)
    assert dataclasses.replace(found, calibrate_to="label").probabilities()[0].max(1).min() > 0.99
    unrated = dataclasses.replace(validation(paintings, paintings.labels), calibrate_to="votes")
    assert unrated.probabilities()[0].max(1).min() > 0.99  # there are only labels


def test_descriptors_are_those_of_the_folder(paintings):
    few = paintings.subset([0, 9])
    expected = describe_folder(few)
    table = DescriptorFeatures().table(few)
    columns = [values for name, values in expected.items() if name not in ("path", "label", "group")]
    assert table == pytest.approx(np.column_stack(columns), nan_ok=True)


def test_a_missing_feature_is_the_median(paintings):
    class Holes(MeanColour):
        def table(self, paintings, cache=None):
            table = super().table(paintings)
            table[::5] = np.nan
            return table

    fitted = LinearProbe(features=Holes(), strength=1.0).fit(paintings, np.arange(16))
    assert np.isfinite(fitted.predict_logits(paintings, np.arange(16))).all()
    assert (fitted.predict(paintings, [1, 9]) == paintings.labels[[1, 9]]).all()


def test_the_config_of_a_model():
    assert config_for("lite0_classifier", {"epochs": 2}) == ViewsConfig(epochs=2)
    assert config_for("lite_statistics", {"seed": 1}) == StatisticsConfig(seed=1)
    assert config_for("mafr_efficientnet_lite0", {}) == FinetuneConfig()
    assert config_for("lenet", {}) == FinetuneConfig(model="lenet", pretrained=False, size=64)
    assert config_for("lite_statistics", {"eval_crops": [[64, 2]]}).eval_crops == ((64, 2),)
    for config in (ViewsConfig(), StatisticsConfig(), FinetuneConfig()):
        assert estimator_for(config).config is not None


@pytest.mark.parametrize(
    ("model", "changes", "words"),
    [
        ("dkse_smal", {}, "Unknown classifier architecture 'dkse_smal'.*dkse_small"),
        ("dkse_small", {"epochs": 0}, "1 epoch"),
        ("dkse_small", {"transfer": "frozen"}, "pretrained weights"),
        ("dkse_small", {"pretrained": True}, "there are none of dkse_small"),
        ("dkse_small", {"partial_share": 0.0}, "partial_share"),
        ("dkse_small", {"epochs": "many"}, "epochs to be a whole number"),
        ("dkse_small", {"augmentation": "brushes"}, "augmentation 'brushes'.*brush"),
        ("dkse_small", {"warmup": 3}, "Unknown setting of dkse_small 'warmup'.*weight_decay"),
        ("lite_statistics", {"epochs": 3}, "Unknown setting of lite_statistics 'epochs'.*penalty"),
    ],
)
def test_wrong_settings_are_refused(model, changes, words):
    with pytest.raises(WorkbenchError, match=words):
        config_for(model, changes)
