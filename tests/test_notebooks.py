"""Every notebook keeps the house rules, runs from end to end on painted pictures, and cites measured numbers.

A new notebook is found by itself. It runs with its own defaults, a tiny atelier and a folder of the test;
name it in ``TINY`` only to make it smaller still.
"""

import ast
import csv
import re
import sys
from pathlib import Path

import nbformat
import papermill
import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TINY = {
    "02_data_and_moods": {"data": "atelier:40", "samples": 50},
    "08_do_explanations_hold": {"size": 64, "pictures": 3},
    "10_stylizers": {"data": "atelier:12", "stylizers": ["fsgan_comic", "convolution_soften"]},
    "11_mood_shift": {"styles": ["fsgan_comic", "JPEG, quality 75"]},
    "12_video": {"frames": 4, "motions": ["pan", "portrait"]},
    "14_stylizer_training": {"data": "atelier:10", "steps": [1, 1, 1]},
    "16_ratings": {"studies": 1},
    "13_full_report": {
        "size": 64,
        "samples": 50,
        "explained": 2,
        "judged": 2,
        "shifted": 3,
        "split_seeds": [0],
    },
}
MAP = "00_start_here"  # the only notebook without a study
DRAWN = {  # committed tables whose names are not the notebook's
    "06_benchmark": "benchmark_chinese_mood.csv,benchmark_children_emotion.csv",
    "08_do_explanations_hold": "explanations_hold.csv",
    "14_stylizer_training": "stylizer_training.csv,portrait_training.csv",
    "16_ratings": "ratings_effects.csv",
}
EVERY = {"data": "atelier:20"}  # where a notebook has such a parameter
SECONDS = 900

by_name = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


def load(path):
    return nbformat.read(path, as_version=4)


def parameters_of(path):
    """Names and default values of the cell tagged "parameters"."""
    (cell,) = [c for c in load(path).cells if "parameters" in c.metadata.get("tags", [])]
    return {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(cell.source).body
        if isinstance(node, ast.Assign)
    }


def executed(path, folder, parameters) -> tuple[int, str]:
    """Run a notebook in ``folder`` by a kernel: how many figures its cells show, and what they warn of."""
    done = papermill.execute_notebook(
        str(path), str(folder / path.name), parameters, kernel_name="python3", cwd=str(folder),
        progress_bar=False, execution_timeout=SECONDS,
    )  # fmt: skip
    outputs = [o for cell in done.cells if cell.cell_type == "code" for o in cell.outputs]
    warned = "".join(o.text for o in outputs if o.get("name") == "stderr")
    return sum("image/png" in o.get("data", {}) for o in outputs), warned


def results_of(path):
    """Committed tables that a notebook names."""
    names = set(re.findall(r"reports/results/\w+\.csv", "".join(c.source for c in load(path).cells)))
    return [ROOT / name for name in sorted(names)]


def test_there_are_notebooks():
    assert NOTEBOOKS
    assert {path.stem for path in NOTEBOOKS} >= set(TINY)


@by_name
def test_the_file_is_plain_and_small(path):
    notebook = load(path)
    nbformat.validate(notebook)
    assert re.fullmatch(r"\d\d_[a-z0-9_]+", path.stem), "a notebook is named NN_name"
    assert len(notebook.cells) < 40
    assert notebook.metadata.kernelspec.name == "python3"  # of whichever environment opens it
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}


@by_name
def test_nothing_of_a_run_is_stored(path):
    for cell in load(path).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert set(cell.metadata) <= {"tags"}


@by_name
def test_it_only_calls_the_package(path):
    for cell in load(path).cells:
        if cell.cell_type == "code":
            assert cell.source.strip(), "an empty cell"
            kinds = {type(node) for node in ast.walk(ast.parse(cell.source))}  # no magics either
            assert not kinds & {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef}


@by_name
def test_question_and_answer_come_first_and_asserts_are_there(path):
    cells = load(path).cells
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith("# ")
    assert "?" in cells[0].source, "the question"
    first = "".join(c.source for c in cells[:2] if c.cell_type == "markdown")
    assert re.search(r"\d\.\d", first), "the answer, with a number that was measured"
    code = "\n".join(c.source for c in cells if c.cell_type == "code")
    assert any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(code)))


@by_name
def test_it_has_one_cell_of_parameters_with_the_usual_names(path):
    found = parameters_of(path)
    assert {"out", "results"} <= set(found)
    assert found["results"] == ""
    assert str(found.get("data", "atelier")).startswith("atelier"), "by default it runs without other data"
    assert set(TINY.get(path.stem, {})) <= set(found)


@by_name
def test_it_names_no_place_on_a_machine(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.:/])/(?:home|root|Users|work|tmp|mnt|opt|usr)\b|[A-Z]:\\\\", text)
    assert not re.search(r"https?://(?:localhost|127\.)", text)


