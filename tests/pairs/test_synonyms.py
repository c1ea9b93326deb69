from __future__ import annotations

import gzip
import json
import os
import random
from collections import Counter
from itertools import combinations, islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from align import synonym_pairs
from align.errors import InputError
from align.files.whole import read_json
from align.pairs import Lexicon, PairShare, Pivot, WordFilters
from align.pairs.filters.held_out import EvaluationWords
from align.pairs.lexicons.entities import entity_words, locale_language
from align.pairs.lexicons.format import ConceptWord, WordPair
from align.pairs.lexicons.lexicon import lexicon_rows, licence_of
from align.pairs.lexicons.registry import format_of
from align.text.languages import script_share
from align.text.normal_forms import normalised

EN_DE = "eng_Latn-deu_Latn"


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(line + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def build(sources, out, **options):
    manifest = synonym_pairs(sources, out, **options)
    assert manifest == read_json(out / "manifest.json")
    words = manifest["words"]
    assert words["read"] == words["kept"] + words["rejected"] + words["left_out"]
    assert manifest["lines"] == words["read"] + manifest["pairs"]["lines"]
    assert manifest["lines"] == sum(source["lines"] for source in manifest["sources"])
    rejected = sum(manifest["rejects"].values()) - words["rejected"]
    assert sum(manifest["pairs"].values()) == manifest["rows"] + rejected + sum(manifest["left_out"].values())
    assert sum(manifest["language_pairs"].values()) == manifest["rows"]
    assert sum(manifest["rejects"].values()) == len(rejects(out))
    return manifest


def rows(out):
    return pq.read_table(out / "pairs.parquet").to_pylist()


def sides(out):
    return [(row["source"], row["target"]) for row in rows(out)]


def rejects(out):
    if not (out / "rejects.tsv").exists():
        return []
    lines = (out / "rejects.tsv").read_text(encoding="utf-8").split("\n")[1:-1]
    return [(reason, Path(file).name, int(line)) for reason, file, line, _ in (line.split("\t") for line in lines)]


def panlex(path, *words):
    """(meaning, variety, word) rows under the columns of PanLex."""
    lines = ["id\tlangvar\ttxt\ttxt_degr\tmeaning\tlangvar_uid"]
    lines += [f"{i}\t187\t{word}\t{word}\t{meaning}\t{variety}" for i, (meaning, variety, word) in enumerate(words)]
    return Lexicon(write(path, *lines), "panlex")


def test_a_line_of_broken_bytes_is_set_aside(tmp_path):
    path = write(tmp_path / "en-de.txt", "dog Hund", "street BAD", "cat Katze")
    path.write_bytes(path.read_bytes().replace(b"BAD", b"Stra\xdfe"))
    build({EN_DE: path}, tmp_path / "out")
    assert [row["source"] for row in rows(tmp_path / "out")] == ["dog", "cat"]
    assert rejects(tmp_path / "out") == [("invalid UTF-8", "en-de.txt", 2)]


def test_panlex_knows_no_macrolanguages(tmp_path):
    source = panlex(tmp_path / "m.tsv", (1, "eng-000", "rain"), (1, "cmn-000", "雨"), (1, "arb-000", "مطر"))
    build(source, tmp_path / "out", languages=["eng_Latn", "zho_Hans", "ara_Arab"])
    assert {frozenset((row["source_lang"], row["target_lang"])) for row in rows(tmp_path / "out")} == {
        frozenset(two) for two in (("eng_Latn", "zho_Hans"), ("eng_Latn", "ara_Arab"), ("zho_Hans", "ara_Arab"))
    }
    with pytest.raises(InputError, match="no word in deu_Latn, fra_Latn; there are words in eng, cmn, arb$"):
        build(source, tmp_path / "no", languages=["fra_Latn", "deu_Latn"])


def test_a_dictionary(tmp_path):
    path = write(tmp_path / "en-de.txt", "dog Hund", "dog\tKöter", "dog\tgroßer Hund", "cat Katze")
    manifest = build({EN_DE: path}, tmp_path / "out", licence="CC0")
    expected = {"source_lang": "eng_Latn", "target_lang": "deu_Latn", "kind": "synonym"}
    assert rows(tmp_path / "out") == [
        {"source": "dog", "target": "Hund", "group_id": "eng_Latn:dog"} | expected,
        {"source": "dog", "target": "Köter", "group_id": "eng_Latn:dog"} | expected,
        {"source": "dog", "target": "großer Hund", "group_id": "eng_Latn:dog"} | expected,
        {"source": "cat", "target": "Katze", "group_id": "eng_Latn:cat"} | expected,
    ]
    entry = {"name": str(path), "format": "dictionary", "languages": ["deu_Latn", "eng_Latn"], "licence": "CC0"}
    assert manifest["sources"] == [
        entry | {"lines": 4, "sha256": manifest["sources"][0]["sha256"]},
    ]
    assert (manifest["kind"], manifest["licences"]) == ("synonym", ["CC0"])
    assert manifest["language_pairs"] == {"deu_Latn-eng_Latn": 4}


@pytest.mark.parametrize("name", ["a.tsv", "a.txt.gz", "a.trans", "a"])
def test_how_dictionaries_are_given(tmp_path, name):
    path = write(tmp_path / "in" / f"{EN_DE}.{name}", "dog\tHund")
    for given in (
        path,
        str(path),
        [path],
        {EN_DE: path},
        Lexicon(path),
        [Lexicon(path, languages=("eng_Latn", "deu_Latn"))],
    ):
        build(given, tmp_path / "out")
        assert sides(tmp_path / "out") == [("dog", "Hund")]
    if name != "a":
        build(tmp_path / "in", tmp_path / "out")
        assert sides(tmp_path / "out") == [("dog", "Hund")]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["<?xml version='1.0'?>", "<Error>"],
            "line 1: expected a dictionary .*got an XML or HTML page.*<.xml version",
        ),
        (["", "  <!DOCTYPE html>"], "line 2: expected a dictionary .*got an XML or HTML page"),
        (["<html><body>"], "line 1: .*an XML or HTML page"),
        (["<Error><Code>AccessDenied</Code></Error>"], "line 1: .*an XML or HTML page"),
        (
            ["the big dog", "big dog Hund"],
            r"a.txt, line 1: expected source and target.*got 3 columns; entries of several",
        ),
        (["dog"], "a.txt, line 1: expected source and target, with a tab or a space between them, got 1 columns$"),
        (["dog\tHund\t0.5"], "a.txt, line 1: expected source TAB target, got 3 columns$"),
        ([], "a.txt holds no word$"),
        ([""], r"no pair is left to write; set aside: \{'empty': 1\}"),
    ],
)
def test_bad_dictionaries(tmp_path, lines, message):
    with pytest.raises(InputError, match=message):
        build({EN_DE: write(tmp_path / "a.txt", *lines)}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_hard_space_is_part_of_a_word(tmp_path):
    build({EN_DE: write(tmp_path / "a.txt", "big\u00a0dog  Hund ")}, tmp_path / "out")
    assert sides(tmp_path / "out") == [("big\u00a0dog", "Hund")]


def test_no_markup_but_words(tmp_path):
    path = write(tmp_path / "a.txt", "<3 Liebe", "dog Hund")
    build({EN_DE: path}, tmp_path / "out")
    assert rejects(tmp_path / "out") == [("source: no letter", "a.txt", 1)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "no words are given"),
        ("nowhere.tsv", "no such file: nowhere.tsv"),
        ({"eng_Latn": "a.txt"}, "expected the codes of two languages, such as eng_Latn-deu_Latn, got eng_Latn"),
        ("a.txt", "unknown language code 'a'"),
        ({"en-de": "a.txt"}, "unknown language code 'en'.*did you mean eng_"),
        (
            [Lexicon("a.txt", languages=("eng_Latn", "deu_Latn"))] * 2,
            "a.txt is given 2 times; expected each source once",
        ),
        (Lexicon("a.txt", "panlex"), "PanLex names no scripts, so name the languages"),
        (Lexicon("b.tsv", "entities"), "no such file: b.tsv"),
        (Lexicon("a.txt", "entities"), "a.txt: expected names in a file that ends in .tsv, .jsonl"),
    ],
)
def test_bad_sources(tmp_path, monkeypatch, given, message):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.txt", "dog Hund")
    with pytest.raises(InputError, match=message):
        synonym_pairs(given, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"languages": ["de"]}, "unknown language code 'de'"),
        ({"span": "between"}, "span is one of within, across, both; got 'between'"),
        ({"per_concept": 0}, "per_concept must be at least 1, or None for all pairs; got 0"),
        ({"exclude_level": "line"}, "exclude_level is one of word, pair; got 'line'"),
        ({"pivot": "english"}, "unknown language code 'english'"),
    ],
)
def test_bad_options(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        synonym_pairs({EN_DE: write(tmp_path / "a.txt", "dog Hund")}, tmp_path / "out", **options)


def test_each_reject_has_its_reason(tmp_path):
    lines = [
        "dog\tHund", "\tKatze", "cat\t", "", "x\tKatze", "cat\tK" + "a" * 50, "404\tvierhundert", "B2\tNiveau",
        "кошка\tKatze", "a b c d e\tlang", "Auto\tauto", "Dog\tHUND", "cat\tmit 2", "man\tMann",
    ]  # fmt: skip
    manifest = build(
        {EN_DE: write(tmp_path / "a.tsv", *lines)}, tmp_path / "out", exclude=write(tmp_path / "t.txt", "MAN x")
    )
    assert rejects(tmp_path / "out") == [
        ("empty", "a.tsv", 2),
        ("empty", "a.tsv", 3),
        ("empty", "a.tsv", 4),
        ("source: too short", "a.tsv", 5),
        ("target: too long", "a.tsv", 6),
        ("source: no letter", "a.tsv", 7),
        ("source: digit", "a.tsv", 8),
        ("source: other script", "a.tsv", 9),
        ("source: too many words", "a.tsv", 10),
        ("identical", "a.tsv", 11),
        ("duplicate", "a.tsv", 12),
        ("target: digit", "a.tsv", 13),
        ("in a test set", "a.tsv", 14),
    ]
    assert manifest["identical_pairs"] == 1 and manifest["rows"] == 1


def test_filters_can_be_wider(tmp_path):
    lines = ["x\tKatze", "B2\tNiveau", "a b c d e\tlang", "Auto\tauto", "кошка ab\tKatze"]
    filters = WordFilters(1, max_words=5, min_script_share=0.2, digits="keep", identical="keep")
    manifest = build({EN_DE: write(tmp_path / "a.tsv", *lines)}, tmp_path / "out", filters=filters)
    assert (manifest["rows"], manifest["identical_pairs"], manifest["rejects"]) == (5, 1, {})


def test_words_in_lower_case_keep_their_concepts(tmp_path):
    given = write(tmp_path / f"{EN_DE}.tsv", "Bank\tUfer", "bank\tUFER", "Istanbul\tBank")
    assert sides_of(given, tmp_path / "kept", WordFilters()) == [
        ("Bank", "Ufer", "eng_Latn:Bank"), ("Istanbul", "Bank", "eng_Latn:Istanbul")
    ]  # fmt: skip
    assert sides_of(given, tmp_path / "lower", WordFilters(case="lower")) == [
        ("bank", "ufer", "eng_Latn:Bank"), ("istanbul", "bank", "eng_Latn:Istanbul")
    ]  # fmt: skip


def test_glosses_keep_their_case(tmp_path, monkeypatch):
    bank = ConceptWord("w", 1, "i1", "eng_Latn", "Bank", "A Place of Money")
    geldhaus = ConceptWord("w", 2, "i1", "deu_Latn", "Geldhaus")
    monkeypatch.setattr("align.pairs.lexicons.candidates.lexicon_rows", lambda *_: iter([bank, geldhaus]))
    given, lower = [Lexicon(write(tmp_path / "w", ""), "wordnet")], WordFilters(case="lower")
    build(given, tmp_path / "out", glosses=True, filters=lower)
    assert sides(tmp_path / "out") == [("bank", "A Place of Money"), ("bank", "geldhaus")]


def sides_of(given, out, filters):
    manifest = build(given, out, filters=filters)
    assert manifest["rejects"] == {"duplicate": 1}  # that of the other case, either way
    assert manifest["options"]["filters"]["case"] == filters.case
    return [(row["source"], row["target"], row["group_id"]) for row in rows(out)]


def test_a_chinese_character_is_a_word(tmp_path):
    path = write(tmp_path / "a.tsv", "cat\t猫", "cat\tк", "dog\tdog")
    build({"eng_Latn-cmn_Hans": path}, tmp_path / "out")
    assert sides(tmp_path / "out") == [("cat", "猫")]
    assert rejects(tmp_path / "out") == [("target: other script", "a.tsv", 2), ("target: other script", "a.tsv", 3)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_letters": 0}, "min_letters and max_words must be at least 1, got 0 and 4"),
        ({"max_words": 0}, "min_letters and max_words must be at least 1, got 2 and 0"),
        ({"max_chars": 0}, "1 <= min_chars <= max_chars"),
        ({"gloss_chars": 1}, "1 <= min_chars <= max_chars"),
        ({"min_script_share": 0.0}, "min_script_share must lie in"),
        ({"digits": "no"}, "digits is one of drop, keep; got 'no'"),
        ({"identical": "no"}, "identical is one of drop, keep; got 'no'"),
        ({"case": "upper"}, "case is one of keep, lower; got 'upper'"),
    ],
)
def test_bad_filters(options, message):
    with pytest.raises(InputError, match=message):
        WordFilters(**options)


