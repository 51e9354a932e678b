"""Every promise of SECURITY.md and of docs/platform.md names a test that exists."""

import ast
import re
from pathlib import Path

import pytest

from workbench.service.tasks import TASKS

ROOT = Path(__file__).resolve().parent.parent
PROMISES = re.findall(r"^\| (.+) \| `(tests/\w+\.py)::(\w+)` \|$", (ROOT / "SECURITY.md").read_text(), re.M)


def test_there_are_promises():
    assert len(PROMISES) > 20


@pytest.mark.parametrize(("promise", "file", "name"), PROMISES, ids=[name for *_, name in PROMISES])
def test_a_promise_is_held_by_a_test(promise, file, name):
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, promise


def test_the_platforms_page_names_every_task():
    text = (ROOT / "docs/platform.md").read_text(encoding="utf-8")
    listed = re.search(r"^Tasks: (.*?)\. One more", text, re.M | re.S)[1]
    assert re.findall(r"`(\w+)`", listed) == list(TASKS)


def blocks(text: str) -> list[str]:
    """Paragraphs and points of a page, without its headings and code."""
    prose = "\n".join(line for line in text.splitlines() if not line.startswith(("#", "    ")))
    return [block for block in re.split(r"\n(?:[ ]*\n)+|\n(?=- )", prose) if block.strip()]


def test_each_promise_of_the_platform_names_tests_that_exist():
    """All of it: what only introduces code or leads elsewhere is named here, and figures have their table."""
    text = (ROOT / "docs/platform.md").read_text(encoding="utf-8")
    promises, figures = text.split("## Measured")
    assert "reports/results/platform.csv" in figures
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py")]
    existing = set(re.findall(r"(?m)^(?:async )?def (test_\w+)", "\n".join(sources)))
    leads_on = ("For programs, with `gradio_client`", "[SECURITY.md]", "If `~/.ray/auth_token`")
    points = [block for block in blocks(promises) if not block.startswith(leads_on)]
    assert len(points) > 25
    for point in points:
        named = set(re.findall(r"`(test_\w+)`", point))
        assert named, point
        assert named <= existing, named - existing
