"""Reports are self-contained, describe their pictures, resume, and check their input before any work."""

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import nbformat
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from workbench import models
from workbench.cli import app
from workbench.core import distribution
from workbench.core.errors import DatasetError, UnknownNameError, WorkbenchError
from workbench.core.runs import Runs
from workbench.data.atelier import open_dataset, write_atelier
from workbench.data.paintings import read_paintings
from workbench.interpret.measuring import MEASURES
from workbench.reporting import blocks, folder, notebooks
from workbench.reporting.full import Report
from workbench.reporting.page import render, self_containment_problems
from workbench.reporting.readings import card_facts
from workbench.reporting.report import Request, chosen_settings, command, make
from workbench.studies import report_rows
from workbench.studies.full_report import FullReport
from workbench.studies.report_folder import raters
from workbench.studies.report_scores import ReportRun, contradicted

ROOT = Path(__file__).resolve().parent.parent
TINY = {"size": 64, "samples": 20, "explained": 2, "judged": 2, "shifted": 3, "split_seeds": [0]}


def cell(kind, source, **metadata):
    made = {"m": nbformat.v4.new_markdown_cell, "c": nbformat.v4.new_code_cell}[kind](source)
    made.metadata.update(metadata)
    return made


def notebook(*cells):
    made = nbformat.v4.new_notebook(cells=list(cells))
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return made


# --- the page


@pytest.mark.parametrize(
    "html",
    [
        '<img alt="a" src="https://example.org/a.png">',
        '<img alt="a" src="//example.org/a.png">',
        '<img alt="a" src="a.png">',
        '<img alt="a" srcset="data:image/png;base64,AA 1x, https://example.org/b.png 2x" src="data:,">',
        '<link rel="stylesheet" href="https://example.org/a.css">',
        "<style>@import 'https://example.org/a.css';</style>",
        "<style>p { background: url(https://example.org/a.png) }</style>",
        '<p style="background: url(//example.org/a.png)">a</p>',
        '<script src="https://example.org/require.js"></script>',
        "<script>fetch('x')</script>",
        '<iframe src="https://example.org"></iframe>',
        '<video poster="https://example.org/a.png"></video>',
        '<svg aria-label="a"><image href="https://example.org/a.png"/></svg>',
        '<meta http-equiv="refresh" content="0; url=https://example.org">',
        '<img src="data:image/png;base64,AA">',
        '<img alt=" " src="data:image/png;base64,AA">',
    ],
)
def test_what_would_ask_the_network_or_stay_mute_is_found(html):
    assert self_containment_problems(f"<html><body>{html}</body></html>")


def test_a_page_that_stands_alone_has_no_problems():
    page = (
        "<style>p { background: url('data:image/png;base64,AA'); color: red }</style>"
        '<a href="https://example.org">a link that a reader may follow</a>'
        '<img alt="a bird" src="data:image/png;base64,AA"><svg aria-label="a"><use href="#b"/></svg>'
    )
    assert self_containment_problems(page) == []


