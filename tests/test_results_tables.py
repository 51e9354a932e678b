"""Committed tables: each says which code made it, and answers are written in full."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
TABLES = sorted((ROOT / "reports" / "results").glob("*.csv"))
STAMP = ("commit", "device", "versions", "date")
DETAILS = r"_(summary|predictions|pictures|pairs|effects|growth)"  # beside a table that has the stamp
OF_FOLDS = "_folds"  # of a model, whose table of trainings has this name
UNSTAMPED = "mafr_control_attempts.csv", "panel.csv", "collection_speed.csv"  # docs/results.md says why


def rows_of(table):
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def stamped(table):
    """Whether every row of a table names commit, device, versions and date."""
    return all(all(row.get(name) for name in STAMP) for row in rows_of(table))


def relatives(table):
    """Tables that one of details belongs to, or that belong to it."""
    stem = re.sub(DETAILS + "$", "", table.stem)
    return [t for t in TABLES if re.sub(f"({DETAILS}|{OF_FOLDS})$", "", t.stem) == stem and t != table]


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.stem)
def test_every_table_names_the_code_that_made_it(table):
    if table.name in UNSTAMPED:
        assert table.name in (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
        assert not stamped(table), "it has the stamp now: take it from the list"
    else:
        own = stamped(table) or any(stamped(t) or t.name in UNSTAMPED for t in relatives(table))
        assert own, "no commit, device, versions and date"


def digits(text):
    """Significant digits of a number as text."""
    return len(text.partition("e")[0].replace(".", "").lstrip("-0").rstrip("0"))


ANSWERS = [t for t in TABLES if t.stem.endswith("_predictions")]


@pytest.mark.parametrize("table", ANSWERS, ids=lambda t: t.stem)
def test_answers_are_written_in_full(table):
    """Nine digits say which float32 it was; probabilities of less than nine are rare by chance."""
    rows = rows_of(table)
    cells = [row[name] for row in rows for name in row if name.startswith("p_")]
    full = np.mean([digits(cell) >= 7 for cell in cells if 0 < float(cell) < 1])
    assert full > 0.95


@pytest.mark.parametrize(
    ("text", "count"), [("0.25", 2), ("0.00012340", 4), ("1.2345678e-05", 8), ("0", 0), ("-0.1", 1)]
)
def test_digits_by_hand(text, count):
    assert digits(text) == count
