"""The tutorials run as they are written, with few steps of training.

That on a task and an objective of one's own, which needs processes of its own, runs as a notebook (test_notebooks.py).
"""

from __future__ import annotations

import re
from pathlib import Path

import pages
import pytest

FOLDER = Path(__file__).parent.parent / "docs" / "tutorials"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="only in a checkout of the source")


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, value in pages.shimmed(tmp_path).items():
        monkeypatch.setenv(name, value)
    return tmp_path


def test_a_low_resource_script(place, monkeypatch):
    printed = pages.run(FOLDER / "low-resource-script.md", monkeypatch, pages.few_steps)
    assert "| chr_Latn>chr_Cher | 269 |" in re.sub(" +", " ", printed)
    assert "from_pivot" in printed and "3. 0." in printed
    assert float(printed.split()[-1]) == pytest.approx(1, abs=1e-5)
    assert "chr_Latn" in (place / "report.html").read_text(encoding="utf-8")


def test_which_encoder(place, monkeypatch):
    printed = pages.run(FOLDER / "which-encoder.md", monkeypatch)
    assert printed.count("first-token") > 3 and "bias" in printed
    assert re.search(r"retrieval first-token \d\.\d{3} [+-]0", printed)
    assert "third" in (place / "report.html").read_text(encoding="utf-8")


def test_a_search_engine(place, monkeypatch):
    pytest.importorskip("qdrant_client")
    printed = pages.run(FOLDER / "search-engine.md", monkeypatch)
    assert '"passed": true' in printed
    assert len([line for line in printed.splitlines()[-3:] if re.match(r"0\.\d{3} \w", line)]) == 3
