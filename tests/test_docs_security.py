"""Every promise of SECURITY.md names the test that holds it, and that test exists."""

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
