"""How the page looks: ink on paper with a seal's vermilion, in the visitor's own fonts, light and dark."""

from __future__ import annotations

import json
from pathlib import Path

import gradio as gr
from gradio.themes.utils import colors, sizes

from workbench.ui.examples import ASSETS, clips, examples, paintings

_VERMILION = colors.Color(
    name="vermilion",
    c50="#fdf3f0",
    c100="#fae3dc",
    c200="#f4c4b7",
    c300="#eb9c88",
    c400="#df6f55",
    c500="#cc4a30",
    c600="#b03a24",
    c700="#922e1c",
    c800="#76271b",
    c900="#5f241b",
    c950="#33100b",
)
_PAPER = colors.Color(
    name="paper",
    c50="#faf8f4",
    c100="#f3f0ea",
    c200="#e6e1d8",
    c300="#d2cbbf",
    c400="#a49c90",
    c500="#7a736a",
    c600="#5b554e",
    c700="#45403b",
    c800="#2b2825",
    c900="#1d1b19",
    c950="#131211",
)
# plain strings: Gradio fetches nothing for them
_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Noto Sans", "Noto Sans CJK SC", "sans-serif")


def theme() -> gr.themes.Base:
    """The theme for ``Blocks.launch``."""
    return gr.themes.Default(
        primary_hue=_VERMILION,
        secondary_hue=_VERMILION,
        neutral_hue=_PAPER,
        radius_size=sizes.radius_lg,
        font=_FONTS,
        font_mono=("ui-monospace", "Consolas", "monospace"),
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        block_border_color="*neutral_200",
        block_label_background_fill="*neutral_100",
        block_shadow="none",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        block_label_text_color="*neutral_600",
        block_title_text_color="*neutral_600",
        block_info_text_color="*neutral_600",
        link_text_color_dark="*primary_400",
        link_text_color_hover_dark="*primary_300",
        link_text_color_active_dark="*primary_400",
        link_text_color_visited_dark="*primary_400",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
        checkbox_border_color="*neutral_500",
        checkbox_border_color_dark="*neutral_400",
        slider_color="*primary_600",
        slider_color_dark="*primary_400",
    )