def test_duplicates_are_unordered_and_of_any_source(tmp_path):
    one = write(tmp_path / "a.txt", "dog Hund", "dog Hund", "chat Chat")
    two = write(tmp_path / "b.txt", "Hund dog", "Chat chat")
    three = write(tmp_path / "c.txt", "dog Hund")
    given = {EN_DE: one, "deu_Latn-eng_Latn": two, "eng_Latn-nld_Latn": three}
    build(given, tmp_path / "out", filters=WordFilters(identical="keep"))
    assert sides(tmp_path / "out") == [("dog", "Hund"), ("chat", "Chat"), ("dog", "Hund")]
    assert [r for r, *_ in rejects(tmp_path / "out")] == ["duplicate"] * 3


WORDS = [
    (1, "eng-000", "dog"), (1, "eng-000", "hound"), (1, "deu-000", "Hund"), (1, "fra-000", "chien"),
    (2, "eng-000", "cat"), (2, "deu-001", "Katze"), (3, "eng-000", "alone"), (2, "eng-000", "CAT"),
    (4, "rus-000", "кот"), (4, "rus-000", "кошка"),
]  # fmt: skip


@pytest.mark.parametrize("span", ["within", "across", "both"])
def test_pairs_of_a_concept_against_a_loop(tmp_path, span):
    codes = {"eng": "eng_Latn", "deu": "deu_Latn", "fra": "fra_Latn"}
    expected = set()
    for one, two in combinations(WORDS, 2):
        inside = one[1][:3] == two[1][:3]
        if one[0] == two[0] and {one[1][:3], two[1][:3]} <= codes.keys() and one[2] != "CAT" != two[2]:
            sides_of = frozenset((codes[word[1][:3]], word[2]) for word in (one, two))
            expected |= {(f"panlex:{one[0]}", sides_of)} if span == "both" or inside == (span == "within") else set()
    source = panlex(tmp_path / "meanings.tsv", *WORDS)
    manifest = build([source], tmp_path / "out", languages=list(codes.values()), span=span, licence="CC0")
    got = [
        (row["group_id"], frozenset([(row["source_lang"], row["source"]), (row["target_lang"], row["target"])]))
        for row in rows(tmp_path / "out")
    ]
    assert len(got) == len(expected) and set(got) == expected
    assert rejects(tmp_path / "out") == [("twice in its concept", "meanings.tsv", 9)]
    assert manifest["words"] == {"read": 10, "kept": 7, "rejected": 1, "left_out": 2, "alone": 1}
    assert (manifest["concepts"], manifest["pairs"]["from_concepts"]) == (3, len(expected))
    assert manifest["sources"][0]["languages"] == sorted(codes.values())


