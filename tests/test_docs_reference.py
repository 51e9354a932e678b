"""The package documents itself: docstrings everywhere, examples that run, names that exist."""

import ast
import doctest
import importlib
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
