"""Intervals of answers that are in a table already, over the painters of today."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hues import write_hues

from workbench.classify.probes import MajorityClass
from workbench.classify.summary import compare, read_predictions, read_summary
from workbench.core.errors import DatasetError
from workbench.data.paintings import read_paintings
from workbench.studies.intervals import APART, Intervals, trained_on, without_known_painters


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "paintings").mkdir()
    return write_hues(tmp_path / "paintings", count=8, painters=4, shape=(24, 30))


@pytest.fixture
def answers(folder, tmp_path):
    """The tables of a study of two floors; returns the answers."""
    variants = {"floor": MajorityClass(), "other": MajorityClass()}
    compare(
        "study", tmp_path / "done", read_paintings(folder), variants, "floor", folds=2, split_seeds=(0, 1),
        samples=50,
    )  # fmt: skip
    return tmp_path / "done" / "study_predictions.csv"


def test_the_same_painters_give_the_same_summary(folder, answers, tmp_path):
    (written,) = Intervals(data=str(folder), answers=(str(answers),), samples=50).run(tmp_path / "anew")
    before, after = read_summary(answers.with_name("study.csv")), pd.read_csv(written)
    pd.testing.assert_frame_equal(after[before.columns], before)
    assert set(after["groups"]) == set(after["groups_of_folds"]) == {8}
    assert set(after["trained_on"]) == {0}


def test_painters_brought_together_are_resampled_together(folder, answers, tmp_path):
    table = pd.read_csv(folder / "ratings.csv")
    names = sorted(set(table["painter"]))
    table["painter"] = table["painter"].replace(names[1], names[0])
    table.to_csv(folder / "ratings.csv", index=False)
    (written,) = Intervals(data=str(folder), answers=(str(answers),), samples=50).run(tmp_path / "anew")
    after = pd.read_csv(written)
    assert set(after["groups"]) == {7}
    assert set(after["groups_of_folds"]) == {8}


def test_the_share_of_answers_about_painters_who_were_trained_on(folder, answers):
    paintings = read_paintings(folder)
    _, found = read_predictions(answers, paintings)
    validation = found["floor"]
    assert trained_on(validation) == 0
    first = validation.folds[0].rows
    groups = paintings.groups.copy()
    groups[first[0]] = groups[validation.folds[1].rows[0]]  # one picture changes hands across the folds
    moved = dataclasses.replace(validation, paintings=dataclasses.replace(paintings, groups=groups))
    theirs = np.count_nonzero(groups == groups[first[0]])
    one_split = moved.with_folds(moved.folds[:2])
    assert trained_on(one_split) == pytest.approx(theirs / len(paintings))


def test_without_the_pictures_whose_painters_were_known_no_answer_is_about_one(folder, answers, tmp_path):
    before = read_paintings(folder)
    folds = read_predictions(answers, before)[1]["floor"].folds  # the first two part the first split
    first, other = (before.groups[fold.rows[0]] for fold in folds[:2])
    table = pd.read_csv(folder / "ratings.csv")
    table["painter"] = table["painter"].replace(other, first)
    table.to_csv(folder / "ratings.csv", index=False)
    paintings = read_paintings(folder)
    _, found = read_predictions(answers, paintings)
    known = [  # pictures of which a training knew another one by the same painter, counted one by one
        row
        for fold in found["floor"].folds
        for row in fold.rows
        if any(
            paintings.groups[row] == paintings.groups[other]
            for other in range(len(paintings))
            if other not in fold.rows
        )
    ]
    kept = without_known_painters(found["floor"])
    assert known
    assert trained_on(kept) == 0
    assert set(kept.paintings.paths) == set(paintings.paths) - {paintings.paths[row] for row in known}
    asked = Intervals(data=str(folder), answers=(str(answers),), samples=50, apart=True)
    (written,) = asked.run(tmp_path / "anew")
    rows = pd.read_csv(written)
    assert written.name == APART
    assert set(rows["table"]) == {"study"}
    assert set(rows["pictures"]) == {len(kept.paintings)}
    assert rows["left_out"].iloc[0] == pytest.approx(len(set(known)) / len(paintings), abs=1e-4)


def test_every_step_is_compared_with_the_one_before_it(folder, tmp_path):
    paintings, rng = read_paintings(folder), np.random.default_rng(0)
    rows = []
    for name, right in (("first", 0.4), ("second", 0.6), ("third", 0.9)):
        for seed in (0, 1):
            for i, path in enumerate(paintings.paths):
                given = np.full(len(paintings.classes), (1 - right) / (len(paintings.classes) - 1))
                given[paintings.labels[i]] = right * rng.uniform(0.9, 1.1)
                answer = {f"p_{c}": p for c, p in zip(paintings.classes, given / given.sum(), strict=True)}
                label = paintings.classes[paintings.labels[i]]
                rows.append(
                    {"model": name, "split_seed": seed, "fold": 0, "path": path, "label": label, **answer}
                )
    table = tmp_path / "three_predictions.csv"
    pd.DataFrame(rows).to_csv(table, index=False)
    steps = ("third", "second", "first")
    asked = Intervals(
        data=str(folder), answers=(str(table),), scores=("accuracy", "log_loss"), samples=50, steps=steps
    )
    (written,) = asked.run(tmp_path / "anew")
    assert written.name == "three_steps.csv"
    found = pd.read_csv(written).set_index(["model", "metric"])
    assert found["less"].to_dict() == {
        (after, score): before
        for before, after in (("third", "second"), ("second", "first"))
        for score in ("accuracy", "log_loss")
    }
    _, answers = read_predictions(table, paintings)
    loss = {name: np.mean([v["log_loss"] for v in losses(answers[name])]) for name in steps}
    for before, after in (("third", "second"), ("second", "first")):
        row = found.loc[after, "log_loss"]
        assert row["difference"] == pytest.approx(loss[after] - loss[before], rel=1e-4)
        assert row["difference_low"] <= row["difference"] <= row["difference_high"]
        assert row["p"] <= row["p_holm"] <= 2 * row["p"] + 1e-9
    with pytest.raises(DatasetError, match="'fourth'"):
        dataclasses.replace(asked, steps=("first", "fourth")).run(tmp_path / "anew")
    with pytest.raises(DatasetError, match="at least two steps"):
        dataclasses.replace(asked, steps=("first",)).run(tmp_path / "anew")


def losses(validation):
    """Scores of every split."""
    rows = np.arange(len(validation.paintings))
    return [validation.scores(table, rows) for table in validation.answers(False)]


def test_answers_about_other_pictures_or_labels_are_refused(folder, answers):
    table = pd.read_csv(answers)
    table.assign(label=table["label"].iloc[::-1].to_numpy()).to_csv(answers, index=False)
    with pytest.raises(DatasetError, match="labels"):
        read_predictions(answers, read_paintings(folder))
    table.drop(columns="fold").to_csv(answers, index=False)
    with pytest.raises(DatasetError, match="fold"):
        read_predictions(answers, read_paintings(folder))
    with pytest.raises(DatasetError, match="a file NAME_predictions"):
        Intervals(data=str(folder), answers=("study.csv",)).run(answers.parent)
