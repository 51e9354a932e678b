"""What a spreadsheet would run does not reach it as it is, and comes back as it was."""

import csv
import re

import pytest

from workbench.core.cells import guarded, unguarded
from workbench.core.runs import Runs, read_rows, write_rows

FORMULAS = [
    '=HYPERLINK("http://evil.example","x")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "＝1+1",
    "＠SUM(A1)",
    "-5 +A1",
    "-5\n*A1",
]
LATER = {  # cells of their own where ";", a tab or a bar separates them, or a line ends that no quote began
    "\t=1": "\t'=1",
    "\r=1": "\r'=1",
    "\n=1": "\n'=1",
    " =1": " '=1",
    ";=1+1": ";'=1+1",
    "a;=1+1": "a;'=1+1",
    "a;\t =1+1": "a;\t '=1+1",
    'a;"=1+1"': 'a;"\'=1+1"',
    "a\n@SUM(A1)": "a\n'@SUM(A1)",
    "a\u2028=1": "a\u2028'=1",
    "a|-cmd": "a|'-cmd",
    "-1;+A1;=B1": "-1;'+A1;'=B1",
    "'=1": "''=1",
    "''; '=1": "''; ''=1",
}
HARMLESS = [
    "serenity",
    "-0.5",
    "+3",
    "1e-5",
    "-1.5e+10",
    "",
    "'quoted'",
    "-inf",
    "nan",
    "5 %",
    "=".join("ab"),
    "0.5;-0.5; +1e3",
    "1920-1930",
    "a, -b",
]


@pytest.mark.parametrize(("text", "safe"), [*((text, "'" + text) for text in FORMULAS), *LATER.items()])
def test_formulas_are_text(text, safe):
    assert guarded(text) == safe
    assert unguarded(safe) == text
    assert unguarded(guarded(safe)) == safe  # what had an apostrophe keeps it


@pytest.mark.parametrize("text", HARMLESS)
def test_the_rest_stays(text):
    assert guarded(text) == text
    assert unguarded(text) == text


@pytest.mark.parametrize("unit", ["\t", "'", ";", "-1", "1" * 9, "e"])
def test_long_cells_take_no_time(unit):
    text = "-" + unit * 50_000
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", [*FORMULAS, *LATER, *HARMLESS])
def test_a_table_in_other_countries_has_no_formula_either(tmp_path, text):
    write_rows([{"number": -0.5, text: "x", "name": text}], tmp_path / "rows.csv")
    for separator in ",;\t|":
        with (tmp_path / "rows.csv").open(newline="") as file:
            cells = [cell for row in csv.reader(file, delimiter=separator) for cell in row]
        for cell in cells:
            start = re.split("[,;]", cell.lstrip('"\t\n\r '), maxsplit=1)[0]
            if start.startswith(tuple("=+-@＝＋－＠")):
                float(start)  # raises on what is no number
    (row,) = read_rows(tmp_path / "rows.csv")
    assert row == {"number": "-0.5", text: "x", "name": text} or text in ("number", "name")


def test_tables_hold_no_formula_and_studies_go_on_where_they_were(tmp_path):
    key = {"name": FORMULAS[0]}
    Runs(tmp_path / "study.csv", ("name",)).add(key, {"value": -0.5}, seconds=1.0, stamp=False)
    write_rows([{"path": FORMULAS[1], "score": -0.5}], tmp_path / "rows.csv")
    for name in ("study.csv", "rows.csv"):
        with (tmp_path / name).open(newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]
        assert [float(cell) for cell in cells if cell.startswith("-")] == [-0.5]
    again = Runs(tmp_path / "study.csv", ("name",))
    assert key in again
    assert again.rows[0]["name"] == FORMULAS[0]
