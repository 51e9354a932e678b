"""The study of training runs: what its plan keeps equal, and a tiny run from folders to its table."""

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from workbench.studies import stylizer_training as study


def pictures(folder, count, first):
    folder.mkdir()
    for i in range(count):
        rng = np.random.default_rng(first + i)
        coarse = rng.uniform(0, 255, (6, 7, 3)).astype(np.uint8)
        picture = np.asarray(Image.fromarray(coarse).resize((272, 256), Image.Resampling.BICUBIC))
        noisy = picture + rng.normal(0, 6, picture.shape)
        noisy[60:180, 70:160] = rng.uniform(0, 255, 3)  # something with edges
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{i:02d}.png")
    return folder


def differences(a, b):
    a, b = dataclasses.asdict(a.config), dataclasses.asdict(b.config)
    return {key for key in a if a[key] != b[key]}


def test_ablations_differ_in_one_choice_only():
    runs = {
        (r.variant, r.seed): r
        for r in study.training_runs(study.StylizerTraining("p", "s"), "o")
        if r.group == "ablation"
    }
    assert set(runs) == {(v, s) for v in study.ABLATIONS for s in (0, 1)}
    full = runs["full", 0]
    for variant, weight in (
        ("spectral", "w_spectral"),
        ("boundary", "w_boundary"),
        ("colour blocks", "w_block"),
    ):
        other = runs[f"without {variant}", 0]
        assert differences(full, other) == {weight, "out"}
        assert getattr(other.config, weight) == 0
    assert differences(full, runs["nearest", 0]) == {"arguments", "start", "out"}
    assert differences(full, runs["full", 1]) == {"seed", "out"}


def test_baselines_share_data_crops_and_minutes():
    runs = [
        r
        for r in study.training_runs(study.StylizerTraining("p", "s", minutes=3), "o")
        if r.group == "baseline"
    ]
    assert [r.config.recipe for r in runs] == list(study.BASELINES)
    shared = {(r.config.total_minutes, r.config.clock, r.config.crop, r.config.split_seed) for r in runs}
    assert shared == {(3, "processor", 160, 0)}
    assert {r.config.architecture for r in runs} == {
        "fsgan_small",
        "cartoongan",
        "animeganv2",
        "ugatit_light",
        "whitebox",
    }
    assert not any(r.config.start for r in runs)  # from random weights
    one = study.StylizerTraining("p", "s", baselines=("whitebox",))
    assert [r.variant for r in study.training_runs(one, "o") if r.group == "baseline"] == ["whitebox"]


def test_a_baseline_may_have_the_generator_of_another():
    light = study.StylizerTraining("p", "s", baselines=("cartoongan/whitebox", "cartoongan"))
    runs = [r for r in study.training_runs(light, "o") if r.group == "baseline"]
    assert [r.config.recipe for r in runs] == ["cartoongan", "cartoongan"]
    assert [r.config.architecture for r in runs] == ["whitebox", "cartoongan"]
    assert len({r.config.out for r in runs}) == 2
    assert {Path(r.config.out).parent for r in runs} == {Path("o")}


def test_every_start_is_trained_before_it_is_used():
    written = set()
    for run in study.training_runs(study.StylizerTraining("p", "s"), "o"):
        assert not run.config.start or run.config.start in written
        written.add(f"{run.config.out}/weights.pt")


def test_effects_pair_seeds_and_keep_their_extremes():
    def row(variant, seed, kid, group="ablation"):
        return {"group": group, "variant": variant, "seed": seed, "kid_lite0": kid}

    table = [row("full", "0", "100"), row("full", "1", "96"), row("nearest", "0", "103")]
    table += [
        row("nearest", "1", "97"),
        row("without boundary", "0", "90"),
        row("without boundary", "2", "0"),
    ]
    table += [row("photo", "0", "150", group="reference")]
    found = {r["variant"]: r for r in study.effects(table, ["kid_lite0"])}
    assert set(found) == {"nearest", "without boundary"}
    nearest = found["nearest"]
    assert (nearest["seeds"], nearest["kid_lite0"]) == (2, 2)  # 3 and 1
    assert (nearest["kid_lite0_low"], nearest["kid_lite0_high"]) == (1, 3)
    assert (found["without boundary"]["seeds"], found["without boundary"]["kid_lite0"]) == (1, -10)


def test_effects_are_written_beside_their_table(tmp_path):
    table = tmp_path / "t.csv"
    measures = dict.fromkeys(study.MEASURES, "1.5")
    rows = [{"group": "ablation", "variant": v, "seed": "0"} | measures for v in ("full", "nearest")]
    rows[1]["kid_lite0"] = "4"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    written = study.write_effects(table)
    assert written == tmp_path / "t_effects.csv"
    with written.open(newline="") as file:
        (effect,) = csv.DictReader(file)
    assert (effect["variant"], effect["seeds"]) == ("nearest", "1")
    assert (float(effect["kid_lite0"]), float(effect["content"])) == (2.5, 0)


