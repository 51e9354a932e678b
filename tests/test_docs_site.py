"""The site that ``make docs`` builds: every page and module, and links that lead somewhere."""

import importlib.util
import os
import subprocess
import sys
import urllib.parse
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("mkdocstrings_handlers.python")
griffe = pytest.importorskip("griffe")

ROOT = Path(__file__).resolve().parent.parent


def script(name: str):
    """One of the scripts of docs/, imported."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Page(HTMLParser):
    """What a page offers and asks for: ids, links, and what it loads."""

    def __init__(self, text: str):
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids |= {found[key] for key in ("id", "name") if found.get(key)}
        if tag == "a" and found.get("href"):
            self.links.add(found["href"])
        elif tag == "link" and found.get("rel") not in ("canonical", "prev", "next"):
            self.loaded.add(found["href"])
        elif tag in ("img", "script", "iframe", "source", "video") and found.get("src"):
            self.loaded.add(found["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return out


@pytest.fixture(scope="module")
def pages(site):
    own = [p for p in site.rglob("*.html") if (site / "reports") not in p.parents or p.name == "index.html"]
    return {path.relative_to(site): Page(path.read_text(encoding="utf-8")) for path in own}


@pytest.mark.slow
def test_every_guide_notebook_and_module_has_a_page(site):
    wanted = {f"docs/{path.stem}.html" for path in (ROOT / "docs").glob("*.md")}
    wanted |= {f"notebooks/{path.stem}.html" for path in (ROOT / "notebooks").glob("*.ipynb")}
    wanted |= {f"reference/{name}.html" for name in script("site_pages").public_modules(ROOT / "workbench")}
    assert "reference/workbench.losses.spectral.html" in wanted
    assert sorted(name for name in wanted if not (site / name).is_file()) == []


@pytest.mark.slow
def test_a_module_s_page_has_its_functions_and_links(site):
    text = (site / "reference" / "workbench.core.devices.html").read_text(encoding="utf-8")
    assert 'id="workbench.core.devices.resolve"' in text
    assert "no such device, or this machine does not have it" in text
    assert 'href="workbench.core.errors.html#workbench.core.errors.WorkbenchError"' in text
    assert ":func:" not in text


@pytest.mark.slow
def test_links_lead_somewhere_on_the_site(site, pages):
    lost = []
    for name, page in pages.items():
        if name.name == "404.html":  # its links are of a server's root
            continue
        for link in page.links | page.loaded:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc or link.startswith("data:"):
                continue
            path = urllib.parse.unquote(parts.path)
            target = Path(os.path.normpath(name.parent / path)) if path else name
            target = target / "index.html" if (site / target).is_dir() else target
            found = (site / target).is_file()
            if found and parts.fragment and target in pages:
                found = urllib.parse.unquote(parts.fragment) in pages[target].ids
            if not found:
                lost.append(f"{name}: {link}")
    assert lost == []


@pytest.mark.slow
def test_pages_load_nothing_from_another_host(pages):
    assert len(pages) > 200
    away = {u for page in pages.values() for u in page.loaded if urllib.parse.urlsplit(u).netloc}
    assert away == set()


def test_links_of_the_repository_become_links_of_the_site():
    made = script("site_pages").with_links(
        "[a](../workbench/core/cards.py) [b](../workbench/core) [c](../notebooks/03_dkse.ipynb#x) "
        "[d](../LICENSE) [e](nowhere.md) [f](https://example.org/a.py)",
        "docs/library.md",
    )
    assert made == (
        "[a](../reference/workbench.core.cards.md) [b](../reference/workbench.core.md) "
        "[c](../notebooks/03_dkse.md#x) [d](../LICENSE) [e](nowhere.md) [f](https://example.org/a.py)"
    )


def test_roles_become_links_and_examples_code(tmp_path):
    package = tmp_path / "brush"
    package.mkdir()
    (package / "__init__.py").write_text(
        '"""Of :func:`brush.ink.wet`.\n\n>>> wet(1, 2)\n3\n\nNot of :func:`brush.ink.gone`."""\n'
    )
    (package / "ink.py").write_text(
        '"""Ink, as :func:`wet` has it; :class:`torch.nn.Module` is elsewhere."""\n\n'
        'def wet(a, b):\n    """Wet ink.\n\n    Args:\n        a, b: how much.\n    """\n'
    )
    extensions = griffe.load_extensions(script("site_docstrings").Docstrings)
    loaded = griffe.load("brush", search_paths=[tmp_path], extensions=extensions)
    assert loaded.docstring.value.splitlines() == [
        "Of [`wet`][brush.ink.wet].",
        "",
        "```pycon",
        ">>> wet(1, 2)",
        "3",
        "```",
        "",
        "Not of `gone`.",
    ]
    assert loaded["ink"].docstring.value == (
        "Ink, as [`wet`][brush.ink.wet] has it; `torch.nn.Module` is elsewhere."
    )
    assert "a: how much.\n    b: how much." in loaded["ink"]["wet"].docstring.value