def test_per_concept_is_a_seeded_draw(tmp_path):
    words = [(meaning, "eng-000", f"{meaning * 'w'}{chr(97 + i)}") for meaning in (1, 2) for i in range(8)]
    source = panlex(tmp_path / "m.tsv", *words)
    drawn = []
    for seed in (0, 0, 1):
        manifest = build(source, tmp_path / "out", languages=["eng_Latn"], per_concept=5, share=PairShare(seed=seed))
        assert Counter(row["group_id"] for row in rows(tmp_path / "out")) == {"panlex:1": 5, "panlex:2": 5}
        assert manifest["left_out"] == {"beyond per_concept": 2 * (28 - 5)}
        drawn.append(sides(tmp_path / "out"))
    assert drawn[0] == drawn[1] != drawn[2]
    letters = [source[-1] + target[-1] for source, target in drawn[0]]
    assert set(map(frozenset, letters[:5])) != set(map(frozenset, letters[5:]))  # concepts are drawn apart
    assert build(source, tmp_path / "out", languages=["eng_Latn"], per_concept=27)["rows"] == 54
    assert build(source, tmp_path / "out", languages=["eng_Latn"], per_concept=None)["rows"] == 56
    build(panlex(tmp_path / "m.tsv", *words[8:]), tmp_path / "out", languages=["eng_Latn"], per_concept=5)
    assert sides(tmp_path / "out") == drawn[0][5:]  # the draw of a concept does not depend on the others


