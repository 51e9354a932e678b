"""Let the notebooks open on Colab: ``python docs/make_colab.py OWNER/REPOSITORY``.

Each notebook of ``notebooks/`` gets a badge below its question and a first code cell that installs the
package where it is missing. Run again with another name, the script replaces what it wrote. The address is
an argument because a clone does not know where its readers will find it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
CELL = "colab"  # id of the cell that installs
BADGE = re.compile(r"\n\n\[!\[Open in Colab\].*\)$")


def opened(notebook: nbformat.NotebookNode, repository: str, name: str) -> nbformat.NotebookNode:
    """The notebook with badge and first cell for a repository ``OWNER/REPOSITORY`` of GitHub.

    Raises:
        ValueError: ``repository`` is not such a name.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise ValueError(f"Expected OWNER/REPOSITORY but got {repository!r}.")
    page = f"https://colab.research.google.com/github/{repository}/blob/main/notebooks/{name}"
    badge = f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({page})"
    install = (
        "import importlib.util\n\n"
        'if importlib.util.find_spec("workbench") is None:  # on Colab\n'
        f'    %pip install -q "painter-psychology-workbench[report] @ git+https://github.com/{repository}"'
    )
    cells = [cell for cell in notebook.cells if cell.get("id") != CELL]
    cells[0].source = BADGE.sub("", cells[0].source) + f"\n\n{badge}"
    first = next(i for i, cell in enumerate(cells) if cell.cell_type == "code")
    cells.insert(first, nbformat.v4.new_code_cell(install, id=CELL))
    notebook.cells = cells
    return notebook


def main(repository: str, folder: Path = NOTEBOOKS) -> None:
    """Rewrite every notebook of ``folder``."""
    for path in sorted(folder.glob("*.ipynb")):
        text = nbformat.writes(opened(nbformat.read(path, as_version=4), repository, path.name))
        path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Usage: python docs/make_colab.py OWNER/REPOSITORY")
    main(sys.argv[1])
