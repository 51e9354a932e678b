"""The page's words in other languages, by Gradio's own means: the visitor's browser chooses."""

from __future__ import annotations

import gradio as gr

# keys of Gradio's own that it lacks, announced to screen readers
_EN = {"common.complete": "Done"}
_ZH = {"common.complete": "完成"}

I18N = gr.I18n(en=_EN, **{"zh-CN": _ZH})
