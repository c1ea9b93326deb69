"""Training takes the columns that a header names, and of a table with splits the rows of train."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from align import nli_pairs, sts_pairs, translation_pairs, transliteration_pairs
from align.errors import InputError
from align.pairs.filters.held_out import EvaluationWords
from align.pairs.lexicons.dictionary import dictionary_pairs
from align.pairs.tagging.word_tables import read_lexicon
from align.tasks.texts.dictionaries import read_dictionary


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def pairs(out: Path) -> list[tuple[str, str]]:
    return [(row["source"], row["target"]) for row in pq.read_table(out / "pairs.parquet").to_pylist()]


ENGLISH, GERMAN = "The boat is old.", "Der Kahn ist alt."


@pytest.mark.parametrize(
    "lines",
    [
        ["source\ttarget", f"{ENGLISH}\t{GERMAN}"],
        ["Source\tTarget", f"{ENGLISH}\t{GERMAN}"],
        ["src\ttgt", f"{ENGLISH}\t{GERMAN}"],
        ["english\tnon_english", f"{ENGLISH}\t{GERMAN}"],
        ["en\tde", f"{ENGLISH}\t{GERMAN}"],
        ["German\tEnglish", f"{GERMAN}\t{ENGLISH}"],
        ["deu_Latn\teng_Latn", f"{GERMAN}\t{ENGLISH}"],
        ["id\tscore\ttarget\tsource", f"7\t0.9\t{GERMAN}\t{ENGLISH}"],
        ["src\tmt", f"{ENGLISH}\t{GERMAN}"],
        ["text\ttranslation", f"{ENGLISH}\t{GERMAN}"],
        [f"{ENGLISH}\t{GERMAN}\tCC BY"],
    ],
)
def test_a_bitext_by_names(tmp_path: Path, lines: list[str]) -> None:
    path = write(tmp_path / "eng_Latn-deu_Latn.tsv", *lines)
    manifest = translation_pairs(path, tmp_path / "out")
    assert pairs(tmp_path / "out") == [(ENGLISH, GERMAN)]
    assert manifest["lines"] == 1 and not manifest["rejects"]


def test_a_bitext_whose_columns_cannot_be_told(tmp_path: Path) -> None:
    path = write(tmp_path / "eng_Latn-deu_Latn.tsv", f"1276\t{ENGLISH}\t77\t{GERMAN}")
    with pytest.raises(InputError, match="line 1: a number stands where a text is expected.*'1276', 'The boat "):
        translation_pairs(path, tmp_path / "out")
    translation_pairs(path, tmp_path / "out", columns=("2", "4"))
    assert pairs(tmp_path / "out") == [(ENGLISH, GERMAN)]
    with pytest.raises(InputError, match="columns 2 and 5 are asked for, line 1 has 4"):
        translation_pairs(path, tmp_path / "out", columns=("2", "5"))
    write(path, "a\tb", f"{GERMAN}\t{ENGLISH}")
    translation_pairs(path, tmp_path / "out", columns=("b", "a"))
    assert pairs(tmp_path / "out") == [(ENGLISH, GERMAN)]
    with pytest.raises(InputError, match="line 1: expected a column 'c'; found a, b"):
        translation_pairs(path, tmp_path / "out", columns=("b", "c"))


@pytest.mark.parametrize(
    "lines",
    [
        ["source\ttarget", f"1\t{ENGLISH}\t{GERMAN}", f"2\t{ENGLISH}!\t{GERMAN}"],
        ['"target"\t"source"', f'"1"\t"{GERMAN}"\t"{ENGLISH}"', f'"2"\t"{GERMAN}"\t"{ENGLISH}!"'],
    ],
)
def test_names_of_rows_of_r_are_no_column(tmp_path: Path, lines: list[str]) -> None:
    path = write(tmp_path / "eng_Latn-deu_Latn.tsv", *lines)
    translation_pairs(path, tmp_path / "out")
    assert pairs(tmp_path / "out") == [(ENGLISH, GERMAN), (f"{ENGLISH}!", GERMAN)]


def test_a_first_row_with_a_cell_too_many_is_no_sign_of_names_of_rows(tmp_path: Path) -> None:
    path = write(
        tmp_path / "eng_Latn-deu_Latn.tsv", "source\ttarget", f"{ENGLISH}\t{GERMAN}\t", f"{ENGLISH}!\t{GERMAN}"
    )
    translation_pairs(path, tmp_path / "out")
    assert pairs(tmp_path / "out") == [(ENGLISH, GERMAN), (ENGLISH + "!", GERMAN)]


def test_names_of_rows_of_labelled_text(tmp_path: Path) -> None:
    rows = ["label\tpremise\thypothesis", "1\te\tA man rows.\tHe moves.", "2\tc\tA man rows.\tHe sleeps."]
    manifest = nli_pairs(write(tmp_path / "eng_Latn.tsv", *rows), tmp_path / "out")
    assert pairs(tmp_path / "out") == [("A man rows.", "He moves.")] and not manifest["rejects"]


def test_a_page_of_markup_is_no_bitext(tmp_path: Path) -> None:
    path = write(tmp_path / "eng_Latn-deu_Latn.tsv", "<!DOCTYPE html><html>", "<p>Not\tfound</p>")
    with pytest.raises(InputError, match="line 1: expected source TAB target, got an XML or HTML page"):
        translation_pairs(path, tmp_path / "out")


def test_human_romanisations_by_names(tmp_path: Path) -> None:
    path = write(tmp_path / "hin_Deva.tsv", "id\tRoman\tNative", "1\tnamaste dost\tनमस्ते दोस्त")
    transliteration_pairs((), tmp_path / "out", human=path)
    assert pairs(tmp_path / "out") == [("नमस्ते दोस्त", "namaste dost")]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("a.txt", ["source\ttarget", "dog\tHund"]), ("a.txt", ["de en", "Hund dog"]), ("a.txt", ["dog\tHund"]),
        ("a.txt", ["id\ttgt\tsrc", "1\tHund\tdog"]),
        ("a.tsv", ['"source"\t"target"', '"dog"\t"Hund"']), ("a.csv", ["de,en", "Hund,dog"]),
        ("a.csv", ['"",source,target', '"1","dog","Hund"']),
    ],
)  # fmt: skip
def test_a_dictionary_by_names(tmp_path: Path, name: str, lines: list[str]) -> None:
    assert read_dictionary(write(tmp_path / name, *lines), ("eng_Latn", "deu_Latn")).pairs == (("dog", "Hund"),)
    rows = dictionary_pairs(write(tmp_path / name, *lines), source_lang="eng_Latn", target_lang="deu_Latn")
    assert [(row.source, row.target) for row in rows] == [("dog", "Hund")]


@pytest.mark.parametrize("name", ["a.tsv", "a.csv"])
def test_words_to_leave_out_by_names(tmp_path: Path, name: str) -> None:
    lines = ["score\tword1\tword2", "7.5\tdog\tHund"]
    test = write(tmp_path / name, *(line.replace("\t", ",") if name == "a.csv" else line for line in lines))
    words = EvaluationWords(test)
    assert words.meets("cat", "hund") and words.meets("dog", "x") and not words.meets("score", "word1")
    assert EvaluationWords(test, level="pair").meets("hund", "dog")


NLI = ["split\tlabel\tpremise\thypothesis", "train\te\ta\tb", "test\te\tc\td", "dev\t?\te\tf", "train\tc\ta\tg"]
SCORED = ["split\tscore\tsentence1\tsentence2", "train\t5\ta\tb", "test\t\tc\td", "dev\t99\te\tf", "train\t0\ta\tg"]
BITEXT = [
    {"split": split, "source": f"one {split}", "target": f"eins {split}"} for split in ("train", "test", "validation")
]


@pytest.mark.parametrize("kind", ["nli", "sts", "translation"])
def test_rows_of_train_alone(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    if kind == "nli":
        manifest = nli_pairs(write(tmp_path / "eng_Latn.tsv", *NLI), out)
    elif kind == "sts":
        manifest = sts_pairs(write(tmp_path / "eng_Latn.tsv", *SCORED), out)
        assert manifest["observed"] == [0.0, 5.0]
    else:
        path = write(tmp_path / "eng_Latn-deu_Latn.jsonl", *map(json.dumps, BITEXT))
        manifest = translation_pairs(path, out)
    expected = {"nli": [("a", "b")], "sts": [("a", "b"), ("a", "g")], "translation": [("one train", "eins train")]}
    assert pairs(out) == expected[kind]
    assert manifest["rejects"] == {"test split": 1, "dev split": 1}


def test_texts_of_train_alone(tmp_path: Path) -> None:
    rows = [{"split": "train", "text": "один корабль"}, {"split": "test", "text": "старый дом"}]
    manifest = transliteration_pairs(write(tmp_path / "rus_Cyrl.jsonl", *map(json.dumps, rows)), tmp_path / "out")
    assert [source for source, _ in pairs(tmp_path / "out")] == ["один корабль"]
    assert manifest["rejects"] == {"test split": 1}


def test_a_lexicon_by_names(tmp_path: Path) -> None:
    for lines in (["Word\tTranslation", "dog\tHund"], ["id\ttarget\tsource", "1\tHund\tdog"], ["dog\tHund\tnoun"]):
        assert read_lexicon(write(tmp_path / "a.tsv", *lines)) == {"dog": "Hund"}


def test_a_split_that_is_none(tmp_path: Path) -> None:
    path = write(tmp_path / "eng_Latn.tsv", SCORED[0], "7\t5\ta\tb")
    with pytest.raises(InputError, match="eng_Latn.tsv, line 2: the split is '7', expected one of train, test, dev"):
        sts_pairs(path, tmp_path / "out")


def test_files_of_a_folder_that_are_named_by_their_split(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("eng_Latn.train", "eng_Latn.test", "eng_Latn.my-validation", "deu_Latn"):
        write(folder / f"{name}.tsv", "score\tsentence1\tsentence2", f"5\t{name}\tx")
    with caplog.at_level(logging.WARNING):
        sts_pairs(folder, tmp_path / "out")
    assert sorted(pairs(tmp_path / "out")) == [("deu_Latn", "x"), ("eng_Latn.train", "x")]
    assert "their names say dev or test: eng_Latn.my-validation.tsv, eng_Latn.test.tsv" in caplog.text
    sts_pairs(folder / "eng_Latn.test.tsv", tmp_path / "named")
    assert pairs(tmp_path / "named") == [("eng_Latn.test", "x")]
    for name in ("eng_Latn.train", "deu_Latn"):
        (folder / f"{name}.tsv").unlink()
    with pytest.raises(InputError, match="data holds files of the splits dev and test alone: eng_Latn.my"):
        sts_pairs(folder, tmp_path / "out")


@pytest.mark.parametrize(
    "header",
    [
        "Sentence 1\tSentence 2", "src_text\ttgt_text", "L1\tL2", "text_en\ttext_de", "en text\tde text",
        "en-US\tde-DE", "sentence_eng_Latn\tsentence_deu_Latn", "anchor\tpositive",
        "Original\tTranslation", "Query\tPassage",
    ],
)  # fmt: skip
def test_a_header_in_any_of_the_fields_spellings_is_no_pair(tmp_path, header):
    path = write(tmp_path / "a.tsv", header, f"{ENGLISH}\t{GERMAN}")
    translation_pairs({"eng_Latn-deu_Latn": path}, tmp_path / "out")
    assert pairs(tmp_path / "out") == [(ENGLISH, GERMAN)]


def test_nested_translations_and_nul_in_json_lines(tmp_path):
    """As OPUS and WMT are on the Hub; a row that holds NUL costs itself alone."""
    rows = [{"translation": {"de": GERMAN, "en": ENGLISH}}, {"translation": {"de": "a\0b", "en": "x"}}]
    path = write(tmp_path / "a.jsonl", *map(json.dumps, rows))
    manifest = translation_pairs({"eng_Latn-deu_Latn": path}, tmp_path / "out")
    assert pairs(tmp_path / "out") == [(ENGLISH, GERMAN)]
    assert manifest["rejects"] == {"'translation' holds the character NUL, as binary data does; expected text": 1}


def test_a_folder_as_opus_packs_it(tmp_path):
    folder = tmp_path / "de-en"
    folder.mkdir()
    write(folder / "Tatoeba.de-en.de", GERMAN, "Ein Hund bellt.")
    write(folder / "Tatoeba.de-en.en", ENGLISH, "A dog barks.")
    write(folder / "Tatoeba.de-en.ids", "1\t2", "3\t4")
    write(folder / "README", "Corpus Name: Tatoeba", "License: CC BY 2.0 FR")
    manifest = translation_pairs(folder, tmp_path / "out")
    assert sorted(pairs(tmp_path / "out")) == [("A dog barks.", "Ein Hund bellt."), (ENGLISH, GERMAN)]
    assert {source["licence"] for source in manifest["sources"]} == {"CC BY 2.0 FR"}
    for tag in ("de", "fr"):
        write(folder / f"Books.de-fr.{tag}", "x")
    with pytest.raises(InputError, match=r"de-en holds several corpora: Books.de-fr, Tatoeba.de-en; expected one"):
        translation_pairs(folder, tmp_path / "out")


def test_a_line_of_other_columns_costs_itself_alone(tmp_path):
    path = write(tmp_path / "a.txt", "dog\tHund", "cat\tKatze\tTier", "a big house", "tree Baum")
    found = dictionary_pairs(path, source_lang="eng_Latn", target_lang="deu_Latn")
    assert [(row.number, row.problem) for row in found] == [
        (1, ""), (2, "expected 2 columns"), (3, "expected 2 columns"), (4, ""),
    ]  # fmt: skip
    write(path, "a big house", "dog Hund Tier")
    with pytest.raises(InputError, match=r"a.txt, line 1: expected source and target.*got 3 columns"):
        list(dictionary_pairs(path, source_lang="eng_Latn", target_lang="deu_Latn"))
