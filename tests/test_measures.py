"""Measures of a picture and of a folder."""

from __future__ import annotations

import csv
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from skimage import data as pictures
from sklearn.datasets import load_sample_images

from workbench.core.errors import DatasetError, WorkbenchError
from workbench.data.atelier.dataset import open_dataset, write_atelier
from workbench.interpret.measuring import MEASURES, dictionary, measure, measure_folder
from workbench.interpret.network_properties import NETWORK_PROPERTIES, network_properties
from workbench.interpret.properties import PROPERTIES, image_properties

REFERENCE = Path(__file__).resolve().parents[2] / "shared/data/qip_reference/values.csv"
COLUMNS = {
    "image_size": "Image size (pixels)",
    "aspect_ratio": "Aspect ratio",
    "rms_contrast": "RMS contrast",
    "lightness_entropy": "Luminance entropy",
    "colour_entropy": "Color entropy",
    "complexity": "Complexity",
    "fourier_slope": "Slope Redies",
} | {f"{kind}_{c}": f"{kind} {c} channel" for kind in ("mean", "std") for c in "RGBLabHSV"}


def test_a_checkerboard_by_hand():
    """Half the pixels are red (255, 0, 0), half are black."""
    pixels = np.zeros((8, 6, 3), np.uint8)
    pixels[(np.indices((8, 6)).sum(0) % 2) == 0, 0] = 255
    found = image_properties(Image.fromarray(pixels))
    assert (found["image_size"], found["aspect_ratio"]) == (14, 6 / 8)
    assert (found["mean_R"], found["std_R"], found["mean_G"]) == (127.5, 127.5, 0)
    assert found["mean_L"] == pytest.approx(53.24 / 2, abs=0.01)  # L* of sRGB red is 53.24
    assert found["rms_contrast"] == pytest.approx(53.24 / 2, abs=0.01)
    assert found["lightness_entropy"] == pytest.approx(1)  # two values, half each: one bit
    assert found["colour_entropy"] == 0  # black counts as hue 0, red's
    assert (found["mean_S"], found["mean_V"]) == pytest.approx((0.5, 0.5))
    assert (found["mean_H"], found["std_H"]) == pytest.approx((0, 0))


def test_hue_is_a_circle():
    """Hues of 350° and 10° have the mean 0° and the resultant cos 10°."""
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0], pixels[1] = (255, 0, 42.5), (255, 42.5, 0)
    found = image_properties(Image.fromarray(pixels))
    assert min(found["mean_H"], 1 - found["mean_H"]) < 1e-3
    assert found["std_H"] == pytest.approx(
        math.sqrt(-2 * math.log(math.cos(math.radians(10)))) / 6.2832, rel=0.02
    )


def test_complexity_of_a_ramp():
    """Gray that grows by one step of 2.55 L* a pixel across has that gradient everywhere."""
    lightness = np.arange(20.0, 60.0)  # L*
    f = (lightness + 16) / 116
    linear = np.where(lightness > 8, f**3, lightness / 903.3)
    srgb = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    row = np.round(255 * srgb).astype(np.uint8)
    picture = Image.fromarray(np.broadcast_to(row[None, :, None], (30, 40, 3)).copy())
    assert image_properties(picture)["complexity"] == pytest.approx(2.55, abs=0.1)
    assert image_properties(Image.new("RGB", (30, 40), "gray"))["complexity"] == 0


def test_the_slope_of_noise_of_a_known_slope():
    """Amplitude f⁻¹ has power f⁻²."""
    side = 1024
    y, x = np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None]
    f = np.hypot(y, x)
    f[0, 0] = 1
    phase = np.exp(2j * np.pi * np.random.default_rng(0).random((side, side)))
    noise = np.fft.ifft2(phase / f).real
    gray = np.clip(128 + 40 * (noise - noise.mean()) / noise.std(), 0, 255).astype(np.uint8)
    slope = image_properties(Image.fromarray(gray).convert("RGB"))["fourier_slope"]
    assert slope == pytest.approx(-2, abs=0.05)


