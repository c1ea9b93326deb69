from __future__ import annotations

import dataclasses
import json
import sys

import pyarrow.parquet as pq
import pytest

from align import cli
from align.pairs.lexicons.format import ConceptWord, WordPair
from align.pairs.lexicons.registry import formats

PANLEX = "id\tlangvar\ttxt\ttxt_degr\tmeaning\tlangvar_uid\n"
FILES = {
    "en-de.txt": "dog Hund\ncat Katze\nbank Ufer\n",
    "en-fr.txt": "bank\trive\ndog\tchien\n",
    "de-fr.txt": "Ufer rive\nUfer berge\n",
    "eng_Latn-hin_Deva.tsv": "dog\tकुत्ता\n",
    "test.txt": "CAT Mieze\n",
    "page.txt": "<html><head><title>403</title>\n",
    "meanings.tsv": PANLEX + "1\t1\tdog\tdog\t9\teng-000\n2\t2\tHund\thund\t9\tdeu-000\n3\t3\tkm 5\tkm\t9\tdeu-000\n",
    "names.tsv": "code\ten\tel\tmo\nDE\tGermany\tΓερμανία\tx\n",
}


@pytest.fixture
def align(tmp_path, monkeypatch, capsys):
    """Run the command in a folder of small files; returns its exit code, what it prints and its last line of log."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["align", "-q", "pairs", "synonyms", *words, "--out", "o"])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        printed, log = capsys.readouterr()
        return stopped.value.code or 0, json.loads(printed) if printed else None, log

    return run


def texts():
    return {frozenset((row["source"], row["target"])) for row in pq.read_table("o/pairs.parquet").to_pylist()}


def pairs(*words):
    return {frozenset(pair.split("=")) for pair in words}


def test_what_is_printed(align):
    code, printed, _ = align("eng_Latn-deu_Latn=en-de.txt", "--exclude", "test.txt", "--licence", "CC0")
    assert code == 0
    assert printed == {
        "rows": 2,
        "lines": 3,
        "pairs": {"lines": 3},
        "rejects": {"in a test set": 1},
        "excluded": {"test.txt": {"words": 2, "pairs": 1, "removed": 1, "removed_same_pair": 0}},
        "language_pairs": {"deu_Latn-eng_Latn": 2},
        "out": "o",
    }
    assert texts() == pairs("dog=Hund", "bank=Ufer")
    with open("o/manifest.json", encoding="utf-8") as manifest:
        assert json.load(manifest)["licences"] == ["CC0"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["eng_Latn-hin_Deva.tsv"], pairs("dog=कुत्ता")),
        (["eng_Latn-deu_Latn=en-de.txt", "--exclude", "test.txt", "--exclude-level", "pair", "--max-chars", "4"],
         pairs("dog=Hund", "bank=Ufer")),
        (["--panlex", "meanings.tsv", "--languages", "eng_Latn, deu_Latn"], pairs("dog=Hund")),
        (["--panlex", "meanings.tsv", "--languages", "eng_Latn,deu_Latn", "--digits", "keep", "--span", "within"],
         pairs("Hund=km 5")),
        (["--entities", "names.tsv", "--self", "--per-concept", "0"],
         pairs("Germany=Γερμανία", "Germany=Germany", "Γερμανία=Γερμανία")),
        (["eng_Latn-deu_Latn=en-de.txt", "--lower"], pairs("dog=hund", "cat=katze", "bank=ufer")),
        (["eng_Latn-deu_Latn=en-de.txt", "--rows", "1", "--seed", "3"], None),
        (["eng_Latn-deu_Latn=en-de.txt", "--cap", "1", "--temperature", "1"], None),
        (["eng_Latn-deu_Latn=en-de.txt", "eng_Latn-fra_Latn=en-fr.txt", "--pivot", "eng_Latn", "--languages",
          "deu_Latn,fra_Latn"], pairs("Ufer=rive", "Hund=chien")),
    ],
)  # fmt: skip
def test_every_kind_of_source(align, words, expected):
    code, printed, log = align(*words)
    assert code == 0, log
    assert texts() == expected if expected else printed["rows"] == 1


def test_joined_pairs_are_measured(align):
    given = ("eng_Latn-deu_Latn=en-de.txt", "eng_Latn-fra_Latn=en-fr.txt", "--pivot", "eng_Latn")
    code, printed, _ = align(*given, "--direct", "deu_Latn-fra_Latn=de-fr.txt")
    assert (code, printed["rows"], printed["pairs"]) == (0, 7, {"lines": 5, "joined": 2})
    one = {"joined": 2, "judged": 1, "correct": 1, "precision": 1.0, "recall": 0.5}
    assert printed["pivot"]["deu_Latn-fra_Latn"]["routes"]["1"] == one


def test_other_readers_are_called(align, monkeypatch):
    asked = []

    def replaced(name, *rows):
        def read(source, sides, languages):
            asked.append((name, str(source), *sides, list(languages)))
            yield from rows

        monkeypatch.setitem(formats(), name, dataclasses.replace(formats()[name], read=read))

    replaced(
        "wordnet",
        ConceptWord("w", 1, "i1", "eng_Latn", "dog", "it barks"),
        ConceptWord("w", 2, "i1", "fra_Latn", "chien"),
    )
    replaced("freedict", WordPair("f", 1, "eng_Latn", "deu_Latn", "cat", "Katze", "eng_Latn:cat"))
    replaced("kaikki", WordPair("k", 1, "eng_Latn", "fra_Latn", "cow", "vache", "eng_Latn:cow"))
    given = ("--wordnet", "omw-fr:1.4", "--freedict", "eng_Latn-deu_Latn=en-de.txt", "--kaikki", "names.tsv")
    code, _, log = align(*given, "--glosses")
    assert code == 0, log
    assert texts() == pairs("dog=chien", "dog=it barks", "cat=Katze", "cow=vache")
    assert asked == [
        ("freedict", "en-de.txt", "eng_Latn", "deu_Latn", []),
        ("wordnet", "omw-fr:1.4", []),
        ("kaikki", "names.tsv", []),
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "no words are given: expected dictionaries or other lexicons"),
        (["en-de.txt"], "en-de.txt: unknown language code 'en': expected iso639-3_Script"),
        (["eng_Latn-deu_Latn=page.txt"], "page.txt, line 1: expected a dictionary (source TAB target), got an XML or"),
        (["eng_Latn=en-de.txt"], "expected the codes of two languages, such as eng_Latn-deu_Latn, got eng_Latn"),
        (["eng_Latn-deu_Latn=en-de.txt", "--min-routes", "2"], "--direct and --min-routes are about joined pairs"),
        (["eng_Latn-deu_Latn=en-de.txt", "--exclude", "nowhere"], "no such file: nowhere"),
        (["--panlex", "meanings.tsv"], "PanLex names no scripts, so name the languages"),
        (["eng_Latn-deu_Latn=en-de.txt", "--rows", "0"], "rows must be at least 1, got 0"),
        (["--freedict", "nowhere.index"], "no such file: nowhere.index"),
    ],
)
def test_one_sentence_of_what_is_wrong(align, tmp_path, words, sentence):
    code, printed, log = align(*words)
    assert (code, printed) == (2, None) and sentence in log, log
    assert not (tmp_path / "o").exists()
