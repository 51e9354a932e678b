"""The map of the paper names files that exist and numbers that a run wrote."""

import csv
import functools
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "paper.md"
TEXT = PAGE.read_text(encoding="utf-8")
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith("|---")]
RESULTS = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
NOTEBOOKS = [line for line in RESULTS.splitlines() if re.match(r"\| \[\d\d_", line)]
VERDICTS = ("held", "did not hold", "no difference", "not tested")
MARGIN = 0.03
LEVEL = 0.05  # p from which on a difference may be chance
EXACT = r"parameters|jobs|share saved"  # counted, not estimated


def links(text):
    return re.findall(r"\]\(([^)#]+)\)", text)


def flat(row):
    """A row of a JSON file, ``{"ratio": {"512": 2.0}}`` as ``{"ratio.512": 2.0}``."""
    return {
        f"{key}.{name}" if isinstance(value, dict) else key: inner
        for key, value in row.items()
        for name, inner in (value.items() if isinstance(value, dict) else [("", value)])
    }


@functools.cache
def rows_of(path):
    """Rows of a CSV, or of the networks of a benchmark."""
    if path.suffix == ".json":
        return [flat(row) for row in json.loads(path.read_text(encoding="utf-8"))["networks"]]
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_file_that_is_named_exists():
    assert len(links(TEXT)) > 80
    for target in links(TEXT):
        assert (PAGE.parent / target).exists(), f"the map names {target}, which is not there"


NUMBER = r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)"
QUOTED = re.compile(rf"\*\*({NUMBER})\*\*(?: \(({NUMBER}) to ({NUMBER})\))?")


def cited(row):
    """Numbers in bold, each with the interval that stands in brackets behind it, or None."""
    return [(x, (low, high) if low else None) for x, low, high in QUOTED.findall(row)]


def claim_of(row):
    """What the table of cells names a row by: its first words."""
    return " ".join(row.split(" | ")[0][2:].split()[:6])


def written(number, bounds):
    return f"{number} ({bounds[0]} to {bounds[1]})" if bounds else number


def is_rounded(text, value):
    """Whether ``text`` is ``value``, rounded to as many digits as it has."""
    digits = len(text.partition(".")[2])
    return abs(float(text) - float(value)) <= (0.501 * 10**-digits if digits else 0)


def cell(entry):
    """The row of the table that an entry of the table of cells names: there is exactly one."""
    wanted = dict(part.split("=", 1) for part in entry["row"].split("; "))
    rows = rows_of(ROOT / "reports" / "results" / entry["table"])
    found = [row for row in rows if all(str(row.get(k, "")) == v for k, v in wanted.items())]
    assert len(found) == 1, f"{entry['row']} names {len(found)} rows of {entry['table']}"
    return found[0]


def ends(entry, row):
    """The interval beside the cell: its own, or that of the row's only estimate."""
    column = entry["column"]
    names = [f"{column}_low", f"{column}_high"]
    if names[0] not in row:
        assert column in ("estimate", "score"), f"{column} of {entry['table']} has no interval"
        names = ["low", "high"]
    return [row[name] for name in names]


CELLS = list(csv.DictReader((ROOT / "docs" / "paper_cells.csv").open(encoding="utf-8", newline="")))
OTHERS = list(csv.DictReader((ROOT / "docs" / "results_cells.csv").open(encoding="utf-8", newline="")))


@pytest.mark.parametrize("entry", CELLS + OTHERS, ids=lambda e: f"{e['claim'][:25]} {e['number']}")
def test_every_number_is_that_of_its_cell(entry):
    number, *bounds = re.findall(NUMBER, entry["number"])
    row = cell(entry)
    assert is_rounded(number, row[entry["column"]]), f"the table has {row[entry['column']]}"
    if bounds:
        held = ends(entry, row)
        assert all(map(is_rounded, bounds, held)), f"the table has {held}"


def test_every_number_of_the_map_has_a_cell_in_a_table_that_its_row_names():
    quoted = [(claim_of(r), written(*c)) for r in ROWS for c in cited(r)]
    assert len(quoted) > 150
    assert quoted == [(entry["claim"], entry["number"]) for entry in CELLS]
    for entry in CELLS:
        (row,) = (r for r in ROWS if claim_of(r) == entry["claim"])
        assert entry["table"] in [Path(target).name for target in links(row)], entry


def test_no_interval_or_number_is_written_in_a_way_that_is_not_checked():
    for row in ROWS:
        measured = row.split(" | ")[1]
        brackets = re.findall(r"\([^()]*\d to [^()]*\d\)", measured)
        assert len(brackets) == sum(bounds is not None for _, bounds in cited(measured)), row[:60]
        bold = re.findall(r"\*\*([^*]*\d[^*]*)\*\*", measured)
        assert len(bold) == len(cited(measured)), f"a number that is none: {bold}"


def decimals(text):
    """The numbers with a point, without sign and leading zero: ".12" for "-0.12"."""
    return [number.lstrip("0") for number in re.findall(r"(?<![\w.])\d*\.\d+", text)]


