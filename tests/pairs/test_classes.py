"""Texts with a class: which of them are kept, whose classes are dropped, what is set aside."""

from __future__ import annotations

import json

import pytest

from align import class_pairs, read_pairs
from align.errors import InputError


def write(path, *lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path):
    english = ("text\ttopic", "It rains\tweather", "Two goals\tsport", " \tsport", "No idea\t", "It rains\tweather")
    write(tmp_path / "eng_Latn.tsv", *english)
    rows = [{"text": "Es regnet", "topic": "weather"}, {"text": "Zwei Tore"}, {"text": 3}, {"text": "\ud800"}]
    write(tmp_path / "deu_Latn.jsonl", *map(json.dumps, rows))
    return tmp_path


def test_a_text_is_paired_with_itself(files, tmp_path):
    made = class_pairs(files, tmp_path / "out")
    rows = read_pairs(tmp_path / "out").to_list()
    assert [(row["source"], row["source_lang"], row["class"]) for row in rows] == [
        ("Es regnet", "deu_Latn", "weather"), ("Zwei Tore", "deu_Latn", None), ("It rains", "eng_Latn", "weather"),
        ("Two goals", "eng_Latn", "sport"), ("No idea", "eng_Latn", None), ("It rains", "eng_Latn", "weather"),
    ]  # fmt: skip
    assert all(row["source"] == row["target"] and row["source_lang"] == row["target_lang"] for row in rows)
    assert rows[2]["group_id"] == rows[5]["group_id"] != rows[3]["group_id"]
    assert {row["kind"] for row in rows} == {"classes"}
    assert (made["lines"], made["rejects"]) == (9, {"empty": 1, "no text": 1, "lone surrogate": 1})
    assert made["lines"] == made["rows"] + sum(made["rejects"].values())
    assert (made["classes"], made["unlabelled"], made["classes_dropped"]) == ({"weather": 3, "sport": 1}, 2, 0)


def test_classes_of_other_languages_are_dropped_and_counted(files, tmp_path):
    made = class_pairs(files, tmp_path / "out", labelled=["eng_Latn"])
    table = read_pairs(tmp_path / "out")
    assert table["class"] == [None, None, "weather", "sport", None, "weather"]
    assert (made["unlabelled"], made["classes_dropped"]) == (3, 1)


def test_other_splits_are_set_aside(tmp_path):
    write(
        tmp_path / "eng_Latn.tsv", "split\tcategory\tsentence", "train\ta\tx", "test\ta\ty", "dev\tb\tz", "train\tb\tw"
    )
    made = class_pairs(tmp_path / "eng_Latn.tsv", tmp_path / "out")
    assert made["rejects"] == {"test split": 1, "dev split": 1} and made["classes"] == {"a": 1, "b": 1}


def test_messages(files, tmp_path):
    def message(given, **options):
        with pytest.raises(InputError) as caught:
            class_pairs(given, tmp_path / "out", **options)
        assert not (tmp_path / "out").exists()
        return str(caught.value)

    assert "no text is in fra_Latn, whose classes are to be kept: there are deu_Latn, eng_Latn" in message(
        files, labelled=["fra_Latn"]
    )
    assert "the texts have 1 classes: expected two classes or more" in message(files, labelled=["deu_Latn"])
    plain = write(tmp_path / "fra_Latn.tsv", "text\tnote", "Il pleut\t1")
    assert "the texts have 0 classes" in message(plain)
    assert "fra_Latn has no text with a class" in message([files / "eng_Latn.tsv", plain], labelled=["fra_Latn"])
    two = write(tmp_path / "eng_Latn-deu_Latn.tsv", "text\tclass", "a\tb")
    assert "is in eng_Latn-deu_Latn: expected texts of one language" in message(two)
    nested = write(tmp_path / "spa_Latn.jsonl", json.dumps({"text": "Llueve", "class": ["a"]}))
    assert "spa_Latn.jsonl, line 1: expected a text or a number as class, got ['a']" in message(nested)
    assert "expected a column 'text' or 'sentence'" in message(write(tmp_path / "ita_Latn.tsv", "a\tb", "c\td"))


def test_the_verb(files, tmp_path, align):
    printed = align("pairs", "classes", files, "--labelled", "eng_Latn", "--out", tmp_path / "out").out
    assert json.loads(printed)["classes"] == {"weather": 2, "sport": 1}
