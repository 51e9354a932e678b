"""The page in Chinese beside English, by Gradio's own means: the visitor's browser chooses.

The code speaks English. ``assets/zh.json`` has the Chinese for what stands still on the page: labels,
buttons, menus and texts. They are marked on their way to the browser, so that programs, which read the same
descriptions, find the English words. ``assets/zh_later.json`` has it for what is written later: results,
states, warnings. ``assets/chinese.js`` puts it in their place; its comment says what stands for numbers and
names in them. What the server says itself, without the page, is in ``workbench/service/zh.json``.
"""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from workbench.service import languages
from workbench.ui.examples import ASSETS


def _read(name: str) -> dict[str, str]:
    return json.loads((ASSETS / name).read_text(encoding="utf-8"))


CHINESE = _read("zh.json")
LATER = languages.TRANSLATIONS | _read("zh_later.json")
_ENGLISH = {
    "common.complete": "Done",
    "common.upload": "Upload",
}  # that Gradio has no words for
_WORDS = ("label", "info", "placeholder", "value")  # properties of components that people read

_ALL = LATER | CHINESE
I18N = gr.I18n(en=_ENGLISH, **{languages.CHINESE: _ALL})


def composed(text: str, *parts: str) -> str:
    """``text`` itself, made known in Chinese by replacing the ``parts`` of it that are translated."""
    chinese = text
    for part in parts:
        chinese = chinese.replace(part, CHINESE[part])
    _ALL[text] = chinese
    return text


def marked(config: dict[str, Any]) -> dict[str, Any]:
    """The page's description for the browser, with every translated text marked as such."""
    return config | {"components": [_component(each) for each in config.get("components", ())]}


def _component(component: dict[str, Any]) -> dict[str, Any]:
    props = {name: _mark(value) if name in _WORDS else value for name, value in component["props"].items()}
    if isinstance(props.get("choices"), list | tuple):
        props["choices"] = [(_mark(words), value) for words, value in props["choices"]]
    return component | {"props": props}


def _mark(text: Any) -> Any:
    return str(I18N(text)) if isinstance(text, str) and text in _ALL else text
