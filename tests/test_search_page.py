"""The commands and the Python of docs/search.md run, in their order, and its numbers are those of kept runs."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import align
from align import cli
from align.tasks import read_aligned

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "search.md"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="only in a checkout of the source")


def blocks(language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return "\n".join(found)


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


def run(commands: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the commands print; those of align run in this process, which has loaded torch."""
    printed = io.StringIO()
    for line in commands.splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        if words[0] != "align":
            subprocess.run(["bash", "-euc", line], check=True)
            continue
        to = Path(words.pop()) if ">" in words else None
        words = [word for word in words if word != ">"]
        monkeypatch.setattr(sys, "argv", ["align", "-q", *words[1:]])
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown), pytest.raises(SystemExit) as stopped:
            cli.main()
        assert stopped.value.code == 0, line
        (to.write_text if to else printed.write)(shown.getvalue())
    return printed.getvalue()


def test_the_page_runs(workplace, monkeypatch):
    for needed in ("faiss", "lancedb", "pymilvus", "milvus_lite"):
        pytest.importorskip(needed)
    monkeypatch.chdir(workplace)
    monkeypatch.setenv("XDG_CACHE_HOME", str(workplace / "cache"))
    printed = run(blocks("bash"), monkeypatch)
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
