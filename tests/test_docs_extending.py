"""What docs/extending.md shows is run: its files are imported under the names shown, its tests pass."""

import contextlib
import importlib
import importlib.util
import inspect
import re
import sys
import tomllib
from pathlib import Path

import pytest

from workbench import models
from workbench.studies import study

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
FILES = {m[1]: b for b in BLOCKS if (m := re.match(r"# (\S+\.py)\n", b))}


@pytest.fixture
def extended(tmp_path, monkeypatch):
    """The package with the page's files in it, until the test is over."""
    monkeypatch.chdir(tmp_path)
    tried = contextlib.ExitStack()
    for registry in (models.registry.ARCHITECTURES, study.STUDIES):  # what registers itself goes afterwards
        tried.enter_context(registry.trying())
    modules = {}
    for name, source in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source, encoding="utf-8")
        dotted = name.removesuffix(".py").replace("/", ".")
        spec = importlib.util.spec_from_file_location(dotted, file)
        modules[name] = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, dotted, modules[name])
        spec.loader.exec_module(modules[name])
    with tried:
        yield modules


def test_the_page_shows_one_of_each():
    floors = {"losses", "metrics", "models", "styles", "ui", "studies"}
    assert {str(Path(name).parent) for name in FILES} == {f"workbench/{floor}" for floor in floors} | {
        "tests"
    }
    for name in FILES:
        assert not (ROOT / name).exists(), f"{name} is there already: the page should show another name"


def test_what_is_shown_runs(extended):
    uses = [block for block in BLOCKS if block not in FILES.values()]
    assert len(uses) == 5
    for block in uses:
        assert "assert" in block
        exec(compile(block, "docs/extending.md", "exec"), {})


def test_the_tests_that_are_shown_pass(extended):
    shown = [module for name, module in extended.items() if name.startswith("tests/")]
    functions = [
        f for m in shown for n, f in inspect.getmembers(m, inspect.isfunction) if n.startswith("test_")
    ]
    assert len(functions) == 3
    for function in functions:
        function()


@pytest.mark.parametrize("name", [n for n in FILES if not n.startswith("tests/")])
def test_the_files_keep_the_house_rules(name):
    source = FILES[name]
    assert max(map(len, source.splitlines())) <= 110
    module = compile(source, name, "exec")
    assert module.co_consts[0], "a docstring first"
    levels = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["workbench"]["floors"]
    level = {floor: number for number, floors in enumerate(levels) for floor in floors}
    own = name.split("/")[1]
    for floor in re.findall(r"^from workbench\.(\w+)", source, flags=re.M):
        assert floor == own or level[floor] < level[own]


def test_the_entry_points_are_those_of_the_example_that_a_test_installs():
    example = (ROOT / "tests" / "plugin_example" / "pyproject.toml").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.S)
    assert shown in example


def test_links_lead_somewhere():
    for page in sorted((ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"
