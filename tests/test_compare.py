"""The table of all models side by side, from drawn cards."""

import dataclasses
import json

import pytest

from workbench import models
from workbench.classify.classifier import Reading, classifiers
from workbench.data.atelier import paint
from workbench.service.engines.worker import Context
from workbench.service.picture_tasks import measure_picture
from workbench.service.tasks import ReadOptions
from workbench.ui.compare import side_by_side


@pytest.fixture(scope="module")
def cards():
    return {name: models.card(name) for name in classifiers()}


def reading(name, card, top):
    rest = 0.4 / (len(card.class_names) - 1)
    return Reading(name, {c: 0.6 if c == top else rest for c in card.class_names}, True)


def test_a_row_a_model_with_its_own_measured_scores(cards):
    readings = [reading(n, c, "serenity") for n, c in cards.items()]
    table = side_by_side(readings, cards, "mood_statistics")
    assert table.count('<th scope="row">') == len(cards)
    assert table.count('aria-current="true"') == 1
    assert "They agree." in table
    for card in cards.values():
        accuracy = card.metrics["accuracy"]
        low, high = (f"{100 * accuracy[k]:.0f}" for k in ("low", "high"))
        assert f"<strong>{100 * accuracy['estimate']:.0f}</strong> ({low} to {high})" in table


def test_disagreement_is_said(cards):
    readings = [
        reading(n, c, top) for (n, c), top in zip(cards.items(), ("serenity", "vitality"), strict=True)
    ]
    assert "do not agree" in side_by_side(readings, cards, "mood_lite0")


def test_that_models_agree_on_a_picture_unlike_what_they_learnt_from_counts_for_nothing(cards):
    readings = [reading(n, c, "serenity") for n, c in cards.items()]
    like, unlike = ([dataclasses.replace(r, novelty=share) for r in readings] for share in (0.4, 0.97))
    assert "like them: less so than 40 %" in side_by_side(like, cards, "mood_lite0")
    table = side_by_side([unlike[0], *like[1:]], cards, "mood_lite0")
    assert "They agree." not in table
    assert (
        f"same mood, but the picture is unlike those that 1 of these {len(cards)} models learnt from" in table
    )
    assert "unlike those that any of these models learnt from" in side_by_side(unlike, cards, "mood_lite0")
    assert "<strong>unlike them</strong>: more so than 97 %" in table
    assert "not measured" in side_by_side(readings, cards, "mood_lite0")


def test_a_model_that_is_unsure_says_so_in_its_row(cards):
    shares = dict.fromkeys(next(iter(cards.values())).class_names, 0.2)
    readings = [Reading(name, shares, True, 0.4) for name in cards]
    assert side_by_side(readings, cards, "mood_lite0").count("(unsure)") == len(cards)


def test_every_other_model_of_the_same_classes_reads_the_same_painting(tmp_path):
    paint("grandeur", seed=1).image.save(tmp_path / "a.png")
    measure_picture((tmp_path / "a.png",), ReadOptions("mood_lite0"), Context(tmp_path))
    found = json.loads((tmp_path / "facts.json").read_text())["readings"]
    assert [reading["model"] for reading in found] == [n for n in classifiers() if n != "mood_lite0"]
    assert all(sum(reading["probabilities"].values()) == pytest.approx(1) for reading in found)
