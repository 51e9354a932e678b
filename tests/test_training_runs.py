"""One folder, one training: what is resumed, refused and made once, and the command on the card."""

import csv
import dataclasses
import json
import os
import shlex
import subprocess
import sys
import time
from typing import ClassVar

import filelock
import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from workbench import models
from workbench.cli import app
from workbench.core.errors import WorkbenchError
from workbench.drawing import teachers
from workbench.training import publish, trainer
from workbench.training.configs import (
    PortraitConfig,
    PortraitPublication,
    StylizerPublication,
    config_for,
    recorded_command,
)
from workbench.training.trainer import Trainer

SMALL = {"stem": 4, "middle": 4, "trunk": 4, "blocks": 1}


def save_photo(folder, name, seed=None):
    pixels = np.random.default_rng(int(name) if seed is None else seed).integers(0, 256, (9, 8, 3), np.uint8)
    Image.fromarray(pixels).resize((64, 72), Image.Resampling.BICUBIC).save(folder / f"{name}.png")


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(12):
        save_photo(folder, f"{i:02d}")
    return folder


def config(photos, out, **changes):
    """Of a distillation: no style, no frozen features."""
    values = {
        "photos": str(photos),
        "out": str(out),
        "arguments": SMALL,
        "steps": 2,
        "batch": 2,
        "crop": 32,
        "teacher": "kuwahara",
    }
    values |= {"w_block": 0.0, "held_out": 4, "checkpoint_every": 1, "validate_every": 1, "threads": 1}
    return config_for("distil", **values | changes)


def targets(out):
    return {path.name: path.read_bytes() for path in (out / "targets").iterdir()}


def test_more_steps_and_another_clock_time_go_on_with_the_same_training(photos, tmp_path):
    Trainer(config(photos, tmp_path / "a")).run()
    later = Trainer(config(photos, tmp_path / "a", steps=4, minutes=60, validate_every=2, device="cpu"))
    assert later.resume()
    assert later.step == 2
    later.run()
    with (tmp_path / "a" / "validation.csv").open() as handle:
        assert [row["step"] for row in csv.DictReader(handle)] == ["1", "2", "4"]


def test_a_changed_photo_or_setting_is_named_and_nothing_is_overwritten(photos, tmp_path):
    out = tmp_path / "out"
    Trainer(config(photos, out)).run()
    before = {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()}
    with pytest.raises(WorkbenchError, match=r"w_lines was 6.0 and is 3.0.*--restart") as refused:
        Trainer(config(photos, out, w_lines=3.0, steps=5)).run()
    assert "\n" not in str(refused.value)
    split = Trainer(config(photos, out)).recipe.data
    for group in ("training", "validation"):
        name = next(iter(getattr(split, group))).removesuffix(".png")
        save_photo(photos, name, seed=99)
        with pytest.raises(WorkbenchError, match=f"1 of the {group} photos are new and 1 gone"):
            Trainer(config(photos, out)).run()
        save_photo(photos, name)
    assert {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()} == before
    Trainer(config(photos, out)).run()  # as it was again: it goes on


def test_restart_begins_anew_and_leaves_nothing_of_the_old_training(photos, tmp_path):
    out = tmp_path / "out"
    Trainer(config(photos, out, steps=3)).run()
    anew = Trainer(config(photos, out, w_lines=3.0, restart=True))
    anew.run()
    fresh = Trainer(config(photos, tmp_path / "fresh", w_lines=3.0))
    fresh.run()
    for a, b in zip(anew.ema.parameters(), fresh.ema.parameters(), strict=True):
        assert torch.equal(a, b)
    with (out / "validation.csv").open() as handle:
        assert [row["step"] for row in csv.DictReader(handle)] == ["1", "2"]


def test_one_more_photo_is_one_more_target_and_another_teacher_draws_all_anew(photos, tmp_path):
    out = tmp_path / "out"
    Trainer(config(photos, out, held_out=3)).run()
    before = targets(out)
    assert len(before) == 12 - 3 + 2  # of training and validation photos; those that measure are drawn later
    save_photo(photos, "12")
    Trainer(config(photos, out, held_out=3, restart=True)).run()
    more = targets(out)
    assert before.items() <= more.items()
    assert len(more) - len(before) <= 3  # the photo, and those that changed sides with it
    Trainer(config(photos, out, held_out=3, restart=True, drawing={"saturation": 0.5})).run()
    assert len(targets(out)) == len(more) + 13 - 3 + 2


