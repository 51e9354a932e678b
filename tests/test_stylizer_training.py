"""The stylizer's trainer end to end on pictures made here: files, resuming, publishing, errors; and its
parts.
"""

import csv
import json

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from skimage.data import astronaut

from workbench import drawing, models
from workbench.core.errors import DatasetError, WorkbenchError
from workbench.data.scenes import Crops, load_pictures, split
from workbench.drawing import portrait, teacher
from workbench.drawing.teachers import TEACHERS
from workbench.metrics import kid
from workbench.training.configs import FSGANConfig, StylizerPublication
from workbench.training.publish import publish
from workbench.training.scene_measures import region_variation
from workbench.training.trainer import Trainer


def scene(seed: int, size=(200, 176)) -> np.ndarray:
    """A noisy picture of a few discs on a gradient."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(60, 200, size[0])[:, None, None] * rng.uniform(0.5, 1, 3)
    picture = np.broadcast_to(ramp, (*size, 3)).astype(np.uint8).copy()
    for _ in range(5):
        center = tuple(int(v) for v in rng.integers(20, min(size) - 20, 2))
        cv2.circle(picture, center, int(rng.integers(8, 40)), rng.integers(0, 255, 3).tolist(), -1)
    return np.clip(picture + rng.normal(0, 8, picture.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("scenes")
    for name, first in (("photos", 0), ("style", 100)):
        (root / name).mkdir()
        for i in range(12):
            picture = scene(first + i)
            if name == "style":
                picture = cv2.medianBlur(picture, 9)
            Image.fromarray(picture).save(root / name / f"{i:02d}.png")
    return root


def options(folders, out, **changes) -> dict:
    common = {"photos": str(folders / "photos"), "style": str(folders / "style"), "out": str(out)}
    common |= {"batch": 2, "crop": 160, "held_out": 4, "distil_steps": 2, "validate_every": 2, "threads": 1}
    common |= {"arguments": {"stem": 4, "middle": 4, "trunk": 8, "blocks": 1}}
    return common | changes


def rows(path):
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def trained(folders, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained")
    trainer = Trainer(FSGANConfig(**options(folders, out, steps=4)))
    trainer.run()
    return trainer


@pytest.mark.slow
def test_training_writes_what_it_promises(trained):
    out = trained.out
    assert json.loads((out / "config.json").read_text())["steps"] == 4
    assert [int(r["step"]) for r in rows(out / "validation.csv")] == [2, 4]
    for phase, term in (("distil", "teacher"), ("adversarial", "spectral")):
        assert all(np.isfinite(float(r[term])) for r in rows(out / f"train_{phase}.csv"))
    assert len(list((out / "validation").glob("*.jpg"))) == 2
    assert (out / "best.pt").is_file()
    moved = trained.generator.out.weight.abs().sum().item()
    assert moved > 0  # it started at zero


@pytest.mark.slow
def test_a_resumed_training_equals_an_unbroken_one(trained, folders, tmp_path):
    for steps in (3, 4):  # stopped within the adversarial phase
        resumed = Trainer(FSGANConfig(**options(folders, tmp_path, steps=steps)))
        resumed.run()
    assert resumed.step == 4
    for a, b in zip(trained.ema.parameters(), resumed.ema.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


@pytest.mark.slow
def test_publishing_writes_weights_that_draw_and_measurements_on_unseen_photos(trained):
    from workbench.styles.stylize import stylize

    path = publish(trained, StylizerPublication(name="tiny"), "workbench train stylizer …")
    card = models.card(path)
    assert card.training["steps"] in (2, 4)
    assert not set(trained.recipe.data.validation) & set(trained.recipe.data.test)
    table = {r["pictures"]: r for r in rows(trained.out / "measured.csv")}
    assert set(table) == {"photos", "drawn teacher", "tiny", "style against itself"}
    assert {"commit", "device", "versions", "seed", "seconds"} <= set(table["photos"])
    assert float(table["photos"]["color_drift"]) == 0
    assert float(table["drawn teacher"]["color_drift"]) > 0
    assert stylize(Image.fromarray(scene(3)), str(path)).size == (176, 200)


@pytest.mark.slow
def test_trainings_of_one_process_choose_their_own_precision(folders, tmp_path):
    photos = torch.rand(1, 3, 32, 32)
    drawings = {}
    for precision in ("no", "bf16"):
        trainer = Trainer(FSGANConfig(**options(folders, tmp_path / precision, mixed_precision=precision)))
        torch.manual_seed(0)
        for weights in trainer.generator.parameters():  # a new network gives the photo back
            weights.data.add_(0.05 * torch.randn_like(weights))
        drawings[precision] = trainer.recipe.draw(photos)
    assert drawings["bf16"].dtype == torch.float32
    assert 0 < (drawings["bf16"] - drawings["no"]).abs().max() < 0.2  # another arithmetic, the same network


def test_an_unknown_precision_is_refused(folders, tmp_path):
    config = FSGANConfig(**options(folders, tmp_path, mixed_precision="fp8"))
    with pytest.raises(WorkbenchError, match="mixed precision no or bf16 but got 'fp8'"):
        Trainer(config).recipe.draw(torch.rand(1, 3, 32, 32))


def test_a_checkpoint_of_other_networks_is_refused_and_kept(trained, folders):
    before = {name: (trained.out / name).read_bytes() for name in ("checkpoint.pt", "config.json")}
    larger = {"stem": 4, "middle": 4, "trunk": 16, "blocks": 1}
    other = Trainer(FSGANConfig(**options(folders, trained.out, steps=6, arguments=larger)))
    with pytest.raises(WorkbenchError, match="arguments was"):
        other.run()
    assert before == {name: (trained.out / name).read_bytes() for name in before}


def test_publishing_without_a_training_is_refused(folders, tmp_path):
    trainer = Trainer(FSGANConfig(**options(folders, tmp_path)))
    for keep in ("best", "last", "step_000002.pt"):
        with pytest.raises(WorkbenchError, match="train longer"):
            publish(trainer, StylizerPublication(keep=keep), "")


def test_region_variation_numbers():
    halves = np.full((16, 16, 3), 119, np.uint8)
    halves[:, 8:] += 51  # 0.2
    assert region_variation(halves, np.zeros((16, 16), np.int64)) == pytest.approx(0.1, abs=1e-6)


# -- the teacher -------------------------------------------------------------------------------------------


def test_teacher_keeps_size_flattens_and_inks():
    photo = np.full((60, 80, 3), 150, np.uint8)
    cv2.circle(photo, (40, 30), 15, (60, 90, 120), -1)
    photo = np.clip(photo + np.random.default_rng(0).normal(0, 8, photo.shape), 0, 255).astype(np.uint8)
    drawn = teacher.draw(photo)
    assert drawn.shape == photo.shape
    assert drawn.dtype == np.uint8
    corner, border = np.s_[:10, :10], np.s_[30, 25:29]
    assert drawn[corner].std() < 0.6 * photo[corner].std()
    assert drawn[border].min() < photo[30, 30:50].min()  # a line darker than the disc itself


def test_kuwahara_keeps_a_step_and_removes_noise():
    step = np.zeros((32, 32, 3))
    step[:, 16:] = 0.8
    noisy = np.clip(step + np.random.default_rng(0).normal(0.1, 0.03, step.shape), 0, 1)
    smooth = teacher.kuwahara(noisy, 4)
    assert smooth[:, 2:14].std() < 0.5 * noisy[:, 2:14].std()
    assert smooth[:, 17].mean() - smooth[:, 14].mean() > 0.7  # a Gaussian of that size would leave a ramp
    flat = np.full((9, 9, 3), 0.4)
    assert np.allclose(teacher.kuwahara(flat, 3), 0.4, atol=1e-6)
    with pytest.raises(ValueError, match="radius"):
        teacher.kuwahara(flat, 0)


def test_washes_leave_light_paper_bare_and_gather_around_their_densities():
    luma = np.float32([[1.0, 0.88, 0.0, 0.88 * (1 - 0.2), 0.88 * (1 - 0.3)]])
    density = teacher.wash(luma, steps=5)
    assert density[0, :2].tolist() == [0, 0]
    assert density[0, 2] == pytest.approx(0.8)
    assert density[0, 3] == pytest.approx(0.8 * 0.2**1.25, rel=1e-4)  # on a density: stays there
    assert density[0, 4] == pytest.approx(0.8 * 0.3**1.25, rel=1e-3)  # midway: half of the border's step
    ramp = teacher.wash(np.linspace(0, 1, 400, dtype=np.float32)[None], steps=3)
    assert (np.diff(ramp) <= 1e-6).all()
    steep, flat = np.abs(np.diff(ramp)).max(), np.median(np.abs(np.diff(ramp[0, :350])))
    assert steep > 2 * flat
    with pytest.raises(ValueError, match="steps"):
        teacher.wash(luma, 0)


def test_the_ink_wash_teacher_paints_on_paper():
    config = teacher.TEACHERS["ink_wash"]
    white = np.full((24, 24, 3), 255, np.uint8)
    assert np.abs(teacher.draw(white, config) / 255 - config.paper).max() < 1 / 255
    black = teacher.draw(np.zeros((24, 24, 3), np.uint8), config) / 255
    expected = 0.2 * np.array(config.paper) + 0.8 * np.array(config.ink_color)
    assert np.abs(black - expected).max() < 1 / 255
    photo = np.full((60, 80, 3), 200, np.uint8)
    cv2.circle(photo, (40, 30), 18, (120, 20, 20), -1)
    drawn = teacher.draw(photo, config).astype(int)
    assert np.ptp(drawn[30, 40]) < np.ptp(photo[30, 40]) / 2  # colours become tints
    assert drawn[30, 22:26].min() < drawn[30, 35:45].min()  # a line darker than the disc itself


def test_a_teacher_is_set_otherwise_by_name():
    photo = scene(1)[:64, :64]
    plain, bold = (TEACHERS.get("kuwahara").with_changes(c).draw(photo) for c in ({}, {"saturation": 0.0}))
    assert np.array_equal(plain, teacher.draw(photo))
    assert {"comic", "anime", "ink", "kuwahara", "ink_wash"} <= set(TEACHERS.names())
    assert np.array_equal(TEACHERS.get("anime").draw(photo), drawing.draw(photo, "anime"))
    bare = TEACHERS.get("comic").with_changes({"line_opacity": 0.0, "contour": 0.0, "outline": 0.0})
    assert bare.draw(photo).mean() > drawing.draw(photo).mean()
    assert np.ptp(bold.astype(int), axis=-1).mean() < np.ptp(plain.astype(int), axis=-1).mean()


def test_a_teacher_of_people_keeps_their_features_and_draws_scenes_alike():
    changes = {"salience": 0.35, "gamma": 0.8}
    alike, people = (TEACHERS.get(name).with_changes(changes) for name in ("comic", "comic_people"))
    photo = scene(1)[:64, :64]
    assert np.array_equal(people.draw(photo), alike.draw(photo))
    face = astronaut()[:230, 120:330]
    assert np.array_equal(people.draw(face), portrait.draw(face, people.settings, deform=0.0))
    assert not np.array_equal(people.draw(face), alike.draw(face))


def test_ink_lies_on_the_dark_side_of_an_edge():
    luma = np.full((9, 20), 0.2)
    luma[:, 10:] = 0.9
    ink = teacher.ink_lines(luma, sigma=1.0, gain=40, threshold=0.005)
    assert ink[4, 9] == 1
    assert ink[4, 10:13].max() == 0
    assert ink[:, :4].max() == 0


# -- data --------------------------------------------------------------------------------------------------


def test_crops_are_aligned_and_repeatable():
    picture = scene(0)
    labels = (picture[..., 0] // 64).astype(np.int16)
    crops = Crops([(picture, picture, labels)], size=96, scales=(1.0, 1.0), seed=3)
    first, second, regions = crops.batch(5, 4)
    assert first.shape == (4, 96, 96, 3)
    assert regions.shape == (4, 96, 96)
    assert np.array_equal(first, second)
    assert np.array_equal(first[..., 0] // 64, regions)
    assert np.array_equal(first, crops.batch(5, 4)[0])
    assert not np.array_equal(first, crops.batch(6, 4)[0])


def test_crops_resize_what_is_too_small():
    crops = Crops([(scene(0, (80, 90)),)], size=96, scales=(0.8, 1.2), seed=0)
    assert crops.batch(0, 3)[0].shape == (3, 96, 96, 3)


def test_split_is_disjoint_repeatable_and_checked():
    names = [f"{i}.png" for i in range(10)]
    train, held_out = split(names, 4, seed=1)
    assert sorted(train + held_out) == names
    assert split(names[::-1], 4, seed=1) == (train, held_out)
    with pytest.raises(DatasetError, match="hold out"):
        split(names, 9, seed=1)


def test_folders_that_cannot_train_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="there is none"):
        load_pictures(tmp_path / "nothing", 64)
    Image.fromarray(scene(0)).save(tmp_path / "one.png")
    with pytest.raises(DatasetError, match="at least 10"):
        load_pictures(tmp_path, 64)
    loaded = load_pictures(tmp_path, 88, least=1)
    assert loaded["one.png"].shape == (100, 88, 3)


def test_what_cannot_be_used_is_passed_over_and_named(folders, tmp_path, caplog):
    for i in range(4):
        Image.fromarray(scene(i)).save(tmp_path / f"{i}.png")
    Image.fromarray(scene(9, (63, 200))).save(tmp_path / "small.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff and no picture")
    (tmp_path / "camera.dng").write_bytes(b"raw")
    skipped = {}
    loaded = load_pictures(tmp_path, 88, least=4, smallest=64, skipped=skipped)
    assert sorted(loaded) == ["0.png", "1.png", "2.png", "3.png"]
    assert sorted(skipped) == [str(tmp_path / n) for n in ("broken.jpg", "camera.dng", "small.png")]
    assert "200×63 pixels" in skipped[str(tmp_path / "small.png")]
    assert "raw file" in skipped[str(tmp_path / "camera.dng")]
    assert all(f"{path} is passed over: {reason}" in caplog.text for path, reason in skipped.items())
    assert sorted(load_pictures(tmp_path, 88, names=["1.png", "broken.jpg"])) == ["1.png"]
    with pytest.raises(DatasetError, match=r"at least 6 .* only 5 of 7 can.*broken\.jpg"):
        load_pictures(tmp_path, 88, least=6)
    with pytest.raises(DatasetError, match="only 0 of 1 can"):
        load_pictures(tmp_path, 88, names=["broken.jpg"])


# -- KID ---------------------------------------------------------------------------------------------------


def test_mmd_numbers():
    x, y = np.array([[1.0], [0.0]]), np.array([[1.0], [1.0]])
    # k(a, b) = (ab + 1)³: within x k(1, 0) = 1, within y k(1, 1) = 8, across (8 + 8 + 1 + 1) / 4
    assert kid.polynomial_mmd(x, y) == pytest.approx(1 + 8 - 2 * 4.5)


def test_kid_is_zero_on_one_distribution_and_grows_with_a_shift():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 16)), rng.normal(size=(400, 16))
    same, near, far = kid.kid(x, y), kid.kid(x, y + 0.5), kid.kid(x, y + 1)
    assert abs(same.mean) < 4 * same.error
    assert 10 * abs(same.mean) < near.mean < far.mean


def test_kid_agrees_with_torchmetrics():
    from torchmetrics.image.kid import poly_mmd

    def reference(a, b):
        def k(p, q):
            return (p @ q.T / p.shape[1] + 1) ** 3

        from torchmetrics.image.kid import maximum_mean_discrepancy

        return maximum_mean_discrepancy(k(a, a), k(a, b), k(b, b)).item()

    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(50, 8)), rng.normal(0.3, 1, size=(50, 8))
    expected = reference(torch.from_numpy(x), torch.from_numpy(y))
    assert kid.polynomial_mmd(x, y) == pytest.approx(expected, rel=1e-6)
    assert poly_mmd(torch.from_numpy(x), torch.from_numpy(y)).item() == pytest.approx(expected, rel=1e-6)


def test_kid_errors_and_views():
    with pytest.raises(ValueError, match="n ≥ 2"):
        kid.polynomial_mmd(np.zeros((1, 3)), np.zeros((4, 3)))
    assert kid.views(Image.new("RGB", (300, 40))).shape == (3, 224, 224, 3)
