"""Measures held against ranks: correlations by hand, and a panel in which sharpness decides."""

import csv

import cv2
import numpy as np
import pytest
from PIL import Image

from workbench.core.errors import DatasetError
from workbench.metrics.bootstrap import FewGroupsWarning
from workbench.studies.yardsticks import Yardsticks, preference, summary


def test_preference_by_hand():
    assert preference([1, 2, 3], np.array([9.0, 5.0, 1.0])) == pytest.approx(1)
    assert preference([1, 2, 3], np.array([1.0, 5.0, 9.0])) == pytest.approx(-1)
    assert preference([1, 2, 3], np.array([5.0, 9.0, 1.0])) == pytest.approx(0.5)
    assert np.isnan(preference([1, 2, 3], np.zeros(3)))


def test_one_stylizer_may_carry_an_agreement():
    sheets = {("a", "1"): {"x": 1.0, "y": 2.0, "z": 3.0}, ("b", "1"): {"x": 1.0, "y": 2.0, "z": 3.0}}
    values = {(p, s): v for p in "ab" for s, v in (("x", 9.0), ("y", 1.0), ("z", 2.0))}
    with pytest.warns(FewGroupsWarning, match="2 groups only"):  # so few pictures widen the interval
        found = summary(sheets, values, 10)
    assert (found["correlation"], found["pictures"]) == (0.5, 2)
    assert (found["left_out"], found["correlation_without_one"]) == ("x", pytest.approx(-1))


def test_a_measure_that_decides_the_ranks_agrees_with_them(tmp_path):
    rows = []
    for i, picture in enumerate(("one", "two", "three")):
        noise = np.random.default_rng(i).integers(0, 2, (6, 8, 1), np.uint8).repeat(3, 2) * 200
        photo = cv2.resize(noise, (96, 72), interpolation=cv2.INTER_NEAREST)
        for name, sigma in (("photo", 0.1), ("hard", 0.5), ("soft", 2.0), ("softer", 4.0)):
            (tmp_path / "scenes" / name).mkdir(parents=True, exist_ok=True)
            drawn = cv2.GaussianBlur(photo, (0, 0), sigma)
            Image.fromarray(drawn).save(tmp_path / "scenes" / name / f"{picture}.png")
        rows += [("scenes", picture, 1, "drawn", n, r) for r, n in enumerate(("hard", "soft", "softer"), 1)]
    with (tmp_path / "ranks.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([("set", "picture", "judge", "question", "stylizer", "rank"), *rows])
    study = Yardsticks(panel=str(tmp_path), samples=50)
    compare = study.prepare(tmp_path)
    found = compare(measure="sharpness", question="drawn")
    assert (found["correlation"], found["correlation_without_one"]) == pytest.approx((1, 1))
    (tmp_path / "scenes" / "soft" / "two.png").unlink()
    with pytest.raises(DatasetError, match=r"the picture two, which has ranks, in .*soft but there is none"):
        study.prepare(tmp_path)