def test_the_page_folds_code_and_hides_what_is_for_the_notebook():
    figure = nbformat.v4.new_output(
        "display_data",
        {"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg'/>"},
        metadata={"image/svg+xml": {"alt": "Figure: bars of <b>counts</b>."}},
    )
    table = nbformat.v4.new_output(
        "execute_result",
        {"text/html": '<table border="1" class="dataframe"><tr><th></th><th>log_loss</th></tr>'
         "<tr><th>0</th><td>0.51</td></tr><tr><th>1</th><td>NaN</td></tr></table>"},
    )  # fmt: skip
    noise = nbformat.v4.new_output("stream", name="stderr", text="a warning with /home/somebody in it")
    code = cell("c", "draw(counts)")
    code.outputs = [noise, figure, table]
    summary = cell("c", "headline()", tags=["summary"])
    summary.outputs = [nbformat.v4.new_output("execute_result", {"text/html": "<p>a headline</p>"})]
    made = notebook(
        cell("m", "# 04 · A study: does it rise?\n\n**Question.** Does it?"),
        cell("m", "**Answer, measured on 396 paintings.** It is [here](03_dkse.ipynb) <**0.5**>."),
        cell("m", "## Run it yourself\n\nWith `data`."),
        cell("c", "data = 'secret'", tags=["parameters"]),
        cell("m", "## The figure"),
        code,
        summary,
    )
    page = render(made, "On <birds>", "sub", {"To repeat": "workbench report x"}, own_data=True)
    assert self_containment_problems(page) == []
    assert '<html lang="en">' in page
    assert "<title>On &lt;birds&gt;</title>" in page
    assert 'alt="Figure: bars of &lt;b&gt;counts&lt;/b&gt;."' in page
    assert page.index("a headline") < page.index("Question")  # what is read first comes first
    assert page.count("<details") == 1  # the summary's code is with that of its section
    assert 'headline</span><span class="p">()' in page.split("<details")[1]
    assert "secret" not in page
    assert "Run it yourself" not in page
    assert "somebody" not in page
    assert "on other pictures than these" in page  # the notebook's answer is not of the user's pictures
    assert "03_dkse.ipynb" not in page  # a link that the page does not have
    assert "<details" in page.split("draw")[0].rsplit("</figure>", 1)[1]
    assert "<th>log loss</th>" in page
    assert "<td>–</td>" in page or '<td class="number">–</td>' in page
    assert 'href="#The-figure"' not in page  # two sections need no contents
    assert "others" not in render(made, "t").split("<main>")[1]


def test_a_page_that_needs_the_network_is_refused():
    code = cell("c", "show()")
    code.outputs = [
        nbformat.v4.new_output("display_data", {"text/html": '<img alt="a" src="https://x.org/a">'})
    ]
    with pytest.raises(WorkbenchError, match="self-contained"):
        render(notebook(code), "t")


def test_pictures_can_be_left_out_and_plots_stay():
    photo, plot, mixed = cell("c", "a"), cell("c", "b"), cell("c", "c")
    data = {"image/png": "AAAA", "text/plain": "<Plot>"}
    photo.outputs = [nbformat.v4.new_output("display_data", data, metadata={"image/png": {"alt": "a bird"}})]
    svg = {"image/svg+xml": "<svg/>"}
    plot.outputs = [
        nbformat.v4.new_output("display_data", svg, metadata={"image/svg+xml": {"alt": "Figure: bars."}})
    ]
    shown = blocks.gallery([blocks.GalleryEntry([Image.new("RGB", (40, 20))], ["a bird"], "bird")])
    mixed.outputs = [nbformat.v4.new_output("display_data", {"text/html": shown.html})]
    made = notebook(photo, plot, mixed)
    assert render(made, "t").count("data:image/") == 3
    page = render(made, "t", pictures=False)
    assert re.findall(r"data:image/(\w+)", page) == ["svg"]
    assert page.count("picture left out") == 2


def test_contents_lead_to_their_sections():
    sections = (cell("m", f"## Section {i}: what & why?") for i in range(4))
    page = render(notebook(cell("m", "**Question.** Is it so?"), *sections), "t")
    assert page.index("Is it so?") < page.index("<nav") < page.index("<h2")  # what was asked comes first
    anchors = re.findall(r'<li><a href="#([^"]+)">', page)
    assert len(anchors) == 4
    ids = set(re.findall(r'id="([^"]+)"', page))
    assert set(anchors) <= ids
    assert "¶" not in page


def test_a_section_that_shows_nothing_is_only_code():
    checked, shown = cell("c", "assert True"), cell("c", "counts")
    shown.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "3"})]
    sections = (cell("m", "## Counts"), shown, cell("m", "## Checks"), checked)
    page = render(notebook(*sections), "t")
    assert "Checks" not in page
    assert "assert" in page.split("<details")[1]
    assert "Checks" in render(notebook(*sections[:2], cell("m", "## Checks\n\nThey held."), checked), "t")