CSS = """
.gradio-container { max-width: 1180px !important; margin: 0 auto; }
.block.hide-container .html-container { padding: 0; }
.masthead { display: flex; align-items: center; gap: .9rem; padding: .6rem 0 .2rem; }
.masthead svg { flex: none; width: 3rem; height: 3rem; }
.masthead h1 { font-family: Georgia, "Noto Serif", "Songti SC", serif; font-size: 1.7rem; font-weight: 600;
  line-height: 1.2; margin: 0; letter-spacing: -.01em; }
.masthead p { margin: .15rem 0 0; color: var(--body-text-color-subdued); font-size: 1rem; }
.gradio-container :is(button, a, summary, input[type=range], [tabindex="0"]):focus-visible {
  outline: 3px solid var(--primary-500) !important; outline-offset: 2px; border-radius: .3rem; }
[data-testid=slider].outer:focus-visible .icon-wrap { outline: 3px solid var(--primary-500); outline-offset: 3px; }
[data-testid=slider].outer .icon-wrap { color: white; }
.gradio-container input[type=range]::-webkit-slider-thumb { border: 2px solid var(--slider-color); }
.gradio-container input[type=range]::-moz-range-thumb { border: 2px solid var(--slider-color); }
.dark input[type=range] { --neutral-200: var(--neutral-600); }
.dark button[role=tab][aria-selected=true] { color: var(--primary-400) !important; }
.toast-body .toast-header { position: absolute; inset: .55rem .6rem auto auto; padding: 0; cursor: default; }
.toast-body .toast-header > :not(.toast-close) { display: none; }
.toast-body .toast-messages { padding-block: .5rem; padding-right: 1.6rem; }
.toast-message-text strong { display: block; }
.lead p { max-width: 46rem; color: var(--body-text-color); margin: 0 0 .2rem; }
.fine, .fine p { color: var(--body-text-color-subdued); font-size: .82rem; line-height: 1.45; margin: 0; }
.fine.lead-in { margin-bottom: .8rem; }
.notice { border-left: 4px solid var(--primary-600); background: var(--block-background-fill);
  padding: .7rem 1rem;
  border-radius: 0 .5rem .5rem 0; margin: .2rem 0; }

:is(#redraw-examples, #read-examples) .gallery { display: grid; grid-template-columns: repeat(6, 1fr);
  gap: .5rem; }
:is(#redraw-examples, #read-examples) .gallery-item > span { display: block; width: 100%; }
:is(#redraw-examples, #read-examples) .gallery-item > span > div { display: block; width: 100%;
  height: auto; aspect-ratio: 1; }
:is(#redraw-examples, #read-examples) .gallery-item img { width: 100%; height: 100%; object-fit: cover; }

#redraw-desk { display: grid; grid-template: "yours drawn" auto "choices drawn" 1fr / 4fr 6fr; gap: 1rem; }
#redraw-yours { grid-area: yours; }
#redraw-drawn { grid-area: drawn; }
#redraw-choices { grid-area: choices; gap: .6rem; }
#redraw-result:has(.empty), #redraw-result .empty { min-height: 340px; }
.under-result, .controls { align-items: center; }
.under-result > :is(button, a) { white-space: nowrap; font-size: var(--text-md); padding-inline: .5rem; }
.controls > button { max-height: 3.4rem; }
footer .divider { display: none; }
.fine + .lead-in { margin-top: .5rem !important; }
.fine a, .empty a { margin: 0 !important; padding: 0 !important; }
input[role=combobox] { text-overflow: ellipsis; padding-right: 1.8rem !important; }

.moods { list-style: none; margin: 0 !important; padding: 0 !important; display: grid; gap: .85rem; }
.moods li { margin: 0; padding: 0; }
.moods .head { display: flex; align-items: baseline; gap: .5rem; }
:lang(zh) .moods .zh, :lang(zh) .rows .zh { display: none; }
.moods .zh { color: var(--body-text-color-subdued); }
.moods .percent { margin-left: auto; font-variant-numeric: tabular-nums; }
.moods .bar { height: .55rem; border-radius: .3rem; background: var(--neutral-200); overflow: hidden;
  margin: .2rem 0; }
.dark .moods .bar { background: var(--neutral-700); }
.moods .bar span { display: block; height: 100%; border-radius: .3rem; background: var(--neutral-400); }
.moods li.top .bar span { background: var(--primary-600); }
.dark .moods li.top .bar span { background: var(--primary-400); }
.moods li.top .name { font-weight: 700; }
.moods .what { color: var(--body-text-color-subdued); font-size: .85rem; line-height: 1.35; }
.empty { color: var(--body-text-color-subdued); border: 1px dashed var(--block-border-color);
  border-radius: .6rem;
  padding: 1.6rem 1rem; text-align: center; }

.card { background: var(--block-background-fill); border: 1px solid var(--block-border-color);
  border-radius: .8rem;
  padding: 1.1rem 1.3rem 1.3rem; margin-bottom: 1.1rem; }
.card h2 { font-family: Georgia, "Noto Serif", serif; font-size: 1.25rem; font-weight: 600; margin: 0; }
.card h3 { font-size: .8rem; font-weight: 600; text-transform: uppercase; letter-spacing: .06em;
  margin: 1.2rem 0 .35rem;
  color: var(--body-text-color-subdued); }
.card p { margin: .5rem 0 0; max-width: 52rem; line-height: 1.5; }
.card .tag { display: inline-block; font: .75rem system-ui, sans-serif;
  border: 1px solid var(--block-border-color); border-radius: 1rem;
  padding: .05rem .6rem; margin-left: .5rem; vertical-align: .15rem;
    color: var(--body-text-color-subdued); }
.scroll { overflow-x: auto; contain: inline-size; }
.facts { border-collapse: collapse; width: 100%; font-size: .9rem; margin: 0 !important;
  border: 0 !important; }
.facts th, .facts td { text-align: left; vertical-align: top; padding: .35rem .9rem .35rem 0; border: 0;
  border-bottom: 1px solid var(--block-border-color); overflow-wrap: anywhere; background: none; }
.facts tr, .facts tbody { border: 0 !important; background: none !important; }
.facts th { font-weight: 500; width: 15rem; color: var(--body-text-color-subdued); }
.facts tr:last-child > * { border-bottom: 0; }
.facts thead th { width: auto; }
.rows { border-collapse: collapse; font-size: .88rem; margin: 0 !important; border: 0 !important; }
.rows tr { border: 0 !important; background: none !important; }
.rows th, .rows td { text-align: left; padding: .3rem 1.4rem .3rem 0 !important; border: 0 !important;
  white-space: nowrap;
  border-bottom: 1px solid var(--block-border-color) !important; background: none;
    font-variant-numeric: tabular-nums; }
.rows th { font-weight: 500; color: var(--body-text-color-subdued); }
.card > summary { font-family: Georgia, "Noto Serif", serif; font-size: 1.1rem; font-weight: 600; cursor: pointer; }
.overview th, .overview td { min-width: 8rem; }
.overview th { width: auto; color: var(--body-text-color); font-weight: 600; }
.overview ul { margin: 0 !important; padding-left: 1.1rem !important; }
.card > details { margin-top: 1rem; }
.card pre { font-size: .75rem; max-height: 24rem; overflow: auto;
  background: var(--background-fill-secondary);
  padding: .8rem; border-radius: .5rem; }
/* what is told in place of a picture that the browser cannot show */
.picture-input img.not-shown { box-sizing: border-box; padding: 3.2rem 1rem 1rem; white-space: normal; }
@media (max-width: 700px) {
  #redraw-desk { grid-template: "yours" "drawn" "choices" / minmax(0, 1fr); }
  .under-result > :first-child { flex-basis: 100% !important; }
  .under-result > button, .under-result > a { flex: 1 1 0 !important; min-width: 0 !important; white-space: nowrap; }
  .controls:has(#video-estimate) > button { width: 100% !important; }
  [role=tablist] > [role=tab] { padding-inline: .45rem; font-size: .88rem; }
  #redraw-yours .picture-input:not(:has(img)) { height: 150px !important; min-height: 0 !important; }
  .rows th[scope=row] { white-space: normal; min-width: 7rem; }
}
@media (max-width: 640px) {
  .masthead { padding: 0; gap: .6rem; }
  .masthead h1 { font-size: 1.08rem; }
  .masthead p { font-size: .8rem; line-height: 1.3; }
  .masthead svg { width: 2.2rem; height: 2.2rem; }
  .lead p { font-size: .88rem; line-height: 1.4; }
  .card { padding: .9rem; }
  .facts, .facts tbody, .facts tr, .facts th, .facts td { display: block; width: auto; }
  .facts { padding: 0 !important; }
  .facts tr { padding: .35rem 0 !important; border-bottom: 1px solid var(--block-border-color) !important; }
  .facts th { border-bottom: 0 !important; padding: 0 !important; }
  .facts td { border-bottom: 0 !important; padding: 0 !important; }
  .facts thead { display: none; }
}
"""

SEAL = """<svg viewBox="0 0 48 48" role="img" aria-label="A red seal with a brush stroke">
<rect x="2" y="2" width="44" height="44" rx="7" fill="#b03a24"/>
<path d="M10 33c5-1 7-14 12-18 3-2 5 0 3 4-2 5-6 9-4 12 2 2 6-3 9-6 2-2 5-3 5 0 0 2-2 4-1 6 1 1 3 0 5-1"
fill="none" stroke="#fdf3f0" stroke-width="3.4" stroke-linecap="round" stroke-linejoin="round"/></svg>
"""


def page_script() -> str:
    """JavaScript that runs once when the page has loaded."""
    titles = {Path(example.file).stem: example.title for example in examples()}
    titles |= {path.stem: f"a painting meant for {mood}" for mood, path in paintings().items()}
    titles |= {path.stem: title for title, path in clips().items()}
    page, chinese = ((ASSETS / name).read_text(encoding="utf-8") for name in ("page.js", "chinese.js"))
    return f"() => {{ ({page.replace('TITLES;', json.dumps(titles) + ';')})(); ({chinese})(); }}"
