"""Every promise of SECURITY.md and of "Who may see what" in docs/platform.md names a test that exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROMISES = re.findall(r"^\| (.+) \| `(tests/\w+\.py)::(\w+)` \|$", (ROOT / "SECURITY.md").read_text(), re.M)


def test_there_are_promises():
    assert len(PROMISES) > 20


@pytest.mark.parametrize(("promise", "file", "name"), PROMISES, ids=[name for *_, name in PROMISES])
def test_a_promise_is_held_by_a_test(promise, file, name):
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, promise


def test_each_point_of_who_may_see_what_names_tests_that_exist():
    text = (ROOT / "docs/platform.md").read_text(encoding="utf-8")
    section = text.split("## Who may see what")[1].split("## ")[0]
    points = re.split(r"(?m)^- ", section)[1:]
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py")]
    existing = set(re.findall(r"(?m)^(?:async )?def (test_\w+)", "\n".join(sources)))
    assert len(points) > 5
    for point in points:
        named = set(re.findall(r"`(test_\w+)`", point))
        assert named, point
        assert named <= existing, named - existing
