"""What a spreadsheet would run does not reach it as it is, and comes back as it was."""

import csv

import pytest

from workbench.core.cells import guarded, unguarded
from workbench.core.runs import Runs, write_rows

FORMULAS = [
    '=HYPERLINK("http://evil.example","x")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1+1",
    "＠SUM(A1)",
]
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
]


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_are_text(text):
    assert guarded(text) == "'" + text
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", HARMLESS)
def test_the_rest_stays(text):
    assert guarded(text) == text
    assert unguarded(text) == text


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
