"""A real browser for the tests of the page."""

from __future__ import annotations

import contextlib
import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


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


def hold_next(tab, page, function: str):
    """Keep back the tab's next call of ``function`` that follows on another call.

    Returns:
        (wait until it is kept back, let it go).
    """
    index = next(i for i, f in page.fns.items() if f.name == function and f.trigger_after is not None)
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
