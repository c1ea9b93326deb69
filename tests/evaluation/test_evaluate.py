"""Benchmarks by name: their subsets, what is kept, what is left out, and how scores are averaged."""

from __future__ import annotations

import json
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from align.errors import InputError
from align.evaluation.averages import averages
from align.evaluation.benchmarks import BENCHMARKS, Benchmark, find_benchmark, local_folder
from align.evaluation.encoding import keeping_lists
from align.evaluation.evaluate import evaluate
from align.evaluation.reading import content_hash, languages_of, units
from align.evaluation.result_table import result_table
from align.evaluation.run import Kept
from align.tasks.task import task
from align.text.families import family

LINES = ["aab", "bca", "cde", "def", "eaf", "fgh"]
GREEK = str.maketrans("abcdefgh", "αβγδεζηθ")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six lines in three languages, one of them in two scripts; Tatoeba's and STS's layouts; two dictionaries."""
    root = tmp_path / "data"
    texts = {
        "eng_Latn": LINES, "deu_Latn": LINES, "ell_Grek": [line.translate(GREEK) for line in LINES],
        "ell_Latn": [line[::-1] for line in LINES],
    }  # fmt: skip
    for folder in ("sib200", "flores"):
        (root / folder).mkdir(parents=True)
        for code, lines in texts.items():
            write(root / folder / f"{code}.txt", lines)
    (root / "tatoeba").mkdir()
    for code, lines in (("deu", LINES[:4]), ("ell", [line.translate(GREEK) for line in LINES])):
        write(root / "tatoeba" / f"tatoeba.{code}-eng.{code}", lines)
        write(root / "tatoeba" / f"tatoeba.{code}-eng.eng", LINES[: len(lines)])
    (root / "sts" / "stsb").mkdir(parents=True)
    rows = ["score\tsentence1\tsentence2", "5\tabc\tabc", "3\tabd\tabe", "0\tfgh\tbca", "1\taab\tfgh"]
    write(root / "sts" / "stsb" / "de.test.tsv", rows)
    (root / "bli" / "xling" / "en-de").mkdir(parents=True)
    (root / "bli" / "vocab").mkdir()
    write(root / "bli" / "xling" / "en-de" / "yacle.test.freq.2k.en-de.tsv", [f"{w}\t{w}" for w in LINES])
    for code in ("en", "de"):
        write(root / "bli" / "vocab" / f"{code}_vocab.txt", [*LINES, "hhh"])
    return root


def write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


class Counting:
    """An encoder of letters that counts what it is asked."""

    def __init__(self, bad: str = "") -> None:
        self.texts: list[str] = []
        self.name: str | None = "letters"
        self.bad, self.weight = bad, 1.0
        self.tokenizer = types.SimpleNamespace(get_vocab=lambda: {"a": 0})
        self.device = types.SimpleNamespace(type="cpu")

    def identity(self) -> dict[str, object]:
        return {"fingerprint": str(self.weight), "pooling": {"layer": 2}, "dimension": 8}

    def encode(self, texts: list[str], **_: object) -> np.ndarray:
        self.texts += texts
        counts = np.array([[text.count(c) + text.count(c.translate(GREEK)) for c in "abcdefgh"] for text in texts])
        vectors = counts.astype(np.float32)
        if self.bad:
            vectors[[self.bad in text for text in texts]] = np.nan
        return vectors


def run(encoder: Counting, benchmark: str, data: Path, **options: object) -> dict:
    options.setdefault("cache", data.parent / "kept")
    return evaluate(encoder, benchmark, data=data, **options)  # type: ignore[arg-type]


def test_scores_of_a_parallel_benchmark_are_those_of_the_task(data: Path) -> None:
    from align.tasks import read_aligned
    from align.tasks.retrieval import retrieval

    encoder = Counting()
    result = run(encoder, "sib200", data)
    texts = read_aligned(data / "sib200")
    expected = {f"{s.queries}>{s.candidates}": s for s in retrieval(lambda t, _: encoder.encode(list(t)), texts).scores}
    assert {row["id"] for row in result["scores"]} == set(expected)
    for row in result["scores"]:
        assert row["metrics"] == dict(expected[row["id"]].metrics)
        assert row["value"] == np.mean(row["items"]) == row["metrics"]["P@1"]
        assert row["interval"][0] <= row["value"] <= row["interval"][1]
    assert result["headline"]["value"] == pytest.approx(np.mean([row["value"] for row in result["scores"]]))
    assert result["missing"] == []
    assert {gap["language"] for gap in result["script_gaps"]} == {"ell"}
    assert result["data"]["licence"] == "CC BY-SA 4.0" and len(result["data"]["sha256"]) == 64


class Longest:
    """A scorer of pairs that counts what it is asked."""

    def __init__(self, name: str = "longest") -> None:
        self.name, self.asked = name, 0

    def score(self, first: list[str], second: list[str]) -> np.ndarray:
        self.asked += len(second)
        return np.array([text.count("a") for text in second], dtype=np.float32)

    def identity(self) -> dict[str, object]:
        return {"fingerprint": self.name}


def test_a_scorer_is_part_of_protocol_and_cache_and_its_cost_is_told(data: Path) -> None:
    plain, scorer = run(Counting(), "sib200", data), Longest()
    result = run(Counting(), "sib200", data, rerank=scorer, rerank_depth=3)
    assert result["protocol"]["name"] == "align, re-ranked" and result["protocol"]["rerank_depth"] == 3
    assert "the nearest 3 of each in the order of a scorer" in result["protocol"]["described"]
    assert result["rerank"]["fingerprint"] == "longest"
    assert result["rerank"]["pairs"] == scorer.asked == 3 * sum(row["n"] for row in result["scores"])
    assert result["headline"]["value"] != plain["headline"]["value"] and "rerank" not in plain
    again = Longest()
    kept = run(Counting(), "sib200", data, rerank=again, rerank_depth=3)
    assert again.asked == 0 and kept["scores"] == result["scores"]
    other = Longest("other")
    run(Counting(), "sib200", data, rerank=other, rerank_depth=3)
    run(Counting(), "sib200", data, rerank=other, rerank_depth=2)
    assert other.asked == scorer.asked * 5 // 3
    words = run(Counting(), "xling", data, rerank=Longest(), rerank_depth=2)
    assert words["rerank"]["pairs"] > 0 and words["protocol"]["rerank_depth"] == 2
    with pytest.raises(InputError, match="stsb: sts searches nothing: re-ranked are retrieval and bli"):
        run(Counting(), "stsb", data, rerank=scorer)


def test_english_is_encoded_once(data: Path) -> None:
    encoder = Counting()
    run(encoder, "sib200", data)
    assert encoder.texts.count(LINES[0]) == 2  # as English and as German


def test_what_is_unchanged_is_not_encoded_again_and_a_changed_byte_is(data: Path) -> None:
    first = run(Counting(), "tatoeba", data)
    again = Counting()
    second = run(again, "tatoeba", data)
    assert again.texts == []
    assert second["scores"] == first["scores"]
    path = data / "tatoeba" / "tatoeba.deu-eng.deu"
    path.write_text(path.read_text(encoding="utf-8").replace("aab", "aac"), encoding="utf-8")
    third = Counting()
    changed = run(third, "tatoeba", data)
    assert "aac" in third.texts and "ααβ" not in third.texts
    assert changed["data"]["sha256"] != first["data"]["sha256"]
    other = Counting()
    other.weight = 2.0  # other weights, another fingerprint
    run(other, "tatoeba", data)
    assert "ααβ" in other.texts
    tokenizer = Counting()
    tokenizer.tokenizer = types.SimpleNamespace(get_vocab=lambda: {"b": 0})
    run(tokenizer, "tatoeba", data)
    assert "ααβ" in tokenizer.texts
    rules = Counting()
    run(rules, "tatoeba", data, protocol="xtreme")
    assert "ααβ" in rules.texts


def test_an_interrupted_run_goes_on(data: Path) -> None:
    encoder = Counting()
    count = 0

    def breaks(texts: list[str], **_: object) -> np.ndarray:
        nonlocal count
        count += 1
        if count > 2:
            raise KeyboardInterrupt
        return Counting.encode(encoder, texts)

    encoder.encode = breaks  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        run(encoder, "tatoeba", data)
    after = Counting()
    result = run(after, "tatoeba", data)
    assert "ααβ" in after.texts and len(after.texts) == 12  # German was done
    assert len(result["scores"]) == 4


def test_a_damaged_entry_is_scored_anew(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = run(Counting(), "tatoeba", data, languages=["deu_Latn"])
    (entry,) = (data.parent / "kept").rglob("*.json")
    kept = json.loads(entry.read_text(encoding="utf-8"))
    kept["rows"][0]["value"] = 0.123
    for text, said in ((json.dumps(kept), "damaged"), ("[]", "something else"), ("{", "not valid JSON")):
        entry.write_text(text, encoding="utf-8")
        encoder = Counting()
        assert run(encoder, "tatoeba", data, languages=["deu_Latn"])["scores"] == first["scores"]
        assert encoder.texts and said in caplog.text
    encoder = Counting()
    run(encoder, "tatoeba", data, languages=["deu_Latn"], use_cache=False)
    assert encoder.texts


def test_a_cache_that_cannot_be_written_costs_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    Kept(tmp_path / "file").write("abc", [])
    assert "were not kept" in caplog.text


def test_one_bad_language_is_reported_and_the_others_scored(data: Path) -> None:
    write(data / "sib200" / "deu_Latn.txt", LINES[:3])
    result = run(Counting(bad="η"), "sib200", data, languages=["deu_Latn", "ell_Grek", "ell_Latn", "swh_Latn"])
    reasons = {one["name"]: one["reason"] for one in result["missing"]}
    assert "no text in swh_Latn" in reasons["swh_Latn"]
    assert "6" in reasons["deu_Latn-eng_Latn"] and "3" in reasons["deu_Latn-eng_Latn"]
    assert "NaN" in reasons["ell_Grek-eng_Latn"] and "line 6" in reasons["ell_Grek-eng_Latn"]
    assert {row["language"] for row in result["scores"]} == {"ell_Latn"}
    with pytest.raises(InputError, match="sib200: nothing could be scored: no text in swh_Latn"):
        run(Counting(), "sib200", data, languages=["swh_Latn"])


def test_sts_and_bli(data: Path) -> None:
    result = run(Counting(), "stsb", data)
    (row,) = result["scores"]
    assert result["statistic"] == "spearman" and len(row["items"]) == len(row["gold"]) == 4
    assert row["value"] == row["metrics"]["spearman"] == result["headline"]["value"]
    result = run(Counting(), "xling", data)
    (row,) = result["scores"]
    assert row["id"] == "eng_Latn>deu_Latn" and row["items"] == [1] * 6
    assert row["facts"]["candidates"] == 7 and row["metrics"]["NN P@1"] == row["value"]
    assert row["metrics"]["NN P@1 without copies"] is None
    assert {example["source"] for example in result["examples"]} == set(LINES)
    few = run(Counting(), "xling", data, settings={"candidates": 3})
    assert few["protocol"]["name"] == "xling (changed)" and few["scores"][0]["n"] == 3
    with pytest.raises(InputError, match="stsb: sts has no setting 'candidates'"):
        run(Counting(), "stsb", data, settings={"candidates": 3})
    with pytest.raises(InputError, match="stsb has no protocols"):
        run(Counting(), "stsb", data, protocol="xling")


def test_a_blank_line_is_no_item(data: Path) -> None:
    write(data / "sib200" / "deu_Latn.txt", [*LINES[:2], " ", *LINES[3:]])
    result = run(Counting(), "sib200", data, languages=["deu_Latn"])
    assert [(row["n"], row["left_out"], len(row["items"]), row["value"]) for row in result["scores"]] == [
        (5, 1, 5, 1)
    ] * 2


def test_each_item_says_its_line(data: Path) -> None:
    """Shared by languages and directions where texts are parallel; Tatoeba's are known by their English."""
    write(data / "sib200" / "deu_Latn.txt", [*LINES[:2], " ", *LINES[3:]])
    lines = {row["id"]: row["lines"] for row in run(Counting(), "sib200", data)["scores"]}
    assert lines["deu_Latn>eng_Latn"] == lines["eng_Latn>deu_Latn"] == [1, 2, 4, 5, 6]
    assert lines["ell_Grek>eng_Latn"] == lines["ell_Grek>ell_Latn"] == [1, 2, 3, 4, 5, 6]
    write(data / "tatoeba" / "tatoeba.ell-eng.eng", LINES[::-1])
    write(data / "tatoeba" / "tatoeba.ell-eng.ell", [line.translate(GREEK) for line in LINES[::-1]])
    lines = {row["id"]: row["lines"] for row in run(Counting(), "tatoeba", data)["scores"]}
    assert lines["deu_Latn>eng_Latn"] == lines["eng_Latn>deu_Latn"] == lines["ell_Grek>eng_Latn"][:1:-1]
    assert len(set(lines["ell_Grek>eng_Latn"])) == 6
    (row,) = run(Counting(), "stsb", data)["scores"]
    assert row["lines"] == [1, 2, 3, 4]
    write(
        data / "bli" / "xling" / "en-de" / "yacle.test.freq.2k.en-de.tsv", [f"{w}\t{w}" for w in [*LINES[:3], *LINES]]
    )
    (row,) = run(Counting(), "xling", data)["scores"]
    assert row["lines"] == [1, 2, 3, 1, 2, 3, 7, 8, 9]  # of a word the first
    (row,) = run(Counting(), Benchmark("panlex-bli", "bli", "", "", "bli/xling", "xling"), data)["scores"]
    assert row["lines"] == [f"eng_Latn {word}" for word in [*LINES[:3], *LINES]]
    apart = Benchmark("sts17", "sts", "", "", "sts/stsb")
    assert run(Counting(), apart, data)["scores"][0]["lines"] == [f"de {line}" for line in (1, 2, 3, 4)]


