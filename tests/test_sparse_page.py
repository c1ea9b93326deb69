"""The page of sparse vectors: its commands and its Python run, with the small encoder."""

from __future__ import annotations

from pathlib import Path

import pages
import pytest

PAGE = Path(__file__).parents[1] / "docs" / "sparse.md"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="only in a checkout of the source")


def test_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = pages.run(PAGE, monkeypatch, pages.few_steps)
    assert printed.count("  1. ") >= 4
    assert "{'▁" in printed or "{'" in printed
