"""The notebooks: their location, question, answer and parameters.

In a checkout they are in ``notebooks/`` beside the package; a wheel has the same files as data files
(``share/painter-psychology-workbench/notebooks``), found through the list of installed files.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from pathlib import Path

import nbformat

from workbench.core import distribution
from workbench.core.errors import UnknownNameError, WorkbenchError
from workbench.core.runs import read_rows

_FIRST = "notebooks/00_start_here.ipynb"
FULL = "full"  # the whole study of a folder
ALIASES = {FULL: "full_report", "start": "start_here"}
_NUMBERED = re.compile(r"\d\d_[a-z0-9_]+\.ipynb")


@dataclasses.dataclass(frozen=True)
class Notebook:
    """One notebook, read but not run."""

    path: Path
    title: str  # without its number
    question: str
    answer: str  # its first finding in one sentence with its number; may be empty
    parameters: dict[str, object]  # names and defaults of the cell tagged "parameters"
    code: str = ""  # of all its cells

    @property
    def name(self) -> str:
        """Its name in ``workbench report``: the file's name without the number, or an alias."""
        short = self.path.stem.split("_", 1)[1]
        return next((alias for alias, name in ALIASES.items() if name == short), short)

    @property
    def number(self) -> str:
        """The two digits that order the notebooks."""
        return self.path.stem[:2]


def folder() -> Path:
    """Folder of the notebooks.

    Raises:
        WorkbenchError: the package was installed without them.
    """
    if root := distribution.root_with(_FIRST):
        return root / "notebooks"
    raise WorkbenchError(
        "Expected the notebooks beside the package or among its installed files but found none. "
        "Install the package from a checkout or from a wheel made of one."
    )


def notebooks() -> dict[str, Notebook]:
    """All notebooks by short name, in the order of their numbers."""
    paths = sorted(p for p in folder().glob("*.ipynb") if _NUMBERED.fullmatch(p.name))
    read_all = [read(path) for path in paths]
    return {notebook.name: notebook for notebook in read_all}


def find(name: str) -> Notebook:
    """The notebook of a short name (``mafr``), an alias (``full``), a stem (``04_mafr``) or a number.

    Raises:
        UnknownNameError: there is none.
    """
    known = notebooks()
    for notebook in known.values():
        stem = notebook.path.stem
        if name.removesuffix(".ipynb") in (notebook.name, stem, stem.split("_", 1)[1], notebook.number):
            return notebook
    raise UnknownNameError("report", name, known)


def read(path: Path) -> Notebook:
    """Title, question, answer and parameters of a notebook.

    Raises:
        WorkbenchError: the file is not a notebook.
    """
    try:
        cells = nbformat.read(path, as_version=4).cells
    except (OSError, ValueError) as error:
        raise WorkbenchError(f"Expected a notebook at {path} but it cannot be read ({error}).") from error
    texts = [c.source for c in cells[:3] if c.cell_type == "markdown"]
    heading = next((line[2:].strip() for t in texts for line in t.splitlines() if line.startswith("# ")), "")
    heading = re.sub(r"^\d\d\s*·\s*", "", heading) or path.stem
    words = "\n\n".join(texts)
    asked = question_of(words) or heading
    code = "\n\n".join(c.source for c in cells if c.cell_type == "code")
    return Notebook(path, heading, asked, answer_of(words), parameters_of(cells), code)


def parameters_of(cells) -> dict[str, object]:
    """Names and default values of the cell tagged "parameters"; empty without one."""
    for cell in cells:
        if "parameters" in cell.metadata.get("tags", []):
            return {
                node.targets[0].id: ast.literal_eval(node.value)
                for node in ast.parse(cell.source).body
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
            }
    return {}


def question_of(markdown: str) -> str:
    """The heading up to its question mark, else the first sentence of "**Question.** …" that asks."""
    heading = re.search(r"^# (?:\d\d\s*·\s*)?([^\n]*?\?)", markdown, re.MULTILINE)
    if heading:
        return _plain(heading.group(1))
    paragraph = re.search(r"\*\*Question\.?\*\*\s*(.+?)(?:\n\s*\n|\Z)", markdown, re.DOTALL)
    asked = [s for s in _sentences(_plain(paragraph.group(1)) if paragraph else "") if s.endswith("?")]
    return asked[0] if asked else ""


def answer_of(markdown: str) -> str:
    """The first bullet of the answer with a number: its emphasised lead, and the sentence with it. Of an
    answer without bullets its first sentence with a number.
    """
    bullets = re.findall(r"^- (.+?)(?=\n- |\n\s*\n|\Z)", markdown, re.MULTILINE | re.DOTALL)
    plain = r"^\*\*Answer[^*]*\*\*[,.:]?\s*(.+?)(?=\n\s*\n|\Z)"
    for bullet in bullets or re.findall(plain, markdown, re.MULTILINE | re.DOTALL):
        numbered = [s for s in _sentences(_plain(bullet)) if re.search(r"\d*\.\d|\d\s?%", s)]
        if not numbered:
            continue
        lead = re.match(r"\*{1,2}([^*]+?)\*{1,2}", bullet)
        first = _plain(lead.group(1)) if lead else ""
        whole = numbered[0] if numbered[0].startswith(first) else f"{first} {numbered[0]}".strip()
        return whole
    return ""


def overview(results: str | Path | None = None) -> list[dict[str, str]]:
    """One row per notebook: question, finding, and the duration of the measured runs.

    Args:
        results: folder of the committed tables, whose ``seconds`` are summed; by default the checkout's, if
            there is one.
    """
    tables = Path(results) if results else folder().parent / "reports" / "results"
    rows = []
    for notebook in notebooks().values():
        if notebook.name == "start":  # which shows this overview
            continue
        seconds = _seconds(notebook, tables)
        rows.append(
            {
                "notebook": notebook.path.stem,
                "question": notebook.question,
                "finding": notebook.answer,
                "computing time": "" if seconds is None else _duration(seconds),
            }
        )
    return rows


def _seconds(notebook: Notebook, results: Path) -> float | None:
    """Seconds of the runs in the tables that the notebook names, or None if none has any."""
    from workbench.studies.study import STUDIES

    named = set(re.findall(r"reports/results/(\w+\.csv)", notebook.path.read_text(encoding="utf-8")))
    runs: dict[tuple, float] = {}
    for name in sorted(named & {p.name for p in results.glob("*.csv")}):
        study = name.removesuffix(".csv")
        keys = (STUDIES.get(study).keys if study in STUDIES.own() else ()) or _KEYS
        for row in read_rows(results / name):
            if row.get("seconds"):  # all rows of a run have its seconds
                key = [name, row["seconds"], *(v for k, v in row.items() if k in keys)]
                runs[tuple(key)] = float(row["seconds"])
    return sum(runs.values()) if runs else None


_KEYS = (  # of a run, in tables of several estimators and in those that no study of their name writes
    "part",
    "data",
    "variant",
    "split_seed",
    "seed",
    "fold",
    "section",
    "topic",
    "clip",
    "method",
    "model",
)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _plain(markdown: str) -> str:
    """Text without Markdown's emphasis, code marks and addresses of links, on one line."""
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", re.sub(r"\*\*|`", "", markdown))
    return re.sub(r"\s+", " ", re.sub(r"\*(\S[^*]*?)\*", r"\1", text)).strip()


def _sentences(text: str) -> list[str]:
    return [s.strip() for s in re.split(r"(?<=[.?!])\s+(?=[A-Z`\"“])", text) if s.strip()]
