"""The examples that come with the page: there, described, and what their script makes."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from workbench import models
from workbench.classify.results import classifiers
from workbench.core.runs import read_rows
from workbench.data.atelier import MOODS
from workbench.interpret.measured import FOLDER
from workbench.ui import examples, moods
from workbench.ui.theme import page_script

SCRIPT = Path(__file__).resolve().parent.parent / "docs" / "make_examples.py"


@pytest.fixture(scope="module")
def making():
    spec = importlib.util.spec_from_file_location("make_examples", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_paintings_are_the_ateliers(making):
    assert tuple(MOODS) == examples.MOODS == tuple(examples.paintings())
    mood = "serenity"
    with Image.open(examples.paintings()[mood]) as kept:
        difference = np.abs(np.asarray(kept, float) - np.asarray(making.painting(mood), float))
    assert difference.mean() < 2  # levels of 255: what JPEG takes away


def test_the_paintings_were_not_chosen(making):
    assert [making.SEEDS[mood] for mood in MOODS] == [0, 1, 2, 3, 4]


def test_how_the_models_read_the_paintings_is_what_the_page_says(making):
    rows = read_rows(FOLDER / "examples.csv")
    assert rows == making.readings(examples.ASSETS)
    for name in classifiers():
        card = models.card(name)
        right = sum(row["meant"] == row["top"] for row in rows if row["model"] == name)
        said = moods.examples_read(card)
        assert f"reads {right} of these 5 as the mood that each was painted for" in said
        assert (
            f"Of 500 such pictures it reads {100 * card.metrics['atelier_as_meant']['estimate']:.1f} % so"
            in said
        )
    unknown = dataclasses.replace(card, sha256="f" * 64, network_sha256="", metrics={})
    assert "was not measured" in moods.examples_read(unknown)
    assert "500" not in moods.examples_read(unknown)


def test_clips_are_the_cameras_moves(making):
    files = {path.name for path in examples.clips().values()}
    assert files == {move.file for move in making.MOVES}
    move = making.MOVES[1]
    with av.open(str(examples.ASSETS / move.file)) as clip:
        kept = [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0)]
        assert clip.streams.video[0].average_rate == making.RATE
    assert len(kept) == making.FRAMES
    for number, picture in enumerate(making.frames(move)):
        if number % 12 == 0:
            assert np.abs(kept[number].astype(float) - picture).mean() < 6, number


def test_clips_show_what_may_be_passed_on(making):
    """Photographs are found where they are installed; what moves over them is shipped here."""
    credits = {e.title: e.credit for e in examples.examples()}
    for move in making.MOVES:
        assert credits[move.photo].endswith(("CC0", "public domain"))


def test_every_example_has_a_name_for_screen_readers():
    script = page_script()
    for path in (*examples.paintings().values(), *examples.clips().values()):
        assert f'"{path.stem}": ' in script
    assert '"astronaut": "Eileen Collins"' in script
