"""The recipes: each trains and resumes, refuses what it does not know, and leaves ablated terms out."""

import csv
import dataclasses

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from workbench import models
from workbench.core.errors import UnknownNameError, WeightsError, WorkbenchError
from workbench.training import recipes as stylizer_recipes
from workbench.training.recipes.base import weigh
from workbench.training.stylizer import StylizerTrainer

TINY_FSGAN = {"architecture": "fsgan_small", "arguments": {"stem": 4, "middle": 4, "trunk": 8, "blocks": 1}}
TINY = {
    "fsgan": TINY_FSGAN | {"settings": {"spectrum_size": 32}},
    "cartoongan": TINY_FSGAN,
    "animegan": TINY_FSGAN,
    "ugatit_light": {"arguments": {"width": 4, "blocks": 1}, "settings": {"base": 4}, "crop": 128},
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Twelve photos and twelve style pictures: noisy ramps, and the same with broad flat bands."""
    root = tmp_path_factory.mktemp("scenes")
    for name, first in (("photos", 0), ("style", 100)):
        (root / name).mkdir()
        for i in range(12):
            rng = np.random.default_rng(first + i)
            ramp = np.linspace(40, 220, 144)[:, None, None] * rng.uniform(0.5, 1, 3)
            picture = np.clip(ramp + rng.normal(0, 9, (144, 132, 3)), 0, 255).astype(np.uint8)
            if name == "style":
                picture = cv2.medianBlur(picture // 40 * 40, 7)
            Image.fromarray(picture).save(root / name / f"{i:02d}.png")
    return root


def config(folders, out, recipe, **changes):
    common = {"photos": str(folders / "photos"), "style": str(folders / "style"), "out": str(out)}
    common |= {"batch": 2, "crop": 64, "held_out": 2, "distil_steps": 1, "steps": 3, "validate_every": 0}
    common |= {"checkpoint_every": 1, "threads": 1}
    return stylizer_recipes.config_for(recipe, **{**common, **TINY[recipe], **changes})


def logged(path):
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.parametrize("recipe", stylizer_recipes.names())
def test_a_recipe_trains_and_a_resumed_training_equals_an_unbroken_one(recipe, folders, tmp_path):
    whole = StylizerTrainer(config(folders, tmp_path / "whole", recipe))
    before = [p.clone() for p in whole.generator.parameters()]
    whole.run()
    assert any(not torch.equal(a, b) for a, b in zip(before, whole.generator.parameters(), strict=True))
    for steps in (2, 3):
        broken = StylizerTrainer(config(folders, tmp_path / "broken", recipe, steps=steps))
        broken.run()
    for a, b in zip(whole.ema.parameters(), broken.ema.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)
    (row,) = logged(tmp_path / "whole" / "train_adversarial.csv")
    assert all(np.isfinite(float(v)) for v in row.values())
    drawing = whole.stylize([np.zeros((50, 63, 3), np.uint8)])[0]  # sides that are no multiples of 4
    assert drawing.size == (63, 50)


def test_only_the_recipes_own_phases_are_run(folders, tmp_path):
    steps = {"cartoongan": {"content", "adversarial"}, "ugatit_light": {"adversarial"}}
    for recipe, phases in steps.items():
        out = tmp_path / recipe
        StylizerTrainer(config(folders, out, recipe, steps=2)).run()
        assert {p.stem.removeprefix("train_") for p in out.glob("train_*.csv")} == phases


def test_a_term_of_weight_zero_is_not_computed_and_its_discriminator_not_trained(folders, tmp_path):
    settings = {"spectrum_size": 32, "w_spectral": 0.0, "w_block": 0.0}
    trainer = StylizerTrainer(config(folders, tmp_path, "fsgan", distil_steps=0, steps=1, settings=settings))
    spectrum, gray = (
        [p.clone() for p in trainer.recipe.discriminators[name].parameters()] for name in ("spectrum", "gray")
    )
    trainer.run()
    (row,) = logged(tmp_path / "train_adversarial.csv")
    assert not {"spectral", "block", "d_spectrum"} & set(row)
    assert {"boundary", "color", "d_gray", "d_picture"} <= set(row)
    now = trainer.recipe.discriminators
    assert all(torch.equal(a, b) for a, b in zip(spectrum, now["spectrum"].parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(gray, now["gray"].parameters(), strict=True))


def test_weigh_leaves_out_what_weighs_nothing():
    def never():
        raise AssertionError("computed")

    terms = weigh(kept=(2.0, lambda: torch.tensor(3.0)), left_out=(0.0, never))
    assert {k: v.item() for k, v in terms.items()} == {"kept": 6.0}


def test_the_papers_settings_are_defaults_and_can_be_overridden(folders, tmp_path):
    animegan = stylizer_recipes.config_for("animegan", photos="p", style="s", out="o")
    assert (animegan.architecture, animegan.lr, animegan.batch) == ("animeganv2", 8e-5, 4)
    assert stylizer_recipes.config_for("animegan", photos="p", style="s", out="o", batch=2).batch == 2
    trainer = StylizerTrainer(config(folders, tmp_path, "cartoongan", settings={"w_content": 3.0}))
    assert trainer.recipe.settings.w_content == 3
    trainer = StylizerTrainer(config(folders, tmp_path, "animegan", settings={"w_gram": 0.5}))
    assert trainer.config.settings == dataclasses.asdict(trainer.recipe.settings)  # all of them are recorded
    assert trainer.config.settings["w_color"] == 10


def test_settings_of_the_recipe_are_told_from_those_of_the_training():
    found = stylizer_recipes.sorted_settings({"lr": 1e-5, "w_gram": 0, "settings": {"w_color": 3}})
    assert found == {"lr": 1e-5, "settings": {"w_color": 3, "w_gram": 0}}
    for name in stylizer_recipes.names():
        assert 30 < len(stylizer_recipes.describe(name)) < 120


def test_unknown_recipes_and_settings_are_refused(folders, tmp_path):
    with pytest.raises(UnknownNameError, match="cartoongan"):
        stylizer_recipes.config_for("cyclegan", photos="p", style="s", out="o")
    with pytest.raises(WorkbenchError, match="GramStylizer"):
        stylizer_recipes.find("gatys")
    with pytest.raises(WorkbenchError, match=r"w_content.*w_gramm"):
        StylizerTrainer(config(folders, tmp_path, "animegan", settings={"w_gramm": 1}))


def test_a_training_begins_from_the_weights_that_it_is_given(folders, tmp_path):
    torch.manual_seed(5)
    network = models.create("fsgan_small", **TINY_FSGAN["arguments"])
    torch.nn.init.normal_(network.out.weight)
    torch.save(network.state_dict(), tmp_path / "start.pt")
    trainer = StylizerTrainer(config(folders, tmp_path, "fsgan", start=str(tmp_path / "start.pt")))
    for ours in (trainer.generator, trainer.ema):
        assert torch.equal(ours.out.weight, network.out.weight)
    with pytest.raises(WeightsError, match="do not fit"):
        StylizerTrainer(config(folders, tmp_path, "fsgan", start="fsgan_pepper"))
    with pytest.raises(WeightsError, match="there is none"):
        StylizerTrainer(config(folders, tmp_path, "fsgan", start=str(tmp_path / "none.pt")))


def test_a_total_time_budget_counts_earlier_runs(folders, tmp_path):
    budget = {"steps": 10_000, "total_minutes": 1e-6, "clock": "processor"}
    for _ in range(2):
        trainer = StylizerTrainer(config(folders, tmp_path, "cartoongan", **budget))
        trainer.run()
        assert trainer.step == 1  # the first step spends it
    assert trainer.seconds > 0


def test_the_command_passes_the_recipe_and_its_settings_on(monkeypatch, tmp_path):
    from typer.testing import CliRunner

    from workbench.cli import app
    from workbench.training import publish, stylizer

    seen = {}

    class Trainer:
        def __init__(self, config):
            seen["config"] = config

        def run(self):
            seen["ran"] = True

    def published(out, publication, command, keep):
        seen.update(publication=publication, command=command)
        return out / f"{publication.name}.safetensors"

    monkeypatch.setattr(stylizer, "StylizerTrainer", Trainer)
    monkeypatch.setattr(publish, "publish", published)
    given = ["train", "stylizer", "--photos", "P", "--style", "S", "--out", str(tmp_path), "--name", "x"]
    given += ["--recipe", "animegan", "--set", "w_gram=0", "--set", "lr=1e-5", "--set", "clip=2.5"]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 0, result.output
    assert seen["ran"]
    config = seen["config"]
    assert (config.recipe, config.architecture, config.batch) == ("animegan", "animeganv2", 4)
    assert (config.settings, config.lr, config.clip) == ({"w_gram": 0}, 1e-5, 2.5)
    assert seen["publication"].recipe == stylizer_recipes.describe("animegan")
    assert "--recipe animegan" in seen["command"]
    assert "--set w_gram=0" in seen["command"]
