"""A second source beside the mood reader, mixed in as far as it helped within the training pictures."""

import numpy as np
import pandas as pd
import pytest
from hues import write_hues

from workbench.classify.blended import BlendedProbe
from workbench.classify.configs import StatisticsConfig
from workbench.classify.features import SqueezedFeatures
from workbench.classify.probes import SoftProbe
from workbench.classify.statistics import StatisticsEstimator
from workbench.core.cache import Cache
from workbench.data.paintings import read_paintings

READER = StatisticsConfig(variants=("lite0",), size=32, eval_crops=(), covariance_stage=0)


@pytest.fixture(scope="module")
def paintings(tmp_path_factory):
    folder = write_hues(tmp_path_factory.mktemp("hues"), count=10, painters=5, shape=(32, 32))
    table = pd.read_csv(folder / "ratings.csv")
    warm = table["label"] == table["label"].iloc[0]
    painters = [f"painter {i % 10}" for i in range(len(table))]  # each paints both moods
    table.assign(pleasure=np.where(warm, 6.0, 2.0) + np.arange(len(table)) / 100, painter=painters).to_csv(
        folder / "ratings.csv", index=False
    )
    return read_paintings(folder)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return Cache(tmp_path_factory.mktemp("cache"))


def test_the_ends_are_the_reader_and_the_second_source(paintings, cache):
    rows = np.arange(len(paintings))
    second = SqueezedFeatures(32)
    soft = {n: getattr(READER, n) for n in ("hard_share", "class_weight_power", "penalty")}
    alone = {
        0.0: StatisticsEstimator(READER, cache=cache),
        1.0: SoftProbe(features=second, cache=cache, **soft),
    }
    for share, estimator in alone.items():
        blended = BlendedProbe(reader=READER, features=second, shares=(share,), cache=cache)
        blended.fit(paintings, rows)
        expected = estimator.fit(paintings, rows).predict_logits(paintings, rows)
        assert blended.predict_logits(paintings, rows) == pytest.approx(expected, abs=1e-4)
        assert blended.measures(paintings, rows) == {"share": share}


def test_a_mood_is_read_from_a_predicted_rating(paintings, cache):
    rows = np.arange(len(paintings))
    blended = BlendedProbe(
        reader=READER, features=SqueezedFeatures(32), auxiliary=("pleasure",), shares=(1.0,), cache=cache
    )
    held = np.isin(paintings.groups, np.unique(paintings.groups)[::5])
    blended.fit(paintings, rows[~held])
    assert (blended.predict(paintings, rows[held]) == paintings.labels[held]).mean() > 0.9