def test_headings_of_numbers_stand_right_and_names_of_models_stay():
    frame = pd.DataFrame({"clip": ["pan", "zoom"], "fsgan_comic": [0.5, -0.25], "log_loss": [1, np.nan]})
    frame["frames"] = pd.array([12, pd.NA], "Int64")
    code = cell("c", "frame")
    code.outputs = [nbformat.v4.new_output("execute_result", {"text/html": frame._repr_html_()})]
    page = render(notebook(code), "t")
    assert "<th>clip</th>" in page
    assert '<th class="number">fsgan_comic</th>' in page
    assert '<th class="number">log loss</th>' in page
    assert '<td class="number">-0.25</td>' in page
    assert '<th class="number">frames</th>' in page
    assert "NaN" not in page
    assert "&lt;NA&gt;" not in page


# --- blocks


def test_every_shipped_model_says_what_it_learnt_from():
    for name in models.trained():
        facts = card_facts(models.card(name))
        assert re.match(r"\d+ (photos|Chinese paintings)", facts["Trained on"]), name
        assert "none" not in facts["Trained on"]


def test_blocks_escape_what_comes_from_the_user():
    bad = "<script>x</script>"
    shown = blocks.gallery([blocks.GalleryEntry([Image.new("RGB", (40, 20))], [bad], bad, bad, bad)])
    for block in (shown, blocks.note(bad), blocks.bullets([bad]), blocks.facts({bad: bad})):
        assert "<script>" not in block._repr_html_()
    page = blocks.table([bad], [[bad]], bad) + shown
    assert "<script>" not in page.html
    assert self_containment_problems(page.html) == []


def test_columns_of_numbers_stand_right():
    html = blocks.table(
        ["name", "score", "share"], [["a", "0.5 (0.4 to 0.6)", "12 %"], ["b", "–", "3 %"]]
    ).html
    assert html.count('class="number"') == 6
    assert "<td>a</td>" in html


def test_a_thumbnail_is_small_whatever_the_picture_is():
    wide = Image.fromarray(np.zeros((30, 9000), np.uint8)).convert("L")
    address = blocks.thumbnail(wide)
    assert address.startswith("data:image/jpeg;base64,")
    assert len(address) < 5_000


# --- figures


def test_figures_are_described_by_what_they_show():
    from workbench.plots import classification
    from workbench.reporting.kernel import describe, has_photos, jpeg, svg

    figure = classification.confusion(np.array([[3, 1], [0, 4]]), ["calm", "wild"], title="Confusion")
    text = describe(figure)
    assert "Confusion" in text
    assert "predicted" in text
    assert "calm" in text
    assert not has_photos(figure)
    data, metadata = svg(figure)
    assert data.lstrip().startswith("<?xml")
    assert metadata["alt"] == text
    assert jpeg(figure) is None
    figure.axes[0].imshow(np.zeros((100, 100)))
    assert svg(figure) is None
    assert jpeg(figure)[0].startswith(b"\xff\xd8\xff")


def test_progress_goes_to_its_file_and_nothing_else_is_lost(tmp_path):
    from tqdm import tqdm

    from workbench.reporting.kernel import Status

    class Other(list):
        def write(self, text):
            self.append(text)

        def flush(self):
            pass

    other = Other()
    stream = Status(tmp_path / "status", other)
    for _ in tqdm(range(3), desc="statistics", file=stream, disable=None, mininterval=0):
        pass
    assert "statistics" in (tmp_path / "status").read_text()
    stream.write("a real warning\n")
    assert other == ["a real warning\n"]


# --- finding notebooks


def test_every_notebook_is_found_and_says_what_it_asks():
    known = notebooks.notebooks()
    assert {n.path.stem for n in known.values()} == {p.stem for p in (ROOT / "notebooks").glob("*.ipynb")}
    for found in known.values():
        assert found.question.endswith("?"), found.path.name
        assert "out" in found.parameters
    assert re.match(r"It does not rise\. Accuracy is 0\.\d{3} without", known["mafr"].answer)
    for name in ("mafr", "04_mafr", "04", "04_mafr.ipynb"):
        assert notebooks.find(name).path.stem == "04_mafr"
    with pytest.raises(UnknownNameError, match="mafr"):
        notebooks.find("mfar")


