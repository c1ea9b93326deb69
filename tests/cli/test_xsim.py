from __future__ import annotations

import json
from pathlib import Path

import pytest

from align.tasks import combine, combine_xsim, read_sets, xsim_plus
from align.tasks.retrieval import retrieval
from align.tasks.retrieval.protocols import PROTOCOLS, changed
from align.tasks.xsim import xsim


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """Two sets in the layout of Tatoeba that share an English line, and have one twice."""
    folder = tmp_path / "tatoeba"
    folder.mkdir()
    for code, lines, english in (
        ("ell", ["αβγ δε", "ζ ηθι", "κλ", "κλμ"], ["we are abc", "two are de", "is it fgh", "is it fgh"]),
        ("deu", ["abc ist da", "xyz", "zwei"], ["we are abc", "it is xyz", "two of us"]),
    ):
        (folder / f"tatoeba.{code}-eng.{code}").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (folder / f"tatoeba.{code}-eng.eng").write_text("\n".join(english) + "\n", encoding="utf-8")
    return folder


def encode_of(folder: Path):
    from align.encoders.checkpoint import load_encoder

    encoder = load_encoder(str(folder))
    return lambda texts, _: encoder.encode(texts)


@pytest.mark.parametrize("hard", [False, True])
def test_xsim(align, bert_folder, sets, tmp_path, hard):
    words = ["eval", "xsim", bert_folder, "--data", sets, "--similarity", "distance", "-k", "2", "--per-item"]
    words += ["--hard", "--seed", "5", "--per-kind", "2"] if hard else []
    printed = align(*words, "--out", "xsim.json")
    measure, more = (xsim_plus, {"seed": 5, "per_kind": 2}) if hard else (xsim, {})
    encode = encode_of(bert_folder)
    expected = combine_xsim(
        [measure(encode, texts, similarity="distance", k=2, per_item=True, **more) for texts in read_sets(sets)]
    )
    assert printed.out == expected.table() + "\n"
    found = json.loads((tmp_path / "xsim.json").read_text())
    assert found["scores"] == json.loads(json.dumps(expected.to_json()))["scores"]
    assert [score["queries"] for score in found["scores"]] == ["deu_Latn", "ell_Grek"]
    assert (found["task"], found["seed"]) == (("xsim++", 5) if hard else ("xsim", None))
    assert found["model"] == str(bert_folder) and "fingerprint" in found["encoder"]


@pytest.mark.parametrize(
    ("options", "protocol"),
    [
        ([], "align"),
        (["--protocol", "margin"], PROTOCOLS["margin"]),
        (["--similarity", "csls", "-k", "2"], changed(PROTOCOLS["align"], similarity="csls", margin_k=2)),
        (["--protocol", "xsim", "-k", "3"], changed(PROTOCOLS["xsim"], margin_k=3)),
    ],
)
def test_similarity_of_retrieval(align, bert_folder, sets, tmp_path, options, protocol):
    printed = align("eval", "retrieval", bert_folder, "--data", sets, *options, "--per-item", "--out", "r.json")
    encode = encode_of(bert_folder)
    expected = combine([retrieval(encode, texts, protocol=protocol, per_item=True) for texts in read_sets(sets)])
    assert printed.out == expected.table() + "\n"
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["protocol"] == json.loads(json.dumps(expected.to_json()["protocol"]))
    assert [score["ranks"] for score in found["scores"]] == [list(score.ranks or ()) for score in expected.scores]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["xsim", "--seed", "1"], "--per-kind and --seed are of hard negatives: they need --hard"),
        (["xsim", "--per-kind", "2"], "--per-kind and --seed are of hard negatives: they need --hard"),
        (["xsim", "--similarity", "absolute"], "unknown score 'absolute': expected one of cosine, csls, ratio"),
        (["retrieval", "--similarity", "margin"], "unknown score 'margin': expected one of cosine, csls, ratio"),
        (["xsim", "--languages", "fra"], "no text in fra; available: deu, ell"),
    ],
)
def test_bad_input_is_one_sentence(align, bert_folder, sets, tmp_path, words, sentence):
    verb, *options = words
    printed = align("eval", verb, bert_folder, "--data", sets, *options, "--out", "none.json", code=2)
    assert sentence in printed.err and len(printed.err.strip().splitlines()) == 1
    assert not (tmp_path / "none.json").exists()
