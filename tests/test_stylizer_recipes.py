"""The recipes: each trains and resumes, refuses what it does not know, and leaves ablated terms out."""

import csv

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from workbench import models
from workbench.core.errors import UnknownNameError, WeightsError, WorkbenchError
from workbench.training.configs import RECIPES, StylizerConfig, config_for
from workbench.training.recipes.base import weigh
from workbench.training.recipes.whitebox import superpixels
from workbench.training.scene_data import load_data
from workbench.training.trainer import Trainer

TINY_FSGAN = {"architecture": "fsgan_small", "arguments": {"stem": 4, "middle": 4, "trunk": 8, "blocks": 1}}
TINY = {
    "fsgan": TINY_FSGAN | {"spectrum_size": 32},
    "distil": TINY_FSGAN | {"teacher": "kuwahara", "patch_from": 1, "patch_base": 4},
    "cartoongan": TINY_FSGAN,
    "animegan": TINY_FSGAN,
    "whitebox": {"arguments": {"width": 4, "blocks": 1, "smooth": True}},
    "ugatit_light": {"arguments": {"width": 4, "blocks": 1}, "base": 4, "crop": 128},
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
    return config_for(recipe, **{**common, **TINY[recipe], **changes})


def logged(path):
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.parametrize("recipe", TINY)
def test_a_recipe_trains_and_a_resumed_training_equals_an_unbroken_one(recipe, folders, tmp_path):
    whole = Trainer(config(folders, tmp_path / "whole", recipe))
    before = [p.clone() for p in whole.generator.parameters()]
    whole.run()
    assert any(not torch.equal(a, b) for a, b in zip(before, whole.generator.parameters(), strict=True))
    for steps in (2, 3):
        broken = Trainer(config(folders, tmp_path / "broken", recipe, steps=steps))
        broken.run()
    for a, b in zip(whole.ema.parameters(), broken.ema.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)
    (row,) = logged(tmp_path / "whole" / f"train_{whole.recipe.phases[-1]}.csv")
    assert all(np.isfinite(float(v)) for v in row.values())
    drawing = whole.stylize([np.zeros((50, 63, 3), np.uint8)])[0]  # sides that are no multiples of 4
    assert drawing.size == (63, 50)


def test_only_the_recipes_own_phases_are_run(folders, tmp_path):
    steps = {"cartoongan": {"content", "adversarial"}, "ugatit_light": {"adversarial"}, "distil": {"distil"}}
    for recipe, phases in steps.items():
        out = tmp_path / recipe
        Trainer(config(folders, out, recipe, steps=2)).run()
        assert {p.stem.removeprefix("train_") for p in out.glob("train_*.csv")} == phases


def test_a_term_of_weight_zero_is_not_computed_and_its_discriminator_not_trained(folders, tmp_path):
    weights = {"w_spectral": 0.0, "w_block": 0.0}
    trainer = Trainer(config(folders, tmp_path, "fsgan", distil_steps=0, steps=1, **weights))
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


def test_superpixels_keep_flat_squares_and_flatten_noise():
    """Squares of 64 × 64 pixels change at their borders only, where superpixels lie across two of them."""
    rng = np.random.default_rng(0)
    squares = rng.integers(0, 256, (2, 2, 3)).repeat(64, 0).repeat(64, 1).astype(np.float32) / 127.5 - 1
    picture = torch.from_numpy(squares).permute(2, 0, 1)[None]
    drawn = superpixels(picture)
    assert torch.allclose(drawn[..., :40, :40], picture[..., :40, :40], atol=1e-5)
    assert (drawn - picture).abs().mean() < 0.1 * picture.abs().mean()
    noise = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0)) * 2 - 1
    flat = superpixels(noise)
    assert flat.mean().item() == pytest.approx(noise.mean().item(), abs=1e-5)
    assert flat.var() < 0.05 * noise.var()


def test_weigh_leaves_out_what_weighs_nothing():
    def never():
        raise AssertionError("computed")

    terms = weigh(kept=(2.0, lambda: torch.tensor(3.0)), left_out=(0.0, never))
    assert {k: v.item() for k, v in terms.items()} == {"kept": 6.0}


