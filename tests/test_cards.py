"""What is kept of a model is found by a digest of all that decides what it makes, and of nothing else."""

import dataclasses

import pytest

from workbench import models

CHANGES = {
    "sha256": "0" * 64,
    "architecture": "another",
    "arguments": {"shapes": [9]},
    "preprocessing": {"size": 64},
    "classes": ({"name": "calm"},),
    "calibration": {"temperature": 2.0},
}


@pytest.mark.parametrize("field", CHANGES)
def test_what_decides_an_answer_changes_the_digest(field):
    card = models.card("mood_lite0")
    changed = dataclasses.replace(card, **{field: CHANGES[field]})
    assert changed.digest != card.digest


def test_words_and_measurements_do_not():
    card = models.card("mood_lite0")
    said = {"title": "Another", "description": "", "limitations": "", "metrics": {}, "date": ""}
    assert dataclasses.replace(card, **said).digest == card.digest
    named = ({**c, "name_zh": ""} for c in card.classes)
    assert dataclasses.replace(card, classes=tuple(named)).digest == card.digest


def test_two_models_have_two_digests():
    assert len({models.card(name).digest for name in models.trained()}) == len(models.trained())