def test_averages_are_clustered_by_line(data: Path) -> None:
    """All right in every language and both directions: six lines, not six times the searches."""
    result = run(Counting(), "sib200", data, languages=["deu_Latn", "ell_Grek"])
    assert [row["value"] for row in result["scores"]] == [1.0] * 4
    assert result["headline"]["interval"] == result["scores"][0]["interval"]
    assert {tuple(one["interval"]) for one in result["groups"]} == {tuple(result["headline"]["interval"])}


def test_no_items(data: Path) -> None:
    result = run(Counting(), "stsb", data, items=False)
    assert not {"items", "lines", "gold"} & set(result["scores"][0]) and result["scores"][0]["interval"]


def rows(*values: float) -> list[dict]:
    codes = ["deu_Latn", "hin_Deva", "mar_Deva", "tam_Taml", "fin_Latn", "hun_Latn", "swh_Latn", "tur_Latn",
             "jpn_Jpan", "kor_Hang"]  # fmt: skip
    return [
        {
            "id": f"{code}>eng_Latn", "language": code, "other": "eng_Latn", "script": code[4:], "n": 4, "left_out": 0,
            "direction": "to_pivot", "value": value, "items": [1] * int(4 * value) + [0] * (4 - int(4 * value)),
            "lines": [1, 2, 3, 4], "metrics": {"P@1": value},
        }
        for code, value in zip(codes, values, strict=False)
    ]  # fmt: skip


