"""Building blocks of a report besides figures: tables, notes, key figures, galleries.

Each has HTML, for a page or a notebook, and plain text, for a terminal. Everything that comes from the user
is escaped, paths above all.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape as escape
from pathlib import Path
from typing import NamedTuple

from PIL import Image

TEMPLATES = Path(__file__).resolve().parent / "template"
THUMBNAIL = 320  # pixels of the longer side
QUALITY = 82  # of JPEG


class Block:
    """A piece of a report.

    Args:
        html: for a browser.
        text: for a terminal.
    """

    def __init__(self, html: str, text: str = ""):
        self.html, self.text = html, text

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text or "(shown in a browser)"

    def __add__(self, other: Block) -> Block:
        return Block(self.html + other.html, "\n\n".join(t for t in (self.text, other.text) if t))


class GalleryEntry(NamedTuple):
    """One entry of a gallery: a picture, or two side by side."""

    images: Sequence[Image.Image]
    alt: Sequence[str]  # alternative text of each picture
    title: str  # in bold under it
    caption: str = ""
    path: str = ""


def note(text: str, warning: bool = False) -> Block:
    """A paragraph set apart."""
    kind = "note warning" if warning else "note"
    return Block(f'<div class="{kind}"><p>{escape(text)}</p></div>', text)


def bullets(lines: Sequence[str]) -> Block:
    """A list."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return Block(f"<ul>{items}</ul>", "\n".join(f"- {line}" for line in lines))


def facts(values: Mapping[str, object]) -> Block:
    """Names and values, two columns."""
    rows = "".join(f"<dt>{escape(str(k))}</dt><dd>{escape(str(v))}</dd>" for k, v in values.items())
    return Block(f'<dl class="facts">{rows}</dl>', "\n".join(f"{k}: {v}" for k, v in values.items()))


def big_numbers(values: Mapping[str, str]) -> Block:
    """Key figures: description -> number."""
    boxes = "".join(
        f'<div class="big"><b>{escape(number)}</b><span>{escape(what)}</span></div>'
        for what, number in values.items()
    )
    text = "\n".join(f"{number}  {what}" for what, number in values.items())
    return Block(f'<div class="numbers-row">{boxes}</div>', text)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], caption: str = "") -> Block:
    """A table; columns of numbers (or of numbers as text) are right-aligned."""
    numeric = [bool(rows) and all(_is_number(row[i]) for row in rows) for i in range(len(columns))]

    def cell(tag: str, value: object, i: int) -> str:
        kind = ' class="number"' if numeric[i] else ""
        text = escape(str(value))
        if kind and " (" in text:  # no line break inside an interval
            text = text.replace(" (", " <span>(", 1) + "</span>"
        return f"<{tag}{kind}>{text}</{tag}>"

    head = "".join(cell("th", name, i) for i, name in enumerate(columns))
    body = "".join(
        "<tr>" + "".join(cell("td", value, i) for i, value in enumerate(row)) + "</tr>" for row in rows
    )
    words = f"<caption>{escape(caption)}</caption>" if caption else ""
    html = f"<table>{words}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    text = "\n".join("  ".join(map(str, row)) for row in [columns, *rows])
    return Block(html, f"{caption}\n{text}" if caption else text)


def _is_number(value: object) -> bool:
    if isinstance(value, int | float):
        return True
    bare = str(value).strip().lstrip("+-−±").rstrip("%").strip()
    bare = bare.split(" (")[0].replace(",", "").replace("–", "0")
    return bare.replace(".", "", 1).isdigit()


def thumbnail(image: Image.Image, side: int = THUMBNAIL) -> str:
    """A picture as a data URI, JPEG."""
    copy = image.convert("RGB")
    copy.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    copy.save(file, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def page(title: str, subtitle: str, sections: Mapping[str, Block]) -> str:
    """A self-contained page of sections with headings; a heading may be empty.

    Args:
        title: of the page.
        subtitle: the line under it.
        sections: heading -> content.
    """
    style = (TEMPLATES / "report" / "style.css").read_text(encoding="utf-8")
    body = "".join(
        (f"<h2>{escape(heading)}</h2>" if heading else "") + f'<div class="wide">{block.html}</div>'
        for heading, block in sections.items()
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body><header><h1>{escape(title)}</h1>"
        f'<p class="subtitle">{escape(subtitle)}</p></header><main>{body}</main></body></html>\n'
    )


def gallery(entries: Sequence[GalleryEntry]) -> Block:
    """Pictures with captions."""
    figures = []
    for entry in entries:
        images = "".join(
            f'<img src="{thumbnail(image)}" alt="{escape(alt)}">'
            for image, alt in zip(entry.images, entry.alt, strict=True)
        )
        path = f'<span class="path">{escape(entry.path)}</span>' if entry.path else ""
        caption = f"<br>{escape(entry.caption)}" if entry.caption else ""
        figures.append(
            f'<figure><div class="shown">{images}</div>'
            f"<figcaption><b>{escape(entry.title)}</b>{caption}{path}</figcaption></figure>"
        )
    pairs = " pairs" if entries and len(entries[0].images) > 1 else ""
    text = "\n".join(f"{e.path or e.title}: {e.caption}" for e in entries)
    return Block(f'<div class="gallery{pairs}">{"".join(figures)}</div>', text)
