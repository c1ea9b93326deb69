"""The tutorials run as they are written, with few steps of training; the one on search as its notebook."""

from __future__ import annotations

import re
import subprocess
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


def test_a_task_and_an_objective(place):
    """In processes of their own: what a package offers is looked for once in each."""
    printed = ""
    for language, text in pages.blocks(FOLDER / "task-and-objective.md"):
        if path := pages.FILE.match(text):
            (place / path[1]).parent.mkdir(exist_ok=True)
            (place / path[1]).write_text(pages.few_steps(text), encoding="utf-8")
        else:
            assert language == "bash"
            done = subprocess.run(["bash", "-euc", text], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            printed += done.stdout
    assert "squared" in (place / "model" / "align.json").read_text(encoding="utf-8")
    assert "triplets" in printed and "after" in printed
