"""Mood shift: hand-made readings with known transitions, and the study on a few painted pictures."""

import csv

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from workbench.interpret.descriptors import DESCRIPTORS
from workbench.studies import mood_shift
from workbench.studies.stylizer_pictures import free_photos

MOODS = ("calm", "grand")


def readings():
    """Ten pictures by five painters: six calm, four grand; two of the calm turn grand."""
    before = np.array([[0.8, 0.2]] * 6 + [[0.3, 0.7]] * 4)
    after = before.copy()
    after[:2] = [0.4, 0.6]
    return before, after, np.repeat(list("abcde"), 2)


def table(rows):
    return {(r["measure"], r["name"], r["other"]): r for r in rows}


def test_transitions_and_changes_by_hand():
    before, after, groups = readings()
    labels = np.array([0] * 5 + [1] * 5)
    found = table(mood_shift.mood_rows(before, after, MOODS, groups, labels, samples=2000))
    assert found["transition", "calm", "grand"]["estimate"] == pytest.approx(2 / 6)
    assert found["transition", "calm", "calm"]["estimate"] == pytest.approx(4 / 6)
    assert found["transition", "grand", "grand"]["estimate"] == 1
    assert found["transition", "calm", "grand"]["pictures"] == 6
    assert found["changed", "", ""]["estimate"] == pytest.approx(0.2)
    assert found["distance", "", ""]["estimate"] == pytest.approx(0.4 * 2 / 10)
    assert found["change", "calm", ""]["estimate"] == pytest.approx(-0.08)
    assert found["change", "grand", ""]["estimate"] == pytest.approx(0.08)
    assert found["share before", "grand", ""]["estimate"] == pytest.approx(0.4)
    assert found["share after", "grand", ""]["estimate"] == pytest.approx(0.6)
    assert found["accuracy before", "", ""]["estimate"] == pytest.approx(0.9)
    assert found["accuracy after", "", ""]["estimate"] == pytest.approx(0.7)
    assert found["accuracy change", "", ""]["estimate"] == pytest.approx(-0.2)
    for row in found.values():
        assert row["low"] <= row["estimate"] <= row["high"]
    # one painter in five moved: his count is binomial, whose quantile at 99.9 % (widened for 5 groups) is 4
    assert found["changed", "", ""]["low"] == 0
    assert found["changed", "", ""]["high"] == pytest.approx(0.8)


def test_a_share_of_all_or_none_is_not_certain():
    """The four that were read as grand stay so, by two painters: Wilson's 2 of 2 is 0.342 to 1."""
    before, after, groups = readings()
    found = table(mood_shift.mood_rows(before, after, MOODS, groups, samples=200))
    stay, leave = found["transition", "grand", "grand"], found["transition", "grand", "calm"]
    assert (stay["estimate"], stay["low"], stay["high"]) == pytest.approx((1, 0.342, 1), abs=5e-4)
    assert (leave["estimate"], leave["low"], leave["high"]) == pytest.approx((0, 0, 0.658), abs=5e-4)
    same = table(mood_shift.mood_rows(before, before, MOODS, groups, samples=200))
    assert same["changed", "", ""]["high"] == pytest.approx(1.959964**2 / (5 + 1.959964**2))  # five painters
    assert same["distance", "", ""]["high"] == 0  # no share of pictures


def test_the_table_follows_from_the_readings_of_every_picture():
    before, after, groups = readings()
    rows = [
        {"subject": "paintings", "style": "ink", "group": group}
        | {f"before_{c}": repr(float(v)) for c, v in zip(MOODS, first, strict=True)}
        | {f"after_{c}": repr(float(v)) for c, v in zip(MOODS, then, strict=True)}
        for group, first, then in zip(groups, before, after, strict=True)
    ]
    again = mood_shift.recomputed(rows, MOODS, samples=100)
    keys = {"subject": "paintings", "style": "ink"}
    expected = mood_shift.mood_rows(before, after, MOODS, groups, samples=100)
    assert again == [{**keys, **row} for row in expected]


def test_without_labels_there_is_no_accuracy():
    before, after, groups = readings()
    measures = {r["measure"] for r in mood_shift.mood_rows(before, after, MOODS, groups, samples=50)}
    assert measures == {"changed", "distance", "change", "share before", "share after", "transition"}


def test_descriptor_change_is_paired_and_in_deviations():
    rng = np.random.default_rng(0)
    before = rng.normal(size=(40, len(DESCRIPTORS)))
    after = before.copy()
    after[:, 1] += 2 * before[:, 1].std()
    after[3, 2] = np.nan
    before[:, 3] = 1.0  # no spread: no unit
    rows = mood_shift.descriptor_rows(before, after, np.arange(40), samples=300)
    found = {r["name"]: r for r in rows}
    names = list(DESCRIPTORS)
    assert names[3] not in found
    assert found[names[1]]["estimate"] == pytest.approx(2)
    assert found[names[1]]["p"] < 0.2 < found[names[0]]["p"]
    assert found[names[0]]["estimate"] == 0
    assert found[names[2]]["pictures"] == 39


def test_the_control_changes_little():
    photo = Image.fromarray(free_photos()["coffee"])
    gap = np.abs(np.asarray(mood_shift.redraw(photo, mood_shift.CONTROL), int) - np.asarray(photo)).mean()
    assert 0.1 < gap < 5


@pytest.mark.slow
def test_the_study_end_to_end_and_resumed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    styles = ("colormatrix_gray", mood_shift.CONTROL)
    study = mood_shift.MoodShift("atelier:20", styles=styles, samples=50)
    path = study.run(tmp_path / "out")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(r["subject"], r["style"]) for r in rows} == {
        (s, style) for s in ("paintings", "photos") for style in styles
    }
    found = {(r["subject"], r["style"], r["measure"], r["name"]): r for r in rows}
    gray = found["paintings", "colormatrix_gray", "descriptor", "saturation"]
    assert float(gray["estimate"]) < -0.5
    moved = {s: float(found["paintings", s, "distance", ""]["estimate"]) for s in styles}
    assert moved[mood_shift.CONTROL] < moved["colormatrix_gray"]
    each = pd.read_csv(tmp_path / "out" / "mood_shift_pictures.csv")
    own = each[(each["subject"] == "paintings") & (each["style"] == "colormatrix_gray")]
    columns = [c.removeprefix("after_") for c in own if c.startswith("after_")]
    gap = sum((own[f"after_{c}"] - own[f"before_{c}"]).abs() for c in columns) / 2
    assert len(own) == 20
    assert gap.mean() == pytest.approx(moved["colormatrix_gray"], rel=1e-9)
    monkeypatch.setattr(mood_shift, "describe", None)  # nothing is measured again
    path.unlink()
    again = study.run(tmp_path / "out")
    assert len(again.read_text().splitlines()) == len(rows) + 1