def test_every_language_is_on_either_side(tmp_path):
    words = [
        (i, f"{code}-000", chr(97 + i // 26) + chr(97 + i % 26) + code) for i in range(60) for code in ("eng", "deu")
    ]
    build(panlex(tmp_path / "m.tsv", *words), tmp_path / "out", languages=["eng_Latn", "deu_Latn"])
    counts = Counter(row["source_lang"] for row in rows(tmp_path / "out"))
    assert counts["eng_Latn"] > 15 and counts["deu_Latn"] > 15 and sum(counts.values()) == 60


def test_a_concept_of_too_many_words(tmp_path):
    words = [(0, "eng-000", "w" + "".join(chr(97 + int(digit)) for digit in str(i))) for i in range(5001)]
    with pytest.raises(
        InputError, match=r"m.tsv, line 2: the concept 'panlex:0' has 5001 words; expected at most 5000"
    ):
        synonym_pairs(panlex(tmp_path / "m.tsv", *words), tmp_path / "out", languages=["eng_Latn"])


def test_panlex_rows(tmp_path):
    words = [
        (7, "srp-000", "pas"), (7, "srp-001", "пас"), (7, "srp-000", '"a ""b"" c"'), ("", "srp-000", "x"),
        (7, "srp-000", ""), (7, "eng-000", "dog"),
    ]  # fmt: skip
    source = panlex(tmp_path / "m.tsv.gz", *words)
    got = list(lexicon_rows(source, ["srp_Cyrl", "srp_Latn"]))
    name = str(tmp_path / "m.tsv.gz")
    assert got[:3] == [
        ConceptWord(name, 2, "panlex:7", "srp_Latn", "pas"),
        ConceptWord(name, 3, "panlex:7", "srp_Cyrl", "пас"),
        ConceptWord(name, 4, "panlex:7", "srp_Latn", 'a "b" c'),
    ]
    assert [row.problem for row in got] == ["", "", "", "no meaning", "empty", ""]
    assert got[5].language == "eng"
    with pytest.raises(InputError, match="expected a column 'langvar_uid'; found txt, meaning"):
        list(lexicon_rows(Lexicon(write(tmp_path / "b.tsv", "txt\tmeaning", "a\t1"), "panlex"), ["eng_Latn"]))
    with pytest.raises(InputError, match="no such file: .*none.tsv"):
        list(lexicon_rows(Lexicon(tmp_path / "none.tsv", "panlex"), ["eng_Latn"]))


def test_panlex_from_the_hub(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    asked = []
    content = {"eng": [(5, "dog"), (6, "cat"), (8, None)], "deu": [(5, "Hund"), (7, "Maus")]}

    def load_dataset(name, config, **options):
        asked.append((name, config, options))
        return iter([{"txt": w, "meaning": m, "langvar_uid": f"{config}-000"} for m, w in content[config]])

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    source = Lexicon("cointegrated/panlex-meanings", "panlex")
    manifest = build(source, tmp_path / "out", languages=["eng_Latn", "deu_Latn"])
    options = {"split": "train", "revision": None, "streaming": True}
    assert sorted(asked) == [(source.source, "deu", options), (source.source, "eng", options)]
    assert {frozenset(pair) for pair in sides(tmp_path / "out")} == {frozenset(("dog", "Hund"))}
    assert (manifest["licences"], manifest["words"]["alone"], manifest["rejects"]) == (["CC0-1.0"], 2, {"empty": 1})


def test_languages(tmp_path, caplog):
    given = {EN_DE: write(tmp_path / "a.txt", "dog Hund"), "eng_Latn-fra_Latn": write(tmp_path / "b.txt", "dog chien")}
    manifest = build(given, tmp_path / "out", languages=["eng_Latn", "fra_Latn", "hin_Deva"])
    assert sides(tmp_path / "out") == [("dog", "chien")]
    assert manifest["left_out"] == {"other language": 1}
    assert manifest["languages_without_pairs"] == ["hin_Deva"] and "no pair is left of hin_Deva" in caplog.text


BARKS = "an animal that barks, and that has been at the side of people for ten thousand years"


def test_glosses_and_self_pairs(tmp_path, monkeypatch):
    glossed = [
        ConceptWord("w", 1, "i1", "eng_Latn", "dog", BARKS),
        ConceptWord("w", 2, "i1", "eng_Latn", "hound", BARKS),
        ConceptWord("w", 3, "i2", "eng_Latn", "cat", "лающее животное"),
        ConceptWord("w", 4, "i2", "eng_Latn", "", problem="no lemma"),
        WordPair("w", 5, "eng_Latn", "eng_Latn", "fish", "it swims", "eng_Latn:fish", kind="gloss"),
        WordPair("w", 6, "eng_Latn", "deu_Latn", "fish", "Fisch", "eng_Latn:fish"),
    ]
    monkeypatch.setattr("align.pairs.lexicons.candidates.lexicon_rows", lambda *_: iter(glossed))
    source = Lexicon("w", "wordnet")
    manifest = build(source, tmp_path / "out")
    assert manifest["left_out"] == {"gloss": 1} and manifest["rejects"] == {"no lemma": 1}
    assert {row["kind"] for row in rows(tmp_path / "out")} == {"synonym"}
    manifest = build(source, tmp_path / "out", glosses=True, self_pairs=True, languages=["eng_Latn"])
    assert manifest["rejects"] == {"no lemma": 1, "gloss: other script": 1}
    assert manifest["left_out"] == {"other language": 1}
    got = {(row["kind"], row["source"], row["target"], row["group_id"]) for row in rows(tmp_path / "out")}
    assert got - {("synonym", "dog", "hound", "i1"), ("synonym", "hound", "dog", "i1")} == {
        ("gloss", "dog", BARKS, "i1"),
        ("gloss", "hound", BARKS, "i1"),
        ("gloss", "fish", "it swims", "eng_Latn:fish"),
        ("self", "dog", "dog", "i1"),
        ("self", "hound", "hound", "i1"),
        ("self", "cat", "cat", "i2"),
        ("self", "fish", "fish", "eng_Latn:fish"),
    }
    assert manifest["identical_pairs"] == 0 and manifest["pairs"]["self"] == 4


def test_rows_are_drawn_by_language_pair(tmp_path):
    alphabet = [a + b for a in "abcdefghij" for b in "abcdefghij"]
    many = write(tmp_path / "a.txt", *(f"en{w} de{w}" for w in alphabet[:81]))
    few = write(tmp_path / "b.txt", *(f"en{w} fr{w}" for w in alphabet[:4]))
    given = {EN_DE: many, "eng_Latn-fra_Latn": few}
    manifest = build(given, tmp_path / "out", share=PairShare(rows=22))
    assert manifest["language_pairs"] == {"deu_Latn-eng_Latn": 18, "eng_Latn-fra_Latn": 4}  # sqrt(81):sqrt(4) = 9:2
    assert manifest["left_out"] == {"not sampled": 63}
    first = sides(tmp_path / "out")
    assert len(set(first)) == 22
    build(given, tmp_path / "out", share=PairShare(rows=22))
    assert sides(tmp_path / "out") == first
    build(given, tmp_path / "out", share=PairShare(rows=22, seed=1))
    assert sides(tmp_path / "out") != first
    assert build(given, tmp_path / "out", share=PairShare(cap=3))["left_out"] == {"not sampled": 79}


EXCLUDED = [
    ("dog", "Hund"), ("Hund", "puppy"), ("cat", "Katze"), ("house", "Haus"), ("katze", "Mieze"), ("tree", "Baum"),
]  # fmt: skip


@pytest.mark.parametrize("level", ["word", "pair"])
@pytest.mark.parametrize("seed", [0, 1])
def test_decontamination_against_a_loop(tmp_path, level, seed):
    generator = random.Random(seed)
    vocabulary = ["Dog", "hund", "puppy", "cat", "KATZE", "house", "tree", "Baum", "sea", "Meer"]
    lines = sorted({(generator.choice(vocabulary), generator.choice(vocabulary)) for _ in range(60)})
    lines = [pair for pair in lines if pair[0] != pair[1]]
    held = {normalised(word) for pair in EXCLUDED for word in pair}
    held_pairs = {frozenset(map(normalised, pair)) for pair in EXCLUDED}
    expected, seen = [], set()
    for pair in lines:
        key = frozenset(("eng", normalised(pair[0])) if side == 0 else ("deu", normalised(pair[1])) for side in (0, 1))
        words = set(map(normalised, pair))
        bad = words & held if level == "word" else frozenset(words) in held_pairs
        if key not in seen and not bad:
            expected.append(pair)
        seen.add(key)
    test = write(tmp_path / "test.tsv", *(f"{a}\t{b}" for a, b in EXCLUDED))
    path = write(tmp_path / "a.tsv", *(f"{a}\t{b}" for a, b in lines))
    manifest = build({EN_DE: path}, tmp_path / "out", exclude=test, exclude_level=level)
    assert sides(tmp_path / "out") == expected
    entry = manifest["excluded"][str(test)]
    assert (entry["words"], entry["pairs"]) == (len(held), len(held_pairs))
    assert entry["removed"] == manifest["rejects"]["in a test set"] > 0
    assert entry["removed_same_pair"] <= entry["removed"] and (
        level == "word" or entry["removed_same_pair"] == entry["removed"]
    )
    assert manifest["options"]["exclude_level"] == level


@pytest.mark.parametrize(
    ("name", "lines", "words"),
    [
        ("a.txt", ["dog Hund"], {"dog", "hund"}),
        ("a.trans.gz", ["dog\tder Hund"], {"dog", "der hund"}),
        ("a.txt", ["dog"], {"dog"}),
        ("a.tsv", ["dog\tHund\tNoun\t3.5"], {"dog", "hund"}),
        ("a.txt", ["", "dog Hund 3.5"], {"dog", "hund"}),
        ("a.csv", ["ID,ENG,FRA,PoS,score", '1,dog,"chien, gros",nouns,3.5'], {"dog", "chien, gros"}),
        ("a.csv", ["one,two", "dog,chien"], {"dog", "chien"}),
    ],
)
def test_formats_of_test_sets(tmp_path, name, lines, words):
    held = EvaluationWords(write(tmp_path / name, *lines))
    assert held.described()[str(tmp_path / name)]["words"] == len(words)
    assert all(held.meets(word, "other") and held.meets("other", word) for word in words)
    assert not held.meets("other", "nouns")


def test_marks_that_nothing_shows_hide_no_test_word(tmp_path):
    write(
        tmp_path / "eng_Latn-deu_Latn.tsv",
        "boat\u200b\tKahn",
        "\ufeffhouse\tHaus",
        "well\tBrun\u00adnen",
        "chair\tStuhl",
    )
    write(tmp_path / "test.txt", "boat Boot", "hau\u200es Heim", "Brunnen x")
    build([tmp_path / "eng_Latn-deu_Latn.tsv"], tmp_path / "out", exclude=[tmp_path / "test.txt"])
    assert sides(tmp_path / "out") == [("chair", "Stuhl")]


def test_test_sets_by_folder_and_pattern(tmp_path):
    write(tmp_path / "sets" / "deep" / "a.test.tsv", "dog\tHund")
    write(tmp_path / "sets" / ".hidden", "cat Katze")
    write(tmp_path / "sets" / "b.test.txt", "sea Meer")
    path = write(tmp_path / "a.txt", "dog Welpe", "cat Katze", "sea See", "dog Meer")
    given = [tmp_path / "sets", str(tmp_path / "sets" / "*.test.*")]
    manifest = build({EN_DE: path}, tmp_path / "out", exclude=given)
    assert sides(tmp_path / "out") == [("cat", "Katze")]
    counts = {"removed_same_pair": 0}
    assert manifest["excluded"] == {
        str(given[0]): {"words": 4, "pairs": 2, "removed": 3} | counts,
        str(given[1]): {"words": 2, "pairs": 1, "removed": 2} | counts,
    }


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("t.txt", ["<html>"], "t.txt, line 1: expected a dictionary .*XML or HTML"),
        ("t.txt", ["big dog Hund"], "t.txt, line 1: expected two words, with a tab between them, got 3"),
        ("t.txt", [" ", ""], "t.txt holds no word to leave out"),
        ("*.none", [], "no file matches .*none"),
        ("none.txt", None, "no such file"),
    ],
)
def test_bad_test_sets(tmp_path, name, lines, message):
    if lines is not None and "*" not in name:
        write(tmp_path / name, *lines)
    with pytest.raises(InputError, match=message):
        synonym_pairs({EN_DE: write(tmp_path / "a.txt", "dog Hund")}, tmp_path / "out", exclude=tmp_path / name)
    assert not (tmp_path / "out").exists()


def test_pivot_joins_dictionaries(tmp_path):
    given = {
        EN_DE: write(tmp_path / "de.txt", "bank Bank", "bank Ufer", "shore Ufer", "dog Hund"),
        "fra_Latn-eng_Latn": write(tmp_path / "fr.txt", "banque bank", "rive Bank", "rive shore", "chien dog"),
    }
    direct = write(tmp_path / "deu_Latn-fra_Latn.txt", "Bank banque", "Ufer rive", "Meer mer", "Bank banc")
    pivot = Pivot(direct=(direct,))
    manifest = build(given, tmp_path / "out", pivot=pivot)
    joined = [
        (row["source"], row["target"], row["group_id"]) for row in rows(tmp_path / "out") if row["kind"] == "pivot"
    ]
    assert joined == [
        ("Bank", "banque", "eng_Latn:bank"),
        ("Bank", "rive", "eng_Latn:bank"),
        ("Ufer", "banque", "eng_Latn:bank"),
        ("Ufer", "rive", "eng_Latn:bank"),
        ("Hund", "chien", "eng_Latn:dog"),
    ]
    # judged: the four of Bank and Ufer; in the direct dictionary: Bank-banque, Ufer-rive, of its four pairs
    one = {"joined": 5, "judged": 4, "correct": 2, "precision": 0.5, "recall": 0.5}
    two = {"joined": 1, "judged": 1, "correct": 1, "precision": 1.0, "recall": 0.25}
    three = {"joined": 0, "judged": 0, "correct": 0, "precision": None, "recall": 0.0}
    assert manifest["pivot"] == {"deu_Latn-fra_Latn": {"direct": 4, "routes": {"1": one, "2": two, "3": three}}}
    assert manifest["options"]["pivot"] == {"language": "eng_Latn", "min_routes": 1, "direct": [str(direct)]}

    manifest = build(given, tmp_path / "out", pivot=Pivot(min_routes=2), languages=["deu_Latn", "fra_Latn"])
    assert [(row["source"], row["target"]) for row in rows(tmp_path / "out")] == [("Ufer", "rive")]
    assert manifest["left_out"] == {"fewer routes": 4, "other language": 8} and manifest["pivot"] == {}


def test_joined_pairs_beside_a_direct_dictionary(tmp_path):
    given = {
        EN_DE: write(tmp_path / "de.txt", "dog Hund", "dog Rüde"),
        "eng_Latn-fra_Latn": write(tmp_path / "fr.txt", "dog chien"),
        "fra_Latn-deu_Latn": write(tmp_path / "x.txt", "chien Hund"),
    }
    manifest = build(given, tmp_path / "out", pivot="eng_Latn")
    assert manifest["rejects"] == {"duplicate": 1} and manifest["rows"] == 5
    assert manifest["pivot"]["deu_Latn-fra_Latn"]["routes"]["1"]["precision"] == 1.0  # Rüde is not judged


def test_lower_case_is_that_of_the_language(tmp_path):
    """And a test set that has the word in lower case keeps out its capitals."""
    path = write(tmp_path / "eng_Latn-tur_Latn.tsv", "city\tİstanbul", "light\tIŞIK", "heat\tISI")
    tests = write(tmp_path / "test.tsv", "glow\tışık")
    manifest = build(path, tmp_path / "out", filters=WordFilters(case="lower"), exclude=[tests])
    assert sides(tmp_path / "out") == [("city", "istanbul"), ("heat", "ısı")]
    assert manifest["rejects"] == {"in a test set": 1}


def test_entities(tmp_path):
    path = write(
        tmp_path / "cldr-territories.tsv",
        "code\ten\tde\tsr-Latn\txq\tzh_TW",
        "DE\tGermany\tDeutschland\tNemačka\tGermania\t德國",
        "FR\tFrance\t\t\t\tFrance",
    )
    manifest = build(Lexicon(path, "entities"), tmp_path / "out", per_concept=None)
    words = {"eng_Latn": "Germany", "deu_Latn": "Deutschland", "srp_Latn": "Nemačka", "cmn_Hant": "德國"}
    assert {frozenset(pair) for pair in sides(tmp_path / "out")} == {
        frozenset(two) for two in combinations(words.values(), 2)
    }
    assert {row["group_id"] for row in rows(tmp_path / "out")} == {"cldr-territories:DE"}
    assert manifest["rejects"] == {"unknown locale xq": 1, "other script": 1}
    assert (manifest["licences"], manifest["sources"][0]["languages"]) == (["Unicode-3.0"], sorted(words))


def test_entities_by_english_name_and_lists(tmp_path):
    table = write(tmp_path / "iso-codes-iso_4217.tsv", "en\tsr@latin", "Euro\tevro")
    lists = write(tmp_path / "words.jsonl", '{"char": "x", "en": ["brace", "curly"], "el": ["άγκιστρο"]}')
    given = [Lexicon(table, "entities"), Lexicon(lists, "entities", licence="CC0")]
    manifest = build(given, tmp_path / "out", licence="mine")
    assert {frozenset(pair) for pair in sides(tmp_path / "out")} == {
        frozenset(("Euro", "evro")),
        frozenset(("brace", "curly")),
        frozenset(("brace", "άγκιστρο")),
        frozenset(("curly", "άγκιστρο")),
    }
    assert {row["group_id"] for row in rows(tmp_path / "out")} == {"iso-codes-iso_4217:Euro", "words:x"}
    assert manifest["licences"] == ["CC0", "LGPL-2.1-or-later"]


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("a.tsv", ["a\tb", "1\t2"], "a.tsv, line 1: expected a key and locales, such as code TAB en TAB de, got a, b"),
        ("a.tsv", ["code\ten", "DE\tGermany\tx"], "a.tsv, line 2: expected 2 columns as in line 1, got 3"),
        ("a.jsonl", ['{"char": "x", "en": "brace"}'], "a.jsonl, line 1: expected a list of names in 'en', got 'brace'"),
        ("a.tsv", ["code\ten"], "a.tsv holds no word"),
    ],
)
def test_bad_entities(tmp_path, name, lines, message):
    with pytest.raises(InputError, match=message):
        synonym_pairs(Lexicon(write(tmp_path / name, *lines), "entities"), tmp_path / "out")