def test_the_overview_says_what_was_found_and_counts_a_run_once(tmp_path):
    rows = {row["notebook"]: row for row in notebooks.overview()}
    for name, row in rows.items():
        assert re.search(r"\d", row["finding"]), name
        assert not re.search(r"[*`]|\]\(", row["finding"]), name
    head = "case,network,data,method,measure,estimate,seconds\n"
    run = "paintings,a,b,{},{},0.5,{}\n"
    lines = [run.format(m, k, s) for s in (3600, 1800) for m in "xyz" for k in ("mass", "insertion")]
    (tmp_path / "explanations_hold.csv").write_text(head + "".join(lines))
    (found,) = [r for r in notebooks.overview(tmp_path) if r["notebook"].startswith("08")]
    assert found["computing time"] == "1.5 h"  # two runs of three methods and two measures


@pytest.mark.parametrize(
    ("answer", "finding"),
    [
        ("**Answer.**\n\n- **It does.** By **0.5** (0.4 to 0.6). More.", "It does. By 0.5 (0.4 to 0.6)."),
        ("**Answer.** So:\n\n- No number.\n- *Why?* By 5 %.", "Why? By 5 %."),
        ("**Answer, for all**: it is so. It gains **0.5** ([t](a.csv)).\n\nMore.", "It gains 0.5 (t)."),
        ("**Answer.** Nothing was measured.", ""),
    ],
)
def test_a_finding_is_the_first_with_a_number(answer, finding):
    assert notebooks.answer_of(answer) == finding


def test_a_wheel_carries_the_notebooks_and_they_are_found_in_it(tmp_path, monkeypatch):
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = [p for group in settings["data-files"].values() for p in group]
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert any(fnmatch(path.relative_to(ROOT).as_posix(), p) for p in patterns)
    shipped = settings["package-data"]["workbench"]
    for path in (ROOT / "workbench" / "reporting" / "template").rglob("*.*"):
        assert any(fnmatch(path.relative_to(ROOT / "workbench").as_posix(), p) for p in shipped), path

    class Installed:  # a file of an installed distribution
        def __init__(self, path):
            self.path, self.name = path, path.name

        def locate(self):
            return self.path

        def __fspath__(self):
            return str(self.path)

    place = tmp_path / "share" / "notebooks"
    place.mkdir(parents=True)
    (place / "00_start_here.ipynb").write_bytes((ROOT / "notebooks" / "00_start_here.ipynb").read_bytes())
    monkeypatch.setattr(
        distribution.workbench, "__file__", str(tmp_path / "site" / "workbench" / "__init__.py")
    )
    monkeypatch.setattr(
        distribution.metadata, "files", lambda name: [Installed(place / "00_start_here.ipynb")]
    )
    assert notebooks.folder() == place.resolve()
    monkeypatch.setattr(distribution.metadata, "files", lambda name: [])
    with pytest.raises(WorkbenchError, match="from a checkout or from a wheel"):
        notebooks.folder()


# --- the user's folder


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    return write_atelier(tmp_path_factory.mktemp("painted") / "ink", 20, size=64)


def test_a_view_reads_as_the_folder_with_other_groups(painted, tmp_path):
    data = read_paintings(painted)
    grouped = dataclasses.replace(data, groups=np.array(["a", "b"] * 10), grouped_by="hand")
    place = folder.view(grouped, tmp_path, "ink")
    seen = open_dataset(place)
    assert seen.paths == tuple(f"pictures/{p}" for p in data.paths)
    assert seen.labels.tolist() == data.labels.tolist()
    assert seen.groups.tolist() == grouped.groups.tolist()
    np.testing.assert_allclose(seen.votes, data.votes)
    assert seen.read(3).size == data.read(3).size
    assert not [p for p in place.rglob("*.png") if not p.is_symlink() and "pictures" not in p.parts]
    assert folder.view(grouped, tmp_path, "ink") == place  # again


# --- the command


def refuse(*arguments):
    """The one line that the command says, as a user sees it."""
    done = CliRunner().invoke(app, ["report", *map(str, arguments)])
    assert isinstance(done.exception, WorkbenchError), done.output
    text = str(done.exception)
    assert "\n" not in text
    return text


