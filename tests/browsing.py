"""A real browser for the tests of the page."""

from __future__ import annotations

import contextlib
import shutil
from urllib.parse import urlsplit

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 180_000  # milliseconds
DESKTOP, PHONE = (1280, 900), (390, 844)  # width, height in pixels


@contextlib.contextmanager
def chromium(**options):
    """The system's Chromium, driven by Playwright; the test is skipped where either is missing."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"], timeout=120_000, **options
        )
        yield browser
        browser.close()


@contextlib.contextmanager
def visitor(browser, size=DESKTOP, **options):
    """A visitor with cookies of their own. Afterwards: no outside request, no error of a script, nothing that
    the content policy refused, nothing too wide.
    """
    width, height = size
    with browser.new_context(viewport={"width": width, "height": height}, **options) as context:
        context.set_default_timeout(PATIENCE)
        hosts, faults = set(), []
        context.on("request", lambda r: r.url.startswith("http") and hosts.add(urlsplit(r.url).hostname))
        context.on("weberror", lambda fault: faults.append(str(fault.error)))
        context.on("console", lambda m: "Content Security Policy" in m.text and faults.append(m.text))
        yield context
        for tab in context.pages:
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert hosts <= {"127.0.0.1"}
    assert not faults


def hold_next(tab, page, function: str, follows: bool = True):
    """Keep back the tab's next call of ``function``: of the event that follows on another, or of the first.

    Returns:
        (wait until it is kept back, let it go).
    """
    index = next(
        i for i, f in page.fns.items() if f.name == function and (f.trigger_after is not None) == follows
    )
    held = []

    def keep(route):
        if held or route.request.post_data_json["fn_index"] != index:
            route.continue_()
        else:
            held.append(route)

    def until_held():
        for _ in range(600):
            if held:
                return
            tab.wait_for_timeout(100)
        raise AssertionError(f"{function} was not called")

    tab.route("**/queue/join**", keep)
    return until_held, lambda: held[0].continue_()
