"""Tab "Palette": the few colours that make up most of a painting of a mood."""

from __future__ import annotations

import gradio as gr

from workbench.data.atelier import MOODS, paint
from workbench.service.platform import Platform
from workbench.ui.tabs import Tab


def palette(mood: str, colours: int = 5) -> dict[str, float]:
    """The most frequent colours of a painting, as #rrggbb, with their shares.

    Args:
        mood: one of the atelier's moods.
        colours: how many at most.

    Returns:
        share of the picture by colour, the most frequent first
    """
    picture = paint(mood, seed=1).image.quantize(colours)
    table, pixels = picture.getpalette(), picture.width * picture.height
    counts = sorted(picture.getcolors(), reverse=True)
    return {"#" + bytes(table[3 * i : 3 * i + 3]).hex(): count / pixels for count, i in counts}


def build(platform: Platform, blocks: gr.Blocks, tab: gr.Tab) -> None:
    """Add the tab's contents."""
    gr.Markdown("Which colours make up a painting of this mood?", elem_classes="lead")
    with gr.Row():
        mood = gr.Radio(list(MOODS), label="Mood")
        shares = gr.Label(label="Colours")
    mood.change(palette, mood, shares, api_name="palette")


TAB = Tab("Palette", build)
