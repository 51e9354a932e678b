"""Another package extends the workbench through entry points: the example is installed and seen."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = Path(__file__).resolve().parent / "plugin_example"


def python(code: str, *paths: Path) -> list[str]:
    """Lines that a fresh interpreter prints which finds packages in ``paths``, too."""
    searched = os.pathsep.join(map(str, (*paths, ROOT)))
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": searched},
    )
    assert done.returncode == 0, done.stderr
    return [*done.stdout.splitlines(), *done.stderr.splitlines()]


def install(package: Path, target: Path) -> Path:
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(package)],
        check=True,
        capture_output=True,
    )
    return target


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    """The example, installed into a folder of its own; a copy, as a build leaves files beside the sources."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    return install(folder / "source", folder / "target")


def test_a_model_of_another_package_is_found_by_name(plugin):
    code = """
from workbench import models
print("pocket_sketch" in models.names("generator"), "pocket_sketch" in models.names("classifier"))
print(sum(p.numel() for p in models.create("pocket_sketch", width=8).parameters()))
"""
    assert python(code, plugin) == ["True False", "443"]
    assert python(code.splitlines()[1] + '\nprint("pocket_sketch" in models.names())') == ["False"]


def test_a_metric_of_another_package_is_bootstrapped_by_name(plugin):
    code = """
import workbench as wb
print("top_2_accuracy" in wb.list_scores())
p = [[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.2, 0.5, 0.3], [0.6, 0.1, 0.3]]
print(wb.bootstrap("top_2_accuracy", p, [1, 2, 0, 0], samples=50).estimate)
"""
    assert python(code, plugin)[:2] == ["True", "0.75"]


def test_a_style_of_another_package_is_in_the_menu_and_draws(plugin, tmp_path):
    code = f"""
import workbench as wb
style = wb.styles()["posterised"]
print(style.title, style.licence)
wb.paint("serenity", seed=3, size=64).image.save({str(tmp_path / "a.png")!r})
drawn = wb.stylize(wb.read_image({str(tmp_path / "a.png")!r}), "posterised")
print(sorted({{value for _, pixel in drawn.getcolors(64) for value in pixel}}))
from workbench.cli import main
main(["stylize", {str(tmp_path / "a.png")!r}, {str(tmp_path / "b.png")!r}, "--style", "posterised"])
"""
    said = python(code, plugin)
    assert said[:2] == ["Posterised Apache-2.0", "[0, 85, 170, 255]"]
    assert (tmp_path / "b.png").is_file()


def test_a_tab_of_another_package_is_on_the_page(plugin, tmp_path):
    code = f"""
from workbench.service.platform import Platform
from workbench.ui import build_app
with Platform({str(tmp_path / "data")!r}) as platform:
    page = build_app(platform)
    print(*(block.elem_id for block in page.blocks.values() if type(block).__name__ == "Tab"))
    print([fn.api_name for fn in page.fns.values() if fn.api_name == "palette"])
"""
    tabs, endpoints = python(code, plugin)[:2]
    assert {"redraw", "read", "palette"} <= set(tabs.split())
    assert endpoints == "['palette']"


def test_what_is_broken_in_another_package_stops_nothing(tmp_path):
    package = tmp_path / "source"
    (package / "broken_plugin").mkdir(parents=True)
    (package / "broken_plugin" / "__init__.py").write_text("raise RuntimeError('half installed')\n")
    (package / "pyproject.toml").write_text(
        (EXAMPLE / "pyproject.toml")
        .read_text()
        .replace("brush_plugin", "broken_plugin")
        .replace("example", "broken")
    )
    target = install(package, tmp_path / "target")
    code = """
import workbench as wb
print("fsgan_small" in wb.list_models("generator"), "pocket_sketch" in wb.list_models())
print("accuracy" in wb.list_scores())
try:
    wb.metrics.scores.get("top_2_accuracy")
except wb.WorkbenchError as error:
    print("top_2_accuracy" in str(error).partition("Known")[2])
"""
    said = python(code, target)
    assert said[:3] == ["True False", "True", "False"]
    assert any("half installed" in line for line in said[3:])