def test_a_full_report_is_measured_as_planned_and_the_notebook_runs_a_small_one(tmp_path):
    full, mafr = notebooks.find("full"), notebooks.find("mafr")
    request = Request("full", tmp_path / "a.html", data="atelier:20", settings={"judged": 3})
    found = chosen_settings(request, full)
    assert set(found) <= set(full.parameters)
    assert found["split_seeds"] == list(FullReport().split_seeds)
    assert found["explained"] == FullReport().explained > full.parameters["explained"]
    assert found["judged"] == 3  # what is asked for
    assert chosen_settings(Request("mafr", tmp_path / "a.html"), mafr) == {}


@pytest.mark.parametrize(("points", "broad"), [("400.5", False), ("720", True)])
def test_a_figure_too_wide_for_a_phone_says_so(points, broad):
    code = cell("c", "draw()")
    svg = f'<?xml version="1.0"?>\n<svg width="{points}pt" height="90pt"/>'
    alt = {"image/svg+xml": {"alt": "Figure: bars."}}
    code.outputs = [nbformat.v4.new_output("display_data", {"image/svg+xml": svg}, metadata=alt)]
    page = render(notebook(code), "t").split("<main>")[1]
    assert ("swipe" in page) is broad


def test_a_table_in_words_scrolls_in_a_frame_of_its_own():
    words = "| a | b |\n|---|---|\n| 1 | 2 |"
    code = cell("c", "show()")
    code.outputs = [nbformat.v4.new_output("display_data", {"text/markdown": f"Before.\n\n{words}"})]
    page = render(notebook(nbformat.v4.new_markdown_cell(words), code), "t").split("<main>")[1]
    assert page.count("<table") == 2
    assert len(re.findall(r'<div class="wide"><table\b.*?</table></div>', page, re.DOTALL)) == 2


def test_the_list_names_every_report():
    done = CliRunner().invoke(app, ["report", "--list"])
    assert done.exit_code == 0
    for name in notebooks.notebooks():
        assert re.search(rf"^{name}\s", done.output, re.MULTILINE)


