"""Four styles previewed on the visitor's own photo, to choose from by eye."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from workbench.service.tasks import TASKS
from workbench.styles.stylize import styles
from workbench.ui import visitor

TASK = TASKS["try_styles"]
OFFERED = ("fsgan_comic", "fsgan_anime", "fsgan_ink", "fsgan_bold")
PORTRAIT = "drawn_portrait"


class Tiles(NamedTuple):
    """What was tried on a photo."""

    pictures: dict[str, str]  # style -> address of its drawing, which its owner alone may see
    face: bool  # whether the photo shows one


def options() -> dict[str, object]:
    """Of the task: the styles that are installed, of those on offer."""
    known = styles()
    return {
        "styles": [name for name in OFFERED if name in known],
        "portrait": PORTRAIT if PORTRAIT in known else "",
    }


def read(folder: Path) -> Tiles:
    """What the task has drawn."""
    facts = visitor.read_facts(folder)
    pictures = {
        name: f"gradio_api/file={quote(str(folder / name))}.jpg"  # as data, the page would be sent them twice
        for name in facts["styles"]
    }
    return Tiles(pictures, facts["face"])


def show(tiles: Tiles | None, chosen: str) -> str:
    """The tiles as buttons, the chosen style pressed; without pictures as long as they are drawn."""
    known = styles()
    names: Sequence[str] = list(tiles.pictures) if tiles else [n for n in OFFERED if n in known]
    if not names:
        return ""
    buttons = ""
    for name in names:
        look = f'<img src="{tiles.pictures[name]}" alt="">' if tiles else "<i></i>"
        buttons += (
            f'<button type="button" data-style="{name}" title="{html.escape(known[name].title)}" '
            f'aria-pressed="{str(name == chosen).lower()}">{look}'
            f"<span>{html.escape(known[name].title)}</span></button>"
        )
    hint = ""
    if tiles and tiles.face and PORTRAIT in known and chosen != PORTRAIT:
        hint = (
            '<p class="fine">There is a face in this photo, and a style that keeps people\'s own features. '
            f'<button type="button" class="as-link" data-style="{PORTRAIT}">Try the portrait style</button>'
            "</p>"
        )
    return f'<div class="tiles" role="group" aria-label="Styles tried on this photo">{buttons}</div>{hint}'


SCRIPT = """
element.addEventListener("click", (event) => {
  const pressed = event.target.closest("[data-style]");
  if (pressed) trigger("pick", {style: pressed.dataset.style});
});
"""

# of one element: Gradio nests it in a rule, in which "&" is that element
CSS = """
.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: .5rem; }
.tiles button { display: flex; flex-direction: column; text-align: center; }
.tiles button { margin: 0 !important; padding: 0; border: 2px solid transparent; border-radius: .5rem;
  overflow: hidden; background: var(--block-background-fill); color: var(--body-text-color);
  cursor: pointer; min-width: 0; }
.tiles button:hover { border-color: var(--neutral-400); }
.tiles button[aria-pressed=true] { border-color: var(--primary-600); }
.dark & .tiles button[aria-pressed=true] { border-color: var(--primary-400); }
.tiles button:focus-visible, .as-link:focus-visible { outline: 3px solid var(--primary-400);
  outline-offset: 2px; }
.tiles :is(img, i) { display: block; width: 100%; aspect-ratio: 4 / 3; object-fit: cover;
  background: var(--neutral-200); margin: 0; }
.dark & .tiles i { background: var(--neutral-700); }
.tiles span { display: block; width: 100%; padding: .2rem .3rem .3rem; font-size: .82rem; line-height: 1.25;
  overflow-wrap: anywhere; }
@media (max-width: 700px) { .tiles span { font-size: .74rem; } }
.tiles + .fine { margin-top: .4rem !important; }
.as-link { display: inline; border: 0; padding: 0; background: none; color: var(--primary-700);
  text-decoration: underline; cursor: pointer; font: inherit; }
.dark & .as-link { color: var(--primary-300); }
"""
