"""What docs/serving.md says is so: its commands, its Python, its limits."""

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
from servers import an_encoder, an_index, running

from align import cli
from align.serving import serve as module

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "serving.md"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="only in a checkout of the source")
ADDRESS = "http://127.0.0.1:8000"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_page_runs(bert_folder, tmp_path, monkeypatch):
    pytest.importorskip("openai")
    start, asked = blocks("bash")
    encoder = an_encoder(bert_folder)
    index = an_index(encoder, tmp_path / "index", vectors=None)
    bert_folder.rename(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "run", lambda server, place: None)
    monkeypatch.setattr(sys, "argv", shlex.split(start.replace("8000", "0")))
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 0
    with running(encoder, {"index": index}, name="model") as at:
        about, _ = asked.replace(ADDRESS, at).splitlines()
        assert json.loads(subprocess.check_output(shlex.split(about)))["indexes"]["index"]["rows"] == 6
        russian = asked.replace(ADDRESS, at).replace("rus_Cyrl", "ell_Grek").splitlines()[1]
        assert len(json.loads(subprocess.check_output(shlex.split(russian)))["hits"]) == 3
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(blocks("python")[0].replace(ADDRESS, at), {})
    assert printed.getvalue().split()[::2] == ["16", "0"]


def test_options_that_it_names_are_there(align):
    named = set(re.findall(r"`(--[\w-]+)", PAGE.read_text(encoding="utf-8")))
    assert len(named) > 6
    shown = align("serve", "--help").out
    assert [option for option in sorted(named) if f"{option} " not in shown] == []
