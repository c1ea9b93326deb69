"""Romanised twins: the same queries in Latin letters, beside the native ones and in no mean of theirs."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from align.errors import InputError
from align.evaluation.evaluate import evaluate
from align.tasks.retrieval.protocols import PROTOCOLS, with_twin
from align.tasks.retrieval.twins import twin_gaps
from align.tasks.task import row
from align.text.romanize.romanizer import romanize
from tests.evaluation.test_evaluate import Counting

LINES = ["aab", "bca", "cde", "def", "eaf", "fgh"]
GREEK = str.maketrans("abcdefgh", "αβγδεζηθ")


class Letters(Counting):
    """Counts letters, and keeps the languages that it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told = {}

    def encode(self, texts, **given):
        self.told |= dict.fromkeys(texts, given.get("language"))
        return super().encode(texts)


@pytest.fixture
def folder(tmp_path):
    """English, Greek and Latin; and romanised Greek of which two lines find the wrong one, and one is blank."""
    greek = [line.translate(GREEK) for line in LINES]
    for place, code, lines in (
        ("set", "eng_Latn", LINES), ("set", "deu_Latn", LINES), ("set", "ell_Grek", greek),
        ("people", "ell_Latn", ["aab", "aab", "cde", "", "fgh", "fgh"]),
    ):  # fmt: skip
        (tmp_path / place).mkdir(exist_ok=True)
        (tmp_path / place / f"{code}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def score(folder, **options):
    encoder = options.pop("encoder", None) or Letters()
    return evaluate(encoder, str(folder / "set"), cache=folder / "kept", **options)


def test_by_hand(folder):
    plain, result = score(folder), score(folder, settings={"twin": str(folder / "people")})
    assert result["protocol"]["name"] == "align, twin people"
    assert "romanised twin (people): the same queries in Latin letters" in result["protocol"]["described"]
    twins = [one for one in result["scores"] if one["direction"] == "romanised"]
    (twin,) = twins  # none of German, which is in Latin letters
    assert (twin["id"], twin["language"], twin["twin_of"]) == ("ell_Grek~people>eng_Latn", "ell_Latn", "ell_Grek")
    assert (twin["n"], twin["left_out"], twin["items"], twin["lines"]) == (5, 1, [1, 0, 1, 0, 1], [1, 2, 3, 5, 6])
    assert twin["value"] == 3 / 5
    greek, mean = result["twins"]
    assert (greek["language"], greek["native"], greek["romanised"]) == ("ell_Grek", 1.0, 0.6)
    assert greek["gap"] == pytest.approx(0.4) and greek["interval"][0] <= 0.4 <= greek["interval"][1]
    assert mean == greek | {"language": "mean"}
    others = [one for one in result["scores"] if one["direction"] != "romanised"]
    assert others == plain["scores"] and result["headline"] == plain["headline"]
    assert result["script_gaps"] == plain["script_gaps"] == [] and result["missing"] == [] and "twins" not in plain
    assert [one for one in result["groups"] if one["group"] != "romanised"] == plain["groups"]


def test_by_a_romaniser_the_encoder_is_told_the_language(folder):
    encoder = Letters()
    result = score(folder, encoder=encoder, settings={"twin": "uroman"})
    greek = [line.translate(GREEK) for line in LINES]
    assert {encoder.told[text] for text in romanize(greek, lang="ell_Grek")} >= {"ell_Latn"}
    assert {encoder.told[text] for text in greek} == {"ell_Grek"}
    assert result["protocol"]["name"] == "align, twin uroman"
    assert len(result["twins"]) == 2


def test_the_same_words_lose_nothing(folder):
    (folder / "people" / "ell_Latn.txt").write_text("\n".join(LINES) + "\n")
    (gap, _) = score(folder, settings={"twin": str(folder / "people")})["twins"]
    assert (gap["native"], gap["romanised"], gap["gap"]) == (1, 1, 0) and tuple(gap["interval"]) == (0, 0)


def test_a_language_without_its_twin_is_told(folder):
    (folder / "people" / "ell_Latn.txt").write_text("aab\n")
    result = score(folder, settings={"twin": str(folder / "people")})
    (missing,) = result["missing"]
    assert missing["name"] == "ell_Grek-eng_Latn~people"
    assert "has 1 lines of ell_Latn, ell_Grek has 6: expected as many" in missing["reason"]
    assert "twins" not in result and result["headline"]["value"] == 1


def test_gaps_of_several_languages_are_of_shared_lines():
    def made(code, native, twin, lines):
        metrics = {"P@1": float(np.mean(native))}
        yield row(f"{code}>eng_Latn", code, "eng_Latn", "to_pivot", native, range(1, len(native) + 1), metrics=metrics)
        latin = f"{code[:3]}_Latn"
        yield row(f"{code}~u>eng_Latn", latin, "eng_Latn", "romanised", twin, lines, metrics={}, twin_of=code)

    rows = [*made("hin_Deva", [1, 1, 0, 1], [1, 0, 0], [1, 2, 3]), *made("tam_Taml", [1, 0], [0, 1], [1, 2])]
    hindi, tamil, mean = twin_gaps(rows)
    assert (hindi.native, hindi.romanised) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert (tamil.native, tamil.romanised, tamil.gap) == (0.5, 0.5, 0.0)
    assert (mean.native, mean.romanised, mean.gap) == (
        pytest.approx((2 / 3 + 0.5) / 2), pytest.approx((1 / 3 + 0.5) / 2), pytest.approx(1 / 6),
    )  # fmt: skip
    assert mean.interval[0] <= mean.gap <= mean.interval[1] and tamil.interval[0] < 0 < tamil.interval[1]
    assert twin_gaps(rows[:1]) == [] and twin_gaps([]) == []


def test_what_has_no_twin(folder):
    with pytest.raises(InputError, match=r"twin 'urman': expected a romaniser \(uroman, .*\) or a folder"):
        score(folder, settings={"twin": "urman"})
    with pytest.raises(InputError, match="protocol from, twin uroman has no queries but eng_Latn's"):
        score(folder, protocol=with_twin(one_way("from"), "uroman"))
    assert with_twin(PROTOCOLS["align"], "") is PROTOCOLS["align"]


def one_way(name):
    from dataclasses import replace

    return replace(PROTOCOLS["align"], name=name, directions=("from_pivot",))


def test_from_the_command_line(align, bert_folder, folder):
    align("eval", bert_folder, "set", "--twin", "people", "--no-cache", "--out", "r.json", "--layers", "1,2")
    printed = align("eval", bert_folder, "set", "--twin", "people", "--no-cache", "--out", "result.json").out
    assert "align, twin people" in printed and re.search(r"P@1 of queries in \| native \| romanised \| +gap", printed)
    result = json.loads((folder / "result.json").read_text())
    assert [one["language"] for one in result["twins"]] == ["ell_Grek", "mean"]
    align("report", "result.json", "--out", "page.html")
    assert "ell_Latn" in (folder / "page.html").read_text(encoding="utf-8")
    assert "nothing of that task is scored" in align("eval", bert_folder, "sts=x.tsv", "--twin", "uroman", code=2).err
