"""The table of faults names tests that there are."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not (ROOT / "scripts").is_dir(), reason="only in a checkout of the source")
IDS = {"T": 19, "E": 8, "I": 12, "V": 9, "S": 8, "P": 4}


@pytest.fixture(autouse=True)
def checkout(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))


def test_every_fault_has_a_test_that_is_there():
    from scripts.document.reliability import faults

    found = faults()
    ids = {one.id for one in found}
    assert {f"{letter}{number}" for letter, last in IDS.items() for number in range(1, last + 1)} <= ids
    for one in found:
        path, _, name = one.test.partition("::")
        names = [node.name for node in ast.parse((ROOT / path).read_text()).body if isinstance(node, ast.FunctionDef)]
        assert name == "*" or name in names, one.test
        assert one.done.endswith(".") and one.happens.endswith((".", ")")), one


def test_what_is_here_is_in_the_table():
    from scripts.document.reliability import faults

    listed = {one.test.partition("::")[2] for one in faults()}
    for path in Path(__file__).parent.glob("test_*.py"):
        if path.name != "test_table.py":
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                    assert node.name in listed, f"{path.name}: {node.name} is named by no id"
