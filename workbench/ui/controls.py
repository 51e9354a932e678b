"""Controls made from the options of a task: range, default, choices and help are typed once, there."""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench.core.options import Option, options
from workbench.styles.names import DEFAULT_STYLE
from workbench.styles.stylize import styles
from workbench.ui.pictures import unchecked

SETTINGS: dict[str, Any] = {"show_progress": "hidden", "queue": False, "api_visibility": "private"}


def option(config: type, name: str) -> Option:
    """One option of a config dataclass."""
    return next(o for o in options(config) if o.name == name)


def sentence(help: str) -> str:
    """An option's comment as the page shows it."""
    return f"{help[:1].upper()}{help[1:]}".removesuffix(".") + "."


def slider(config: type, name: str, label: str, **look) -> gr.Slider:
    """A slider for a number within limits."""
    found = option(config, name)
    limits = found.range
    chosen = {"step": limits.step, "value": found.default, "info": sentence(found.help), "buttons": []} | look
    maximum = chosen.pop("maximum", limits.maximum)
    return unchecked(gr.Slider)(limits.minimum, maximum, label=label, **chosen)


def dropdown(config: type, name: str, label: str, choices: list[tuple[str, Any]], **look) -> gr.Dropdown:
    """A menu for one of ``choices``, (words, value)."""
    found = option(config, name)
    chosen = {"value": found.default, "info": sentence(found.help), "filterable": False} | look
    return unchecked(gr.Dropdown)(choices, label=label, **chosen)


def style_choices(filters: bool) -> list[tuple[str, str]]:
    """(title, name) of the classical filters, or of all other styles."""
    return [(one.title, name) for name, one in styles().items() if (one.kind == "filter") == filters]


def style_menu(config: type, first: str = DEFAULT_STYLE, filters: bool = True, **look) -> gr.Dropdown:
    """The menu of styles.

    Args:
        config: whose options have ``style``.
        first: chosen at first, if it is installed.
        filters: whether the classical filters are in it, too.
        look: of the component.
    """
    menu = style_choices(filters=False) + (style_choices(filters=True) if filters else [])
    names = [name for _, name in menu or style_choices(filters=True)]
    info = "Networks draw lines; filters only change colours." if filters else None
    look = {"value": first if first in names else names[0], "info": info} | look
    return dropdown(config, "style", "Style", menu, **look)
