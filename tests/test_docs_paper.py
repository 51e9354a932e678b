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
VERDICTS = ("held", "did not hold", "no difference", "not tested")
MARGIN = 0.03
EXACT = r"parameters|jobs|share saved"  # counted, not estimated


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


def missing(measured: str, verdict: str) -> str:
    """What a row lacks for its verdict; nothing if it may stand."""
    given = re.findall(r"\*\*([^*0-9]+)\*\*", verdict)
    bounds = [tuple(map(float, pair)) for pair in re.findall(r"\((-?\d+\.\d+) to (-?\d+\.\d+)\)", measured)]
    if not given or set(given) - set(VERDICTS):
        return f"one of {VERDICTS} in bold"
    firm = set(given) & {"held", "did not hold"}
    if firm and not (bounds or re.search(EXACT, measured) or re.search(r"on \d+ of \d+ clips", verdict)):
        return "an interval, an exact count, or how many of how many clips"
    if "no difference" in given and not (bounds and all(-MARGIN <= x <= MARGIN for b in bounds for x in b)):
        return f"intervals within the margin of ± {MARGIN}"
    reason = verdict.partition("**not tested**")[2]
    if "not tested" in given and (":" not in reason or len(reason.partition(":")[2].split()) < 4):
        return "the reason why it is not tested"
    return ""


def splits(row):
    """The most splits that trainings in a table of the row have; 0 if no table has any."""
    found = [0]
    for path in (PAGE.parent / t for t in links(row) if t.endswith(".csv")):
        with path.open(encoding="utf-8", newline="") as file:
            found.append(len({r["split_seed"] for r in csv.DictReader(file) if "split_seed" in r}))
    return max(found)


def test_no_difference_is_said_of_three_splits_or_more():
    rows = [row for row in ROWS if "**no difference**" in row.rpartition(" | ")[2]]
    assert rows
    for row in rows:
        assert splits(row) >= 3, row[:70]
    assert splits("[a table](../reports/results/dkse.csv) of one split") == 1


def test_every_claim_has_a_verdict_and_its_row_what_the_verdict_needs():
    claims = TEXT.split("## Claims")[1].split("\n## ")[0]
    rows = [line for line in claims.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 20
    for row in rows:
        _, measured, _, verdict = row.strip().strip("|").split(" | ")
        assert not missing(measured, verdict), f"{row[:70]} lacks {missing(measured, verdict)}"


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        ("**0.5** (0.4 to 0.6)", "not shown"),
        ("**0.5** (0.4 to 0.6)", "**not shown**"),
        ("**0.5** accuracy", "**held**"),
        ("**0.01** (-0.02 to 0.04)", "**no difference**"),
        ("**0.01**", "**no difference** within ± 0.03"),
        ("**0.01** (-0.02 to 0.04)", "**not tested**"),
        ("**0.5** (0.4 to 0.6)", "**held**; the rest **not tested**: so"),
    ],
)
def test_a_verdict_without_what_it_needs_is_refused(measured, verdict):
    assert missing(measured, verdict)


def test_a_verdict_with_what_it_needs_stands():
    assert not missing("**0.5** (0.4 to 0.6)", "**held**, and more")
    assert not missing("**3** parameters", "**did not hold**")
    assert not missing("**0.01** (-0.02 to 0.02)", "**no difference** within ± 0.03")
    assert not missing("**0.01**", "**not tested**: the interval allows both")


def test_tables_are_whole():
    for block in re.split(r"\n\n", TEXT):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines() if line.startswith("|")}
        assert len(widths) <= 1, block[:80]


def test_every_study_with_a_table_is_on_the_map():
    for notebook in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        if list((ROOT / "reports" / "results").glob(f"{notebook.stem[3:]}*.csv")):
            assert notebook.name in TEXT, f"{notebook.name} is not on the map"
