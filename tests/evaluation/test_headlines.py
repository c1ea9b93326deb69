"""One number has one headline, and the protocol that is printed is the one that was followed."""

from __future__ import annotations

import json
import re
import types
from pathlib import Path

import numpy as np
import pytest
from conftest import tiny_bert, tiny_tokenizer
from result_dicts import result, score

from align.errors import InputError
from align.evaluation.averages import averages
from align.evaluation.benchmarks import BENCHMARKS, Benchmark
from align.evaluation.compare import compare
from align.evaluation.evaluate import evaluate
from align.evaluation.evaluators import evaluators
from align.evaluation.result_table import result_table
from align.evaluation.rules import rules_of
from align.tasks import BLI_PROTOCOLS, PROTOCOLS, BliProtocol, Protocol, read_aligned
from align.tasks.bli.protocols import without_csls
from align.tasks.retrieval import retrieval
from align.tasks.retrieval.protocols import changed
from align.tasks.retrieval.task import direction, outcomes
from align.tasks.task import task

LETTERS = "abcdefgh"
GREEK = str.maketrans(LETTERS, "αβγδεζηθ")
VECTOR = {"layer": 8, "kind": "mean", "special_tokens": True}


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Thirty lines in English, German, and Greek in two scripts, of which German alone is easy."""
    rng = np.random.default_rng(0)
    lines = ["".join(rng.choice(list(LETTERS), 6)) for _ in range(30)]
    spoilt = ["".join(rng.choice(list(LETTERS), 5)) + line[:3] for line in lines]
    sets = {"eng_Latn": lines, "deu_Latn": lines, "ell_Grek": [s.translate(GREEK) for s in spoilt], "ell_Latn": spoilt}
    for code, rows in sets.items():
        (tmp_path / "texts").mkdir(exist_ok=True)
        (tmp_path / "texts" / f"{code}.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path / "texts"


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A dictionary of three words, one with two lines, and vocabularies in which not every answer is the nearest."""
    (tmp_path / "bli").mkdir()
    (tmp_path / "vocab").mkdir()
    (tmp_path / "bli" / "eng_Latn-deu_Latn.tsv").write_text("abc\tabd\nabc\tabh\ncde\tcdf\nfgh\tzzz\n")
    (tmp_path / "vocab" / "eng_Latn.txt").write_text("abc\ncde\nfgh\nbb\n")
    (tmp_path / "vocab" / "deu_Latn.txt").write_text("abc\nabd\nabh\ncdf\ncc\n")
    return tmp_path / "bli"


class Letters:
    """An encoder whose vectors count letters, of either script."""

    name = "letters"
    device = types.SimpleNamespace(type="cpu")
    tokenizer = types.SimpleNamespace(get_vocab=lambda: {"a": 0})

    def identity(self) -> dict:
        return {"fingerprint": "1", "pooling": VECTOR, "dimension": 8}

    def encode(self, lines: list[str], **_: object) -> np.ndarray:
        counts = [[s.count(c) * (i + 2) + s.translate(GREEK).count(c) for i, c in enumerate(LETTERS)] for s in lines]
        greek = [[s.count(c.translate(GREEK)) for c in LETTERS] for s in lines]
        return np.array(counts, dtype=np.float32) + np.array(greek) + 0.01


def scored(where: Path, task: str, **options: object) -> dict:
    benchmark = Benchmark("mine", task, "", "CC0", str(where), "align" if task == "retrieval" else "xling")
    if task == "bli":
        benchmark = Benchmark("xling", task, "", "CC0", str(where), "xling")
    return evaluate(Letters(), benchmark, use_cache=False, resamples=20, **options)  # type: ignore[arg-type]


