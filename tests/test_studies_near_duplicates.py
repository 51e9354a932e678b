"""Hits, misses and false alarms of the detectors of near-duplicates."""

import numpy as np
import pandas as pd
import pytest

from workbench.core.errors import DatasetError
from workbench.data.atelier import open_dataset
from workbench.data.local_features import INLIERS, agreeing_keypoints, local_features
from workbench.studies.near_duplicates import NearDuplicates, reproduction, rows_of


def test_rows_by_hand():
    scores = {"keypoints": np.array([103, 15, 45, 2])}
    rows = rows_of("there already", scores, np.array([True, False, False, True]), missed=1)
    by = {row["threshold"]: row for row in rows}
    assert (by[40]["same"], by[40]["found"], by[40]["false_alarms"]) == (3, 1, 1)
    assert (by[15]["found"], by[15]["false_alarms"]) == (1, 2)
    assert by[40]["recall"] == pytest.approx(1 / 3)
    assert 0 < by[40]["low"] < 1 / 3 < by[40]["high"] < 1
    assert (by[40]["least_of_same"], by[40]["most_of_different"]) == (2, 45)


def test_a_reproduction_is_another_picture_of_the_same_painting():
    picture = open_dataset("atelier:10").read(0)
    first, again, other = (reproduction(picture, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert first.tobytes() != other.tobytes()
    assert agreeing_keypoints(local_features(picture), local_features(first)) >= INLIERS / 2


def test_reproductions_of_painted_pictures_are_found_without_false_alarms(tmp_path):
    path = NearDuplicates(data=("atelier:10",), reproductions=4, neighbours=4).run(tmp_path)
    table = pd.read_csv(path)
    own = table[table["detector"] == "keypoints"].set_index(["source", "threshold"])
    assert own.loc[("there already", INLIERS), "same"] == 0
    assert own.loc[("there already", INLIERS), "false_alarms"] == 0
    assert own.loc[("reproduced", INLIERS), "false_alarms"] == 0
    assert own.loc[("reproduced", 15), "same"] == 4
    assert own.loc[("reproduced", 15), "found"] >= 3  # at 256 pixels there are few keypoints


def test_a_pair_without_a_second_file_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="FIRST=SECOND"):
        NearDuplicates(data=("atelier:10",), same=("a.jpg",), reproductions=2).run(tmp_path)
