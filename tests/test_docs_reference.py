"""The package documents itself: docstrings everywhere, examples that run, a reference built from them."""

import ast
import doctest
import importlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "workbench"
FILES = sorted(PACKAGE.rglob("*.py"))


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


WITH_EXAMPLES = [p for p in FILES if re.search(r"^\s*>>> ", p.read_text(encoding="utf-8"), flags=re.M)]


def test_some_examples_are_there():
    assert len(WITH_EXAMPLES) >= 3


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=dotted)
def test_examples_of_docstrings_run(path):
    module = importlib.import_module(dotted(path))
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


def test_everything_public_has_a_docstring():
    """The linter asks for it; here that it goes on asking."""
    rules = ["--select", "D100,D101,D103,D104", "--isolated", "--output-format", "concise"]
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", *rules, str(PACKAGE), str(ROOT / "docs")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    lint = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert all(rule in lint for rule in ("D100", "D101", "D103", "D104"))


@pytest.mark.parametrize("path", FILES, ids=dotted)
def test_what_a_docstring_refers_to_is_there(path):
    """A role with a full name, such as :func:`workbench.ui.app.launch`, leads to a name that exists."""
    texts = [
        ast.get_docstring(node) or ""
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    for role, name in re.findall(
        r":(func|class|mod|meth|data|attr):`~?(workbench\.[\w.]+)`", "\n".join(texts)
    ):
        assert exists(name), f"{dotted(path)} refers to {role} {name}"


def exists(name: str) -> bool:
    """Is this a module of the package, or a name at the top of one?"""
    for cut in range(len(name.split(".")), 0, -1):
        parts = name.split(".")
        file = ROOT.joinpath(*parts[:cut])
        source = file.with_suffix(".py") if file.with_suffix(".py").is_file() else file / "__init__.py"
        if source.is_file():
            rest = parts[cut:]
            return not rest or re.search(rf"\b{rest[0]}\b", source.read_text(encoding="utf-8")) is not None
    return False


def make_reference():
    pytest.importorskip("pdoc")
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "docs" / "make_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_lists_every_module_by_itself(tmp_path):
    make = make_reference()
    modules = make.public_modules(PACKAGE)
    assert {dotted(p) for p in FILES if "_" not in {part[0] for part in dotted(p).split(".")}} == set(modules)
    assert "workbench.models.fsgan" in modules
    few = [m for m in modules if m.startswith("workbench.losses")]
    make.build(tmp_path, few, source=False)
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    for name in few:
        assert name in index
        assert (tmp_path / f"{name.replace('.', '/')}.html").is_file()
    page = (tmp_path / "workbench" / "losses" / "spectral.html").read_text(encoding="utf-8")
    assert "spectral_style_loss" in page
    assert not re.search(r":(func|class|mod):", page)
    assert not re.search(r'(?:src|href)="https?://', page + index)


def test_what_cannot_be_documented_is_an_error(tmp_path, monkeypatch):
    package = tmp_path / "broken_package"
    package.mkdir()
    (package / "__init__.py").write_text('"""A package."""\n')
    (package / "part.py").write_text('"""A part."""\nraise ImportError("not installed")\n')
    monkeypatch.syspath_prepend(tmp_path)
    make = make_reference()
    modules = make.public_modules(package)
    assert modules == ["broken_package", "broken_package.part"]
    with pytest.raises((UserWarning, RuntimeError), match=r"broken_package\.part"):
        make.build(tmp_path / "out", modules)


def test_the_reference_shows_what_the_package_says_and_not_what_its_libraries_do(tmp_path):
    make_reference().build(tmp_path, ["workbench.models.fsgan", "workbench.metrics.bootstrap"], source=False)
    model = (tmp_path / "workbench" / "models" / "fsgan.html").read_text(encoding="utf-8")
    assert "FSGANGenerator" in model
    assert "no normalisation" in model
    assert "Initialize internal Module state" not in model  # torch's words
    assert "conv1" not in model  # a layer
    metric = (tmp_path / "workbench" / "metrics" / "bootstrap.html").read_text(encoding="utf-8")
    assert "ArrayLike" in metric
    assert "_SupportsArray" not in metric
    assert "Alias for field number" not in metric


def test_a_module_that_pdoc_finds_twice_is_no_error(tmp_path, monkeypatch):
    package = tmp_path / "whole_package"
    package.mkdir()
    (package / "__init__.py").write_text('"""A package."""\n')
    (package / "part.py").write_text('"""A part."""\n')
    monkeypatch.syspath_prepend(tmp_path)
    make = make_reference()
    make.build(tmp_path / "out", make.public_modules(package))
    assert "A part." in (tmp_path / "out" / "whole_package" / "part.html").read_text(encoding="utf-8")