@pytest.mark.skipif(not REFERENCE.is_file(), reason="no reference values")
def test_the_values_are_those_of_the_field_s_toolbox():
    samples = load_sample_images()
    known = {Path(f).stem: image for f, image in zip(samples.filenames, samples.images, strict=True)}
    for row in pd.read_csv(REFERENCE).to_dict("records"):
        name = row["img_file"].removesuffix(".png")
        pixels = known[name] if name in known else getattr(pictures, name)()
        pixels = np.stack([pixels] * 3, -1) if pixels.ndim == 2 else pixels[..., :3]
        found = image_properties(Image.fromarray(np.ascontiguousarray(pixels)))
        for own, column in COLUMNS.items():
            expected = row[next(c for c in row if c.startswith(column))]
            share = 0.035 if own == "fourier_slope" else 0.002
            assert found[own] == pytest.approx(expected, rel=share, abs=0.01), (name, own)
    assert set(COLUMNS) == set(PROPERTIES)


def test_network_properties_of_mirrored_and_plain_pictures():
    half = np.asarray(Image.fromarray(pictures.coffee()).resize((112, 224)))
    mirrored = Image.fromarray(np.concatenate([half, half[:, ::-1]], 1))
    both = network_properties(mirrored)
    turned = network_properties(mirrored.transpose(Image.Transpose.ROTATE_90))
    one_sided = Image.fromarray(np.concatenate([half, np.full_like(half, 255)], 1))
    # filters of a mirrored edge are others, so that even a mirrored picture is not at 1
    assert both["lite0_symmetry_left_right"] > both["lite0_symmetry_up_down"]
    assert turned["lite0_symmetry_up_down"] > turned["lite0_symmetry_left_right"]
    assert both["lite0_symmetry_left_right"] > network_properties(one_sided)["lite0_symmetry_left_right"]
    plain = network_properties(Image.new("RGB", (64, 48), "tan"))
    assert plain["lite0_self_similarity"] > both["lite0_self_similarity"]
    assert plain["lite0_variability"] < both["lite0_variability"]


def test_network_properties_by_hand():
    """Two filters on 2 × 2 patches: one answers on the left only, the other everywhere alike."""
    found = np.array([[[2.0, 0.0], [2.0, 0.0]], [[2.0, 2.0], [2.0, 2.0]]])
    value = {name: one.measure(found) for name, one in NETWORK_PROPERTIES.items()}
    assert value["lite0_symmetry_left_right"] == pytest.approx(1 - 8 / 16)  # 4 of 8 places differ by 2
    assert value["lite0_symmetry_up_down"] == 1
    # shares: left (1/2, 1/2), right (0, 1)
    assert value["lite0_variability"] == pytest.approx(1 / 16)
    assert value["lite0_sparseness"] == pytest.approx(np.var([0.5, 0.5, 0, 1]))
    assert value["lite0_self_similarity"] == pytest.approx((1 + 0.5) / 2)  # median of 1, 1, .5, .5


@pytest.fixture
def folder(tmp_path):
    """Four paintings in two classes, one broken file, one too small."""
    source, root = open_dataset("atelier:40"), tmp_path / "pictures"
    for i in range(4):
        target = root / ("calm" if i < 2 else "wild/deep") / f"{i}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        source.read(i).save(target)
    (root / "broken.png").write_bytes(b"no picture")
    Image.new("RGB", (8, 8)).save(root / "tiny.png")
    return root


def test_a_folder_is_a_table(folder, tmp_path):
    done = measure_folder(folder, tmp_path / "m.csv")
    assert set(done.skipped) == {"broken.png", "tiny.png"}
    assert "16×16" in done.skipped["tiny.png"]
    with (tmp_path / "m.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["path"], r["label"]) for r in rows] == [
        ("calm/0.png", "calm"), ("calm/1.png", "calm"), ("wild/deep/2.png", "wild/deep"),
        ("wild/deep/3.png", "wild/deep"),
    ]  # fmt: skip
    expected = measure(Image.open(folder / "calm/1.png"))
    assert {k: float(rows[1][k] or "nan") for k in MEASURES} == pytest.approx(expected, nan_ok=True)
    with (tmp_path / "m_dictionary.csv").open(newline="") as file:
        described = [row["name"] for row in csv.DictReader(file)]
    assert described == list(rows[0])


