"""The guides, results and reports beside the page, so that its links work without the internet."""

from __future__ import annotations

import functools
import html
import io
import itertools
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

from markdown_it import MarkdownIt
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

import workbench
from workbench.core import distribution

_ADDRESS = "documents"
_SOURCE = "source.zip"  # made here, as an installed program may be nowhere on the web
_CODE = (".py", ".js", ".json", ".typed")
_SHOWN = ("README.md", "CHANGELOG.md", "CITATION.cff", "LICENSE", "docs/*", "reports/*", "reports/results/*")
_FORMS = {  # and as what they are sent
    "": "text/plain", ".cff": "text/plain", ".csv": "text/csv", ".html": "text/html", ".svg": "image/svg+xml",
    ".jpg": "image/jpeg", ".gif": "image/gif", ".md": "text/html",
}  # fmt: skip
_LINKS = {
    "README.md": "How to begin",
    "docs/paper.md": "The paper, part by part",
    "docs/results.md": "Every measurement",
    "docs/library.md": "For programmers",
    "docs/architecture.md": "How it is built",
    "CITATION.cff": "How to cite it",
    "LICENSE": "Licence of the program",
}
_TITLE, _HEAD = re.compile("<title>([^<]*)"), 4096  # characters at the start that have it
# no script of theirs runs, and nothing comes from elsewhere
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; "
    "font-src data:; frame-ancestors 'self'"
}
_STYLE = """:root { color-scheme: light dark; }
body { font: 1rem/1.6 system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif; max-width: 60rem;
  margin: 2rem auto; padding: 0 1.2rem; }
a { color: light-dark(#922e1c, #eb9c88); } img { max-width: 100%; }
table { border-collapse: collapse; display: block; overflow-x: auto; font-size: .9rem; }
th, td { border-bottom: 1px solid #8886; padding: .3rem .8rem .3rem 0; text-align: left;
  vertical-align: top; }
pre { overflow-x: auto; padding: .8rem; background: #8882; border-radius: .4rem; }"""


def folder() -> Path | None:
    """The repository, or where an installed package keeps its documents; None if it came without."""
    return distribution.root_with("docs/paper.md")


def links() -> str:
    """Links to what is there, as HTML."""
    root = folder()
    if root is None:
        return ""
    found = {name: title for name, title in _LINKS.items() if (root / name).is_file()}
    reports = {f"reports/{path.name}": _title(path) for path in sorted((root / "reports").glob("*.html"))}
    found[_SOURCE] = "The program’s source"
    text = f'<p class="fine">Read on: {" · ".join(_list(found))}</p>'
    if reports:
        items = "".join(f"<li>{link}</li>" for link in _list(reports))
        items = f'<ul lang="en" translate="no">{items}</ul>'
        text += f'<details class="fine"><summary>Reports of the studies</summary>{items}</details>'
    return text


def _list(entries: Mapping[str, str]) -> list[str]:
    return [
        f'<a href="{_ADDRESS}/{name}" target="_blank">{html.escape(title)}</a>'
        for name, title in entries.items()
    ]


def _title(path: Path) -> str:
    """Of a report, as its page says it."""
    with path.open(encoding="utf-8") as file:
        found = _TITLE.search(file.read(_HEAD))
    return html.unescape(found[1]) if found else path.stem


def route() -> Route:
    """Where the documents are."""
    return Route(f"/{_ADDRESS}/{{name:path}}", _answer)


def _answer(request: Request) -> Response:
    name, root = request.path_params["name"], folder()
    if name == _SOURCE and root is not None:
        return Response(_source(), media_type="application/zip", headers=_HEADERS)
    path = None if root is None else (root / name).resolve()
    if root is None or path is None or not _is_shown(path, root.resolve()):
        return PlainTextResponse("There is no such document here.", 404)
    if path.suffix != ".md":
        return FileResponse(path, media_type=_FORMS[path.suffix], headers=_HEADERS)
    return HTMLResponse(page(path.read_text(encoding="utf-8")), headers=_HEADERS)


@functools.cache
def _source() -> bytes:
    """The package's own code as a ZIP, without trained weights."""
    package, made = Path(workbench.__file__).resolve().parent, io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(package.rglob("*")):
            if path.suffix in _CODE and path.is_file():
                archive.write(path, path.relative_to(package.parent).as_posix())
    return made.getvalue()


def _is_shown(path: Path, root: Path) -> bool:
    is_listed = path.is_relative_to(root) and any(path.relative_to(root).match(form) for form in _SHOWN)
    inside = len(path.relative_to(root).parts) <= 3 if is_listed else False
    return inside and path.suffix in _FORMS and path.is_file()


def page(text: str) -> str:
    """Markdown as an HTML page whose headings can be linked to."""
    markdown = MarkdownIt("commonmark").enable("table")
    tokens = markdown.parse(text)
    title = "Document"
    for opening, inline in itertools.pairwise(tokens):
        if opening.type == "heading_open":
            words = inline.content
            opening.attrSet("id", re.sub(r"[^\w -]", "", words.lower()).replace(" ", "-"))
            title = words if opening.tag == "h1" else title
    body = markdown.renderer.render(tokens, markdown.options, {})
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><title>{html.escape(title)}</title><style>{_STYLE}</style>{body}</html>'
    )
