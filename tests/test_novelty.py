"""Pictures unlike the training pictures are told from those like them."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes

from workbench import models
from workbench.classify.classifier import Classifier
from workbench.classify.configs import Publication, Source, StatisticsConfig
from workbench.classify.estimators import config_for
from workbench.classify.novelty import add_novelty
from workbench.classify.publish import train_classifier
from workbench.classify.results import PAINTED_HERE, Reading, classifiers
from workbench.classify.statistics import StatisticsEstimator
from workbench.core.cards import SHIPPED, Card
from workbench.core.errors import DatasetError, WeightsError
from workbench.data.atelier.dataset import open_dataset, write_atelier
from workbench.models.novelty import QUANTILES, Novelty, attach
from workbench.studies.novelty import Novelty as Study
from workbench.studies.novelty import auc_interval, confusion_rows, for_card, held_out_of
from workbench.ui.moods import bars

RESULTS = Path(__file__).resolve().parent.parent / "reports" / "results"


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
    rows = np.arange(len(data))
    network = StatisticsEstimator(config).fit(data, rows).published(data, rows)
    card = Card(
        name="tiny", kind="classifier", title="t", description="d", architecture="lite_statistics",
        arguments={**StatisticsEstimator(config).arguments(len(data.classes)), "novelty_components": 8},
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
    probabilities = dict(zip(card.class_names, (0.6, 0.1, 0.1, 0.1, 0.1), strict=True))
    shown = bars(Reading("tiny", probabilities, True, 0.97), card)
    assert shown.index("Unlike the pictures") < shown.index("<ul")
    assert "97\u00a0% of those" in shown
    assert "share of raters" in shown
    assert "Unlike" not in bars(Reading("tiny", probabilities, True, 0.94), card)
    unknown = bars(Reading("tiny", probabilities, True), card)
    assert "typical" not in unknown
    assert "cannot tell" in unknown


def test_beside_a_like_picture_stands_how_many_others_are_called_so(classifier):
    card = classifier[0].card
    reading = Reading("tiny", dict(zip(card.class_names, (0.6, 0.1, 0.1, 0.1, 0.1), strict=True)), True, 0.4)
    assert "was not measured" in bars(reading, card)
    sets = [("photos", 50, 0.9), ("drawings", 40, 0.5), ("maps", 30, 1.0), (PAINTED_HERE, 100, 0.0)]
    rows = [{"set": name, "pictures": n, "called_unlike": share} for name, n, share in sets]
    said = bars(reading, dataclasses.replace(card, metrics={"novelty": rows}))
    assert "it is said of 20 of 40 drawings; 5 of 50 photos, too." in said


def test_a_model_that_is_unsure_says_so_and_how_often_it_is_right_then(classifier):
    card = classifier[0].card

    def shown(*shares, novelty=0.4, card=card):
        return bars(Reading("tiny", dict(zip(card.class_names, shares, strict=True)), True, novelty), card)

    close, faint, sure = (
        (0.36, 0.32, 0.12, 0.1, 0.1),
        (0.29, 0.22, 0.19, 0.15, 0.15),
        (0.4, 0.34, 0.1, 0.1, 0.06),
    )
    assert "unsure: two moods are nearly as likely" in shown(*close)
    assert "unsure: even the likeliest mood is not likely" in shown(*faint)
    assert "unsure" not in shown(*sure)
    assert "unsure" not in shown(*close, novelty=0.96)  # what holds for the like says nothing of the unlike
    assert "was not measured" in shown(*close)
    measured = {
        "unsure": {"estimate": 0.2, "low": 0.1, "high": 0.3},
        "right_if_unsure": {"estimate": 0.414, "low": 0.31, "high": 0.52},
        "right_if_sure": {"estimate": 0.75, "low": 0.7, "high": 0.8},
    }
    said = shown(*close, card=dataclasses.replace(card, metrics=measured))
    assert "as unsure of 20." in said
    assert (
        "about 41 of 100 such paintings (95 % interval 31 to 52), and about 75 of 100 of the others" in said
    )
    assert Reading("tiny", dict(zip(card.class_names, close, strict=True)), True).as_dict()["unsure"] is True


def test_what_cards_say_of_unsure_readings_follows_from_the_committed_predictions():
    for name in classifiers():
        table = pd.read_csv(RESULTS / f"{name}_predictions.csv").query("model == @name")
        columns = [f"p_{c}" for c in models.card(name).class_names]
        shares = np.sort(table[columns].to_numpy(), axis=1)
        doubts = (shares[:, -1] < 0.3) | (shares[:, -1] - shares[:, -2] < 0.05)
        right = table[columns].idxmax(axis=1).str.removeprefix("p_") == table["label"]
        expected = {
            "unsure": doubts.mean(),
            "right_if_unsure": right[doubts].mean(),
            "right_if_sure": right[~doubts].mean(),
        }
        metrics = models.card(name).metrics
        for score, value in expected.items():
            assert metrics[score]["estimate"] == pytest.approx(value, abs=1e-4)
            assert metrics[score]["low"] < value < metrics[score]["high"]
        assert metrics["right_if_unsure"]["high"] < metrics["right_if_sure"]["low"]


def test_what_cards_say_of_other_pictures_is_what_the_study_found():
    with (RESULTS / "novelty_summary.csv").open(encoding="utf-8") as file:
        summary = list(csv.DictReader(file))
    for name in classifiers():
        metrics, wanted = models.card(name).metrics, for_card(summary, name)
        assert {key: metrics[key] for key in wanted} == wanted
        assert [row["pictures"] for row in wanted["novelty"]] == [100, 100, 100, 100, 500]
        assert wanted["atelier_as_meant"]["pictures"] == 500


def test_a_network_without_a_score_gets_one_and_stays_as_it_is(tmp_path):
    data = write_atelier(tmp_path / "data", 40, size=96)
    config = config_for("lite0_classifier", {"size": 96, "epochs": 1, "folds": 2, "eval_crops": ((96, 1),)})
    trained = train_classifier(Source(data), tmp_path / "a", config, Publication("mine", samples=10))
    network, card = models.load(trained)
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8))
    with_score = Classifier.load(trained).classify(noise)
    assert with_score.novelty > 0.7
    assert {"unsure", "right_if_sure"} <= set(card.metrics)

    del network.novelty  # as it was trained before all networks got one
    arguments = {k: v for k, v in card.arguments.items() if k != "novelty_components"}
    old = models.save(network, dataclasses.replace(card, arguments=arguments), tmp_path / "old")
    assert models.card(old).sha256 == models.card(old).network_digest == card.network_digest
    assert Classifier.load(old).classify(noise).novelty is None

    again = add_novelty(old, Source(data), tmp_path / "new")
    assert models.card(again).network_digest == card.network_digest
    assert models.card(again).sha256 != card.network_digest
    before, after = load_file(old), load_file(again)
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    found = Classifier.load(again).classify(noise)
    assert found.probabilities == Classifier.load(old).classify(noise).probabilities
    assert found.novelty == pytest.approx(with_score.novelty, abs=0.05)  # as training fits it
    assert after["novelty.quantiles"].float().numpy() == pytest.approx(
        load_file(trained)["novelty.quantiles"].float().numpy(), rel=0.05
    )
    with pytest.raises(WeightsError, match="already"):
        add_novelty(again, Source(data), tmp_path / "more")
    (data / "ratings.csv").write_text("".join((data / "ratings.csv").read_text().splitlines(True)[:-1]))
    with pytest.raises(DatasetError, match="the 40 pictures that mine was trained on"):
        add_novelty(old, Source(data), tmp_path / "more")


def test_the_digest_of_a_shipped_network_is_that_of_its_weights_without_the_score():
    for name in classifiers():
        card = models.card(name)
        if card.network_sha256:
            alone = {
                k: v for k, v in load_file(SHIPPED / f"{name}.safetensors").items() if "novelty." not in k
            }
            assert hashlib.sha256(to_bytes(alone)).hexdigest() == card.network_sha256


def test_of_few_features_some_always_lie_outside_the_components():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(10, 2))
    novelty = attach(network, 32)
    assert novelty.components.shape == (10, 5)
    features = torch.randn(200, 10, generator=torch.Generator().manual_seed(0))
    novelty.fit(features, np.arange(200) % 20)
    assert novelty.rank(novelty(3 * features)).mean() > 0.8


def test_the_study(classifier, tmp_path, caplog):
    reader, _ = classifier
    folder = tmp_path / "noise"
    folder.mkdir()
    for i in range(5):
        pixels = np.random.default_rng(i).integers(0, 256, (96, 96, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    (folder / "2.png").write_bytes(b"no picture")  # one of the three that are evenly spaced
    path = models.save(reader.network, reader.card, tmp_path)
    study = Study(folders=(str(folder),), atelier=40, per_folder=3, models=(str(path),), samples=50)
    study.run(tmp_path / "out")
    with (tmp_path / "out/novelty_summary.csv").open() as file:
        summary = list(csv.DictReader(file))
    rows = {(r["set"], r["measure"]): r for r in summary}
    assert {r["model"] for r in summary} == {str(path)}
    said = for_card(summary, str(path))
    assert [(row["set"], row["pictures"]) for row in said["novelty"]] == [("noise", 2), (PAINTED_HERE, 40)]
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
