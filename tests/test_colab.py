"""Notebooks for Colab: a badge, and a cell that installs only where the package is missing."""

import importlib.util
import shutil
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def make():
    spec = importlib.util.spec_from_file_location("make_colab", ROOT / "docs" / "make_colab.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_notebook_has_one_badge_and_one_cell_that_installs(make, tmp_path):
    before = {path.name: nbformat.read(path, as_version=4) for path in (ROOT / "notebooks").glob("*.ipynb")}
    for name in before:
        shutil.copy(ROOT / "notebooks" / name, tmp_path)
    make.main("first/try", tmp_path)
    make.main("somebody/painters", tmp_path)
    for name, old in before.items():
        new = nbformat.read(tmp_path / name, as_version=4)
        nbformat.validate(new)
        assert len(new.cells) == len(old.cells) + 1
        assert new.cells[0].source.startswith(old.cells[0].source)
        assert new.cells[0].source.count("somebody/painters/blob/main/notebooks/" + name) == 1
        assert "first/try" not in nbformat.writes(new)
        first = next(cell for cell in new.cells if cell.cell_type == "code")
        assert 'find_spec("workbench") is None' in first.source
        assert "git+https://github.com/somebody/painters" in first.source


def test_what_is_no_name_of_a_repository_is_refused(make):
    with pytest.raises(ValueError, match="OWNER/REPOSITORY"):
        make.opened(nbformat.v4.new_notebook(), "https://github.com/a/b", "x.ipynb")
