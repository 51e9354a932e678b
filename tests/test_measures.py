"""Image properties with values known by hand or published, and the table of measures of a folder."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import workbench as wb
from workbench.cli import main
from workbench.interpret.measuring import read_table
from workbench.interpret.properties import IMAGE_PROPERTIES, image_properties

REFERENCE = Path(__file__).resolve().parents[2] / "shared" / "data" / "qip_reference" / "values.csv"
PUBLISHED = {  # measure: column of the reference
    "image_size": "Image size (pixels)",
    "aspect_ratio": "Aspect ratio",
    "rms_contrast": "RMS contrast",
    "luminance_entropy": "Luminance entropy",
    "colour_entropy": "Color entropy",
    "mean_red": "mean R channel",
    "mean_green": "mean G channel",
    "mean_blue": "mean B channel (RGB)",
    "mean_l": "mean L channel",
    "mean_a": "mean a channel",
    "mean_b": "mean b channel (Lab)",
    "mean_hue": "mean H channel",
    "mean_saturation": "mean S channel",
    "mean_value": "mean V channel",
    "std_red": "std R channel",
    "std_green": "std G channel",
    "std_blue": "std B channel",
    "std_l": "std L channel",
    "std_a": "std a channel",
    "std_b": "std b channel (Lab)",
    "std_hue": "std H channel",
    "std_saturation": "std S channel",
    "std_value": "std V channel",
}


def halves(left, right, size=32) -> Image.Image:
    """A picture whose left half has one colour and whose right half another."""
    pixels = np.empty((size, size, 3), np.uint8)
    pixels[:, : size // 2], pixels[:, size // 2 :] = left, right
    return Image.fromarray(pixels)


def test_black_and_white_halves():
    found = image_properties(halves((0, 0, 0), (255, 255, 255)))
    assert found["image_size"] == 64
    assert found["aspect_ratio"] == 1
    assert found["rms_contrast"] == pytest.approx(50, abs=0.01)
    assert found["luminance_entropy"] == pytest.approx(1)
    assert found["colour_entropy"] == 0
    assert found["mean_red"] == pytest.approx(127.5)
    assert found["std_value"] == pytest.approx(0.5)
    assert found["complexity"] == pytest.approx(2 * 127.5 / 32)  # half a step in two of 32 columns
    assert found["mirror_correlation"] == pytest.approx(-1)
    assert found["half_imbalance"] == pytest.approx(50)  # all dark on one side, half above and half below
    assert found["mass_x"] == pytest.approx(-0.25)
    assert found["mass_y"] == pytest.approx(0)
    assert found["gradient_direction_entropy"] == 0


def test_hue_is_circular():
    found = image_properties(halves((255, 0, 43), (255, 43, 0)))  # 350° and 10° in all but rounding
    assert min(found["mean_hue"], 1 - found["mean_hue"]) < 0.001
    assert found["std_hue"] == pytest.approx(10 / 360, rel=0.03)


def test_a_plain_picture_has_no_nonsense():
    found = image_properties(Image.new("RGB", (40, 30), (90, 90, 90)))
    undefined = {name for name, value in found.items() if np.isnan(value)}
    assert undefined == {
        "gradient_direction_entropy",
        "gradient_self_similarity",
        "gradient_anisotropy",
        "power_slope",
        "power_deviation",
        "outline_dimension",
        "mirror_correlation",
    }
    assert found["complexity"] == 0


def test_the_spectrum_of_known_noise():
    """White noise has a flat power spectrum, noise of amplitude 1/f a slope of -2."""
    generator = np.random.default_rng(0)
    white = generator.normal(size=(1024, 1024))
    radius = np.hypot(np.fft.fftfreq(1024)[:, None], np.fft.rfftfreq(1024)[None])
    radius[0, 0] = 1
    pink = np.fft.irfft2(np.fft.rfft2(white) / radius, s=white.shape)
    for noise, slope in ((white, 0), (pink, -2)):
        gray = (127 + 30 * noise / noise.std()).clip(0, 255).astype(np.uint8)
        found = image_properties(Image.fromarray(gray))
        assert found["power_slope"] == pytest.approx(slope, abs=0.05)


def test_values_lie_in_the_stated_range():
    for seed, mood in enumerate(("vitality", "desolation")):
        values = image_properties(wb.paint(mood, seed=seed).image)
        assert list(values) == list(IMAGE_PROPERTIES)
        for name, value in values.items():
            low, high = IMAGE_PROPERTIES[name].range
            assert low <= value <= high or np.isnan(value), name


@pytest.mark.skipif(not REFERENCE.is_file(), reason="the published values are not here")
@pytest.mark.parametrize("picture", ["coffee", "camera", "astronaut", "colorwheel"])
def test_published_values_agree_within_one_per_cent(picture):
    skimage_data = pytest.importorskip("skimage.data")
    pixels = getattr(skimage_data, picture)()
    found = image_properties(Image.fromarray(pixels).convert("RGB"))
    with REFERENCE.open(encoding="utf-8") as file:
        row = next(r for r in csv.DictReader(file) if r["img_file"] == f"{picture}.png")
    for name, column in PUBLISHED.items():
        assert found[name] == pytest.approx(float(row[column]), rel=0.01, abs=1e-4), name


@pytest.fixture
def folder(tmp_path):
    """Pictures at two depths, one of which cannot be read."""
    root = tmp_path / "pictures"
    (root / "deep").mkdir(parents=True)
    wb.paint("serenity", seed=1, size=64).image.save(root / "a.png")
    wb.paint("vitality", seed=2, size=64).image.save(root / "deep" / "b.png")
    (root / "broken.png").write_bytes(b"no picture")
    return root


def test_the_command_writes_a_row_per_picture_and_names_what_it_skipped(folder, tmp_path, capsys):
    for suffix in (".csv", ".parquet", ".json"):
        out = tmp_path / f"measures{suffix}"
        with pytest.raises(SystemExit) as stopped:
            main(["measure", str(folder), "--out", str(out), "--workers", "2"])
        assert stopped.value.code == 1
        assert "broken.png: Expected" in capsys.readouterr().err
        table = read_table(out)
        assert table["path"].tolist() == ["a.png", "deep/b.png"]
        assert table["mean_l"].iloc[0] == pytest.approx(wb.measure(folder).rows[0]["mean_l"])
    with (tmp_path / "measures_dictionary.csv").open(encoding="utf-8") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert list(rows) == list(table.columns)
    assert rows["rms_contrast"]["unit"] == "L*"
    assert all(row["source"] and row["definition"] for name, row in rows.items() if name in wb.MEASURES)


def test_a_measurement_that_was_killed_goes_on(folder, tmp_path):
    """The second run takes the rows of the first from its cache: one of them is marked to show it."""
    cache = tmp_path / "cache"
    code = (
        "import os, sys, workbench as wb\n"
        "wb.measure(sys.argv[1], cache=sys.argv[2], progress=lambda share: os._exit(9))"
    )
    killed = subprocess.run([sys.executable, "-c", code, folder, cache], check=False)
    assert killed.returncode == 9
    (kept,) = cache.glob("*.json")
    kept.write_text(kept.read_text().replace('"aspect_ratio": 1.0', '"aspect_ratio": 7.0'))
    rows = wb.measure(folder, cache=cache).rows
    assert [row["aspect_ratio"] for row in rows] == [7, 1]


@pytest.mark.parametrize(
    ("content", "words"), [(None, "Expected pictures in"), (b"x", "none of 1 can, e.g. a.png")]
)
def test_a_folder_without_pictures_is_one_line(tmp_path, capsys, content, words):
    (tmp_path / "d").mkdir()
    if content:
        (tmp_path / "d" / "a.png").write_bytes(content)
    with pytest.raises(SystemExit) as stopped:
        main(["measure", str(tmp_path / "d"), "--out", str(tmp_path / "m.csv"), "--workers", "1"])
    assert stopped.value.code == 2
    err = capsys.readouterr().err
    assert words in err


def test_a_table_of_another_kind_is_refused_before_work(folder, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["measure", str(folder), "--out", str(tmp_path / "m.xlsx")])
    assert "Expected a table ending in .csv, .parquet, .json" in capsys.readouterr().err
