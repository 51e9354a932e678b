"""Tab "Explore a collection": a map on which pictures that look alike lie side by side."""

from __future__ import annotations

import gradio as gr

from workbench.classify.results import DEFAULT_CLASSIFIER, classifiers
from workbench.service.platform import JobView, Platform
from workbench.service.web import result_url
from workbench.ui import several


def show(owner: str, view: JobView) -> str:
    """The map of a finished job, in a frame of its own that can reach nothing else."""
    address = result_url(view.id, "map.html")
    return (
        f'<p class="fine"><a href="{address}" target="_blank" rel="noopener">Open the map in a window of its '
        "own</a></p>"
        f'<iframe class="map-frame" src="{address}" sandbox="allow-scripts allow-downloads" '
        'title="Map of the collection"></iframe>'
    )


def build(platform: Platform, blocks: gr.Blocks, tab: gr.Tab) -> None:
    """Add the tab's contents to ``tab``, which is open in ``blocks``."""
    gr.Markdown(
        "Drop in a collection: each picture is read and measured, and laid on a map where pictures that look "
        "alike lie side by side. Zoom in to see them, colour them by mood or by a measure, draw a line "
        "around some to list them, and click one to see its neighbours. It works while you are away.",
        elem_classes="lead",
    )
    if DEFAULT_CLASSIFIER not in classifiers():
        gr.HTML('<div class="notice" role="status">No trained classifier is installed to read with.</div>')
        return
    several.add(platform, blocks, tab, "map_pictures", "Draw the map", {}, show)
