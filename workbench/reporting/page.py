"""An executed notebook as one self-contained HTML file: figures embedded, code folded, no network requests.

nbconvert renders the cells with the template beside this module; its own templates load RequireJS and MathJax
from other servers and are not used. :func:`self_containment_problems` checks the finished page.
"""

from __future__ import annotations

import base64
import functools
import itertools
import re
from collections.abc import Mapping
from html.parser import HTMLParser

import nbformat

from workbench.core import distribution
from workbench.core.errors import WorkbenchError
from workbench.reporting.blocks import TEMPLATES
from workbench.reporting.execute import FOR_NOTEBOOK_USERS, SETUP

NOT_SHOWN = (SETUP, "parameters", "injected-parameters", "not-in-report")  # tags
# nbconvert's text for pictures without a description
NO_DESCRIPTION = "No description has been provided for this image"
WIDE_PT = 560  # points: wider figures do not fit a phone
LEFT_OUT = "[picture left out]"
SUMMARY = "summary"  # tag of a cell that depends on all others but is shown first
ANSWER = re.compile(r"\*\*(Answer|Measured)\b")

_ASSET = {  # attributes that make a browser load something, and of which elements ("" is any)
    "src": {""},
    "srcset": {""},
    "poster": {""},
    "background": {""},
    "data": {"object"},
    "href": {"link", "image", "use", "base"},
    "xlink:href": {"image", "use"},
    "action": {"form"},
}
_NUMBER = re.compile(r"<td>\s*([-−+]?[\d.,]+(?:e[-+]?\d+)?\s*%?|–)\s*</td>")
_IN_STYLE = re.compile(
    r"url\(\s*['\"]?(?!data:|#)([^'\")]*)|@import\s+(?:url\()?['\"]?([^'\";)]+)", re.IGNORECASE
)


