"""Tab "Collect ratings": how to ask people what they see in pictures, with study files to begin with."""

from __future__ import annotations

import html
from urllib.parse import quote

import gradio as gr

from workbench.rating.study import templates
from workbench.service.platform import Platform

_TITLES = {
    "redrawn": "Original against redrawn: does the style change the mood that people see?",
    "scales": "Pleasure, arousal, dominance, beauty and mood of a folder of paintings",
    "pairs": "Which of two is calmer?",
    "chinese": "愉悦度、唤醒度与五种意境（中文）",
}
_CSS = """
.study { border-top: 1px solid var(--border-color-primary); padding: .6rem 0; }
.study summary { cursor: pointer; font-weight: 600; }
.study pre { overflow: auto; max-height: 26rem; font-size: .8rem; line-height: 1.5; padding: .8rem;
  background: var(--block-background-fill); border: 1px solid var(--block-border-color);
  border-radius: .5rem; }
.study p, .study p a { margin-left: 0 !important; padding-left: 0 !important; }
"""


def studies() -> str:
    """The study files to begin with, each to read and to download."""
    found = templates()
    parts = []
    for name, title in _TITLES.items():
        text = found[name].replace("{file}", "study.toml")
        address = f"data:application/toml;charset=utf-8,{quote(text)}"
        parts.append(
            f'<details class="study"><summary>{html.escape(title)}</summary>'
            f'<p><a href="{address}" download="study.toml">Download study.toml</a></p>'
            f'<pre tabindex="0">{html.escape(text)}</pre></details>'
        )
    return "".join(parts)


def build(platform: Platform, blocks: gr.Blocks, tab: gr.Tab) -> None:
    """Add the tab's contents to ``tab``, which is open in ``blocks``."""
    gr.Markdown(
        "What do people see in your pictures, and does it change when they are redrawn? A rating study runs "
        "on a page of its own, in any browser, phones included; every answer is kept before the next picture "
        "is shown.",
        elem_classes="lead",
    )
    gr.Markdown(
        "1. Take one of the studies below, put it beside a folder named `pictures`, and write your own "
        "consent text into it.\n"
        "2. `workbench rate study.toml` serves it, and prints one address for raters and one for you, where "
        "you see who is how far and how far they agree.\n"
        "3. `workbench rate study.toml --export tables` writes the answers as CSV; "
        "`workbench ratings tables/ratings.csv` says how reliable they are."
    )
    gr.HTML(studies(), css_template=_CSS)