def test_groups_by_hand() -> None:
    found = averages(
        rows(1, 0.5, 0.25, 0, 1, 1, 0.5, 0.5, 0.75, 0.75), task("retrieval"), {"deu_Latn", "eng_Latn", "hin_Deva"}
    )
    by = {(one["by"], one["group"]): one for one in found.groups}
    assert by["script", "Deva"]["value"] == 0.375 and by["script", "Deva"]["scores"] == 2
    assert by["family", "Uralic"]["value"] == 1.0
    assert by["family", "Indo-European"]["value"] == pytest.approx((1 + 0.5 + 0.25) / 3)
    assert by["seen", "trained"]["value"] == 0.75 and by["seen", "not trained"]["scores"] == 8
    assert by["tail", "worst tenth"] | {"interval": 0} == {
        "by": "tail", "group": "worst tenth", "scores": 1, "value": 0.0, "interval": 0,
    }  # fmt: skip
    assert found.headline["value"] == pytest.approx(0.625)
    assert ("direction", "to_pivot") not in by  # the only one
    few = averages(rows(1, 0.5), task("retrieval"))
    assert not {"seen", "tail"} & {one["by"] for one in few.groups}


def test_families() -> None:
    assert family("eus_Latn") == "Isolate" and family("mlt_Latn") == "Afro-Asiatic" and family("qaa_Latn") is None
    from align.text.families import _families

    table = (Path(sys.modules["align"].__file__).parent / "data" / "families.tsv").read_text(encoding="utf-8")
    codes = [code for line in table.splitlines() for code in line.partition("\t")[2].split()]
    assert len(codes) == len(set(codes)) == len(_families())