def test_processes_and_formats_agree(folder, tmp_path):
    one = measure_folder(folder, tmp_path / "one.csv")
    two = measure_folder(folder, tmp_path / "two.parquet", workers=2)
    assert two.skipped == one.skipped
    table = pd.read_parquet(tmp_path / "two.parquet")
    again = pd.read_csv(tmp_path / "one.csv", dtype={"group": str}, keep_default_na=False, na_values=[""])
    again["group"] = again["group"].fillna("")
    pd.testing.assert_frame_equal(table, again, check_dtype=False)


def test_labels_and_painters_come_from_the_table(folder):
    (folder / "ratings.csv").write_text("path,label,painter\ncalm/0.png,serene,Wang\n")
    rows = {row["path"]: row for row in measure_folder(folder).rows}
    assert (rows["calm/0.png"]["label"], rows["calm/0.png"]["group"]) == ("serene", "Wang")
    assert (rows["calm/1.png"]["label"], rows["calm/1.png"]["group"]) == ("", "")


def test_a_stopped_run_goes_on(folder, tmp_path):
    """What a stopped run left is used; a file that was torn when it was killed is made anew."""
    out = tmp_path / "m.csv"
    part = tmp_path / "part"
    shutil.copytree(folder / "calm", part / "calm")
    measure_folder(part, out)  # as far as it came
    out.unlink()
    kept = sorted((tmp_path / "m_cache").iterdir())
    whole = measure_folder(folder, out)
    assert len(whole.rows) == 4
    assert set(kept) < set((tmp_path / "m_cache").iterdir())
    for path in (tmp_path / "m_cache").iterdir():
        path.write_bytes(b"torn")
    again = measure_folder(folder, out)
    pd.testing.assert_frame_equal(pd.DataFrame(again.rows), pd.DataFrame(whole.rows))


def test_the_command(folder, tmp_path):
    out = tmp_path / "m.csv"
    command = [sys.executable, "-m", "workbench", "measure", str(folder), "--out", str(out), "--workers", "1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert "4 of 6 pictures measured" in done.stdout
    assert "broken.png" in done.stderr
    assert out.is_file()


@pytest.mark.parametrize(
    ("out", "workers", "words"),
    [("m.xls", 1, "ending in .csv, .parquet, .json"), ("m.csv", 0, "1 worker or more")],
)
def test_bad_requests_are_one_line(folder, tmp_path, out, workers, words):
    with pytest.raises(WorkbenchError, match=words):
        measure_folder(folder, tmp_path / out, workers=workers)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="found none"):
        measure_folder(tmp_path / "empty")


def test_the_dictionary_says_everything():
    for row in dictionary():
        assert row["definition"]
    for name, one in MEASURES.items():
        assert one.unit, name
        assert one.source, name
        assert one.range[0] < one.range[1], name


def test_classify_leaves_a_table(folder, tmp_path):
    command = [
        sys.executable,
        "-m",
        "workbench",
        "classify",
        str(folder),
        "--csv",
        str(tmp_path / "r.csv"),
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    entries = {entry["path"]: entry for entry in json.loads(done.stdout)}
    with (tmp_path / "r.csv").open(newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    assert set(rows) == set(entries)
    read = rows[str(folder / "calm/0.png")]
    assert float(read["p_serenity"]) == pytest.approx(entries[read["path"]]["probabilities"]["serenity"])
    assert rows[str(folder / "broken.png")]["error"]


def test_masks_of_painted_pictures_are_no_pictures(tmp_path):
    """A folder that the atelier wrote holds its masks, too; a folder called masks elsewhere is a folder."""
    data = open_dataset(write_atelier(tmp_path / "painted", 10, size=64))
    found = measure_folder(tmp_path / "painted")
    assert sorted(row["path"] for row in found.rows) == sorted(data.paths)
    (tmp_path / "own" / "masks").mkdir(parents=True)
    data.read(0).save(tmp_path / "own" / "masks" / "a.png")
    assert [row["path"] for row in measure_folder(tmp_path / "own").rows] == ["masks/a.png"]
