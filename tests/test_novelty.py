"""Pictures unlike the training pictures are told from those like them."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from PIL import Image

from workbench import models
from workbench.classify.classifier import Classifier
from workbench.classify.configs import StatisticsConfig
from workbench.classify.results import Reading
from workbench.classify.statistics import StatisticsEstimator
from workbench.core.cards import Card
from workbench.core.errors import DatasetError
from workbench.data.atelier.dataset import open_dataset
from workbench.models.novelty import QUANTILES, Novelty
from workbench.studies.novelty import Novelty as Study
from workbench.studies.novelty import auc_interval, confusion_rows, held_out_of
from workbench.ui.moods import bars


def test_what_lies_outside_the_plane_is_new():
    """Features vary along (1, 1, 0): the plane takes all of that, and half of a step along (1, 0, 0)."""
    t = torch.linspace(-1, 1, 21)
    features = torch.stack([t, t, torch.zeros(21)], 1)
    novelty = Novelty(3, 1).fit(features, np.arange(21) % 7)
    assert novelty(features).max() < 1e-8
    scale = t.std(correction=0).item()
    step = torch.tensor([[scale, 0.0, 0.0]])  # 1 in standardised units: (.5, .5) in the plane, (.5, -.5) not
    assert novelty(step).item() == pytest.approx((0.25 + 0.25) / 3, abs=1e-4)
    assert novelty(torch.tensor([[scale, 0.0, 0.0, 99.0]])).item() == novelty(step).item()  # a fourth column


def test_ranks_are_shares_of_held_out_pictures():
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(400, 20, generator=rng)
    novelty = Novelty(20, 4).fit(features, np.arange(400) % 40)
    fresh = torch.randn(2000, 20, generator=rng)
    ranks = novelty.rank(novelty(fresh))
    assert ranks.mean().item() == pytest.approx(0.5, abs=0.05)  # pictures of the same kind: uniform
    assert (ranks >= 0.95).float().mean().item() == pytest.approx(0.05, abs=0.03)
    assert novelty.rank(novelty(3 * fresh)).mean() > 0.95
    assert novelty.rank(torch.tensor([0.0, 1e6])).tolist() == [0.0, 1.0]
    with pytest.raises(ValueError, match="two groups"):
        Novelty(20, 4).fit(features, np.zeros(400))


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A reader of 40 atelier paintings, saved and loaded."""
    data = open_dataset("atelier:40")
    config = StatisticsConfig(variants=("lite0",), size=96, eval_crops=((96, 2),), novelty_components=8)
    network = StatisticsEstimator(config).fit(data, np.arange(len(data))).network()
    card = Card(
        name="tiny", kind="classifier", title="t", description="d", architecture="lite_statistics",
        arguments=StatisticsEstimator(config).arguments(len(data.classes)),
        preprocessing={"size": 96, **config.views.to_card()}, training={}, metrics={}, limitations="none",
        licence="none", classes=tuple({"name": name} for name in data.classes),
        calibration={"temperature": 1.0, "matches": "the raters' votes"},
    )  # fmt: skip
    return Classifier.load(models.save(network, card, tmp_path_factory.mktemp("tiny"))), data


def test_a_reading_says_how_new_its_picture_is(classifier):
    reader, data = classifier
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8))
    known, new = reader.classify_all([data.read(0), noise])
    assert known.novelty < 0.5 < new.novelty
    assert new.unlike
    assert not known.unlike
    assert Reading.from_dict(new.as_dict()) == new
    assert new.as_dict()["unlike"] is True
    logits = reader.logits_of([noise])  # of the mean features: the mean of the views' logits
    with torch.no_grad():
        expected = reader.network(reader.views(noise)).mean(0).numpy()
    assert logits[0] == pytest.approx(expected, abs=1e-4)


def test_the_warning_stands_beside_the_bars(classifier):
    card = classifier[0].card
    probabilities = dict.fromkeys(card.class_names, 1 / len(card.class_names))
    shown = bars(Reading("tiny", probabilities, True, 0.97), card)
    assert shown.index("Unlike the pictures") < shown.index("<ul")
    assert "97\u00a0% of those" in shown
    assert "share of raters" in shown
    assert "Unlike" not in bars(Reading("tiny", probabilities, True, 0.94), card)
    assert "typical" not in bars(Reading("tiny", probabilities, True), card)


