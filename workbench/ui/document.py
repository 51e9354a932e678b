"""The HTML document around the page: what other sites show of a link to it, and its two languages."""

from __future__ import annotations

import html
import re

from gradio import routes
from jinja2 import ChoiceLoader, DictLoader
from starlette.responses import FileResponse
from starlette.routing import Route

from workbench.service.web import LINK_PICTURE
from workbench.ui import translations
from workbench.ui.examples import ASSETS

TITLE = "Painter Psychology Workbench"
SUMMARY = "What a painter’s hand says about mood, and the world redrawn in that hand."
_TEMPLATE = "frontend/index.html"
_PREVIEW_TAGS = re.compile(r"""<meta\s+(?:property="og:|name="twitter:)[^>]*>\s*""")
_ROOT = "{{ (config.get('root') or '').rstrip('/') }}"


def make_ours() -> None:
    """Give Gradio's document our title, summary and picture for link previews instead of Gradio's own, and
    mark what is translated.
    """
    loader = routes.templates.env.loader
    if loader is None or isinstance(loader, ChoiceLoader):
        return
    source, _, _ = loader.get_source(routes.templates.env, _TEMPLATE)
    tags = {
        'property="og:type"': "website",
        'property="og:title"': TITLE,
        'property="og:description"': SUMMARY,
        'property="og:url"': f"{_ROOT}/",
        'property="og:image"': _ROOT + LINK_PICTURE,
        'name="description"': SUMMARY,
        'name="twitter:card"': "summary_large_image",
    }
    ours = "".join(f'<meta {name} content="{html.escape(text)}" />\n' for name, text in tags.items())
    ours = ours.replace(html.escape(_ROOT), _ROOT)
    document = _PREVIEW_TAGS.sub("", source).replace("</head>", f"{ours}</head>", 1)
    document = document.replace("{{ config | toorjson }}", "{{ config | marked | toorjson }}", 1)
    routes.templates.env.filters["marked"] = translations.marked
    routes.templates.env.loader = ChoiceLoader([DictLoader({_TEMPLATE: document}), loader])


def link_picture() -> Route:
    """Where the picture for link previews is."""
    return Route(LINK_PICTURE, lambda request: FileResponse(ASSETS / "link-picture.jpg"))
