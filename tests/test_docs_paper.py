"""The map of the paper names files that exist and numbers that a run wrote."""

import csv
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "paper.md"
TEXT = PAGE.read_text(encoding="utf-8")
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith("|---")]
VERDICTS = r"\*\*(held|did not hold|not shown|cannot be tested)\*\*|not measured yet"


def links(text):
    return re.findall(r"\]\(([^)#]+)\)", text)


def numbers(value):
    """Every number of a table or of a JSON file."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return {n for item in value for n in numbers(item)}
    try:
        return {float(value)}
    except (TypeError, ValueError):
        return set()


def measured(path):
    if path.suffix == ".json":
        return numbers(json.loads(path.read_text(encoding="utf-8")))
    with path.open(encoding="utf-8", newline="") as file:
        return numbers([list(row) for row in csv.reader(file)])


def test_every_file_that_is_named_exists():
    assert len(links(TEXT)) > 80
    for target in links(TEXT):
        assert (PAGE.parent / target).exists(), f"the map names {target}, which is not there"


def cited(row):
    """Bold numbers, and the bounds that stand in brackets behind one."""
    bold = re.findall(r"\*\*([+-]?\d+(?:\.\d+)?)\*\*", row)
    bounds = re.findall(r"\((-?\d+\.\d+) to (-?\d+\.\d+)\)", row)
    return [*bold, *(b for pair in bounds for b in pair)]


@pytest.mark.parametrize("row", [r for r in ROWS if cited(r)], ids=lambda r: r[2:40])
def test_every_number_is_in_the_table_that_its_row_names(row):
    tables = [PAGE.parent / t for t in links(row) if t.endswith((".csv", ".json"))]
    assert tables, "numbers without a table"
    found = set().union(*(measured(t) for t in tables))
    for number in cited(row):
        digits = len(number.partition(".")[2])
        near = 0.501 * 10**-digits if digits else 0
        assert any(abs(float(number) - m) <= near for m in found), f"{number} is in none of {links(row)}"


def test_a_number_that_no_run_wrote_would_be_found():
    assert cited("| **0.123** (0.1 to 0.2) and **7** |") == ["0.123", "7", "0.1", "0.2"]
    assert not any(abs(0.123456 - m) < 1e-6 for m in measured(ROOT / "reports/results/mafr_summary.csv"))


def test_every_claim_has_a_verdict():
    claims = TEXT.split("## Claims")[1].split("\n## ")[0]
    rows = [line for line in claims.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 20
    for row in rows:
        verdict = row.strip().strip("|").split(" | ")[-1]
        assert re.search(VERDICTS, verdict), f"no verdict: {row[:60]}"


def test_tables_are_whole():
    for block in re.split(r"\n\n", TEXT):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines() if line.startswith("|")}
        assert len(widths) <= 1, block[:80]


def test_every_study_with_a_table_is_on_the_map():
    for notebook in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        if list((ROOT / "reports" / "results").glob(f"{notebook.stem[3:]}*.csv")):
            assert notebook.name in TEXT, f"{notebook.name} is not on the map"