class _Page(HTMLParser):
    """Collects what a browser would load, and pictures without descriptions."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.external: list[str] = []
        self.undescribed: list[str] = []
        self.scripts = 0
        self._style = False

    def handle_starttag(self, tag, attrs):
        values = {name: value or "" for name, value in attrs}
        for name, tags in _ASSET.items():
            if name in values and (tag in tags or "" in tags) and not values[name].startswith("#"):
                parts = values[name].split(",") if name == "srcset" else [values[name]]
                self.external += [p.strip() for p in parts if not p.strip().startswith("data:")]
        if tag == "meta" and values.get("http-equiv", "").lower() == "refresh":
            self.external.append(values.get("content", ""))
        if "style" in values:
            self._scan_style(values["style"])
        if tag == "img" and values.get("alt", "").strip() in ("", NO_DESCRIPTION):
            self.undescribed.append(values.get("src", "")[:60])
        if tag == "svg" and not (values.get("aria-label") or values.get("aria-hidden")):
            self.undescribed.append("svg")
        self.scripts += tag == "script"
        self._style = tag == "style"

    def handle_endtag(self, tag):
        self._style = False if tag == "style" else self._style

    def handle_data(self, data):
        if self._style:
            self._scan_style(data)

    def _scan_style(self, style: str) -> None:
        self.external += [a or b for a, b in _IN_STYLE.findall(style)]


def self_containment_problems(page: str) -> list[str]:
    """Why a page is not self-contained: resources it loads, scripts, missing descriptions; else empty.

    Links are allowed: nothing is loaded before they are followed.
    """
    parser = _Page()
    parser.feed(page)
    parser.close()
    problems = [f"loads {url[:100]}" for url in parser.external if url]
    problems += [f"has {parser.scripts} scripts"] if parser.scripts else []
    return problems + [f"has a picture without a description ({source})" for source in parser.undescribed]


def render(
    notebook: nbformat.NotebookNode,
    title: str,
    subtitle: str = "",
    provenance: Mapping[str, str] | None = None,
    own_data: bool = False,
    pictures: bool = True,
) -> str:
    """The page of an executed notebook.

    Args:
        notebook: with its outputs.
        title: of the page; replaces the notebook's first heading.
        subtitle: the line under it.
        provenance: name -> value, the table at the end.
        own_data: the notebook ran on the user's pictures, so its answer is about other pictures and is
            marked as such.
        pictures: whether to show pictures; plots are always shown.

    Raises:
        WorkbenchError: the page is not self-contained, or has a picture without a description.
    """
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        extra_template_basedirs=[str(TEMPLATES)], template_name="report", embed_images=True
    )
    exporter.filters |= {
        "data_uri": _data_uri,
        "is_wide": _is_wide,
        "plain_table": _plain_table,
        "scrolling_tables": _scrolling_tables,
        "without_local_links": _without_local_links,
    }
    page, _ = exporter.from_notebook_node(
        _report_cells(notebook, own_data, pictures),
        resources={
            "report": {
                "title": title,
                "subtitle": subtitle,
                "provenance": dict(provenance or {}),
                "style": (TEMPLATES / "report" / "style.css").read_text(encoding="utf-8"),
                "generator": distribution.NAME,
            }
        },
    )
    first = page.find("<h2 ")
    start = page.rfind('<div class="words">', 0, first)
    page = page[:start] + _contents(page) + page[start:] if start > 0 else page
    problems = self_containment_problems(page)
    if problems:
        raise WorkbenchError(
            f"Expected a self-contained report but it {'; '.join(problems[:3])}. "
            "Remove that from the notebook."
        )
    return page


def _contents(page: str) -> str:
    """Links to the sections of a page, if there are more than two."""
    headings = re.findall(r'<h2 id="([^"]+)">(.*?)</h2>', page, re.DOTALL)
    items = "".join(f'<li><a href="#{anchor}">{heading}</a></li>' for anchor, heading in headings)
    return f'<nav aria-label="Contents"><ol>{items}</ol></nav>' if len(headings) > 2 else ""


def _report_cells(notebook, own_data: bool, pictures: bool) -> nbformat.NotebookNode:
    """A copy without the first heading and without the sections for users of the notebook."""
    done = nbformat.from_dict(notebook)
    cells: list = []
    for cell in done.cells:
        if set(cell.metadata.get("tags", [])) & set(NOT_SHOWN):
            continue
        if cell.cell_type == "markdown":
            if FOR_NOTEBOOK_USERS.match(cell.source):
                continue
            cell.source = re.sub(r"\A# [^\n]*\n?", "", cell.source).strip()
            if not cell.source:
                continue
            if ANSWER.search(cell.source) and len(cells) < 3:
                cell.metadata["answer"] = "others" if own_data else "own"
        if not pictures and cell.cell_type == "code":
            cell["outputs"] = [_without_pictures(output) for output in cell.outputs]
        cells.append(cell)
    cells = _without_sections_of_code_only(cells)
    _gather_code(cells)
    done.cells = sorted(cells, key=lambda cell: SUMMARY not in cell.metadata.get("tags", []))
    return done


def _without_sections_of_code_only(cells: list) -> list:
    """The cells without headings of sections that only have code; it then belongs to the section before."""
    kept = []
    for place, cell in enumerate(cells):
        if cell.cell_type == "markdown" and re.fullmatch(r"## [^\n]+", cell.source.strip()):
            below = list(itertools.takewhile(lambda c: c.cell_type == "code", cells[place + 1 :]))
            if below and not any(output for c in below for output in c.outputs):
                continue
        kept.append(cell)
    return kept


def _without_pictures(output):
    """An output without photographs (raster images; plots are SVG)."""
    data = output.get("data", {})
    if "image/svg+xml" not in data and {"image/png", "image/jpeg"} & set(data):
        output["data"] = {"text/plain": LEFT_OUT}
    elif "text/html" in data:
        data["text/html"] = re.sub(r"<img [^>]*data:image/(?:png|jpeg)[^>]*>", LEFT_OUT, data["text/html"])
    return output


def _gather_code(cells: list) -> None:
    """Attach the code of every section to its last cell: one fold per section instead of one per cell.

    The summary is shown elsewhere; its code is attached to the cell before or after it.
    """
    own, last = [], None
    for place, cell in enumerate(cells):
        if cell.cell_type == "code":
            own.append(cell.source)
        if SUMMARY not in cell.metadata.get("tags", []):
            last = cell
        ends = place + 1 == len(cells) or re.search(r"^## ", cells[place + 1].source, re.MULTILINE)
        if own and ends and last is not None:
            last.metadata["section_code"] = "\n\n".join(own)
            own = []


def _scrolling_tables(html: str) -> str:
    """Each table in a frame of its own, which scrolls where the page is too narrow for it."""
    return re.sub(r"<table\b.*?</table>", r'<div class="wide">\g<0></div>', html, flags=re.DOTALL)


def _is_wide(svg: str) -> bool:
    """Whether a figure is too wide to be read at a phone's width."""
    width = re.search(r'<svg[^>]*?\bwidth="([\d.]+)pt"', svg)
    return width is not None and float(width[1]) > WIDE_PT


