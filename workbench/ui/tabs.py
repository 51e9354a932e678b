"""The tabs of the page, those of other packages among them.

A package adds a tab in its ``pyproject.toml``:

    [project.entry-points."workbench.tabs"]
    colours = "my_package.colours:TAB"      # TAB = Tab("Colours", build)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import gradio as gr

from workbench.core.registry import Registry
from workbench.service.platform import Platform


@dataclasses.dataclass(frozen=True)
class Tab:
    """One tab; the name that it is registered under is its address on the page, as in ``/#read``."""

    title: str
    build: Callable[[Platform, gr.Blocks, gr.Tab], None]  # adds the contents to the tab, which is open


def _check(name: str, entry: Any) -> None:
    if not isinstance(entry, Tab):
        raise TypeError(f"expected a workbench.ui.tabs.Tab but got {type(entry).__name__}")


OTHERS: Registry[Tab] = Registry("tab", group="workbench.tabs", check=_check)