@by_name
def test_bold_numbers_of_the_answer_are_in_the_tables_it_names(path):
    cells = load(path).cells
    answer = "\n".join(c.source for c in cells[:2] if c.cell_type == "markdown")
    cited = re.findall(r"\*\*[+−-]?(\d+\.\d+)\*\*", answer)
    tables = results_of(path)
    assert all(table.is_file() for table in tables), "a table it names is not there"
    measured = set()
    for table in tables:
        with table.open(encoding="utf-8", newline="") as file:
            for row in csv.reader(file):
                measured |= {abs(float(v)) for v in row if re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", v)}
    for number in cited:
        digits = len(number.split(".")[1])
        near = 0.501 * 10**-digits
        assert any(abs(float(number) - m) <= near for m in measured), f"{number} is in no table"


NUMBER = r"[+−-]?\d+(?:\.\d+)?"
BRACKETED = re.compile(rf"\*\*({NUMBER})\*\* \(({NUMBER}) to ({NUMBER})\)")


def intervals_of(table):
    """Every (estimate, low, high) of a table, as numbers."""
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for column in row:
                ends = (f"{column}_low", f"{column}_high")
                if ends[0] not in row:
                    ends = ("low", "high") if column in ("estimate", "score") else ()
                cells = [row.get(name) or "nan" for name in (column, *ends)]
                if ends and all(re.fullmatch(r"-?[\d.]+(e-?\d+)?", cell) for cell in cells):
                    yield tuple(map(float, cells))


def cites(written, measured):
    """Whether (estimate, low, high) as text are those numbers, rounded; "lower by" turns signs and ends."""

    def rounded(text, number):
        return abs(abs(float(text.lstrip("+−-"))) - abs(number)) <= 0.501 * 10 ** -len(text.partition(".")[2])

    return any(all(map(rounded, written, turned)) for turned in (measured, (*measured[:1], *measured[:0:-1])))


@by_name
def test_intervals_of_the_answer_are_those_of_their_estimates(path):
    cells = load(path).cells
    answer = "\n".join(c.source for c in cells[:2] if c.cell_type == "markdown")
    measured = [interval for table in results_of(path) for interval in intervals_of(table)]
    for written in BRACKETED.findall(answer):
        assert any(cites(written, one) for one in measured), f"{written} are not of one row of a table"


def test_an_interval_of_another_row_is_seen():
    (written,) = BRACKETED.findall("it is −**0.59** (−0.71 to −0.47)")
    assert cites(written, (-0.5875, -0.708, -0.467))
    assert cites(("0.59", "0.47", "0.71"), (-0.5875, -0.708, -0.467))
    assert not cites(("0.59", "0.46", "0.71"), (-0.5875, -0.708, -0.467))


@pytest.mark.slow
@by_name
def test_it_runs_from_end_to_end(path, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # the pictures are painted for this test
    known = parameters_of(path)
    tiny = {name: value for name, value in EVERY.items() if name in known} | TINY.get(path.stem, {})
    given = tiny | {"out": str(tmp_path / "out")}
    if path.stem == MAP:  # one as its readers run it, in a kernel of its own, as reports are too
        count, errors = executed(path, tmp_path, given)
    else:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
        count, errors = drawn(path, given)
    assert count, "a study shows a figure"
    assert list((tmp_path / "out").rglob("*.csv")), "a study leaves a table"
    assert "Traceback" not in errors


@pytest.mark.parametrize("path", [p for p in NOTEBOOKS if p.stem != MAP], ids=lambda p: p.stem)
def test_it_draws_the_committed_table(path, tmp_path, monkeypatch):
    """In this process: nothing is run, so that a kernel of its own would only cost time."""
    names = DRAWN.get(path.stem, f"{path.stem[3:]}.csv").split(",")
    tables = [ROOT / "reports" / "results" / name for name in names]
    if not all(table.is_file() for table in tables):
        pytest.skip(f"the table of this study is not committed: {', '.join(names)}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # a shell puts its own there
    given = {"results": ",".join(map(str, tables)), "out": str(tmp_path / "out")}
    assert drawn(path, given)[0]
    assert not (tmp_path / "out").exists()  # drawn, not run


def drawn(path, parameters) -> tuple[int, str]:
    """The same in an IPython shell of this process, which has imported and loaded most already.

    Figures that it leaves open are closed, settings that it changes put back: other tests run here, too.
    """
    import matplotlib
    from matplotlib import pyplot

    try:
        with matplotlib.rc_context():
            return shown(path, parameters)
    finally:
        pyplot.close("all")


def shown(path, parameters) -> tuple[int, str]:
    """Run every cell in a shell: how many figures they show, and what they warn of."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.core.pylabtools import select_figure_formats
    from IPython.utils.capture import capture_output
    from matplotlib.figure import Figure

    shell = InteractiveShell.instance()
    shell.reset(new_session=True)
    select_figure_formats(shell, {"png"})
    found, warned = 0, ""
    for cell in load(path).cells:
        if cell.cell_type == "code":
            with capture_output() as captured:
                last = shell.run_cell(cell.source)
            last.raise_error()
            found += sum("image/png" in o.data for o in captured.outputs) + isinstance(last.result, Figure)
            if "parameters" in cell.metadata.get("tags", []):
                shell.push(parameters)
            warned += captured.stderr
    return found, warned


def test_a_notebook_leaves_nothing_behind_for_other_tests(tmp_path, monkeypatch):
    import matplotlib
    from matplotlib import pyplot

    size = matplotlib.rcParams["font.size"]
    cell = """import matplotlib, matplotlib.pyplot as plt
matplotlib.rcParams["font.size"] = 31
plt.plot([1, 2])
plt.gcf()"""
    path = tmp_path / "open.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)]), path)
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    assert drawn(path, {})[0] == 1
    assert not pyplot.get_fignums()
    assert matplotlib.rcParams["font.size"] == size