def test_what_cannot_be_done_is_said_before_any_work(tmp_path, painted, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    out = tmp_path / "report.html"
    assert "--list" in refuse()
    assert "mafr" in refuse("mfar", "--out", out)
    assert "--out" in refuse("mafr", "--data", painted)
    assert ".html" in refuse("mafr", "--data", painted, "--out", tmp_path / "report.pdf")
    assert "Expected pictures" in refuse("mafr", "--out", out)
    assert "there is none" in refuse("mafr", "--data", tmp_path / "nowhere", "--out", out)
    assert "takes no pictures" in refuse("video", "--data", painted, "--out", out)
    assert "epoch" in refuse("mafr", "--data", painted, "--out", out, "--set", "epoch=3")
    assert "Leave one out" in refuse("mafr", "--data", painted, "--results", "a.csv", "--out", out)
    assert "there is none" in refuse("mafr", "--results", tmp_path / "a.csv", "--out", out)
    assert "folder of your own" in refuse(
        "full", "--data", "atelier:20", "--group-by", "painter", "--out", out
    )
    broken = tmp_path / "broken"
    for name in ("a", "b"):
        (broken / name).mkdir(parents=True)
        for i in range(2):
            Image.new("RGB", (40, 40), (90 * i, 10, len(name) * 50)).save(broken / name / f"{name}{i}.png")
    (broken / "a" / "cut.png").write_bytes(b"\x89PNG")
    for name in ("full", "mafr"):
        assert "a/cut.png" in refuse(name, "--data", broken, "--out", out)
    assert not out.exists()
    assert not list(tmp_path.glob("*.part")) + list(tmp_path.glob(".*"))


def test_the_command_to_repeat_names_no_place(tmp_path):
    request = Request("full", tmp_path / "r.html", data=str(tmp_path / "my pictures"), pictures=False,
                      ratings=tmp_path / "t.csv", settings={"samples": 20})  # fmt: skip
    text = command(request, notebooks.find("full"))
    assert text == (
        "workbench report full --data 'my pictures' --ratings t.csv --no-pictures --out r.html "
        "--set samples=20"
    )


def test_a_finished_table_is_drawn_without_running(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    out = make(Request("mafr", tmp_path / "mafr.html", results=str(ROOT / "reports/results/mafr.csv")))
    page = out.read_text(encoding="utf-8")
    assert self_containment_problems(page) == []
    assert page.count("data:image/svg+xml;base64,") == 2
    assert "It does not rise" in page
    assert "on other pictures than these" not in page  # the answer is of this very table
    assert "workbench report mafr --results mafr.csv --out mafr.html" in page
    assert str(ROOT) not in page
    assert str(tmp_path) not in page
    assert len(page) < 1_000_000


def test_a_cell_that_fails_is_named_in_one_line(tmp_path, monkeypatch):
    from workbench.reporting.execute import OutOfTime, execute

    path = tmp_path / "01_bad.ipynb"
    bad = notebook(
        cell("m", "# Does it work?"),
        cell("c", "out = ''\nresults = ''", tags=["parameters"]),
        cell(
            "c", "from workbench.core.errors import DatasetError\nraise DatasetError('Expected a\\nfolder.')"
        ),
    )
    nbformat.write(bad, path)
    with pytest.raises(WorkbenchError, match=r"^Expected a folder\.$"):
        execute(path, tmp_path, {}, progress=False)
    bad.cells[-1].source = "1 / 0"
    nbformat.write(bad, path)
    with pytest.raises(WorkbenchError, match=r"failed with ZeroDivisionError: division by zero\. The cell"):
        execute(path, tmp_path, {}, progress=False)
    bad.cells[-1].source = "import time\ntime.sleep(3600)"
    nbformat.write(bad, path)
    with pytest.raises(OutOfTime, match="the same command resumes"):
        execute(path, tmp_path, {}, minutes=0.1, progress=False)


def test_tables_show_whole_numbers_whole_and_others_with_few_digits(tmp_path):
    from workbench.reporting.execute import execute

    code = """
import pandas as pd
table = pd.DataFrame({
    "what": ["pictures", "accuracy", "raters"], "count": [396.0, 0.358586, 20.0],
    "estimate": [0.04287, 0.341, None], "parameters": [794245.0, 342531.5, 1e6],
    "seconds": [20.0667, 0.0012345, 999.97],
})
table.to_csv("table.csv", index=False)
table
"""
    made = notebook(
        cell("m", "# Counts"), cell("c", "out = results = ''", tags=["parameters"]), cell("c", code)
    )
    nbformat.write(made, tmp_path / "01_counts.ipynb")
    page = render(execute(tmp_path / "01_counts.ipynb", tmp_path, {}, progress=False), "Counts", "sub", {})
    shown = re.findall(r'<td class="number">([^<]*)</td>', page)
    assert shown == [
        *("396", "0.0429", "794245", "20.07"),
        *("0.3586", "0.341", "342532", "0.00123"),
        *("20", "–", "1000000", "1000"),
    ]
    written = (tmp_path / "table.csv").read_text().splitlines()
    assert written[1:3] == [
        "pictures,396.0,0.04287,794245.0,20.0667",
        "accuracy,0.358586,0.341,342531.5,0.0012345",
    ]


# --- the full report


@pytest.fixture(scope="module")
def full(painted, tmp_path_factory):
    """A tiny full report, killed midway and taken up again: (page, table of the killed run, final)."""
    place = tmp_path_factory.mktemp("full")
    arguments = [
        "full",
        "--data",
        str(painted),
        "--out",
        str(place / "r.html"),
        "--work",
        str(place / "work"),
    ]
    arguments += [a for k, v in TINY.items() for a in ("--set", f"{k}={json.dumps(v)}")]
    environment = os.environ | {"XDG_CACHE_HOME": str(place / "cache"), "OMP_NUM_THREADS": "1"}
    start = [sys.executable, "-m", "workbench.cli", "report", *arguments]
    table = place / "work" / "tables" / "full_report.csv"
    first = subprocess.Popen(start, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
    waited = time.monotonic()
    while not (table.is_file() and "scores," in table.read_text()):
        assert first.poll() is None, "it ended before it was killed"
        assert time.monotonic() - waited < 600
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    killed = table.read_text()
    assert not (place / "r.html").exists()
    model = place / "work" / "tables" / "reader" / "reader.safetensors"
    trained = model.stat().st_mtime_ns
    done = subprocess.run(start, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert model.stat().st_mtime_ns == trained
    return (place / "r.html").read_text(encoding="utf-8"), killed, table.read_text()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills a process group")
def test_a_killed_report_goes_on_where_it_was(full):
    _, killed, final = full
    header, *rows = killed.splitlines()
    parts = {row.split(",")[0] for row in rows}
    assert "scores" in parts
    assert "shift" not in parts
    kinds = {dict(zip(header.split(","), row.split(","), strict=False))["kind"] for row in rows}
    assert kinds >= {"Collection", "Class", "Score", "Answer"}
    kept = [row.split(",")[:3] for row in final.splitlines()[1:]]
    assert kept[: len(rows)] == [row.split(",")[:3] for row in rows]  # not written again
    assert {row[0] for row in kept} >= {"data", "suspects", "shipped", "expression", "explanations", "shift"}


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills a process group")
def test_the_full_report_has_everything_and_needs_nothing(full, painted):
    page, _, _ = full
    assert self_containment_problems(page) == []
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", page)
    assert len(headings) >= 13
    chapters = ("Fleiss kappa", "Image properties", "fourier slope", "The map")
    for words in (
        *("Confusion", "calibrat", "Limits", "confident learning", "trace", "To repeat", "Grad-CAM"),
        *chapters,
    ):
        assert words.lower() in page.lower(), words
    images = re.findall(r"<img [^>]*>", page)
    assert len([i for i in images if "image/svg+xml" in i]) >= 8
    assert len([i for i in images if "image/jpeg" in i]) >= 8  # wrong answers, heat maps, drawings
    assert page.count("<details") >= 13  # the code of every section, folded
    assert "pictures/" not in re.sub(
        r"<details.*?</details>", "", page, flags=re.DOTALL
    )  # the view's own link
    assert str(painted.parent) not in page
    assert page.index('class="numbers-row"') < page.index("<h2")
    assert len(page) < 3_000_000


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills a process group")
def test_the_table_alone_draws_it_again_without_pictures(full, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    table = tmp_path / "full_report.csv"
    table.write_text(full[2])
    page = make(Request("full", tmp_path / "again.html", results=str(table))).read_text(encoding="utf-8")
    assert "image/jpeg" not in page
    assert "left out of this report" in page
    for drawn in re.findall(r'<div class="big"><b>[^<]*</b>', full[0]):
        assert drawn in page


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills a process group")
def test_the_rows_of_the_table_have_their_types(full, tmp_path):
    table = tmp_path / "full_report.csv"
    table.write_text(full[2])
    report = Report(table)
    folder = report.one(report_rows.Collection)
    assert folder.pictures == 20
    assert report.rows(report_rows.Answer)["p_answer"].between(0, 1).all()
    assert report.rows(report_rows.Confusion)["pictures"].sum() == 20
    scores = report.rows(report_rows.Score)
    assert (scores["low"].dropna() <= scores["high"].dropna()).all()
    assert report.rows(report_rows.Side)["least_px"].tolist() == [64, 64]
    assert report.rows(report_rows.Place)[["x", "y"]].stack().between(0, 1).all()
    assert set(report.rows(report_rows.Descriptor)["descriptor"]) == set(MEASURES)
    assert len(report.rows(report_rows.VoteAgreement)) > 10


def test_numeric_ratings_have_their_means_by_class_and_their_ceiling(painted, tmp_path):
    data = read_paintings(painted)
    rng = np.random.default_rng(0)
    true = rng.normal(5, 1, len(data))
    answers = true[:, None] + rng.normal(0, 1, (len(data), 8))
    lines = [
        f"{k},{path},{answers[i, k]:.4f}"
        for i, path in enumerate(data.paths)
        for k in range(8)
        if (i, k) != (0, 0)
    ]
    (tmp_path / "scales.csv").write_text("rater,path,calm\n" + "\n".join(lines) + "\n")
    study = FullReport(str(painted), scales=str(tmp_path / "scales.csv"), samples=50)
    found = raters(ReportRun(study, tmp_path, data))
    (scale,) = [row for row in found if isinstance(row, report_rows.Scale)]
    assert (scale.column, scale.pictures, scale.raters) == ("calm", 20, 8)
    assert scale.ceiling == pytest.approx((8 / 9) ** 0.5, abs=0.06)  # reliability 8 / (8 + 1)
    means = {row.label: row for row in found if isinstance(row, report_rows.ScaleMean)}
    answers[0, 0] = np.nan
    expected = np.nanmean(answers, 1)
    for number, label in enumerate(data.classes):
        assert means[label].estimate == pytest.approx(expected[data.labels == number].mean(), abs=1e-4)


def test_a_folder_without_ratings_says_so(painted, tmp_path):
    data = dataclasses.replace(read_paintings(painted), votes=None)
    (found,) = raters(ReportRun(FullReport(str(painted), samples=50), tmp_path, data))
    assert found.topic == report_rows.UNRATED


class Kind(NamedTuple):
    word: str
    number: int
    share: float
    known: bool


def test_a_row_is_read_as_it_was_written(tmp_path):
    items = [Kind("a, b", 3, 0.1 + 0.2, True), Kind("", 0, float("nan"), False)]
    path = Runs(tmp_path / "t.csv", ("part",)).do(
        [{"part": "x"}], lambda part: [{"kind": "Other", "word": "c"}, *report_rows.to_rows(items)]
    )
    rows = Report(path).rows(Kind)
    assert rows["word"].tolist() == ["a, b", ""]
    assert rows["number"].tolist() == [3, 0]
    assert rows["share"][0] == 0.1 + 0.2
    assert np.isnan(rows["share"][1])
    assert rows["known"].tolist() == [True, False]


def test_a_table_of_something_else_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("part,name\ndata,a\n")
    with pytest.raises(DatasetError, match="Expected rows with a kind"):
        Report(tmp_path / "t.csv")


def test_a_label_or_an_option_makes_another_report_and_another_place_does_not(painted, tmp_path):
    copied = Path(shutil.copytree(painted, tmp_path / "copy"))
    key = FullReport(str(painted)).content_key
    assert FullReport(str(copied)).content_key == key
    assert FullReport(str(painted), samples=20).content_key != key
    table = pd.read_csv(copied / "ratings.csv")
    table.loc[0, "label"] = next(label for label in table["label"] if label != table.loc[0, "label"])
    table.to_csv(copied / "ratings.csv", index=False)
    assert FullReport(str(copied)).content_key != key


def test_suspects_are_the_labels_that_answers_contradict(painted):
    data = read_paintings(painted)
    rng = np.random.default_rng(0)
    p = 0.05 * rng.random((20, 5)) + 0.9 * np.eye(5)[data.labels]
    wrong = [2, 11]
    for i in wrong:  # as if these two had been given a neighbour's label
        p[i] = np.roll(p[i], 1)
    suspects = contradicted(data, p / p.sum(1, keepdims=True))
    assert {suspect.path for suspect in suspects} == {data.paths[i] for i in wrong}
    assert all(suspect.p_answer > 0.8 > suspect.p_label for suspect in suspects)
    assert all(suspect.label != suspect.answer for suspect in suspects)


def test_folds_are_no_more_than_the_rarest_class_has_groups(painted, tmp_path):
    data = read_paintings(painted)
    own = data.labels == 0
    groups = np.where(own, np.where(np.cumsum(own) == 1, "x", "y"), data.groups)
    report = ReportRun(FullReport(folds=5), tmp_path, dataclasses.replace(data, groups=groups))
    assert report.folds == 2
    assert report.sample(range(10), 3).tolist() == report.sample(range(10), 3).tolist()
    assert len(report.sample(range(2), 3)) == 2
