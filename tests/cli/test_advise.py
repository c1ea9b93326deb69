from __future__ import annotations

import json

import pytest
from transfer_rows import CODES, pairs

from align.transfer.features import typology


@pytest.fixture
def scores(tmp_path, monkeypatch):
    monkeypatch.setattr(typology, "PACKAGE", "lang2vec-that-nobody-has")
    rows = [f"{s}\t{t}\t{CODES.index(s) / 10 + (s[4:] == t[4:]) / 5}" for s, t in pairs()]
    (tmp_path / "scores.tsv").write_text("source\ttarget\tscore\n" + "\n".join(rows) + "\n")
    sizes = [f"{code}\t{10**i}" for i, code in enumerate(CODES)]
    (tmp_path / "sizes.tsv").write_text("language\tsize\n" + "\n".join(sizes) + "\n")
    (tmp_path / "texts").mkdir()
    for code in CODES:
        (tmp_path / "texts" / f"{code}.txt").write_text(f"{code[:3]} abc\nde\n")
    return tmp_path / "scores.tsv"


def test_a_table_of_advice(align, scores):
    printed = align("advise", scores, "--target", "kat_Geor,deu_Latn", "--sizes", "sizes.tsv", "--top", 2).out
    assert "| for kat_Geor | source   | gain    | measured |" in printed
    first, second, held, shuffled, *rest = printed.split("\n\n")
    assert len(first.splitlines()) == 4 and "| rus_Cyrl |" in first.splitlines()[2]
    assert "| eng_Latn | +0.3143 | 0.7000   |" in second.splitlines()[2]  # .5 + .2, of a mean of 2.7 / 7
    assert held.startswith("| 8 targets held out | rho") and "| predicted " in held and "| chance " in held
    assert "| usual " in shuffled and "fall of rho" in shuffled
    assert any("pip install 'align-encoders[typology]'" in line for line in rest)


def test_json_texts_and_an_encoder(align, scores, tmp_path):
    words = ("--text", "texts", "--parallel", "--model", "seed", "--out", "kept.json", "--json")
    found = json.loads(align("advise", scores, *words).out)
    assert found["features"] == ["script", "subwords", "trigrams", "likeness", "usual"]
    assert found == json.loads((tmp_path / "kept.json").read_text())
    assert found["unknown"] == {} and found["targets"] == {}


def test_bad_input_is_one_sentence(align, scores):
    assert align("advise", "none.tsv", code=2).err == "align: no such file: none.tsv\n"
    assert "unknown feature 'typo'" in align("advise", scores, "--features", "typo", code=2).err
    assert "pip install" in align("advise", scores, "--features", "typology", code=2).err
    assert "line 2" in align("advise", scores, "--sizes", "scores.tsv", code=2).err