def test_folders_are_made_of_free_photos_and_of_the_atelier(tmp_path):
    photos, style = study.folders("", "atelier:10", tmp_path)
    sizes = {Image.open(f).size for f in sorted(photos.glob("*.png"))}
    assert len(list(photos.glob("*.png"))) == 18
    assert sizes == {(288, 288)}
    assert len(list(style.glob("*.png"))) == 10
    assert study.folders(photos, style, tmp_path / "other") == (photos, style)  # as they are


def test_drawings_of_a_group_come_with_their_variant(tmp_path):
    for variant, seed in (("full", 0), ("full", 1), ("nearest", 0)):
        folder = tmp_path / f"ablation_{variant}_{seed}"
        (folder / "drawings").mkdir(parents=True)
        for i in range(4):
            Image.new("RGB", (8, 6), (10 * i, seed, 0)).save(folder / "drawings" / f"{i:03d}.png")
        key = {"group": "ablation", "variant": variant, "seed": seed}
        (folder / "done.json").write_text(json.dumps({"key": key}))
    (tmp_path / "ablation_unfinished_0" / "drawings").mkdir(parents=True)
    found = study.drawings_of(tmp_path)
    assert set(found) == {"full", "nearest"}
    assert [tuple(p[0, 0]) for p in found["full"]] == [(0, 0, 0), (10, 0, 0), (20, 0, 0)]
    assert study.drawings_of(tmp_path, "baseline") == {}


@pytest.mark.slow
def test_from_folders_to_the_table(tmp_path):
    photos, style = pictures(tmp_path / "photos", 16, 0), pictures(tmp_path / "style", 12, 50)
    small = {"distil_steps": 1, "settle_steps": 1, "ablation_steps": 1, "seeds": (0,), "gatys_steps": 1}
    asked = study.StylizerTraining(photos, style, ("start", "ablation"), **small, minutes=0.001)
    path = asked.run(tmp_path / "out")
    out = asked.folder(tmp_path / "out")
    with path.open(newline="") as file:
        rows = {(r["group"], r["variant"]): r for r in csv.DictReader(file)}
    expected = {("ablation", v) for v in study.ABLATIONS} | {("start", "bilinear"), ("start", "nearest")}
    expected |= {("reference", v) for v in (study.PHOTO, study.SELF)}
    assert set(rows) == expected
    photo, full = rows["reference", study.PHOTO], rows["ablation", "full"]
    assert (float(photo["content"]), float(photo["grid_db"])) == (0, 0)
    assert (full["steps"], full["photos"]) == ("1", "2")
    assert float(full["minutes"]) > 0
    assert all(
        np.isfinite(float(full[k])) for k in ("kid_lite0", "kid_lite1", "edge_f1", "spectral_distance")
    )
    assert full["commit"] == photo["commit"]
    started = torch.load(out / "start_nearest_0" / "weights.pt", weights_only=True)
    ended = torch.load(out / "ablation_nearest_0" / "weights.pt", weights_only=True)
    assert started.keys() == ended.keys()
    before = path.read_bytes()
    again = dataclasses.replace(asked, groups=())
    assert again.run(tmp_path / "out").read_bytes() == before  # all is done
    peers = dataclasses.replace(asked, groups=("baseline",), baselines=("fsgan",))
    with peers.run(tmp_path / "out").open(newline="") as file:
        rows = {r["variant"]: r for r in csv.DictReader(file) if r["group"] == "baseline"}
    assert set(rows) == {"fsgan", "gatys"}
    gap = float(rows["gatys"]["kid_lite0"]) - float(rows["fsgan"]["kid_lite0"])
    assert float(rows["gatys"]["kid_lite0_less_fsgan"]) == pytest.approx(gap, abs=0.02)  # KID is rounded
    assert not rows["fsgan"]["kid_lite0_less_fsgan"]


@pytest.mark.slow
def test_gatys_draws_every_test_photo_once(tmp_path):
    test = {str(i): np.full((64, 72, 3), 40 * i, np.uint8) for i in range(2)}
    style = [np.random.default_rng(i).integers(0, 255, (64, 64, 3), dtype=np.uint8) for i in range(3)]
    data = study.SceneData({}, {}, test, style)
    folder = study.draw_gatys(data, tmp_path, steps=2)
    assert [Image.open(f).size for f in sorted(folder.glob("*.png"))] == [(72, 64)] * 2
    done = json.loads((folder.parent / "done.json").read_text())
    assert done["steps"] == 2
    spent = json.loads((folder.parent / "seconds.json").read_text())
    assert list(spent) == ["000.png", "001.png"]
    assert min(spent.values()) > 0
    assert done["training_seconds"] == pytest.approx(sum(spent.values()), abs=0.06)
    (folder / "001.png").unlink()
    study.draw_gatys(data, tmp_path, steps=2)  # goes on, and the time of the first drawing is kept
    again = json.loads((folder.parent / "seconds.json").read_text())
    assert again["000.png"] == spent["000.png"]
    (folder.parent / "seconds.json").unlink()
    study.draw_gatys(data, tmp_path, steps=2)  # of drawings made without a clock nothing is claimed
    assert json.loads((folder.parent / "done.json").read_text())["training_seconds"] is None
