"""The wheel, built from what the image's build sees, in an environment with nothing but what it declares."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest
import skimage.data
from packaging.requirements import Requirement
from PIL import Image

from workbench import __version__

ROOT = Path(__file__).resolve().parent.parent
DISTRIBUTION = "painter-psychology-workbench"
pytestmark = pytest.mark.slow


def declared() -> set[str]:
    """Names of the distributions that an installation without extras brings."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found, waiting = set(), [Requirement(line).name for line in project["dependencies"]]
    while waiting:
        name = waiting.pop().lower()
        if name not in found:
            found.add(name)
            waiting += [r.name for r in requirements(name)]
    return found


def requirements(name: str) -> list[Requirement]:
    """What a distribution asks for here, without its extras."""
    try:
        lines = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:  # of another platform
        return []
    wanted = [Requirement(line) for line in lines]
    return [r for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]


def link_packages(names: set[str], target: Path) -> None:
    """Let ``target`` have these distributions of the running Python, and no other."""
    for name in names:
        try:
            files = importlib.metadata.files(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            place = Path(importlib.metadata.distribution(name).locate_file(top))
            if not (target / top).exists() and place.exists():
                (target / top).symlink_to(place)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from what .dockerignore leaves, so that the image's build has all that it needs."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), flags=re.M):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    done = subprocess.run([*build, str(out), "."], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """Folder of an environment with the wheel and the distributions that it declares."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder)
    python = folder / "bin" / "python"
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index"]
    done = subprocess.run([*pip, str(wheel)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    link_packages(declared(), packages)
    return folder


@pytest.fixture
def run(environment, tmp_path):
    """Run a program of the environment in an empty folder, as somebody without this repository would."""
    Image.fromarray(skimage.data.coffee()).resize((300, 200)).save(tmp_path / "photo.jpg")
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}

    def call(program: str, *words: str) -> subprocess.CompletedProcess:
        command = [str(environment / "bin" / program), *words]
        return subprocess.run(command, cwd=tmp_path, env=kept, capture_output=True, text=True)

    return call


def test_the_module_and_the_command_say_their_version(run):
    for words in (("python", "-m", "workbench", "--version"), ("workbench", "--version")):
        assert run(*words).stdout.strip() == f"workbench {__version__}"


def test_nothing_but_what_is_declared_is_there(run):
    asked = "import importlib.util as u; print([bool(u.find_spec(n)) for n in ('torch', 'gradio', 'pytest')])"
    assert run("python", "-c", asked).stdout.strip() == "[True, False, False]"


def test_a_photo_is_drawn_and_a_painting_read(run, tmp_path):
    done = run("workbench", "stylize", "photo.jpg", "drawing.png")
    assert done.returncode == 0, done.stderr
    assert Image.open(tmp_path / "drawing.png").size == (300, 200)
    done = run("workbench", "classify", "photo.jpg")
    assert done.returncode == 0, done.stderr
    assert "serenity" in done.stdout


def test_the_library_is_the_installed_one(run, environment):
    done = run(
        "python",
        "-c",
        "import workbench as wb; print(wb.__file__); print(wb.__version__)\n"
        "drawing = wb.stylize(wb.read_image('photo.jpg'), 'drawn_portrait'); print(drawing.size)",
    )
    where, version, size = done.stdout.splitlines()
    assert Path(where).is_relative_to(environment)
    assert (version, size) == (__version__, "(300, 200)")


def test_every_file_of_the_package_is_installed(environment):
    (installed,) = environment.rglob("site-packages/workbench")
    own = {p.relative_to(ROOT / "workbench") for p in (ROOT / "workbench").rglob("*") if p.is_file()}
    own = {p for p in own if "__pycache__" not in p.parts}
    assert {Path("weights/fsgan_comic.json"), Path("weights/face_mesh.tflite"), Path("py.typed")} <= own
    assert sorted(str(p) for p in own if not (installed / p).is_file()) == []
    share = environment / "share" / DISTRIBUTION / "notebooks"
    assert {p.name for p in share.iterdir()} == {p.name for p in (ROOT / "notebooks").glob("*.ipynb")}


def test_what_needs_an_extra_says_which(run):
    done = run("workbench", "serve")
    assert done.returncode == 2
    assert "pip install 'painter-psychology-workbench[app]'" in done.stderr
