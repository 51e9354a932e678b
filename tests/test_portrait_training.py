"""A whole training of a portrait stylizer in miniature: both phases, resuming, measuring, the card."""

import csv
import dataclasses
import json

import numpy as np
import portraits as drawn
import pytest
import torch
from PIL import Image

from workbench import models
from workbench.core.errors import WorkbenchError
from workbench.styles.people import KIND
from workbench.training.configs import PortraitConfig, PortraitPublication, read_config
from workbench.training.publish import publish
from workbench.training.recipes.afgan import faces
from workbench.training.start import time_before
from workbench.training.trainer import Trainer

SMALL = {"widths": (4, 8, 8, 8), "encoder_blocks": 1, "blocks": 1}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    root = tmp_path_factory.mktemp("portraits")
    rng = np.random.default_rng(0)
    stored = {}
    for folder in ("photos", "scenes", "style"):
        (root / folder).mkdir()
    for index in range(16):
        photo, landmarks, mask = drawn.portrait(72, 64, 12.0, index, glasses=index % 5 == 0)
        name = f"p_{index}.png"
        Image.fromarray(photo).save(root / "photos" / name)
        stored |= {f"landmarks/{name}": landmarks, f"mask/{name}": mask}
        for folder in ("scenes", "style"):
            Image.fromarray(rng.integers(0, 256, (80, 80, 3), np.uint8)).save(root / folder / f"{index}.png")
    np.savez(root / "annotations.npz", **stored)
    places = {n: str(root / n) for n in ("scenes", "style", "out")}
    return PortraitConfig(
        portraits=str(root / "photos"),
        annotations=str(root / "annotations.npz"),
        **places,
        arguments=SMALL,
        distil_steps=2,
        steps=3,
        batch=4,
        crop=56,
        interocular_px=(8.0, 13.0),
        held_out=0.4,
        face_pixels=32,
        validate_every=2,
        threads=1,
    )


@pytest.fixture(scope="module")
def trainer(config):
    trainer = Trainer(config)
    trainer.run()
    return trainer


@pytest.fixture(scope="module")
def published(trainer):
    said = PortraitPublication(name="tiny", style_source="noise", keep="step_000003.pt")
    return publish(trainer, said, "the command")


