"""Fixtures that several files of tests share."""

from __future__ import annotations

from collections import Counter

import pytest
from browsing import DESKTOP, PHONE, chromium, visitor
from postgres import cluster, postgres

__all__ = ["cluster", "postgres"]


def pytest_collection_modifyitems(items):
    """Files with slow tests first, then those with the most tests: `make test` hands files out in this order,
    and at the end no process should wait for another one's slow file.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path not in slow, -tests[item.path]))


@pytest.fixture(scope="session", autouse=True)
def cold():
    """A page loads no network before somebody asks for a drawing: most tests of the page never do."""
    from workbench.service.previews import PreviewRunner

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PreviewRunner, "prepare", lambda self: None)
        yield


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """A platform on which nobody waits for a limit of rate, and every browser is another visitor's."""
    from workbench.service.limits import Limits
    from workbench.service.platform import Platform

    limits = Limits(free_bytes=0, jobs_per_minute=10_000)
    with Platform(tmp_path_factory.mktemp("data"), limits=limits) as made:
        yield made


@pytest.fixture(scope="module")
def page(platform):
    """The page, served by that platform."""
    from workbench.ui import launch

    blocks = launch(port=None, platform=platform)
    yield blocks
    blocks.close()


@pytest.fixture(scope="module")
def client(page, tmp_path_factory):
    """A program that calls the page."""
    gradio_client = pytest.importorskip("gradio_client")
    folder = str(tmp_path_factory.mktemp("results"))
    return gradio_client.Client(page.local_url, verbose=False, download_files=folder)


@pytest.fixture
def photo(tmp_path):
    """A photograph of 96 × 64 pixels."""
    from workbench.data.images import read_image
    from workbench.ui.examples import examples

    path = tmp_path / "photo.png"
    read_image(examples()[3].path).resize((96, 64)).save(path)
    return path


@pytest.fixture(scope="module")
def browser():
    """The system's Chromium: one for a file of tests, as a second one cannot be driven beside it."""
    with chromium() as started:
        yield started


@pytest.fixture
def context(browser):
    """A visitor at a desk."""
    with visitor(browser) as found:
        yield found


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def tab(browser, request):
    """An empty tab of a visitor's browser, at two widths."""
    with visitor(browser, request.param) as found:
        yield found.new_page()
