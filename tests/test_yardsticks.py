"""Measures held against ranks: correlations by hand, and a panel in which sharpness decides."""

import csv

import cv2
import numpy as np
import pytest
from PIL import Image

from workbench.core.errors import DatasetError
from workbench.metrics.bootstrap import FewGroupsWarning
from workbench.studies import yardsticks
from workbench.studies.yardsticks import (
    Yardsticks,
    agreement_of_means,
    mean_ranks,
    means,
    panel_features,
    preference,
    probe,
    style_distances,
    summary,
)


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


def test_means_of_stylizers_are_compared_by_hand():
    sheets = {
        ("a", "1"): {"x": 1.0, "y": 2.0, "z": 3.0},
        ("a", "2"): {"x": 2.0, "y": 1.0, "z": 3.0},
        ("b", "1"): {"x": 1.0, "y": 3.0, "z": 2.0},
    }
    ranks = mean_ranks(sheets)
    assert ranks["a", "x"] == ranks["a", "y"] == 1.5
    preferred = means(ranks, 40)
    assert preferred.estimate == {"x": 1.25, "y": 2.25, "z": 2.5}
    values = {
        ("a", "x"): 1.0,
        ("b", "x"): 4.0,
        ("a", "y"): 2.0,
        ("b", "y"): 1.0,
        ("a", "z"): np.nan,
        ("b", "z"): 8.0,
    }
    measure = means(values, 40)
    assert measure.estimate == {"x": 2.5, "y": 1.5, "z": 4.0}  # nan: no lines
    assert set(zip(*measure.draws.values(), strict=True)) == {
        (2.5, 1.5, 4.0),
        (1.0, 2.0, 0.0),
        (4.0, 1.0, 8.0),
    }
    with pytest.warns(FewGroupsWarning):
        found = agreement_of_means(measure, preferred)
    # preferred are x, y, z in this order, 3 2 1; the measure has 2 1 3: 1 - 6 (1 + 1 + 4) / (3 (9 - 1))
    assert found["of_means"] == pytest.approx(-0.5)
    # without x or y the pair that is left is in the other order, without z in the same
    assert (found["of_means_without_one"], found["of_means_left_out"]) == (pytest.approx(1), "z")
    assert found["of_means_low"] <= found["of_means"] <= found["of_means_high"]


def test_the_probe_sees_neither_the_photo_nor_the_stylizer_that_it_scores(monkeypatch):
    seen = []

    class Noted:
        def fit(self, x, y):
            seen.append((set(x[:, 0].tolist()), y.tolist()))
            return self

        def decision_function(self, x):
            return x[:, 1]

    monkeypatch.setattr(yardsticks, "linear_probe", Noted)
    names = [
        (s, n, p)
        for s, p in (("scenes", "a"), ("scenes", "b"), ("faces", "a"))
        for n in ("ink", "pen", "photo")
    ]
    features = {name: np.array([[i, 5.0 * (name[1] == "ink")]] * 3) for i, name in enumerate(sorted(names))}
    code = {name: float(features[name][0, 0]) for name in names}
    scores, auc = probe(features, "scenes", [("a", "ink"), ("b", "pen")])
    assert scores == {("a", "ink"): 5, ("b", "pen"): 0}
    others = [
        ("faces", "pen", "a"),
        ("faces", "photo", "a"),
        ("scenes", "pen", "b"),
        ("scenes", "photo", "b"),
    ]
    assert seen[0] == ({code[n] for n in others}, [True, False, True, False])
    assert all(code[n] not in seen[1][0] for n in names if n[1] == "pen" or n[::2] == ("scenes", "b"))
    assert auc == 0.75  # ink is above both photos, pen level with both


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
    comic = tmp_path / "comic"
    comic.mkdir()
    for i in range(10):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (260, 260, 3), np.uint8)).save(
            comic / f"{i}.png"
        )
    study = Yardsticks(panel=str(tmp_path), style=str(comic), samples=50)
    compare = study.prepare(tmp_path)
    kid = compare(measure="kid_lite0", question="drawn")
    assert (kid["pictures"], "correlation" in kid) == (3, False)
    assert -1 <= kid["of_means_low"] <= kid["of_means"] <= kid["of_means_high"] <= 1
    found = compare(measure="sharpness", question="drawn")
    assert (found["correlation"], found["correlation_without_one"]) == pytest.approx((1, 1))
    assert (found["of_means"], found["of_means_without_one"]) == pytest.approx((1, 1))
    assert 0 <= compare(measure="photo_or_drawing", question="drawn")["auc"] <= 1
    assert {name[:2] for name in panel_features(tmp_path)} == {
        ("scenes", name) for name in ("photo", "hard", "soft", "softer")
    }
    (tmp_path / "scenes" / "soft" / "two.png").unlink()
    with pytest.raises(DatasetError, match=r"the picture two, which has ranks, in .*soft but there is none"):
        study.prepare(tmp_path)


def test_kid_stands_beside_the_measures_if_there_is_a_style(tmp_path, monkeypatch):
    """Drawings far from the style by their features have a large KID and were ranked last."""
    rng = np.random.default_rng(0)
    far = {"near": 0.0, "middle": 2.0, "far": 4.0, "photo": 8.0}
    features = {
        ("scenes", name, p): rng.normal(shift, 0.1, (3, 8))
        for name, shift in far.items()
        for p in ("a", "b", "c")
    }
    style = [np.zeros((260, 260, 3), np.uint8)] * 4
    monkeypatch.setattr(yardsticks, "lite0_features", lambda pictures: rng.normal(0, 0.1, (4, 3, 8)))
    (tmp_path / "ranks.csv").write_text("set\n")
    study = Yardsticks(panel=str(tmp_path), style="comic", samples=20)
    assert [run["measure"] for run in study.plan()].count("kid_lite0") == 3
    assert "kid_lite0" not in {run["measure"] for run in Yardsticks(panel=str(tmp_path)).plan()}
    pairs = [(p, name) for p in "abc" for name in ("near", "middle", "far")]
    distances = style_distances(features, "scenes", pairs, dict(zip("abcd", style, strict=True)), 20)
    assert distances.estimate["near"] < distances.estimate["middle"] < distances.estimate["far"]
    ranks = means({(p, n): r for p in "abc" for r, n in enumerate(("near", "middle", "far"), 1)}, 20)
    with pytest.warns(FewGroupsWarning):
        assert agreement_of_means(distances, ranks)["of_means"] == pytest.approx(-1)


def test_other_ranks_are_another_run(tmp_path):
    study = Yardsticks(panel=str(tmp_path))
    (tmp_path / "ranks.csv").write_text("set,rank\nscenes,1\n")
    before = study.depends_on(measure="sharpness", question="drawn")
    (tmp_path / "ranks.csv").write_text("set,rank\nscenes,2\n")
    assert study.depends_on(measure="sharpness", question="drawn") != before
