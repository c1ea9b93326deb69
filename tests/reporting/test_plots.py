from __future__ import annotations

import builtins
import re

import pytest
from reported import result, save

from align.errors import InputError
from align.reporting.plots import draw_plots, file_name, plain


def test_without_matplotlib(tmp_path, monkeypatch):
    real = builtins.__import__

    def refuse(name, *rest):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest)

    paths = save(tmp_path, result())
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(InputError, match=r"plots need matplotlib: pip install 'align-encoders\[plots\]'"):
        draw_plots(paths, tmp_path / "plots")
    assert not (tmp_path / "plots").exists()


def test_figures(tmp_path):
    pytest.importorskip("matplotlib")
    names = ("модель $x$_", "/long/path/after")
    paths = save(tmp_path, result(names[0]), result(names[1], 30, map={"points": []}))
    written = draw_plots(paths, tmp_path / "plots")
    kinds = ("heat", "layers", "gaps", "map")
    assert [path.name for path in written] == [f"{k}-toy-retrieval.{form}" for k in kinds for form in ("png", "svg")]
    for path in written:
        data = path.read_bytes()
        assert len(data) > 3000
        assert data.startswith(b"\x89PNG" if path.suffix == ".png" else b"<?xml")
    drawn = {path.name: path.read_bytes() for path in written}
    again = {path.name: path.read_bytes() for path in draw_plots(paths, tmp_path / "again")}
    assert drawn == again


def test_only_what_the_results_hold(tmp_path):
    pytest.importorskip("matplotlib")
    bare = {k: v for k, v in result().items() if k not in ("layers", "script_gaps", "map")}
    assert [path.name for path in draw_plots(save(tmp_path, bare), tmp_path)] == [
        "heat-toy-retrieval.png", "heat-toy-retrieval.svg",
    ]  # fmt: skip
    assert draw_plots(save(tmp_path, bare | {"scores": []}), tmp_path) == []


def test_pairs_of_one_language_keep_their_rows(tmp_path):
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    from align.reporting.collection import collect
    from align.reporting.plots import heat_map

    one = result()
    for row, other in zip(one["scores"][:2], ("spa_Latn", "eng_Latn"), strict=True):
        row |= {"direction": "", "other": other}
    figure = Figure()
    (benchmark,) = collect(save(tmp_path, one | {"scores": one["scores"][:2]})).benchmarks
    assert heat_map(figure, benchmark, ["before"])
    shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert shown == ["hin_Deva spa_Latn", "hin_Deva eng_Latn"]


def test_text_for_any_font():
    assert plain("modèle $x$") == r"mod?le \$x\$"
    assert file_name("a b/../c: ü") == "a-b-..-c"
    assert re.fullmatch(r"[A-Za-z0-9.-]+", file_name("../../etc")) and file_name("书") == "benchmark"