LMF = """<?xml version="1.0" encoding="UTF-8"?>
<LexicalResource>
  <Lexicon id="x-{code}" label="A &amp; B" language="{code}" email="a" license="CC0 &amp; more" version="1">
    <LexicalEntry id="w1"><Lemma writtenForm="{word}" partOfSpeech="n"/><Sense id="s1" synset="x-1"/></LexicalEntry>
    <Synset id="x-1" ili="i7" partOfSpeech="n"><Definition>{gloss}</Definition></Synset>
  </Lexicon>
</LexicalResource>
"""


def test_wordnets_meet_on_the_index(tmp_path):
    given = []
    for code, word, gloss in (("en", "dog", "it barks"), ("de", "Hund", "er bellt")):
        path = write(tmp_path / f"{code}.xml.gz", *LMF.format(code=code, word=word, gloss=gloss).splitlines())
        given.append(Lexicon(path, "wordnet"))
    manifest = build(given, tmp_path / "out", glosses=True)
    assert {
        (row["kind"], row["group_id"], frozenset((row["source"], row["target"]))) for row in rows(tmp_path / "out")
    } == {
        ("synonym", "i7", frozenset(("dog", "Hund"))),
        ("gloss", "i7", frozenset(("dog", "it barks"))),
        ("gloss", "i7", frozenset(("Hund", "er bellt"))),
    }
    assert manifest["licences"] == ["CC0 & more"]
    assert [source["languages"] for source in manifest["sources"]] == [["eng_Latn"], ["deu_Latn"]]


