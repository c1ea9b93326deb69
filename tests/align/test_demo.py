from __future__ import annotations

import json

import pytest

from align import demo


def test_the_text_of_the_demo():
    from importlib.resources import files

    from align.files import read_lines

    folder = files("align") / "data" / "demo"
    sizes = {
        part: {path.name: len(list(read_lines(path))) for path in (folder / part).iterdir()}
        for part in ("train", "test")
    }
    assert len(sizes["train"]) == 11
    assert set(sizes["train"].values()) == {1077}
    assert set(sizes["test"].values()) == {269}
    english = {part: set(read_lines(folder / part / "eng_Latn.txt.gz")) for part in ("train", "test")}
    assert not english["train"] & english["test"]


def test_the_demo_runs_in_small(tmp_path, capsys):
    result = demo.run(tmp_path / "demo", steps=2, progress=False)
    printed = capsys.readouterr().out
    assert "rus_Cyrl" in printed
    assert json.loads((tmp_path / "demo" / "result.json").read_text()) == result
    assert set(result["before"]) == set(result["after"]) == {*demo.read_verses()[1], "mean"}
    assert (tmp_path / "demo" / "model" / "modules.json").is_file()
    assert (tmp_path / "demo" / "index" / "embeddings.npy").is_file()
    pytest.importorskip("matplotlib")
    assert (tmp_path / "demo" / "demo.png").read_bytes().startswith(b"\x89PNG")
