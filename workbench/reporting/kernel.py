"""Prepares the kernel of a report: figures with descriptions, numbers in tables, progress on the terminal.

Figures are SVG (sharp in print, small) unless they have photographs, each with a description for screen
readers. Progress bars of tqdm go to a small file that the terminal shows, not into the report.
"""

from __future__ import annotations

import io
import math
import os
import re
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.text import Text

PHOTO_PIXELS = 4_000  # of an image, from which a figure counts as one of photographs
DPI = 180  # of figures that are not SVG
QUALITY = 88  # of JPEG
MAX_WORDS = 60  # words of a description


class Status(io.TextIOBase):
    """A stream for progress bars: their last line goes to a file, everything else to another stream."""

    def __init__(self, path: Path, other):
        self.path, self.other = path, other

    def isatty(self) -> bool:  # else tqdm(disable=None) draws nothing
        return True

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if "\r" in text or "\x1b" in text:
            line = re.sub(r"\x1b\[\w+", "", text).replace("\r", "").strip()
            if line:
                self.path.write_text(line, encoding="utf-8")
        elif text.strip():
            self.other.write(text)
        return len(text)

    def flush(self) -> None:
        self.other.flush()


def prepare(status: str | os.PathLike) -> None:
    """Set up this kernel for a report.

    Args:
        status: file for the progress of the running cell.
    """
    import pandas as pd
    from ipykernel.zmqshell import ZMQInteractiveShell

    pd.set_option("display.float_format", number, "display.max_colwidth", None)
    sys.stderr = Status(Path(status), sys.stderr)
    shell: Any = ZMQInteractiveShell.instance()
    formatters = shell.display_formatter.formatters
    formatters["image/svg+xml"].for_type(Figure, svg)
    formatters["image/png"].for_type(Figure, lambda figure: None)  # SVG, or JPEG with photographs
    formatters["image/jpeg"].for_type(Figure, jpeg)


def number(value: float) -> str:
    """A number of a table: whole ones and thousands without decimals, others with 3 or 4 significant digits.

    One that was rounded to three decimals gets no fourth.

    >>> [number(x) for x in (396.0, 794245.0, 20.0667, 1.43, 0.35861, 0.341, 0.04287, 0.0012345, 1.5e-7)]
    ['396', '794245', '20.07', '1.430', '0.3586', '0.341', '0.0429', '0.00123', '1.50e-07']
    """
    if not math.isfinite(value):
        return f"{value}"
    if abs(value) >= 999.95 or value == round(value):
        return f"{value:.0f}" if value else "0"
    if abs(value) < 1 and value == round(value, 3):
        return f"{value:.3f}"
    return f"{value:#.{4 if abs(value) >= 0.1 else 3}g}"


def has_photos(figure: Figure) -> bool:
    """Whether a figure has photographs (not only heat maps of a few cells)."""
    return any(
        image.get_size()[0] * image.get_size()[1] >= PHOTO_PIXELS for a in figure.axes for image in a.images
    )


def svg(figure: Figure) -> tuple[str, dict] | None:
    """The figure as SVG with its description, or None if it shows photographs."""
    if has_photos(figure):
        return None
    import matplotlib

    file = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "report"}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue(), {"alt": describe(figure)}


def jpeg(figure: Figure) -> tuple[bytes, dict] | None:
    """The figure as JPEG with its description, if it shows photographs."""
    if not has_photos(figure):
        return None
    file = io.BytesIO()
    figure.savefig(file, format="jpeg", dpi=DPI, pil_kwargs={"quality": QUALITY, "optimize": True})
    return file.getvalue(), {"alt": describe(figure)}


def describe(figure: Figure) -> str:
    """Description of a figure: titles, axes, series and names on its axes."""
    parts = []
    if figure.get_suptitle():
        parts.append(figure.get_suptitle())
    for axes in figure.axes:
        if axes.get_label() == "<colorbar>":
            continue
        title = axes.get_title(loc="left") or axes.get_title()
        x, y = axes.get_xlabel(), axes.get_ylabel()
        names = [t.get_text() for t in axes.get_yticklabels() if re.search(r"[A-Za-z]", t.get_text())]
        words = title or "panel"
        if x or y:
            words += f" ({f'{y} against {x}' if x and y else x or y})"
        if names and axes is figure.axes[0]:
            words += f", rows {', '.join(names)}"
        parts.append(words)
    legends = [text for legend in _legends(figure) for text in legend]
    if legends:
        parts.append(f"series {', '.join(dict.fromkeys(legends))}")
    words = " ".join("; ".join(dict.fromkeys(p.replace("\n", " ") for p in parts)).split())
    shown = words.split(" ")
    text = " ".join(shown[:MAX_WORDS]) + (" …" if len(shown) > MAX_WORDS else "")
    return f"Figure: {text}." if text else "Figure."


def _legends(figure: Figure) -> list[list[str]]:
    legends = [legend for a in figure.axes if (legend := a.get_legend())] + list(figure.legends)
    return [[t.get_text() for t in legend.get_texts() if isinstance(t, Text)] for legend in legends]
