"""AFGAN beside U-GAT-IT light: what the peer is given, how it draws, a tiny run from folders to its table."""

import csv
import json

import numpy as np
import portraits as drawn
import pytest
import torch
from PIL import Image
from stylizers import save_tiny_portrait
from torch import nn

from workbench.data.faces import load_portraits, split_by_person
from workbench.studies import portrait_training as study
from workbench.training.portrait_measures import background_psnr


def test_background_psnr_by_hand():
    photo = torch.zeros(2, 3, 4, 4)
    drawing, mask = photo.clone(), torch.zeros(2, 1, 4, 4)
    mask[:, :, :, :2] = 1
    drawing[0, :, :, 2:] = 2 * 16 / 255  # sixteen levels outside the person
    drawing[1, :, :, :2] = 1  # only the person
    level = 127.5  # a photo of 0 lies between two levels, a drawing on one of them
    outside = 20 * np.log10(255 / (round(level + 16) - level))
    unchanged = 20 * np.log10(255 / (round(level) - level))
    assert background_psnr(photo, drawing, mask).tolist() == pytest.approx([outside, unchanged], abs=1e-3)


def test_a_portrait_is_drawn_whole_at_the_size_of_the_training():
    class Seen(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward(self, x):
            self.shape = tuple(x.shape)
            return self.weight * x

    y, x = np.mgrid[:275, :225]
    photo = np.stack([x, y // 2, np.full_like(x, 90)], -1).astype(np.uint8)
    network = Seen()
    back = study.draw_whole(network, photo)
    assert network.shape == (1, 3, 224, 184)  # 275 · 184 / 225 = 224.9, to a multiple of 4
    assert back.shape == photo.shape
    assert np.abs(back[4:-4, 4:-4].astype(int) - photo[4:-4, 4:-4]).max() <= 2  # a smooth picture survives


def test_the_peer_gets_the_minutes_of_one_core():
    config = study.config("out", 5.0)
    assert (config.recipe, config.architecture, config.batch) == ("ugatit_light", "ugatit_light", 1)
    assert (config.total_minutes, config.clock, config.threads) == (5.0, "processor", 1)


@pytest.mark.slow
def test_a_run_from_folders_to_the_table(tmp_path, monkeypatch):
    for name, side in (("PHOTO_SIDE", 136), ("STYLE_SIDE", 136), ("CROP", 128), ("DRAWN_SIDE", 96)):
        monkeypatch.setattr(study, name, side)
    rng, stored = np.random.default_rng(0), {}
    for folder in ("photos", "style"):
        (tmp_path / folder).mkdir()
    for index in range(16):
        photo, landmarks, mask = drawn.portrait(96, 80, 16.0, index)
        name = f"p_{index}.png"
        Image.fromarray(photo).save(tmp_path / "photos" / name)
        stored |= {f"landmarks/{name}": landmarks, f"mask/{name}": mask}
        Image.fromarray(rng.integers(0, 256, (80, 80, 3), np.uint8)).save(tmp_path / "style" / f"{index}.png")
    np.savez(tmp_path / "annotations.npz", **stored)
    places = tmp_path / "photos", tmp_path / "annotations.npz", tmp_path / "style"
    _, _, test = split_by_person(list(load_portraits(*places[:2])), 0.4, 0)

    small = {"arguments": {"width": 8, "blocks": 1}, "base": 4}
    network = str(save_tiny_portrait(tmp_path / "weights", mask=9.0))
    asked = study.PortraitTraining(
        *map(str, places), minutes=1e-4, held_out=0.4, network=network, changes=small
    )
    path = asked.run(tmp_path / "out")
    with path.open(newline="") as file:
        rows = {(r["method"], r["source"]): r for r in csv.DictReader(file)}
    assert set(rows) == {
        ("photos", "all"),
        ("photos", "p"),
        ("photos", "style set's halves"),
        ("afgan_portrait", "all"),
        ("afgan_portrait", "p"),
        ("ugatit_light", "all"),
        ("ugatit_light", "p"),
    }
    assert all(int(r["portraits"]) == len(test) for (_, s), r in rows.items() if s == "all")
    assert float(rows["photos", "all"]["skin_lightness_correlation"]) == pytest.approx(1)
    peer = rows["ugatit_light", "all"]
    (file,) = (tmp_path / "out").glob("ugatit_light-*/done.json")
    done = json.loads(file.read_text())
    assert (int(peer["steps"]), float(peer["minutes"])) == (done["steps"], done["minutes"])
    assert done["steps"] == 1  # the budget ends after the step that passes it
    kept = float(
        rows["afgan_portrait", "all"]["background_psnr"]
    )  # it draws a face, the peer the whole picture
    assert float(peer["background_psnr"]) < kept - 3
    assert len(list((tmp_path / "out" / "drawings" / "ugatit_light").glob("*.png"))) == len(test)
    before = path.read_bytes()
    assert asked.run(tmp_path / "out").read_bytes() == before  # nothing is done twice
