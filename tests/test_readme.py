"""What README shows is run: its commands in a folder with pictures, its Python, its client."""

import csv
import json
import re
import shlex
import statistics
from pathlib import Path

import clips
import numpy as np
import pytest
import skimage.data
from PIL import Image
from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.S)


def commands() -> list[list[str]]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("workbench ")]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the pictures that README's commands name."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)).resize((160, 120))
    (tmp_path / "paintings").mkdir()
    for name in ("photo.jpg", "painting.jpg", "paintings/one.jpg", "paintings/two.png"):
        picture.save(tmp_path / name)
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "portrait.jpg")
    clips.make(tmp_path / "clip.mp4", frames=4)
    return tmp_path


def test_readme_starts_with_the_two_commands():
    assert [line.split("#")[0].strip() for line in blocks("sh")[0].splitlines()] == ["make app", "make test"]
    makefile = (ROOT / "Makefile").read_text()
    for target in ("app", "test"):
        assert re.search(rf"^{target}:", makefile, flags=re.M)


LONG = {
    ("train", "stylizer"),
    ("train", "classifier"),
    ("bench", "stylizers"),
    ("data", "check"),
    ("report", "full"),
}
QUICK = [c for c in commands() if tuple(c[1:3]) not in LONG and "runs/" not in " ".join(c)]


@pytest.mark.parametrize("command", QUICK, ids=" ".join)
def test_quick_commands_run(command, folder):
    from workbench.cli import app

    result = CliRunner().invoke(app, command[1:])
    assert result.exit_code == 0, result.output
    for word in command[1:]:
        if word.startswith("drawing"):
            assert Image.open(folder / word).size == Image.open(folder / command[2]).size


def _name(command: list[str]) -> list[str]:
    """Without the arguments of ``report NAME``."""
    return command[1:2] if command[1] == "report" else command[1:3]


@pytest.mark.parametrize("command", [c for c in commands() if tuple(c[1:3]) in LONG], ids=" ".join)
def test_long_commands_have_the_options_shown(command):
    from workbench.cli import app

    result = CliRunner(env={"COLUMNS": "300", "TERM": "dumb"}).invoke(app, [*_name(command), "--help"])
    assert result.exit_code == 0
    for option in (word for word in command if word.startswith("--")):
        assert option in result.output, f"README shows {option}, which {' '.join(command[:3])} does not take"


def test_the_python_example_runs(folder, capsys):
    exec(blocks("python")[0], {})
    assert (folder / "drawing.png").is_file()
    assert "{" in capsys.readouterr().out


def test_the_client_example_runs_against_the_demo(folder):
    pytest.importorskip("gradio_client")
    from workbench.ui import launch

    page = launch(port=None)
    try:
        exec(blocks("python")[1].replace("http://127.0.0.1:7860", page.local_url), {})
    finally:
        page.close()


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), f"README links to {target}, which is not there"


def table_rows() -> list[list[str]]:
    """Cells of README's result tables."""
    lines = [line for line in README.splitlines() if line.startswith("| ")]
    return [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in lines]


def results(name: str) -> list[dict]:
    with (ROOT / "reports" / "results" / name).open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_the_stylizer_table_is_the_measured_one():
    shown = table_rows()
    names = {
        ("fsgan_pepper", "photos"): "photos, untouched",
        ("fsgan_ink", "photos"): "photos of its own, untouched",
        ("fsgan_ink", "drawn teacher"): "drawn teacher of ink washes",
        ("fsgan_ink", "style against itself"): "atelier against itself",
    }
    for style, row in ((s, row) for s in ("fsgan_pepper", "fsgan_ink") for row in results(f"{s}.csv")):
        pairs = [(row[f"kid_{v}"], row[f"kid_{v}_error"]) for v in ("lite0", "lite1")]
        kid = [f"{float(mean):.1f} ± {float(error):.1f}" for mean, error in pairs]
        name = names.get((style, row["pictures"]), row["pictures"])
        drift = f"{float(row['color_drift']):.2f}" if row["color_drift"] else ""
        assert [name, *kid, drift, row["region_variation"]] in shown


def test_the_portrait_table_is_the_measured_one():
    shown = {cells[0].replace("*", ""): cells[1:] for cells in table_rows()}
    names = {"photos": "portraits, untouched", "drawn teacher": "portraits by the drawn teacher"}
    for row in results("afgan_portrait.csv"):
        if row["source"] == "all" and row["pictures"] != "style against itself":
            parameters = f" ({int(row['parameters']) / 1e6:.2f} M parameters)" if row["parameters"] else ""
            cells = shown[names.get(row["pictures"], row["pictures"]) + parameters]
            assert cells[0] == f"{float(row['kid_lite0']):.1f} ± {float(row['kid_lite0_error']):.1f}"
            if row["mask_iou"]:
                assert cells[1] == f"{float(row['mask_iou']):.3f}"[1:]
                assert cells[2] == f"{float(row['background_psnr']):.1f} dB"
            if row["pictures"] != "photos":
                r, shift = (float(row[f"skin_lightness_{k}"]) for k in ("correlation", "shift"))
                assert cells[3] == f"r {r:.3f}, {shift:+.1f} L".replace("0.", ".", 1)


def test_the_cost_table_is_the_measured_one():
    measured = json.loads((ROOT / "reports" / "results" / "bench_stylizers.json").read_text())
    shown = {cells[0]: cells[1:] for cells in table_rows() if cells[-1].endswith("×")}
    for row in measured["networks"]:
        cells = shown[row["name"]]
        assert cells[0] == f"{row['parameters'] / 1e6:.2f} M"
        assert cells[2] == f"{statistics.median(row['seconds']['512']):.3f}"
        assert cells[4] == f"{row['ratio']['512']:.1f}×"


def test_the_mood_table_is_the_measured_one():
    words = {"macro_f1": "macro-F1", "ece": "ECE", "log_loss": "log-loss"}
    words["log_loss_votes"] = "log-loss against votes"
    shown = {cells[0]: cells[1:] for cells in table_rows()}
    models = ("mood_statistics", "linear_probe_squeezed", "linear_probe_views")
    checked = 0
    for row in results("mood_statistics_summary.csv"):
        if row["model"] in models:
            interval = "{:.3f} ({:.3f} to {:.3f})".format(
                *(float(row[k]) for k in ("estimate", "low", "high"))
            )
            name = words.get(row["metric"], row["metric"].replace("_", " "))
            assert shown[name][models.index(row["model"])] == interval
            checked += 1
    assert checked == 18