def _data_uri(data: str, mime: str) -> str:
    """A figure as a data URI."""
    if mime == "image/svg+xml":
        data = base64.b64encode(data.encode()).decode()
    return f"data:{mime};base64,{''.join(data.split())}"


def _plain_table(html: str) -> str:
    """A table without pandas' styles and row numbers, with readable headings and aligned numbers."""
    if 'class="dataframe"' not in html:
        return html
    html = re.sub(r"<style scoped>.*?</style>|<p>\d+ rows × \d+ columns</p>", "", html, flags=re.DOTALL)
    html = re.sub(r'<tr style="text-align: right;">', "<tr>", html)
    html = re.sub(r'<table border="1" class="dataframe">', "<table>", html)
    html = re.sub(r"<t([hd])>\s*(?:NaN|&lt;NA&gt;)\s*</t[hd]>", r"<t\1>–</t\1>", html)
    first = re.findall(r"<tr>\s*<th>([^<]*)</th>", html)
    if first and not first[0] and all(name.isdigit() for name in first[1:]):  # a row number
        html = re.sub(r"(<tr>\s*)<th>[^<]*</th>", r"\1", html)
    html = re.sub(r"<th>([^<]*)</th>", lambda m: f"<th>{_heading(m.group(1))}</th>", html)
    return _headings_of_numbers(_NUMBER.sub(r'<td class="number">\1</td>', html))


def _heading(name: str) -> str:
    """A column's name as words; names of styles and models are unchanged."""
    from workbench.plots.style import pretty  # imported late, as it loads matplotlib

    return name if any(known in name for known in _names()) else pretty(name)


@functools.cache
def _names() -> frozenset[str]:
    from workbench.models.weights import trained
    from workbench.styles.stylize import styles

    return frozenset(name for name in (*styles(), *trained()) if "_" in name)


def _headings_of_numbers(table: str) -> str:
    """A table whose headings are aligned right above right-aligned cells."""
    head, end_of_head, body = table.partition("</thead>")
    rows = [re.findall(r"<(t[hd][^>]*)>", row) for row in body.split("</tr>") if "<td" in row]
    if not rows or any(len(row) != len(rows[-1]) for row in rows) or "span=" in head:
        return table
    numbers = [all("number" in cell for cell in column) for column in zip(*rows, strict=True)]

    def row_of(heading: re.Match) -> str:
        cells = re.split(r"(?=<th>)", heading[0])
        right = [c.replace("<th>", '<th class="number">', 1) for c in cells[1:]]
        if len(right) != len(numbers):
            return heading[0]
        return cells[0] + "".join(r if n else c for r, n, c in zip(right, numbers, cells[1:], strict=True))

    return re.sub(r"<tr>.*?</tr>", row_of, head, flags=re.DOTALL) + end_of_head + body


def _without_local_links(html: str) -> str:
    """Links to notebooks and files, which the recipient of a page does not have, become plain text."""
    html = re.sub(r'<a class="anchor-link"[^>]*>.*?</a>', "", html)
    return re.sub(r'<a href="(?!https?:|#|mailto:)[^"]*"[^>]*>(.*?)</a>', r"\1", html, flags=re.DOTALL)
