"""Exports of Tatoeba: sentences and links in files of their own."""

from __future__ import annotations

import bz2
import json

import pytest

from align import translation_pairs
from align.errors import InputError
from align.pairs.reading.table import read_pairs

SENTENCES = [
    "1\teng\tThe \"well\" is deep.", "2\tdeu\tDer Brunnen ist tief.", "3\tdeu\tTief ist der Brunnen.",
    "4\tfra\tUn puits.",
    "5\tcmn\t井很深。", "6\t\\N\tno language", "7\teng", "8\teng\tNobody links here.",
]  # fmt: skip
LINKS = ["1\t2", "2\t1", "3\t1", "1\t4", "5\t1", "1\t99", "odd"]


@pytest.fixture
def export(tmp_path):
    folder = tmp_path / "tatoeba"
    folder.mkdir()
    (folder / "sentences.csv").write_text("\n".join(SENTENCES) + "\n", encoding="utf-8")
    (folder / "links.csv").write_text("\n".join(LINKS) + "\n")
    return folder


def pairs(folder, out, *codes):
    translation_pairs(folder, out, pairs=[codes])
    return [(row["source"], row["target"]) for row in read_pairs(out)]


GERMAN = [('The "well" is deep.', "Der Brunnen ist tief."), ('The "well" is deep.', "Tief ist der Brunnen.")]


def test_links_join_sentences_in_either_direction(export, tmp_path, caplog):
    assert pairs(export, tmp_path / "a", "eng_Latn", "deu_Latn") == GERMAN
    assert "sentences.csv: 1 lines are set aside, expected 3 columns between tabs; line 7: 2 columns" in caplog.text
    assert "links.csv: 1 lines are set aside" in caplog.text
    assert pairs(export, tmp_path / "b", "deu_Latn", "eng_Latn") == [(b, a) for a, b in GERMAN]
    assert pairs(export, tmp_path / "c", "zho_Hans", "eng_Latn") == [("井很深。", 'The "well" is deep.')]
    sources = json.loads((tmp_path / "c" / "manifest.json").read_text())["sources"]
    assert [(one["name"][-13:], one["licence"]) for one in sources] == [
        ("sentences.csv", "CC-BY-2.0-FR"), ("eba/links.csv", "CC-BY-2.0-FR"),
    ]  # fmt: skip


def test_files_of_each_language_packed_and_detailed(export, tmp_path):
    rows = [line for line in SENTENCES if line.count("\t") == 2]
    (export / "sentences.csv").unlink()
    for code in ("eng", "deu"):
        of = "\n".join(f"{line}\tname\t2010\t2011" for line in rows if f"\t{code}\t" in line)
        (export / f"{code}_sentences_detailed.tsv.bz2").write_bytes(bz2.compress(of.encode()))
    (export / "links.csv").rename(export / "eng-deu_links.tsv")
    assert pairs(export, tmp_path / "a", "eng_Latn", "deu_Latn") == GERMAN


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ((), "tatoeba is an export of Tatoeba: name its languages by --pair"),
        (("eng_Latn", "ita_Latn"), r"tatoeba: no sentence in ita_Latn; there are eng, deu, fra, cmn, \\N"),
        (("deu_Latn", "fra_Latn"), "tatoeba: no link between sentences in deu_Latn and fra_Latn"),
    ],
)
def test_what_is_not_there(export, tmp_path, codes, message):
    with pytest.raises(InputError, match=message):
        translation_pairs(export, tmp_path / "out", pairs=[codes] if codes else [])
    assert not (tmp_path / "out").exists()
