"""The Hugging Face Space: front matter and requirements agree with the package; its folder starts alone."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
SPACE = ROOT / "spaces"


def canonical(requirement: str) -> str:
    return re.split(r"[<>=!~;\[ ]", requirement)[0].lower().replace("_", "-")


def pins(path: Path) -> dict[str, str]:
    lines = [line.strip() for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return {canonical(line): line.split("==")[1] for line in lines}


@pytest.fixture(scope="module")
def front_matter():
    text = (SPACE / "README.md").read_text(encoding="utf-8")
    assert text.startswith("---\n")
    return yaml.safe_load(text.split("---\n")[1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    out = tmp_path_factory.mktemp("space") / "out"
    subprocess.run(["make", "space", f"OUT={out}"], cwd=ROOT, check=True, capture_output=True)
    return out


def test_front_matter_agrees_with_the_package(front_matter):
    assert front_matter["sdk"] == "gradio"
    assert front_matter["sdk_version"] == pins(ROOT / "constraints.txt")["gradio"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert front_matter["python_version"] in project["requires-python"]
    assert (ROOT / front_matter["app_file"]).is_file()


def test_front_matter_is_what_the_hub_takes(front_matter):
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {front_matter["colorFrom"], front_matter["colorTo"]} <= colours
    assert len(front_matter["short_description"]) <= 60
    assert front_matter["title"]
    assert front_matter["emoji"]
    assert front_matter["license"] == "other"  # the weights' data do not allow more
    assert front_matter["license_name"]


def test_requirements_are_the_package_s_own_at_the_pinned_versions():
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*package["dependencies"], *package["optional-dependencies"]["app"]]
    known = pins(ROOT / "constraints.txt")
    names = {canonical(r) for r in wanted} - {"gradio"}  # brought by the Space in sdk_version
    assert pins(SPACE / "requirements.txt") == {name: known[name] for name in names}


def test_the_folder_holds_what_the_page_needs(folder):
    names = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert {"README.md", "requirements.txt", "app.py", "LICENSE", "workbench/__init__.py"} <= names
    weights = {p.name for p in (ROOT / "workbench" / "weights").glob("*.*")}
    assert {f"workbench/weights/{name}" for name in weights} <= names
    assert not [n for n in names if "__pycache__" in n]


def help_with(**environment: str) -> str:
    kept = {k: v for k, v in os.environ.items() if k not in ("HOST", "PORT")}
    done = subprocess.run(
        [sys.executable, "app.py", "--help"],
        cwd=ROOT,
        env=kept | {"COLUMNS": "200"} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_the_address_comes_from_the_environment():
    assert "127.0.0.1" in help_with()
    on_the_hub = help_with(GRADIO_SERVER_NAME="0.0.0.0", GRADIO_SERVER_PORT="7861")
    assert "0.0.0.0" in on_the_hub
    assert "7861" in on_the_hub
    assert "7862" in help_with(PORT="7862", GRADIO_SERVER_PORT="7861")


@pytest.mark.slow
def test_the_folder_starts_as_it_is(folder, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
    kept = {k: v for k, v in os.environ.items() if k not in ("HOST", "PORT", "PYTHONPATH")}
    where = subprocess.run(
        [sys.executable, "-c", "import workbench; print(workbench.__file__)"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(where.stdout.strip()).is_relative_to(folder)
    log = (tmp_path / "log").open("w+")
    server = subprocess.Popen(
        [sys.executable, "app.py"], cwd=folder, env=kept | address, stdout=log, stderr=subprocess.STDOUT
    )
    try:
        body = _page(f"http://127.0.0.1:{port}/", server, log)
        assert "Painter Psychology Workbench" in body
    finally:
        server.terminate()
        server.wait(60)


def _page(url: str, server: subprocess.Popen, log) -> str:
    for _ in range(600):
        try:
            return urllib.request.urlopen(url, timeout=60).read().decode()
        except OSError:
            if server.poll() is not None:
                log.seek(0)
                pytest.fail(log.read())
            time.sleep(0.2)
    pytest.fail(f"no answer at {url}")