def test_time_for_the_targets_is_time_of_the_training(photos, tmp_path):
    def draw(photo, _):
        time.sleep(0.05)
        return photo

    teachers.TEACHERS.add("slow", teachers.Teacher(draw, teachers.TEACHERS.get("kuwahara").settings))
    first = Trainer(config(photos, tmp_path / "a", teacher="slow", steps=1, validate_every=0))
    first.run()
    least = 0.05 * len(first.recipe.data.training) / os.cpu_count()
    assert first.seconds >= least
    # the budget is spent by them, also when they were made by an earlier run
    (tmp_path / "a" / "checkpoint.pt").unlink()
    budget = {"total_minutes": least / 60, "steps": 1000, "validate_every": 0}
    again = Trainer(config(photos, tmp_path / "a", teacher="slow", **budget))
    again.run()
    assert (again.step, again.seconds >= least) == (0, True)


def test_a_killed_training_goes_on_as_if_nothing_had_happened(photos, tmp_path, monkeypatch):
    whole = Trainer(config(photos, tmp_path / "whole", steps=4))
    whole.run()
    killed = Trainer(config(photos, tmp_path / "killed", steps=4, checkpoint_every=0, validate_every=2))
    step = killed.recipe.step
    monkeypatch.setattr(killed.recipe, "step", lambda n, share: step(n, share) if n < 3 else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        killed.run()
    later = Trainer(config(photos, tmp_path / "killed", steps=4, checkpoint_every=0, validate_every=2))
    later.run()
    for a, b in zip(whole.ema.parameters(), later.ema.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_publishing_takes_the_training_that_ran(photos, tmp_path):
    """It reads no folder again, as a second trainer would."""
    trained = Trainer(config(photos, tmp_path / "out"))
    trained.run()
    photos.rename(tmp_path / "elsewhere")
    path = publish.publish(trained, StylizerPublication(name="tiny"), "the command")
    card = models.card(path)
    assert (card.name, card.training["command"]) == ("tiny", "the command")
    assert [row["pictures"] for row in card.metrics["rows"]] == ["photos", "drawn teacher", "tiny"]


@pytest.mark.filterwarnings("ignore::workbench.metrics.bootstrap.FewGroupsWarning")
def test_published_weights_are_measured_again_on_photos_of_a_table_of_roles(photos, tmp_path):
    trained = Trainer(config(photos, tmp_path / "out"))
    trained.run()
    path = publish.publish(trained, StylizerPublication(name="tiny"), "the command")
    weights, before = path.read_bytes(), models.card(path)
    assert before.metrics["split"].startswith("2 held-out photos that no training step")
    roles = tmp_path / "roles.csv"
    named = [f"{i:02d}.png,{'report' if i > 3 else 'choose' if i else 'train'}" for i in range(12)]
    roles.write_text("\n".join(["photo,role", *named]))
    card_path = publish.measure_again(path, photos, roles, tmp_path / "again", count=5, side=64)
    after = models.card(path)
    assert card_path == path.with_suffix(".json")
    assert path.read_bytes() == weights
    assert dataclasses.replace(after, metrics=before.metrics) == before
    assert after.metrics["split"].startswith("5 photos that neither trained nor chose weights or settings")
    rows = after.metrics["rows"]
    assert [(row["pictures"], row["photos"]) for row in rows] == [
        (name, 5) for name in ("photos", "drawn teacher", "tiny")
    ]
    for row in rows:
        for measure in ("color_drift", "region_variation", "distance_to_teacher"):
            assert row[f"{measure}_low"] <= row[measure] <= row[f"{measure}_high"]
    assert rows[1]["color_drift_low"] < rows[1]["color_drift_high"]
    assert rows[2]["distance_to_teacher_low"] < rows[2]["distance_to_teacher_high"]


def test_two_launched_processes_are_refused_before_anything_is_written(photos, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "workbench.cli", "train", "stylizer", "--recipe", "distil"]
    command += ["--photos", str(photos), "--out", str(out), "--steps", "1", "--arguments", json.dumps(SMALL)]
    launched = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29511"}
    processes = [
        subprocess.Popen(
            command,
            env=os.environ | launched | {"RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    for process in processes:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 2
        (line,) = said.strip().splitlines()
        assert "Expected one process but 2 were launched" in line
    assert not out.exists()


def test_a_folder_in_which_another_process_trains_is_refused(photos, tmp_path):
    training = Trainer(config(photos, tmp_path / "out"))
    (tmp_path / "out").mkdir()
    lock = filelock.FileLock(tmp_path / "out" / ".training.lock")
    with lock, pytest.raises(WorkbenchError, match="Another process trains"):
        training.run()
    training.run()


def test_the_device_is_the_one_that_is_asked_for(photos, tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_DEVICE", "cuda:77")
    with pytest.raises(WorkbenchError, match="cuda:77"):
        Trainer(config(photos, tmp_path / "out"))
    assert Trainer(config(photos, tmp_path / "out", device="cpu")).device.type == "cpu"
    assert not (tmp_path / "out").exists()


# -- the command -------------------------------------------------------------------------------------------


@pytest.fixture
def seen(monkeypatch, tmp_path):
    """What the command would train and publish."""
    seen = {}

    class Recorded:
        skipped: ClassVar = {}

        def __init__(self, config):
            seen["config"] = config

        def run(self):
            seen["ran"] = True

    def published(_, publication, command):
        seen.update(publication=publication, command=command)
        return tmp_path / f"{publication.name}.safetensors"

    monkeypatch.setattr(trainer, "Trainer", Recorded)
    monkeypatch.setattr(publish, "publish", published)
    return seen


def typed(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    "words",
    [
        "train stylizer --photos PHOTOS --style STYLE --out OUT",
        "train stylizer --photos PHOTOS --style STYLE --out OUT --recipe animegan --w-gram 0 --lr 1e-5 "
        "--validate-every 7 --minutes 1.5 --keep last --title 'In my \"own\" hand' --split-seed 3",
        "train stylizer --photos PHOTOS --out OUT --recipe distil --teacher ink_wash --restart --seed 5 "
        """--drawing '{"ink_gain": 20.0}' --arguments '{"blocks": 2}' --w-lines 3.5""",
        "train portraits --portraits PORTRAITS --annotations ANNOTATIONS --scenes SCENES --style STYLE "
        "--out OUT --interocular-px 20 --interocular-px 40 --dark-skin-fraction 0.5 --person '^(.+?)_' "
        "--validate-every 9 --w-mask 0.3 --threads 2 --name mine --recipe 'in two steps' --clock processor "
        "--keep step_000200.pt",
    ],
)
def test_the_recorded_command_makes_the_same_configuration_again(words, seen):
    typed(*shlex.split(words))
    first = dict(seen)
    assert first["ran"]
    program, *again = shlex.split(first["command"])
    assert program == "workbench"
    typed(*again)
    assert {k: first[k] for k in ("config", "publication", "command")} == {
        k: seen[k] for k in ("config", "publication", "command")
    }


def test_the_recorded_command_tells_what_ran_and_not_where(tmp_path):
    places = {name: str(tmp_path) for name in PortraitConfig.places}
    config = config_for("afgan", **places, start=f"{tmp_path}/best.pt", validate_every=200, minutes=30)
    said = recorded_command("workbench train portraits", config, PortraitPublication(keep="last"))
    assert str(tmp_path) not in said
    for part in ("--keep last", "--validate-every 200", "--minutes 30", "--start best.pt", "--scenes SCENES"):
        assert part in said
    assert "--steps" not in said  # as it is by default


def test_every_setting_has_a_flag_and_a_wrong_one_is_told(seen):
    words = ["train", "stylizer", "--photos", "P", "--style", "S", "--out", "O"]
    typed(*words, "--set", "w_tv=0", "--set", "clip=2.5")  # the way of before
    assert (seen["config"].w_tv, seen["config"].clip) == (0, 2.5)
    typed(*words, "--recipe", "cartoongan", "--batch", 3)
    assert (seen["config"].recipe, seen["config"].architecture) == ("cartoongan", "cartoongan")
    assert seen["config"].batch == 3
    typed(*words)
    assert (seen["config"].batch, seen["config"].w_content) == (8, 0.05)
    unknown = {"w_tv": ["--recipe", "cartoongan", "--w-tv", "1"], "kuwahara": ["--teacher", "nobody"]}
    for named, wrong in unknown.items():
        result = CliRunner().invoke(app, [*words, *wrong])
        assert result.exit_code
        assert named in str(result.exception)
    result = CliRunner().invoke(app, ["train", "stylizer", "--photos", "P", "--out", "O"])
    assert "style" in str(result.exception)


def test_a_card_holds_the_command_and_all_settings(photos, tmp_path):
    out = tmp_path / "out"
    words = (
        f"--crop 32 --steps 2 --arguments '{json.dumps(SMALL)}' --held-out 4 --validate-every 1 --keep last"
    )
    typed(*shlex.split(f"train stylizer --recipe distil --photos {photos} --out {out} --threads 1 {words}"))
    card = models.card(out / "my_style.safetensors")
    expected = f"workbench train stylizer --recipe distil --photos PHOTOS --out OUT --threads 1 {words}"
    assert sorted(shlex.split(card.training["command"])) == sorted(shlex.split(expected))
    assert card.training["kept"] == "last"
    assert card.training["settings"]["w_gradient"] == 2
    assert str(tmp_path) not in (out / "my_style.json").read_text()