def test_the_papers_settings_are_defaults_and_can_be_overridden():
    folders = {"photos": "p", "style": "s", "out": "o"}
    animegan = config_for("animegan", **folders)
    assert (animegan.architecture, animegan.lr, animegan.batch) == ("animeganv2", 8e-5, 4)
    assert config_for("animegan", **folders, batch=2).batch == 2
    assert config_for("cartoongan", **folders, w_content=3).w_content == 3
    assert models.create("whitebox", **config_for("whitebox", **folders).arguments).smooth
    assert all(issubclass(RECIPES.get(name), StylizerConfig) for name in TINY)


def test_unknown_recipes_settings_and_teachers_are_refused():
    folders = {"photos": "p", "style": "s", "out": "o"}
    with pytest.raises(UnknownNameError, match="cartoongan"):
        config_for("cyclegan", **folders)
    with pytest.raises(WorkbenchError, match="GramStylizer"):
        config_for("gatys", **folders)
    with pytest.raises(UnknownNameError, match=r"w_gramm.*w_gram"):
        config_for("animegan", **folders, w_gramm=1)
    with pytest.raises(WorkbenchError, match="style"):
        config_for("fsgan", photos="p", out="o")
    with pytest.raises(WorkbenchError, match="at least 0"):
        config_for("fsgan", **folders, w_tv=-1)
    with pytest.raises(UnknownNameError, match=r"teacher.*ink_wash"):
        config_for("fsgan", **folders, teacher="nobody")
    with pytest.raises(UnknownNameError, match="line_gain"):
        config_for("distil", **folders, drawing={"line_grain": 1})
    with pytest.raises(WorkbenchError, match="twice spectrum_size"):
        config_for("fsgan", **folders, crop=100)


def test_a_training_begins_from_the_weights_that_it_is_given(folders, tmp_path):
    torch.manual_seed(5)
    network = models.create("fsgan_small", **TINY_FSGAN["arguments"])
    torch.nn.init.normal_(network.out.weight)
    torch.save(network.state_dict(), tmp_path / "start.pt")
    trainer = Trainer(config(folders, tmp_path, "fsgan", start=str(tmp_path / "start.pt")))
    for ours in (trainer.generator, trainer.ema):
        assert torch.equal(ours.out.weight, network.out.weight)
    with pytest.raises(WeightsError, match="do not fit"):
        Trainer(config(folders, tmp_path, "fsgan", start="fsgan_comic"))
    with pytest.raises(WeightsError, match="there is none"):
        Trainer(config(folders, tmp_path, "fsgan", start=str(tmp_path / "none.pt")))


def test_a_total_time_budget_counts_earlier_runs(folders, tmp_path):
    budget = {"steps": 10_000, "total_minutes": 1e-6, "clock": "processor"}
    for _ in range(2):
        trainer = Trainer(config(folders, tmp_path, "cartoongan", **budget))
        trainer.run()
        assert trainer.step == 1  # the first step spends it
    assert trainer.seconds > 0


def test_the_first_phase_has_the_terms_that_it_is_given(folders, tmp_path):
    weights = {"w_l1": 0.0, "w_gradient": 2.0, "w_edges": 0.0}
    Trainer(config(folders, tmp_path / "a", "fsgan", steps=1, **weights)).run()
    (row,) = logged(tmp_path / "a" / "train_distil.csv")
    assert set(row) == {"step", "seconds", "gradient"}
    Trainer(config(folders, tmp_path / "b", "fsgan", steps=1)).run()
    (row,) = logged(tmp_path / "b" / "train_distil.csv")
    assert set(row) == {"step", "seconds", "teacher", "edges"}


def test_distillation_needs_no_style_and_keeps_what_is_nearest_to_the_teacher(folders, tmp_path):
    changes = {"style": "", "steps": 4, "validate_every": 2, "teacher": "ink_wash"}
    changes |= {"warmup_steps": 0, "lr_distil": 0.01}
    trainer = Trainer(config(folders, tmp_path, "distil", **changes))
    trainer.run()
    rows = logged(tmp_path / "validation.csv")
    assert [int(row["step"]) for row in rows] == [2, 4]
    assert len({row["distance_photo"] for row in rows}) == 1
    distances = {int(row["step"]): float(row["distance"]) for row in rows}
    assert trainer.weights("best")[1] == min(distances, key=distances.get)
    measured, _ = trainer.recipe.measure(trainer.ema, "mine")
    assert [row["pictures"] for row in measured] == ["photos", "drawn teacher", "mine"]
    assert measured[1]["distance_to_teacher"] == 0
    assert 0 < measured[2]["distance_to_teacher"] != measured[0]["distance_to_teacher"] > 0
    target = trainer.recipe.targets["drawing"]
    photo = next(iter(trainer.recipe.data.training))
    assert np.array_equal(target[photo], trainer.recipe.teacher.draw(trainer.recipe.data.training[photo]))


