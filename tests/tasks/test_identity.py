from __future__ import annotations

import json

import numpy as np
import pytest

from align.errors import InputError
from align.tasks.bias import language_bias
from align.tasks.identity import language_identity

CODES = ("ell_Grek", "eng_Latn", "hin_Deva")
N = 40


def layered(strengths, *, n=N, d=8):
    """Of each layer vectors in which the language shows by so much; texts name their row."""
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((n, d))
    ways = rng.standard_normal((3, d))
    vectors = {
        code: np.stack([shared + strength * way + 0.1 * rng.standard_normal((n, d)) for strength in strengths])
        for code, way in zip(CODES, ways, strict=True)
    }
    texts = {code: [str(i) for i in range(n)] for code in CODES}
    return lambda some, code: vectors[code][:, [int(text) for text in some]], texts


def test_a_layer_at_which_languages_part_and_one_at_which_they_are_one():
    encode, texts = layered([0, 10, 0.0])
    result = language_identity(encode, texts)
    for score in result.scores:
        assert score.curve[1] == 1 and score.curve[0] < 0.75 and score.curve[2] < 0.75
        assert np.mean(score.items) == score.curve[-1] and len(score.lines) == score.n == N // 2
    assert result.headline() == pytest.approx(np.mean([score.curve[-1] for score in result.scores]))
    assert {score.lines for score in result.scores} == {result.scores[0].lines}


def test_the_last_layer_is_what_the_bias_meter_says():
    encode, texts = layered([5, 0.3])
    one = language_bias(lambda some, code: encode(some, code)[-1], texts, probe_lines=12)
    layers = language_identity(encode, texts, lines=12)
    assert [score.curve[-1] for score in layers.scores] == [score.identity for score in one.scores]
    assert layers.scores[0].n == 12


def test_lines_that_are_blank_somewhere_are_in_no_half():
    encode, texts = layered([1])
    texts["hin_Deva"] = ["" if i % 2 else text for i, text in enumerate(texts["hin_Deva"])]
    (score, *_) = language_identity(encode, texts).scores
    assert score.n == 10 and all(line % 2 for line in score.lines)


def test_what_is_refused():
    encode, texts = layered([1], n=2)
    with pytest.raises(InputError, match="two languages, two lines and lines >= 1, got 1, 2 and 200"):
        language_identity(encode, {"eng_Latn": texts["eng_Latn"]})
    with pytest.raises(InputError, match=r"got 3, 1 and 200"):
        language_identity(encode, {code: of[:1] for code, of in texts.items()})
    with pytest.raises(InputError, match=r"got 3, 2 and 0"):
        language_identity(encode, texts, lines=0)
    with pytest.raises(InputError, match=r"expected embeddings \(layers, 2, d\) of every language, got \[\(2, 8\)\]"):
        language_identity(lambda some, code: encode(some, code)[0], texts)


def test_from_the_command_line(align, bert_folder, tmp_path):
    words = ["abc", "bcd", "cde", "def", "efg", "fgh"]
    lines = {"eng_Latn": words, "ell_Grek": ["".join(chr(ord(c) - 97 + 0x3B1) for c in word) for word in words]}
    for code, of in lines.items():
        (tmp_path / f"{code}.txt").write_text("\n".join(of) + "\n", encoding="utf-8")
    out = align("eval", bert_folder, f"identity={tmp_path}", "--no-cache", "--out", "r.json").out
    assert "language identity: a logistic probe" in out and "| identity at layer" in out
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["layers"]["layers"] == [0, 1, 2] and result["lower_is_better"]
    assert len(result["scores"]) == 2 and all(row["n"] == 3 for row in result["scores"])
    assert " chance |" in out and {row["metrics"]["chance"] for row in result["scores"]} == {0.5}
    mean = result["layers"]["mean"]
    assert mean[result["layers"]["best"]] == min(mean)  # where the language is told least