def test_two_commands_print_one_headline(align, bert_folder: Path, texts: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    align("eval", bert_folder, f"retrieval={texts}", "--no-cache", "--out", "one.json")
    printed = align("eval", bert_folder, texts, "--no-cache", "--out", "results").out
    (path,) = (tmp_path / "results").glob("*.json")
    one, other = json.loads((tmp_path / "one.json").read_text()), json.loads(path.read_text())
    assert one["headline"] == other["headline"]
    with_pivot = [row["metrics"]["P@1"] for row in other["scores"] if "eng_Latn" in row["id"]]
    apart = [row["metrics"]["P@1"] for row in other["scores"] if "eng_Latn" not in row["id"]]
    assert (len(with_pivot), len(apart)) == (6, 2) and np.mean(apart) != np.mean(with_pivot)
    assert other["headline"]["value"] == pytest.approx(np.mean(with_pivot)) and other["headline"]["scores"] == 6
    assert "headline P@1: mean of the searches with eng_Latn" in printed
    found = {(group["by"], group["group"]): group for group in other["groups"]}
    assert found["direction", "direct"]["value"] == pytest.approx(np.mean(apart))
    assert found["script", "Latn"]["scores"] + found["script", "Grek"]["scores"] == 6


def test_comparing_reporting_and_training_count_the_same(texts: Path, tmp_path: Path) -> None:
    from align.evaluation.results import write_result
    from align.reporting import page
    from align.reporting.collection import collect

    found = scored(texts, "retrieval")
    expected = retrieval(lambda lines, _: Letters().encode(list(lines)), read_aligned(texts))
    assert found["headline"]["value"] == pytest.approx(expected.headline())
    (section,) = compare([found], by=["script", "direction"]).benchmarks
    assert section.models[0].interval == pytest.approx(found["headline"]["interval"])
    assert (section.models[0].value, section.scores) == (pytest.approx(expected.headline()), 6)
    assert sum(one.scores for one in section.slices["script"]) == 6
    assert {one.name: one.scores for one in section.slices["direction"]} == {
        "direct": 2, "from_pivot": 3, "to_pivot": 3,
    }  # fmt: skip
    assert len(section.slices["pair"]) == 8
    write_result(tmp_path / "r.json", found)
    assert "P@1, 6 scores" in page.section("summary", collect([tmp_path / "r.json"]))
    few = scored(texts, "retrieval", languages=["ell_Grek", "deu_Latn"])
    assert (few["languages"], found["languages"]) == (["deu_Latn", "ell_Grek"], None)
    trained = evaluators([f"retrieval={texts}"], lines=30)["retrieval"](Letters())  # type: ignore[arg-type]
    assert trained["P@1"] == pytest.approx(expected.headline())
    direct = [one.metrics["MRR"] for one in expected.scores if direction(one, expected.protocol) == "direct"]
    assert trained["script_MRR"] == pytest.approx(np.mean(direct))


def test_a_difference_is_of_the_searches_with_the_pivot() -> None:
    pairs = [score("ell_Grek", [1, 0]), score("ell_Grek", [1, 1], other="ell_Latn") | {"direction": "direct"}]
    worse = [score("ell_Grek", [1, 1]), score("ell_Grek", [0, 0], other="ell_Latn") | {"direction": "direct"}]
    (section,) = compare([result("a", pairs), result("b", worse)]).benchmarks
    assert [one.value for one in section.models] == [0.5, 1.0]
    assert section.models[1].difference is not None and section.models[1].difference.value == 0.5


def test_without_a_pivot_every_search_counts() -> None:
    rows = [
        score("hin_Deva", [1, 0], other="urd_Arab") | {"direction": "direct", "value": 0.5, "lines": [1, 2]},
        score("urd_Arab", [1, 1], other="hin_Deva") | {"direction": "direct", "value": 1.0, "lines": [1, 2]},
    ]
    assert averages(rows, task("retrieval")).headline["value"] == 0.75


def test_the_worst_languages_are_those_of_the_searches_with_the_pivot() -> None:
    codes = [f"{letter}aa_Latn" for letter in LETTERS + "ij"]
    rows = [score(code, [1, int(code > "b")]) | {"value": 1 - (code < "b") / 2, "lines": [1, 2]} for code in codes]
    rows.append(score("jaa_Latn", [0, 0], other="jaa_Cyrl") | {"direction": "direct", "value": 0.0, "lines": [1, 2]})
    (worst,) = [one for one in averages(rows, task("retrieval")).groups if one["group"] == "worst tenth"]
    assert (worst["scores"], worst["value"]) == (1, 0.5)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_retrieval_benchmark_is_scored_as_its_protocol_says(texts: Path, name: str) -> None:
    found = scored(texts, "retrieval", protocol=name)
    expected = retrieval(lambda lines, _: Letters().encode(list(lines)), read_aligned(texts), protocol=name)
    assert found["metric"] == PROTOCOLS[name].headline
    assert found["headline"]["value"] == pytest.approx(expected.headline())
    for row in found["scores"]:
        assert row["value"] == row["metrics"][found["metric"]] == pytest.approx(np.mean(row["items"]), abs=1e-6)
    table = re.sub(" +", " ", result_table(found))
    assert f"headline {found['metric']}: " in table and f"| {found['metric']} |" in table


@pytest.mark.parametrize("name", BLI_PROTOCOLS)
def test_a_benchmark_of_words_is_scored_as_its_protocol_says(words: Path, name: str) -> None:
    found = scored(words, "bli", protocol=name)
    protocol = BLI_PROTOCOLS[name]
    (row,) = found["scores"]
    assert found["metric"] == protocol.headline and f"headline {protocol.headline}: " in result_table(found)
    assert found["headline"]["value"] == row["value"] == row["metrics"][protocol.headline]
    assert row["value"] == pytest.approx(np.mean(row["items"]), abs=1e-6)
    if name == "xling":  # lines, other translations are wrong: abd is first, abh behind it and abc
        assert row["metrics"]["NN P@1"] < row["value"] < 1


def test_every_benchmark_has_a_protocol_and_its_metric() -> None:
    for one in BENCHMARKS.values():
        protocol = rules_of(one).protocol
        assert (protocol.headline == "spearman") == (one.task in ("sts", "wordsim"))
        assert protocol.headline == "spearman" or f"headline {protocol.headline}: " in protocol.describe()


def test_outcomes_by_hand() -> None:
    ranks = [1, 2, 10, float("inf")]
    assert outcomes(ranks, "P@1") == [1, 0, 0, 0] and outcomes(ranks, "P@10") == [1, 1, 1, 0]
    assert outcomes([1, 3, float("inf")], "MRR") == [1, 0.333333, 0]


def test_a_protocol_of_a_layer_is_followed_or_refused(align, texts: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    tiny_bert(layers=9).save_pretrained(tmp_path / "deep")
    tiny_tokenizer().save_pretrained(tmp_path / "deep")
    words = ("eval", "deep", texts, "--protocol", "glot500", "--no-cache")

    def written(folder: str) -> dict:
        (path,) = (tmp_path / folder).glob("*.json")
        return json.loads(path.read_text())

    printed = align(*words, "--out", "as-said").out
    found = written("as-said")
    assert found["encoder"]["pooling"] == VECTOR and found["metric"] == "P@10"
    assert "hidden_states[8], mean pooling with special tokens" in printed and "headline P@10" in printed
    printed = align(*words, "--layer", "3", "--no-special-tokens", "--out", "changed").out
    found = written("changed")
    assert found["encoder"]["pooling"] == {"layer": 3, "kind": "mean", "special_tokens": False}
    assert "protocol glot500 (changed)" in printed and "hidden_states[3], mean pooling without special" in printed
    said = align(*words, "--average-layers", code=2).err
    assert said == "align: protocol glot500 pools layer 8 alone, --average-layers several\n"


def test_a_protocol_that_cannot_be_followed_writes_nothing(align, bert_folder: Path, texts: Path, tmp_path) -> None:  # type: ignore[no-untyped-def]
    words = ("eval", bert_folder, texts, "--protocol", "glot500", "--no-cache", "--out", "results")
    assert "layer 8 does not exist: the encoder has layers 0 to 2" in align(*words, code=2).err
    words = ("eval", bert_folder, texts, "stsb", "--protocol", "align", "--no-cache", "--out", "results")
    assert align(*words, code=2).err == "align: stsb has no protocols: sts is scored in one way\n"
    assert not (tmp_path / "results").exists()


def test_an_encoder_of_other_vectors_is_refused(texts: Path) -> None:
    other = changed(PROTOCOLS["glot500"], layer=4, special_tokens=False)
    with pytest.raises(InputError, match=re.escape("layer 8 where it says 4, special_tokens True where it says False")):
        scored(texts, "retrieval", protocol=other)
    PROTOCOLS["align"].check_pooling({"layer": 3, "kind": "cls", "special_tokens": False})
    with pytest.raises(InputError, match="average_layers True where it says False"):
        PROTOCOLS["glot500"].check_pooling(VECTOR | {"average_layers": True})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"headline": "P@2"}, "headline is 'P@2'; expected one of P@1, P@5, P@10, MRR"),
        ({"ties": "for the model"}, "the only rule there is, got 'for the model'"),
        ({"candidates": "ten lines"}, "the only rule there is, got 'ten lines'"),
        ({"layer": 8}, "expected layer, pooling and special_tokens together, or none"),
        ({"pooling": "cls"}, "expected layer, pooling and special_tokens together, or none"),
    ],
)
def test_what_nothing_scores_by_is_no_protocol(change: dict, sentence: str) -> None:
    with pytest.raises(InputError, match=re.escape(sentence)):
        Protocol(name="x", **change)


def test_words_without_csls_say_so() -> None:
    muse, xling = (without_csls(BLI_PROTOCOLS[name]) for name in ("muse", "xling"))
    assert (muse.name, muse.headline) == ("muse (changed)", "NN P@1") and "CSLS" not in muse.describe()
    assert (xling.name, xling.headline) == ("xling", "NN MRR") and "CSLS" not in xling.describe()
    assert "CSLS (k 10" in BLI_PROTOCOLS["xling"].describe()
    for methods in (("NN",), ("CSLS",), ()):
        with pytest.raises(InputError, match="or \\('NN',\\) with a headline of NN"):
            BliProtocol(name="x", methods=methods)