def test_both_phases_run_and_are_logged(trainer):
    out = trainer.out
    for phase, steps in (("distil", [2]), ("adversarial", [3])):
        with (out / f"train_{phase}.csv").open() as handle:
            assert [int(row["step"]) for row in csv.DictReader(handle)] == steps
    with (out / "validation.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert [row["phase"] for row in rows] == ["distil", "adversarial"]
    assert all(0 <= float(row["mask_iou"]) <= 1 for row in rows)
    assert {"best.pt", "checkpoint.pt", "step_000002.pt", "step_000003.pt"} <= {p.name for p in out.iterdir()}


def test_only_those_that_are_learnt_from_are_seen_with_dark_skin(trainer, config):
    data = trainer.recipe.data
    assert not {*data.validation, *data.test} & {*data.training}
    learnt = 16 - len(data.validation) - len(data.test)
    shown = trainer.recipe.composites.portraits
    own = learnt + round(config.dark_skin_fraction * learnt)
    held_out = [p.photo for p in (*data.validation.values(), *data.test.values())]
    assert not any(np.array_equal(p.photo, photo) for p in shown for photo in held_out)
    photos = [p.photo for p in data.training.values()]
    darker = [p for p in shown[:own] if not any(np.array_equal(p.photo, photo) for photo in photos)]
    assert len(darker) == own - learnt > 0
    assert len(shown) == own


def test_a_resumed_training_equals_an_uninterrupted_one(trainer, config, tmp_path):
    first = dataclasses.replace(config, out=str(tmp_path), steps=2)
    Trainer(first).run()
    resumed = Trainer(dataclasses.replace(first, steps=3))
    resumed.run()
    for (name, one), two in zip(
        trainer.generator.state_dict().items(), resumed.generator.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6, msg=name)


def test_the_newest_weights_are_the_best_while_the_teacher_alone_teaches(config, tmp_path):
    """Nearness to the anime faces, which a blurred photo may win, chooses nothing then."""
    alone = dataclasses.replace(config, out=str(tmp_path), distil_steps=4, steps=4, validate_every=1)
    trainer = Trainer(alone)
    trainer.run()
    with (tmp_path / "validation.csv").open() as handle:
        kid = [float(row["kid"]) for row in csv.DictReader(handle)]
    assert min(kid) < kid[-1]  # an earlier step is nearer to the style
    weights, step = trainer.weights("best")
    assert step == 4
    for name, value in trainer.ema.state_dict().items():
        torch.testing.assert_close(weights[name], value)


def test_a_checkpoint_of_another_network_is_refused(trainer, config):
    other = dataclasses.replace(config, arguments=SMALL | {"blocks": 2})
    with pytest.raises(WorkbenchError, match="arguments was"):
        Trainer(other).resume()


def test_the_configuration_survives_its_file(config, tmp_path):
    config.write(tmp_path / "c.json")
    read = read_config(tmp_path / "c.json")
    assert dataclasses.replace(read, arguments={}) == dataclasses.replace(config, arguments={})
    assert isinstance(read, PortraitConfig)


def test_weights_are_published_with_what_was_measured(trainer, published):
    _, card = models.load(published)
    assert card.kind == KIND
    assert card.training["steps"] == 3
    assert card.training["style"] == "noise"
    rows = {(row["pictures"], row["source"]): row for row in card.metrics["rows"]}
    assert rows["tiny", "all"]["parameters"] == sum(p.numel() for p in trainer.generator.parameters())
    assert rows["tiny", "all"]["background_psnr"] > 0
    assert rows["photos", "all"]["skin_lightness_correlation"] == pytest.approx(1)
    assert rows["photos", "all"]["skin_lightness_shift"] == 0
    assert rows["photos", "p"]["kid_lite0"] == rows["photos", "all"]["kid_lite0"]
    assert rows["drawn teacher", "all"]["kid_lite0"] != rows["photos", "all"]["kid_lite0"]
    assert rows["photos", "all"]["kid_lite0_less_photo"] == 0
    own = rows["drawn teacher", "all"]
    gap = own["kid_lite0"] - rows["photos", "all"]["kid_lite0"]
    assert own["kid_lite0_less_photo"] == pytest.approx(gap, abs=0.02)
    assert own["kid_lite0_less_photo_low"] <= own["kid_lite0_less_photo_high"]
    with pytest.raises(WorkbenchError, match="step_000002, step_000003"):
        publish(trainer, PortraitPublication(keep="step_000009.pt"), "")


def test_a_training_begins_from_weights_and_its_card_says_so(config, published, tmp_path):
    begun = dataclasses.replace(config, out=str(tmp_path), start=str(published))
    later = Trainer(begun)
    for network in (later.generator, later.ema):
        for name, value in models.load(published)[0].state_dict().items():
            torch.testing.assert_close(network.state_dict()[name], value)
    later.run()
    second = publish(later, PortraitPublication(name="second", keep="last"), "command")
    told = [models.card(path).training for path in (published, second)]
    assert "start" not in told[0]
    assert told[1]["start"] == "tiny.safetensors"
    assert told[1]["steps_before"] == 3
    assert told[1]["seconds_before"] == told[0]["seconds"]
    assert str(tmp_path) not in second.with_suffix(".json").read_text()
    with pytest.raises(WorkbenchError, match="do not fit"):
        Trainer(dataclasses.replace(begun, arguments=SMALL | {"blocks": 2}, out=str(tmp_path / "b")))
    with pytest.raises(WorkbenchError, match="there is none"):
        Trainer(dataclasses.replace(begun, start="nowhere.pt", out=str(tmp_path / "c")))


def test_time_before_adds_up(published, tmp_path):
    told = models.card(published).training | {"seconds": 100, "steps_before": 7, "seconds_before": 20}
    told |= {"command": "second", "commands_before": ["first"]}
    again = tmp_path / "third.safetensors"
    again.write_bytes(published.read_bytes())
    card = json.loads(published.with_suffix(".json").read_text())
    again.with_suffix(".json").write_text(json.dumps(card | {"training": told}))
    expected = {"start": "third.safetensors", "steps_before": 10, "seconds_before": 120}
    expected["commands_before"] = ["first", "second"]
    assert time_before(str(again)) == expected
    assert time_before("some/folder/best.pt") == {"start": "best.pt"}
    assert time_before("") == {}


def test_the_discriminators_see_squares_around_faces():
    pictures = torch.zeros(3, 3, 60, 80)
    pictures[1, :, 24:37, 34:47] = 1  # a square of 13 about x = 40, y = 30
    center = torch.tensor([[10.0, 10.0], [40.5, 28.0], [5.0, 5.0]])
    seen = faces(pictures, center, torch.tensor([4.0, 10.0, 0.0]), side=2.6, pixels=26)
    assert seen.shape == (2, 3, 26, 26)
    assert seen[1].mean().item() == pytest.approx(13 * 13 / 26**2, abs=0.03)
    assert seen[1, 0, 13, 13] == 1
    assert seen[1, 0, 2].max() == seen[1, 0, :, 2].max() == 0


def test_a_setting_of_the_teacher_that_there_is_not_is_refused_at_once(config):
    with pytest.raises(WorkbenchError, match="eye"):
        dataclasses.replace(config, drawing={"eyes": 2.0})