def test_the_last_vectors_are_remembered() -> None:
    asked = []

    def encode(texts: list[str], language: str) -> np.ndarray:
        asked.append((language, tuple(texts)))
        return np.ones((len(texts), 2))

    once = keeping_lists(encode, rows=4)
    for texts in (["a", "b"], ["a", "b"], ["c"], ["a", "b"], ["d", "e"], ["c"]):
        once(texts, "x")
    assert [texts for _, texts in asked] == [("a", "b"), ("c",), ("d", "e"), ("c",)]
    once(["c"], "y")
    assert asked[-1] == ("y", ("c",))


def test_content_hash_tells_texts_languages_and_order_apart() -> None:
    ways = [{"a": ["x", "y"]}, {"a": ["xy"]}, {"a": ["y", "x"]}, {"b": ["x", "y"]}, {"a": ["x"], "b": ["y"]}, {"a": []}]
    assert len({content_hash(way) for way in ways}) == len(ways)


def test_content_hash_tells_every_shape_and_every_character_apart() -> None:
    ways = [
        ["a", "b"], ["a\x01b"], ["a\x02"], ["a"], [["a"]], [["a"], []], [["a", []]], ["a", ""], ["1"], [1], {"a": "b"},
        [{"a": {}, "b": []}], [{"a": {"b": []}}], ['a", "b'],
    ]  # fmt: skip
    assert len({content_hash(way) for way in ways}) == len(ways)
    assert content_hash(("a", "b")) == content_hash(["a", "b"])
    assert content_hash(["\ud800"]) != content_hash(["\ud801"])


