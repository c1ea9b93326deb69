"""The commands and the Python of docs/search.md run, in their order, and its numbers are those of kept runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pages
import pytest
from pages import commands

import align
from align.tasks import read_aligned

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "search.md"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="only in a checkout of the source")


def blocks(language: str) -> str:
    return "\n".join(text for kind, text in pages.blocks(PAGE) if kind == language)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with an encoder and the files that the page speaks of."""
    folder = tmp_path_factory.mktemp("page")
    codes = ("rus_Cyrl", "ell_Grek", "eng_Latn")
    verses = read_aligned(Path(align.__file__).parent / "data" / "demo" / "test", languages=codes)
    lines = {code: verses[code][:60] for code in codes}
    rows = [f"{code}{i}\t{line}\t{code}" for code, of in lines.items() for i, line in enumerate(of)]
    (folder / "corpus.tsv").write_text("\n".join(["id\ttext\tlanguage", *rows]) + "\n", encoding="utf-8")
    (folder / "queries.txt").write_text("V nachale bylo Slovo\n", encoding="utf-8")
    for name, code in (("russian", "rus_Cyrl"), ("english", "eng_Latn")):
        (folder / f"{name}.txt").write_text("\n".join(lines[code]) + "\n", encoding="utf-8")
    align.save_encoder(align.load_encoder("seed"), folder / "model")
    return folder


def test_the_page_runs(workplace, monkeypatch):
    for needed in ("faiss", "lancedb", "pymilvus", "milvus_lite"):
        pytest.importorskip(needed)
    monkeypatch.chdir(workplace)
    monkeypatch.setenv("XDG_CACHE_HOME", str(workplace / "cache"))
    printed = commands(blocks("bash"), monkeypatch)
    assert json.loads((workplace / "hits.jsonl").read_text().splitlines()[0])["rank"] == 1
    assert '"passed": true' in printed
    assert (workplace / "mined.tsv").read_text().startswith("score\tcosine\tx_id")
    done = subprocess.run([sys.executable, "-c", blocks("python")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    by_numpy = [line.split(" ", 1)[0] for line in lines[:3]]
    by_lance, by_milvus = (json.loads(line.replace("'", '"')) for line in lines[3:5])
    russian = [name for name in by_numpy if name.startswith("rus_Cyrl")]
    assert by_lance == by_milvus and by_lance[: len(russian)] == russian
    assert all(name.startswith("rus_Cyrl") for name in by_lance)
