"""The table of all models side by side, from drawn cards."""

import pytest

from workbench import models
from workbench.classify.reading import Reading, classifiers
from workbench.data.atelier import paint
from workbench.ui.compare import read_with_all, same_task, side_by_side


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


def test_only_models_of_the_same_classes_are_compared(cards):
    assert same_task(list(cards), "mood_lite0") == ["mood_lite0", "mood_statistics"]


def test_all_read_the_same_painting():
    names = classifiers()
    found = read_with_all(paint("grandeur", seed=1).image, names)
    assert [r.model for r in found] == names
    assert all(sum(r.probabilities.values()) == pytest.approx(1) for r in found)