@pytest.mark.parametrize("row", NOTEBOOKS, ids=lambda row: links(row)[0][-24:-6])
def test_every_decimal_beside_a_notebook_is_one_of_the_map_or_of_a_cell(row):
    """What the table of notebooks says is what the map says of the same notebook, or a cell of its own."""
    page = Path(links(row)[0]).name
    claims = {claim_of(r) for r in ROWS if page in [Path(target).name for target in links(r)]}
    own = [entry["number"] for entry in OTHERS if f"{entry['claim']}.ipynb" == page]
    known = own + [entry["number"] for entry in CELLS if entry["claim"] in claims]
    said = decimals(row.split(" | ")[2])
    unknown = set(said) - {number for text in known for number in decimals(text)}
    assert not unknown, f"no cell of a table has {unknown}"
    unsaid = {number for text in own for number in decimals(text)} - set(said)
    assert not unsaid, f"cells of {unsaid}, which the row does not give"


@pytest.mark.parametrize(
    ("number", "interval", "right"),
    [
        ("0.12", None, True),
        ("0.13", None, False),
        ("0.12", ("0.10", "0.20"), True),
        ("0.12", ("0.11", "0.20"), False),
    ],
)
def test_a_wrong_number_or_interval_is_seen(number, interval, right):
    row = {"estimate": "0.1204", "low": "0.1004", "high": "0.1996"}
    bounds = interval or ("0.10", "0.20")
    seen = is_rounded(number, row["estimate"]) and all(
        map(is_rounded, bounds, ends({"column": "estimate", "table": "t"}, row))
    )
    assert seen == right
    assert cited("| **0.12** (0.1 to 0.2), **7** and 5 (1 to 2) |") == [("0.12", ("0.1", "0.2")), ("7", None)]


def is_comparison(entry):
    """Whether a number is a difference between two of something, and not the p of one."""
    if entry["column"] in ("p", "p_holm"):
        return False
    said = (entry["column"], entry["row"])
    return any(
        word in text
        for text in said
        for word in ("difference", "less_photo", "less_fsgan", "vs_", "minus", "measure=change")
    )


def corrected_p(row):
    """p of a table's row after the correction for all that was planned; None if the table has none."""
    return float(row["p_holm"]) if row.get("p_holm") else None


def leaves_zero_out(low, high, p):
    """Whether a difference is shown: by its interval and, if there is one, by its p after the correction."""
    return (low > 0 or high < 0) and (p is None or p < LEVEL)


def may_be_chance(entry, row):
    """Whether a cited number is a p of 0.05 or more, or a difference that has one after the correction and
    would seem to be shown by its interval alone."""
    if entry["column"] in ("p", "p_holm"):
        return float(row[entry["column"]]) >= LEVEL
    if not is_comparison(entry) or corrected_p(row) is None:
        return False
    low, high = map(float, ends(entry, row))
    return (low > 0 or high < 0) and corrected_p(row) >= LEVEL


def is_firm(row):
    """Whether the verdict of a row of the map says "held" or "did not hold" of anything."""
    return bool(re.search(r"\*\*(held|did not hold)\*\*", row.rpartition(" | ")[2]))


def test_a_verdict_of_a_comparison_has_one_that_leaves_zero_out():
    checked = 0
    for row in filter(is_firm, ROWS):
        compared = [e for e in CELLS if e["claim"] == claim_of(row) and is_comparison(e)]
        found = [(*map(float, ends(e, cell(e))), corrected_p(cell(e))) for e in compared]
        checked += bool(found)
        assert not found or any(leaves_zero_out(*one) for one in found), row[:70]
    assert checked >= 5


def test_what_may_be_chance_after_the_correction_is_called_not_tested():
    checked = 0
    for row in filter(is_firm, ROWS):
        own = [e for e in CELLS if e["claim"] == claim_of(row)]
        if chance := [e["number"] for e in own if may_be_chance(e, cell(e))]:
            checked += 1
            assert "**not tested**" in row.rpartition(" | ")[2], f"{row[:70]}: {chance}"
    assert checked >= 3


@pytest.mark.parametrize(
    ("column", "low", "high", "p", "shown", "chance"),
    [
        ("difference", 0.1, 0.3, 0.01, True, False),
        ("difference", 0.1, 0.3, 0.086, False, True),
        ("difference", 0.1, 0.3, "", True, False),
        ("difference", -0.1, 0.3, 0.5, False, False),
        ("p_holm", 0.1, 0.3, 0.05, False, True),
        ("p_holm", 0.1, 0.3, 0.049, True, False),
    ],
)
def test_a_p_after_the_correction_decides_with_the_interval(column, low, high, p, shown, chance):
    row = {"difference": 0.2, "difference_low": low, "difference_high": high, "p_holm": p}
    assert leaves_zero_out(low, high, corrected_p(row)) is shown
    assert may_be_chance({"column": column, "row": "", "table": "t"}, row) is chance


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
    assert splits("[a table](../reports/results/dkse.csv) of five splits") == 5
    assert splits("[a table](../reports/results/panel.csv) without a training") == 0


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
