"""What README shows is run: its commands in a folder with pictures, its Python, its client."""

import csv
import importlib.util
import re
import shlex
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
    for name in ("photo.jpg", "painting.jpg", *(f"paintings/{n}.png" for n in range(6))):
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


def make_results():
    spec = importlib.util.spec_from_file_location("make_results", ROOT / "docs" / "make_results.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_readme_can_be_read_in_five_minutes():
    assert len(README.splitlines()) <= 160


def test_the_tables_are_the_measured_ones():
    make = make_results()
    shown = ""
    for page in make.PAGES:
        text = page.read_text(encoding="utf-8")
        assert make.filled(text) == text, f"{page.name} is out of date: run python docs/make_results.py"
        shown += text
    for name in make.TABLES:
        assert re.search(rf"<!-- {name} -->\n\|.*\|\n<!-- /{name} -->", shown, flags=re.S), f"no table {name}"


def test_a_table_follows_its_results(tmp_path, monkeypatch):
    make = make_results()
    monkeypatch.setattr(make, "RESULTS", tmp_path)
    measures = ("kid_lite0", "kid_lite0_less_photo", "edge_f1", "color_drift", "region_variance")
    columns = ["stylizer", "photos", *(f"{m}{end}" for m in measures for end in ("", "_low", "_high"))]
    rows = f"""{",".join(columns)}
photo,80,147.79,130.1,165.52,0,0,0,1,1,1,0,0,0,396,357,439
pencil,80,94,80,108,-53.79,-60,-41.96,.75,.7,.8,4,4,4,338,309,369
style,415,0.67{"," * 14}
costs only{"," * 16}
"""
    (tmp_path / "stylizers.csv").write_text(rows)
    photo, pencil, style = make.stylizers()[1:]
    assert photo[1:4] == ["80", "147.8 (130.1 to 165.5)", ""]
    assert pencil[2:5] == ["94.0 (80.0 to 108.0)", "-53.8 (-60.0 to -42.0)", "0.75 (0.70 to 0.80)"]
    assert pencil[5:] == ["4.0", "338 (309 to 369)"]  # no brackets about an interval without width
    assert style == ["style", "415", "0.7", "", "", "", ""]


ORDERS = {"a": (1, 2, 3), "b": (2, 3, 1), "c": (3, 1, 2)}  # ranks of three drawings of each photo


def judged(make, folder, sheet, names):
    """A table of ranks: one sheet of three names, and a row of another with the first alone."""
    rows = [
        [sheet, photo, "automatic, blind", question, name, rank]
        for question in make.QUESTIONS
        for photo, ranks in ORDERS.items()
        for name, rank in zip(names, ranks, strict=True)
    ]
    rows += [["another", "a", "automatic, blind", q, names[0], 1] for q in make.QUESTIONS]
    with (folder / "panel.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["photos", "photo", "judge", "question", "stylizer", "rank"], *rows])


def test_a_style_is_counted_before_its_weights_of_before_and_its_teacher(tmp_path, monkeypatch):
    make = make_results()
    monkeypatch.setattr(make, "RESULTS", tmp_path)
    names = ("fsgan_anime", "fsgan_anime, second weights", "teacher of fsgan_anime")
    judged(make, tmp_path, "a sheet", names)
    counted = {row[0]: row[1:] for row in make.beside_before()[1:]}
    assert counted["fsgan_anime"] == ["3", "2, 1", "2, 1", "2, 1"]


def test_drawings_with_shapes_are_counted_before_those_without_by_the_kind_of_sheet(tmp_path, monkeypatch):
    make = make_results()
    monkeypatch.setattr(make, "RESULTS", tmp_path)
    judged(
        make,
        tmp_path,
        f"{make.NEWEST_PANEL}, a second judge",
        ("fsgan_bold", "fsgan_bold, without shapes", make.PUBLISHED),
    )
    assert make.beside_uncut()[1:] == [["fsgan_bold", make.NEWEST_PANEL, "3", "2", "2", "2"]]


def test_no_number_stands_outside_the_tables():
    """What README states is what a run wrote: its result tables are made, and nothing is added by hand."""
    part = README.partition("## Main results")[2].partition("## Limits")[0]
    prose = re.sub(r"<!-- (\w+) -->.*?<!-- /\1 -->", "", part, flags=re.S)
    prose = re.sub(r"\]\([^)]*\)|`[^`]*`", "", prose)
    assert not re.findall(r"\d*\.\d+", prose)


TRAINING = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "line",
    re.findall(r"^workbench .*$", "".join(re.findall(r"```sh\n(.*?)```", TRAINING, flags=re.S)), flags=re.M),
)
def test_the_commands_of_the_training_guide_have_the_options_shown(line):
    from workbench.cli import app

    command = shlex.split(line, comments=True)
    name = [word for word in command[1:3] if not Path(word).suffix and "/" not in word]
    result = CliRunner(env={"COLUMNS": "300", "TERM": "dumb"}).invoke(app, [*name, "--help"])
    assert result.exit_code == 0
    for option in (word for word in command if word.startswith("--")):
        assert option in result.output, f"docs/training.md shows {option}, which `{line}` does not take"