def test_licences_that_are_known(tmp_path):
    names = {
        "freedict": "GPL (FreeDict; see the notice of the dictionary)",
        "kaikki": "CC-BY-SA-4.0 and GFDL (Wiktionary)",
    }
    assert {name: licence_of(Lexicon("a", name), "mine") for name in names} == names
    assert licence_of(Lexicon("a", "kaikki", licence="theirs"), "mine") == "theirs"
    assert licence_of(Lexicon("cldr-a.tsv", "entities", licence="theirs"), "mine") == "theirs"
    assert licence_of(Lexicon("a", "panlex"), "mine") == licence_of(Lexicon("a.tsv"), "mine") == "mine"
    assert licence_of(Lexicon(write(tmp_path / "a.xml", "<a/>"), "wordnet"), "mine") == "mine"


def test_unknown_format():
    with pytest.raises(InputError, match="the format of a lexicon is one of dictionary, freedict, .*; got 'xml'"):
        Lexicon("a", "xml")


def test_json_lines_and_parquet_of_panlex(tmp_path):
    records = [{"txt": w, "meaning": 5, "langvar_uid": f"{c}-000"} for c, w in (("eng", "dog"), ("deu", "Hund"))]
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "m.parquet")
    write(tmp_path / "m.jsonl", *map(json.dumps, records))
    for name in ("m.parquet", "m.jsonl"):
        source = Lexicon(tmp_path / name, "panlex")
        assert build(source, tmp_path / "out", languages=["eng_Latn", "deu_Latn"])["rows"] == 1


