"""The guides and reports that are served with the page."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import pytest
from starlette.applications import Starlette

from workbench.core import distribution
from workbench.ui import documents

testclient = pytest.importorskip("starlette.testclient")


@pytest.fixture(scope="module")
def client():
    return testclient.TestClient(Starlette(routes=[documents.route()]))


def test_every_link_of_the_page_leads_to_a_document(client):
    addresses = re.findall(r'href="([^"]+)"', documents.links())
    assert "documents/docs/paper.md" in addresses
    for address in addresses:
        answer = client.get(f"/{address}")
        assert answer.status_code == 200, address
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_source_is_the_package_without_its_weights(client):
    assert "documents/source.zip" in documents.links()
    with zipfile.ZipFile(io.BytesIO(client.get("/documents/source.zip").content)) as archive:
        names = archive.namelist()
        assert archive.read("workbench/ui/documents.py") == Path(documents.__file__).read_bytes()
    assert "workbench/ui/assets/page.js" in names
    assert not [name for name in names if name.endswith((".safetensors", ".pyc"))]


@pytest.mark.parametrize(
    "name", ["pyproject.toml", "docs/make_results.py", "workbench/weights/fsgan_comic.json", "docs",
             "reports/none", "docs/%2e%2e/%2e%2e/etc/passwd", "docs/..%2fpyproject.toml"],
)  # fmt: skip
def test_nothing_else_is_served(client, name):
    answer = client.get(f"/documents/{name}")
    assert (answer.status_code, answer.text) == (404, "There is no such document here.")


def test_headings_of_a_guide_can_be_linked_to():
    page = documents.page("# A guide\n\n## What it *is*, briefly\n\n| a | b |\n|---|---|\n| <b>1</b> | 2 |\n")
    assert "<title>A guide</title>" in page
    assert '<h2 id="what-it-is-briefly">' in page
    assert "<td>2</td>" in page


def test_a_file_that_the_package_came_without_has_no_root():
    assert distribution.root_with("docs/no_such_guide.md") is None
    root = distribution.root_with("docs/paper.md")
    assert root is not None
    assert (root / "docs" / "paper.md").is_file()