def test_the_study(classifier, tmp_path, caplog):
    reader, _ = classifier
    folder = tmp_path / "noise"
    folder.mkdir()
    for i in range(5):
        pixels = np.random.default_rng(i).integers(0, 256, (96, 96, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    (folder / "2.png").write_bytes(b"no picture")  # one of the three that are evenly spaced
    path = models.save(reader.network, reader.card, tmp_path)
    study = Study(folders=(str(folder),), atelier=40, per_folder=3, model=str(path), samples=50)
    study.run(tmp_path / "out")
    with (tmp_path / "out/novelty_summary.csv").open() as file:
        rows = {(r["set"], r["measure"]): r for r in csv.DictReader(file)}
    assert rows["noise", "auc"]["pictures"] == "2"
    assert f"{folder / '2.png'} is passed over" in caplog.text
    assert float(rows["noise", "unlike"]["estimate"]) == 1
    assert float(rows["atelier", "auc"]["estimate"]) < 0.5  # its own training pictures
    assert float(rows["atelier", "as_meant"]["estimate"]) > 0.8
    assert (rows["noise", "unlike"]["groups"], rows["atelier", "unlike"]["groups"]) == ("1", "40")
    assert rows["noise", "unlike"]["low"] == "nan"  # noise is like noise: a single group
    with (tmp_path / "out/novelty_confusion.csv").open() as file:
        cells = list(csv.DictReader(file))
    assert len(cells) == 25
    assert sum(int(cell["pictures"]) for cell in cells) == 40
    hits = sum(int(cell["pictures"]) for cell in cells if cell["meant"] == cell["read"])
    assert hits / 40 == pytest.approx(float(rows["atelier", "as_meant"]["estimate"]))
    with pytest.raises(DatasetError, match="different names"):
        Study(folders=(str(folder), str(folder))).plan()


def test_persons_and_copies_count_once(tmp_path):
    study = Study(folders=(str(tmp_path),))
    faces = ["frl_neutral_front__001_03.jpg", "frl_smiling_front__001_08.jpg", "us_C001051.jpg"]
    assert study.groups(tmp_path.name, faces).tolist() == ["frl_001", "frl_001", "us_C001051"]
    for i in range(2):
        pixels = np.random.default_rng(i).integers(0, 256, (96, 96, 3), np.uint8)
        Image.fromarray(pixels).resize((192, 192)).save(tmp_path / f"{i}.png")
    Image.open(tmp_path / "0.png").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "2.png")
    first, _, mirrored = study.groups(tmp_path.name, ["0.png", "1.png", "2.png"])
    assert first == mirrored
    assert len(set(study.groups("atelier", ["a/1.png", "a/2.png"]))) == 2


def test_the_auc_knows_that_held_out_pictures_are_a_sample():
    """All 200 pictures lie between the two highest percentiles: how many held-out ones are above them is
    binomial with p = 1 / 101, whose quantiles at 2.5 and 97.5 % of 129 are 0 and 4."""
    found = auc_interval(np.full(200, 100 / QUANTILES), np.arange(200), 129, samples=4000)
    assert found == pytest.approx((100 / 101, 1 - 4 / 129, 1))
    wide = auc_interval(np.tile([0.0, 1.0], 50), np.arange(100), 10**6)  # held-out pictures without end
    assert wide.high - wide.low == pytest.approx(2 * 1.96 * 0.5 / 10, rel=0.1)  # a share of 100 pictures
    pairs = auc_interval(np.tile([0.0, 1.0], 50), np.arange(100) % 50, 10**6)  # 50 persons, all alike
    assert pairs.high - pairs.low > 1.3 * (wide.high - wide.low)
    beyond = auc_interval(np.ones(40), np.arange(40), 129)  # newer than all: Wilson's 40 of 40
    assert beyond == pytest.approx((1, 40 / (40 + 1.959964**2), 1))
    assert held_out_of({"painters": 129, "pictures": 396}) == 129
    assert held_out_of({}) == QUANTILES


def test_what_paintings_are_read_as_by_hand():
    rows = confusion_rows(["calm", "calm", "grand"], ["calm", "grand", "grand"], ["calm", "grand", "sad"])
    assert len(rows) == 9
    found = {(row["meant"], row["read"]): row for row in rows}
    assert [found["calm", read]["pictures"] for read in ("calm", "grand", "sad")] == [1, 1, 0]
    assert found["calm", "grand"]["share"] == 0.5
    assert found["grand", "grand"]["low"] == pytest.approx(1 / (1 + 1.959964**2))
    assert found["sad", "sad"]["share"] == ""