@pytest.fixture
def data():
    folder = os.environ.get("ALIGN_DATA")
    if not folder:
        pytest.skip("ALIGN_DATA is not set")
    return Path(folder)


def test_real_training_lists_hold_no_test_word(tmp_path, data):
    xling = data / "bli" / "xling"
    train = xling / "en-de" / "yacle.train.freq.5k.en-de.tsv"
    tests = sorted(xling.glob("*/*.test.*"))
    manifest = build({EN_DE: train}, tmp_path / "out", exclude=str(xling / "*" / "*.test.*"))
    lines = [line for file in tests for line in file.read_text(encoding="utf-8").split("\n")]
    held = {normalised(word) for line in lines for word in line.split("\t")}
    assert not held & {normalised(word) for pair in sides(tmp_path / "out") for word in pair}
    assert manifest["rows"] == 3840 and manifest["lines"] == 5000


def test_every_locale_of_the_real_names_has_its_script(data):
    unknown, letters = set(), Counter()
    for file in sorted((data / "entities").glob("*.tsv")):
        with file.open(encoding="utf-8") as lines:
            unknown |= {locale for locale in next(lines).rstrip("\n").split("\t")[1:] if not locale_language(locale)}
        for row in islice(entity_words(file), 4000):
            if not row.problem:
                letters[row.language, script_share(row.word, row.language[4:]) >= 0.5] += 1
    assert unknown == {"nah", "son"}  # of families
    assert len(letters) > 200
    assert not {code for code, _ in letters if letters[code, True] < letters[code, False]}


def test_panlex_with_numbers_as_floats_and_a_header_in_capitals(tmp_path):
    lines = ["TXT\tMeaning\tLangVar_UID", "rain\t1\teng-000", "Regen\t1.0\tdeu-000"]
    path = write(tmp_path / "m.tsv", *lines)
    assert format_of(path) == "panlex"
    records = [
        {"txt": "rain", "meaning": 1, "langvar_uid": "eng-000"},
        {"txt": "Regen", "meaning": 1.0, "langvar_uid": "deu-000"},
    ]
    jsonl = write(tmp_path / "m.jsonl", *map(json.dumps, records))
    build(Lexicon(jsonl, "panlex"), tmp_path / "out", languages=["eng_Latn", "deu_Latn"])
    assert [row["group_id"] for row in rows(tmp_path / "out")] == ["panlex:1"]
