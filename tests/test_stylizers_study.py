"""The table of stylizers: reference rows, intervals, masks, costs, and what is refused."""

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workbench import models
from workbench.core.errors import DatasetError, UnknownNameError
from workbench.metrics import spectrum
from workbench.studies import stylizer_pictures, stylizers
from workbench.training.configs import config_for
from workbench.training.scene_data import load_data

ROOT = Path(__file__).resolve().parent.parent
BENCHMARK = {
    "networks": [
        {
            "name": name,
            "parameters": 1000,
            "gmacs": {"256": 1.0, "512": 4.0},
            "seconds": {"256": [1.0], "512": [0.4, 0.2, 0.3]},
            "ratio": {"256": 2.0, "512": 3.0},
            "share": {"256": 0.5, "512": 0.25},
            "peak_mb": 70.0,
        }
        | more
        for name, more in (("whitebox", {}), ("whitebox, onnx", {"runtime": "onnx"}))
    ]
}


def noise(seed, height=260, width=300):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return {row["stylizer"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    (out / "bench.json").write_text(json.dumps(BENCHMARK))
    style = [noise(i) for i in range(6)]
    names = ("colormatrix_negative", "convolution_soften")
    study = stylizers.Stylizers(style, stylizers=names, costs=str(out / "bench.json"), samples=50)
    return read(study.run(out))


def test_reference_rows_are_always_there(table):
    assert list(table) == [
        "photo",
        "colormatrix_negative",
        "convolution_soften",
        "style set against itself",
        "whitebox",
    ]
    photo, itself = table["photo"], table["style set against itself"]
    assert float(photo["content"]) == pytest.approx(0, abs=1e-6)
    assert float(photo["edge_f1"]) == 1
    assert float(photo["color_drift"]) == 0
    assert float(photo["region_variance"]) > 0
    assert float(photo["color_difference"]) == float(photo["color_difference_76"]) == 0
    assert float(photo["line_share"]) > 0  # a photo has thin dark parts, too
    assert itself["content"] == ""
    assert abs(float(itself["kid_lite0"])) < 0.3 * float(photo["kid_lite0"])
    assert float(itself["spectral_distance"]) < 0.1 < float(photo["spectral_distance"])


def test_measures_tell_what_was_done(table):
    photo, negative, soft = (table[n] for n in ("photo", "colormatrix_negative", "convolution_soften"))
    assert float(negative["edge_f1"]) > 0.95  # the same lines
    assert float(negative["color_drift"]) > 30 > 2 > float(soft["color_drift"])
    assert float(negative["color_difference_76"]) > float(negative["color_difference"]) > 30
    assert float(soft["region_variance"]) < float(photo["region_variance"])
    assert float(soft["line_share"]) < float(photo["line_share"])
    assert float(soft["edge_recall"]) < 0.95
    assert float(negative["content"]) > float(soft["content"]) > 0
    for row in (photo, negative, soft):
        for name in ("content", "edge_f1", "color_drift", "region_variance", "spectral_distance"):
            assert float(row[f"{name}_low"]) <= float(row[name]) + 1e-9
            assert float(row[name]) - 1e-9 <= float(row[f"{name}_high"])
        assert float(row["kid_lite0_error"]) > 0
        assert float(row["kid_lite0_low"]) < float(row["kid_lite0"]) < float(row["kid_lite0_high"])
        assert int(row["photos"]) == 6
        gap = float(row["kid_lite0"]) - float(photo["kid_lite0"])
        assert float(row["kid_lite0_less_photo"]) == pytest.approx(gap)
        assert float(row["kid_lite0_less_photo_low"]) <= gap <= float(row["kid_lite0_less_photo_high"])
        assert row["split"].startswith("free photos")


def test_costs_and_provenance(table):
    whitebox = table["whitebox"]
    assert [float(whitebox[c]) for c in stylizers.COSTS] == [1000, 4, 300, 70, 3, 0.25]
    assert whitebox["kid_lite0"] == ""  # no weights: no quality
    assert table["photo"]["parameters"] == ""
    assert table["photo"]["versions"].startswith("python=")


def test_masks_give_the_background(tmp_path):
    evaluator = stylizers.Evaluator([noise(i) for i in range(4)])
    photos = {"a.jpg": noise(7), "b.jpg": noise(8)}
    mask = np.zeros((260, 300), bool)
    mask[:, :100] = True
    Image.fromarray(mask).save(tmp_path / "a.png")

    def draw(photo):
        drawing = photo.copy()
        drawing[:, :100] = 0
        drawing[0, 299] ^= 1
        return drawing

    masks = stylizer_pictures.read_masks(tmp_path, photos)
    assert list(masks) == ["a.jpg"]
    row, each, _ = stylizers.stylizer_row(evaluator, photos, draw, masks, samples=20)
    assert [one["photo"] for one in each] == ["a.jpg", "b.jpg"]
    assert each[0]["background_psnr"] == row["background_psnr"]
    assert row["background_psnr"] == pytest.approx(10 * np.log10(255**2 * 260 * 200))
    assert "background_psnr_low" not in row  # one photo has no interval
    unmasked, *_ = stylizers.stylizer_row(evaluator, photos, draw, samples=20)
    assert "background_psnr" not in unmasked


def test_gram_is_measured_on_few_and_named(monkeypatch):
    style = [noise(i) for i in range(4)]
    known = stylizers.drawers(style)
    assert {"photo", "fsgan_comic", stylizers.TEACHER, stylizers.GRAM} <= set(known)
    drawn = known[stylizers.TEACHER](stylizer_pictures.free_photos()["coffee"])
    assert drawn.dtype == np.uint8
    assert set(stylizers.default_stylizers()) <= set(known)


def test_pictures_that_are_too_small_are_left_out(tmp_path):
    for i in range(12):
        Image.fromarray(noise(i, 200 if i < 6 else 300)).save(tmp_path / f"{i:02d}.png")
    assert len(stylizer_pictures.read_style(tmp_path)) == 6
    assert len(stylizer_pictures.read_photos(tmp_path, held_out=0)) == 6
    with pytest.raises(DatasetError, match=f"of {2 * spectrum.SIDE} pixels"):
        stylizer_pictures.read_style([noise(0)] * 3)


def test_photos_that_trained_or_chose_are_not_measured(tmp_path):
    folder, roles = tmp_path / "photos", tmp_path / "roles.csv"
    folder.mkdir()
    for i in range(20):
        Image.fromarray(noise(i)).save(folder / f"{i:02d}.png")
    given = [f"{i:02d}.png,{('train', 'choose', 'report', 'report')[i % 4]}\n" for i in range(20)]
    roles.write_text("photo,role\n" + "".join(given))
    may = {f"{i:02d}.png" for i in range(20) if i % 4 > 1}
    assert set(stylizer_pictures.read_photos(folder, roles=roles)) == may
    some = stylizer_pictures.read_photos(folder, held_out=3, seed=1, roles=roles)
    assert len(some) == 3
    assert set(some) < may
    data = load_data(config_for("fsgan", photos=str(folder), style=str(folder), held_out=4, seed=3, out="x"))
    assert list(stylizer_pictures.read_photos(folder, held_out=4, seed=3)) == list(data.test)
    assert not set(data.test) & {*data.training, *data.validation}
    config = config_for("fsgan", photos=str(folder), style=str(folder), seed=3, out="x")
    data = load_data(config, roles, most=3)
    assert set(data.training) == {f"{i:02d}.png" for i in range(0, 20, 4)}
    assert set(data.validation) == {f"{i:02d}.png" for i in range(1, 20, 4)}
    assert len(data.test) == 3
    assert set(data.test) < may
    roles.write_text("photo,role\n00.png,choose\n")
    with pytest.raises(DatasetError, match=r'role in roles\.csv is "report" but none'):
        stylizer_pictures.read_photos(folder, roles=roles)
    roles.write_text("picture\n00.png\n")
    with pytest.raises(DatasetError, match="columns photo and role"):
        stylizer_pictures.read_photos(folder, roles=roles)


def test_the_shipped_networks_split_is_whole_and_disjoint():
    with (ROOT / "reports" / "splits" / "scenes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["photo"] for row in rows}) == len(rows)
    counts = Counter(row["role"] for row in rows)
    assert set(counts) == {"train", "choose", "report"}
    said = models.card("fsgan_comic").training["photo"]
    assert f"{counts['train']} landscapes and cities" in said
    assert f"Held out are {counts['choose']} other scenes" in said


def test_unknown_names(tmp_path):
    with pytest.raises(UnknownNameError, match="stylizer 'van_gogh'"):
        stylizers.Stylizers([noise(i) for i in range(4)], stylizers=("van_gogh",)).run(tmp_path)