def test_flat_areas_and_patches_count_as_they_are_told(folders, tmp_path):
    names = {"step", "seconds", "teacher", "gradient"}
    for changes, more in (
        ({"w_block": 0.0, "w_patch": 0.0}, set()),
        ({"w_patch": 0.0}, {"block"}),
        ({"w_block": 0.0}, {"patch", "d_patch"}),
    ):
        out = tmp_path / str(len(more))
        recipe = Trainer(config(folders, out, "distil", style="", validate_every=1, **changes))
        recipe.run()
        rows = logged(out / "train_distil.csv")
        assert set(rows[0]) == names | more
        if "patch" in more:
            assert [float(row["d_patch"]) > 0 for row in rows] == [False, True, True]
            assert recipe.recipe.discriminators["patches"].inputs == 2


def test_photos_held_out_by_hand_are_the_ones_that_measure(folders, tmp_path):
    apart = str(folders / "style")
    trainer = Trainer(config(folders, tmp_path, "distil", held_out_photos=apart))
    data = trainer.recipe.data
    assert (len(data.training), len(data.validation), len(data.test)) == (12, 6, 6)
    held_out = np.asarray(Image.open(folders / "style" / "00.png"))
    assert np.array_equal(data.validation["00.png"], held_out)


def test_crops_keep_every_pixel_where_no_scale_is_wanted(folders, tmp_path):
    trainer = Trainer(config(folders, tmp_path, "distil"))
    trainer.recipe.prepare()
    batch = trainer.recipe.batch(0)
    photos = trainer.recipe.data.training.values()
    for photo, drawing in zip(batch.photo, batch.drawing, strict=True):
        crop = ((photo.permute(1, 2, 0).numpy() + 1) * 127.5).round().astype(np.uint8)
        windows = (np.lib.stride_tricks.sliding_window_view(p, (64, 64), (0, 1)) for p in photos)
        found = [
            (w == c.transpose(2, 0, 1)).all((2, 3, 4)).any() for w in windows for c in (crop, crop[:, ::-1])
        ]
        assert any(found)
        assert drawing.shape == photo.shape


@pytest.mark.parametrize("scales", [(1.0,), (1.2, 0.8), (0.0, 1.0)])
def test_impossible_scales_are_refused(folders, tmp_path, scales):
    with pytest.raises(WorkbenchError, match="two scales"):
        config(folders, tmp_path, "distil", scales=scales)


def test_the_learning_rate_rises_and_falls_as_it_is_told(folders, tmp_path):
    changes = {"lr_distil": 1e-3, "warmup_steps": 3, "decay_share": 0.5}
    recipe = Trainer(config(folders, tmp_path, "distil", **changes)).recipe
    rates = [recipe.learning_rate(step, progress) for step, progress in ((0, 0), (3, 0.5), (9, 0.75), (9, 1))]
    assert rates == pytest.approx([0.25e-3, 1e-3, 0.5e-3, 0])
    fsgan = Trainer(
        config(folders, tmp_path, "fsgan", distil_steps=10, lr_distil=1e-3, decay_share=0.2)
    ).recipe
    assert [fsgan.learning_rate(step, 0.0) for step in (0, 8, 9)] == pytest.approx([1e-3, 1e-3, 0.5e-3])
    assert fsgan.learning_rate(10, 0.0) == fsgan.config.lr


def test_a_share_of_the_photos_is_repeated_with_its_channels_in_another_order(folders, tmp_path):
    plain = load_data(config(folders, tmp_path, "distil"))
    more = load_data(config(folders, tmp_path, "distil", recoloured=0.5))
    added = {name: p for name, p in more.training.items() if name not in plain.training}
    assert (len(plain.training), len(added)) == (10, 5)
    assert more.validation.keys() == plain.validation.keys()
    assert more.test.keys() == plain.test.keys()
    for name, picture in added.items():
        photo = plain.training[name.partition(" in ")[0]]
        assert not np.array_equal(picture, photo)
        assert np.array_equal(np.sort(picture, axis=-1), np.sort(photo, axis=-1))  # the same values per pixel