def test_equal_dictionaries_have_equal_hashes_wherever_they_lie(tmp_path: Path) -> None:
    hashes = []
    for machine in ("home", "server/data"):
        home = tmp_path / machine
        for folder in ("test", "vocab"):
            (home / folder).mkdir(parents=True)
        write(home / "test" / "eng_Latn-deu_Latn.tsv", ["dog\tHund", "cat\tKatze"])
        write(home / "vocab" / "eng_Latn.txt", ["dog", "cat", "house"])
        write(home / "vocab" / "deu_Latn.txt", ["Hund", "Katze", "Haus"])
        hashes.append([content_hash(unit.load()) for unit in units(BENCHMARKS["xling"], home)])
    assert hashes[0] == hashes[1] and len(hashes[0]) == 1
    write(home / "test" / "eng_Latn-deu_Latn.tsv", ["dog\tHund", "cat\tKater"])
    assert [content_hash(unit.load()) for unit in units(BENCHMARKS["xling"], home)] != hashes[0]


def test_bible_files_by_three_letters(tmp_path: Path) -> None:
    for name, lines in (
        ("eng", ["a b", "c", ""]),
        ("cmn_hans", ["起初", "", "神"]),
        ("rus", ["в", "н", "б"]),
        ("ids", ["1"]),
    ):
        write(tmp_path / f"{name}.txt", lines)
    write(tmp_path / "langs.tsv", ["code"])
    found = {unit.name: unit.load() for unit in units(BENCHMARKS["bible"], tmp_path)}
    assert set(found) == {"cmn_Hans-eng_Latn", "rus_Cyrl-eng_Latn"}
    assert found["cmn_Hans-eng_Latn"] == {"cmn_Hans": ["起初", "", "神"], "eng_Latn": ["a b", "c", ""]}


