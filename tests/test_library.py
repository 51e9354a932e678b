"""The package as a library: what `import workbench as wb` offers, and the page that shows it."""

import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import workbench as wb
from workbench.core import lazy

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_every_name_is_there_and_shown_by_an_example():
    for name in wb.__all__:
        assert getattr(wb, name) is not None
        assert any(re.search(rf"\bwb\.{name}\b", block) for block in BLOCKS), f"no example uses wb.{name}"
    assert set(wb.__all__) <= set(dir(wb))
    assert "lazy" not in dir(wb)


def test_the_page_shows_no_name_that_is_not_there():
    for name in re.findall(r"\bwb\.(\w+)", PAGE):
        assert name in wb.__all__, f"docs/library.md shows wb.{name}"


@pytest.mark.slow
def test_the_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in BLOCKS:
        if not block.startswith("# run: False"):
            exec(compile(block, "docs/library.md", "exec"), names)
    assert wb.read_image("drawing.png").size == (256, 256)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'stylise'"):
        wb.stylise  # noqa: B018
    with pytest.raises(ImportError):
        exec("from workbench import stylise", {})
    with pytest.raises(AttributeError, match=r"'workbench\.metrics' has no attribute 'nothing'"):
        wb.metrics.nothing  # noqa: B018


@pytest.mark.parametrize(
    "first", ["wb.styles()", "import workbench.styles.video", "from workbench import styles"]
)
def test_a_package_can_be_called_and_remains_a_package(first):
    code = f"""
import workbench as wb
{first}
import workbench.styles.video
import workbench.styles.tiling as tiling
from workbench.styles import names
print(names.DEFAULT_STYLE in wb.styles(), wb.styles.video.__name__, tiling.__name__)
"""
    assert python(code) == "True workbench.styles.video workbench.styles.tiling"


def test_a_call_forwards_its_arguments_and_errors():
    with pytest.raises(wb.WorkbenchError, match="Unknown"):
        wb.classify(wb.paint("serenity", seed=1, size=64).image, classifier="nobody")


@pytest.mark.parametrize(
    "name", ["workbench", *(f"workbench.{m.name}" for m in pkgutil.iter_modules(wb.__path__) if m.ispkg)]
)
def test_every_package_says_what_is_public(name):
    package = importlib.import_module(name)
    assert package.__all__
    for public in package.__all__:
        assert hasattr(package, public), f"{name} has no {public}"
        assert public in dir(package)


def test_the_modules_of_a_package_load_when_they_are_asked_for():
    code = "import sys, workbench.metrics as m; print('numpy' in sys.modules); print(m.kid.kid.__name__)"
    assert python(code).split() == ["False", "kid"]


def test_a_stub_gives_a_package_its_names(tmp_path, monkeypatch):
    package = tmp_path / "small_package"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from workbench.core import lazy\n__getattr__, __dir__, __all__ = lazy.names_of(__name__, __file__)\n"
    )
    (package / "__init__.pyi").write_text("from math import tau as two_pi\nfrom math import sqrt as sqrt\n")
    monkeypatch.syspath_prepend(tmp_path)
    small = importlib.import_module("small_package")
    assert small.__all__ == ["sqrt", "two_pi"]
    assert small.sqrt(9) == 3
    assert small.two_pi == pytest.approx(6.2831853)
    (package / "__init__.pyi").unlink()
    with pytest.raises(OSError, match=r"__init__\.pyi"):
        lazy.names_of("small_package", package / "__init__.py")


def test_something_is_done_when_a_module_is_imported_and_once(tmp_path, monkeypatch):
    (tmp_path / "waited_for.py").write_text("number = 6\n")
    monkeypatch.syspath_prepend(tmp_path)
    seen = []

    def act(module):
        seen.append(module.number)

    for _ in range(2):  # asked for twice, before
        lazy.when_imported("waited_for", act)
    assert seen == []
    module = importlib.import_module("waited_for")
    importlib.import_module("waited_for")
    assert seen == [6]
    module.number = 7
    lazy.when_imported("waited_for", act)  # it is there
    assert seen == [6, 7]
    monkeypatch.delitem(sys.modules, "waited_for")


def test_the_module_is_the_command_line():
    for module in ("workbench", "workbench.cli"):
        done = subprocess.run(
            [sys.executable, "-m", module, "--version"], capture_output=True, text=True, cwd=ROOT
        )
        assert done.stdout.strip() == f"workbench {wb.__version__}"


def test_type_checkers_are_told():
    assert (ROOT / "workbench" / "py.typed").is_file()
    shipped = (ROOT / "pyproject.toml").read_text()
    assert '"py.typed"' in shipped
    assert '"*.pyi"' in shipped