def fake_hub(monkeypatch: pytest.MonkeyPatch, tables: dict, configs: list[str]) -> list:
    asked = []
    module = types.ModuleType("datasets")

    def load_dataset(name: str, config: str | None = None, *, split: str | None = None, revision: str | None = None):
        asked.append((name, config, split, revision))
        return tables[config]

    module.load_dataset = load_dataset
    module.get_dataset_config_names = lambda name, revision=None: configs
    monkeypatch.setitem(sys.modules, "datasets", module)
    monkeypatch.delenv("ALIGN_DATA", raising=False)
    return asked


def test_from_the_hub_at_its_pinned_revision(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table = {"sentence1": LINES, "sentence2": LINES, "lang": ["deu-eng"] * 6}
    asked = fake_hub(monkeypatch, {"deu-eng": table}, ["deu-eng", "ell-eng", "default"])
    result = evaluate(Counting(), "tatoeba", languages=["deu_Latn"], cache=tmp_path)  # type: ignore[arg-type]
    assert asked == [("mteb/tatoeba-bitext-mining", "deu-eng", "test", BENCHMARKS["tatoeba"].revision)]
    assert result["data"]["source"] == f"mteb/tatoeba-bitext-mining@{BENCHMARKS['tatoeba'].revision}"
    verses = {"deu": LINES, "eng": LINES}
    asked = fake_hub(monkeypatch, {"eng-deu": verses}, ["eng-deu", "eng-ell"])
    (unit,) = units(BENCHMARKS["bible"], None, ["deu_Latn"])
    assert unit.load() == {"deu_Latn": LINES, "eng_Latn": LINES}
    assert asked[0][1:] == ("eng-deu", "train", BENCHMARKS["bible"].revision)


def test_every_revision_is_a_commit() -> None:
    for one in BENCHMARKS.values():
        assert bool(one.hub) == bool(one.revision) != bool(one.origin)
        assert not one.revision or len(one.revision) == 40


def test_where_a_benchmark_lies(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert local_folder(BENCHMARKS["stsb"], data) == data / "sts" / "stsb"
    assert local_folder(BENCHMARKS["stsb"], data / "sts") == data / "sts" / "stsb"
    assert local_folder(BENCHMARKS["stsb"], data / "sts" / "stsb") == data / "sts" / "stsb"
    assert local_folder(BENCHMARKS["ntrex"], data) is None  # the Hub has it
    with pytest.raises(InputError, match="no bli/multisimlex in .*: the files of multisimlex are from multisimlex.com"):
        local_folder(BENCHMARKS["multisimlex"], data)
    with pytest.raises(InputError, match="xling is not on the Hub: get its files from"):
        local_folder(BENCHMARKS["xling"], None)
    with pytest.raises(InputError, match="unknown benchmark 'tatoba': expected one of tatoeba, flores"):
        find_benchmark("tatoba")


def test_languages_of_a_folder(data: Path, tmp_path: Path) -> None:
    assert languages_of(BENCHMARKS["sib200"], data / "sib200") == ["deu_Latn", "ell_Grek", "ell_Latn", "eng_Latn"]
    assert languages_of(BENCHMARKS["stsb"], data / "sts" / "stsb") == ["de"]
    assert languages_of(BENCHMARKS["sib200"], tmp_path) == []


def test_a_folder_without_english(tmp_path: Path) -> None:
    write(tmp_path / "deu_Latn.txt", LINES)
    with pytest.raises(InputError, match="has no eng_Latn"):
        list(units(BENCHMARKS["sib200"], tmp_path))
    with pytest.raises(InputError, match="has no eng_Latn"):
        list(units(BENCHMARKS["tatoeba"], tmp_path))
    with pytest.raises(InputError, match="expected the folder vocab"):
        list(units(BENCHMARKS["xling"], tmp_path))
    with pytest.raises(InputError, match="not on the Hub"):
        list(units(BENCHMARKS["multisimlex"], None))


def test_the_table_says_protocol_licence_headline_and_what_is_missing(data: Path) -> None:
    result = run(Counting(), "sib200", data, languages=["ell_Grek", "ell_Latn", "swh_Latn"])
    text = result_table(result, scores=True)
    for part in ("CC BY-SA 4.0", "protocol align", "ell_Grek>eng_Latn", "Left out, swh_Latn: no text", "Script gap"):
        assert part in text
    assert "ell_Grek>eng_Latn" not in result_table(result)
    assert f"{result['headline']['value']:.3f}" in text


def test_a_benchmark_of_ones_own(data: Path, tmp_path: Path) -> None:
    mine = Benchmark("mine", "retrieval", "lines", "CC0", "sib200", "align")
    result = evaluate(Counting(), mine, data=data, cache=tmp_path)  # type: ignore[arg-type]
    assert result["benchmark"] == "mine" and len(result["scores"]) == 8


def test_overlap_reads_benchmarks_by_name(data: Path) -> None:
    from align.evaluation.overlap import read_tests

    found = list(read_tests(["tatoeba", "sib200", "stsb", "xling"], data))
    names = [(name, language) for name, language, _ in found]
    assert names.count(("sib200", "eng_Latn")) == 1  # in every subset, given once
    assert ("tatoeba/deu", "deu_Latn") in names and ("tatoeba/ell", "ell_Grek") in names
    assert ("stsb", "de") in names and ("xling", "eng_Latn") in names
    texts = {(name, language): list(lines) for name, language, lines in found}
    assert texts["tatoeba/deu", "deu_Latn"] == LINES[:4] and texts["xling", "deu_Latn"] == LINES


def test_the_command_line(data: Path, align) -> None:  # type: ignore[no-untyped-def]
    printed = align("list", "--data", data).out
    assert "| tatoeba | retrieval | 3 languages, 2 scripts | CC BY 2.0 FR |" in re.sub(" +", " ", printed)
    assert align("list", "sib200", "--data", data).out.split() == ["deu_Latn", "ell_Grek", "ell_Latn", "eng_Latn"]
    said = align("list", "ntrex", "--data", data, code=2).err
    assert said == "align: ntrex is not in a data folder (--data, or ALIGN_DATA): its languages are on the Hub\n"
    options = ("--data", data, "--cache", data.parent / "kept")
    printed = align("eval", "seed", "tatoeba", *options, "--out", "results", "--scores").out
    assert "deu_Latn>eng_Latn" in printed and "protocol margin" in printed
    (path,) = (data.parent / "results").glob("seed.tatoeba.*.json")
    result = json.loads(path.read_text(encoding="utf-8"))
    assert result["format"] == "align-result" and result["encoder"]["dimension"] > 0
    mine = align("eval", "seed", data / "sib200", "--map", *options, "--out", "results", "--mteb", "m").out
    assert "sib200 (not stated)" in mine and list((data.parent / "m").rglob("*.json"))
    (path,) = (data.parent / "results").glob("seed.sib200.*.json")
    result = json.loads(path.read_text(encoding="utf-8"))
    assert {point["language"] for point in result["map"]["points"]} >= {"deu_Latn", "eng_Latn"}
    said = align("eval", "seed", "tatoba", *options, code=2).err
    assert said.startswith("align: unknown benchmark 'tatoba': expected one of tatoeba, ") and said.count("\n") == 1


def test_one_line_none_at_all_and_vectors_of_another_dimension(tmp_path: Path) -> None:
    for code, lines in (("eng_Latn", ["aab"]), ("deu_Latn", ["aab"])):
        (tmp_path / "one").mkdir(exist_ok=True)
        write(tmp_path / "one" / f"{code}.txt", lines)
    result = evaluate(Counting(), str(tmp_path / "one"), use_cache=False)  # type: ignore[arg-type]
    assert [(row["n"], row["value"]) for row in result["scores"]] == [(1, 1.0), (1, 1.0)]
    assert result["geometry"] == {} and "mean" in result_table(result)
    (tmp_path / "one" / "deu_Latn.txt").write_text("")
    with pytest.raises(InputError, match="one: nothing could be scored: .*has 0 lines"):
        evaluate(Counting(), str(tmp_path / "one"), use_cache=False)  # type: ignore[arg-type]
    (tmp_path / "one" / "eng_Latn.txt").write_text("")
    with pytest.raises(InputError, match="one: nothing could be scored: .*has no lines"):
        evaluate(Counting(), str(tmp_path / "one"), use_cache=False)  # type: ignore[arg-type]
    for code in ("eng_Latn", "deu_Latn", "fin_Latn"):
        write(tmp_path / "one" / f"{code}.txt", LINES if code != "fin_Latn" else [line + "h" for line in LINES])
    encoder = Counting()
    plain = encoder.encode
    encoder.encode = lambda texts, **_: plain(texts)[:, : 5 if texts[0].endswith("h") else 8]  # type: ignore[method-assign]
    result = evaluate(encoder, str(tmp_path / "one"), use_cache=False)  # type: ignore[arg-type]
    assert {row["language"] for row in result["scores"]} == {"deu_Latn"}
    (lost,) = result["missing"]
    assert lost["name"] == "fin_Latn-eng_Latn" and "5 and 8 dimensions" in lost["reason"]


def test_a_column_for_each_language_on_the_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Rows(dict):  # type: ignore[type-arg]
        column_names = property(lambda self: list(self))

    rows = Rows({"id": list(range(6)), "eng_Latn": LINES, "deu_Latn": LINES, "ell_Latn": LINES, "ell_Grek": LINES})
    asked = fake_hub(monkeypatch, {None: {"devtest": rows, "dev": Rows()}}, [])
    result = evaluate(Counting(), "flores", languages=["ell_Latn", "ell_Grek", "swh_Latn"], cache=tmp_path)  # type: ignore[arg-type]
    assert asked == [("mteb/FloresBitextMining", None, None, BENCHMARKS["flores"].revision)]
    pairs = {frozenset((row["language"], row["other"])) for row in result["scores"]}
    assert pairs == {
        frozenset(pair) for pair in (("ell_Latn", "eng_Latn"), ("ell_Grek", "eng_Latn"), ("ell_Grek", "ell_Latn"))
    }
    assert [one["name"] for one in result["missing"]] == ["swh_Latn"]
    monkeypatch.setitem(
        sys.modules, "datasets", types.SimpleNamespace(get_dataset_config_names=fails, load_dataset=fails)
    )
    with pytest.raises(
        InputError, match=r"tatoeba-bitext-mining could not be loaded .* name a folder with --data\): no net"
    ):
        evaluate(Counting(), "tatoeba", cache=tmp_path)  # type: ignore[arg-type]


def fails(*_: object, **__: object) -> None:
    raise ConnectionError("no net\nat all")
