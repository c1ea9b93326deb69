"""Pairs from names, triples and descriptions: what is joined, in which languages, what is kept aside."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from align import knowledge_pairs, read_pairs
from align.errors import InputError

NAMES = """\
key\ten\tde\thi
no\tNorway\tNorwegen\tनॉर्वे
os\tOslo\tOslo\tओस्लो
se\tSweden\t\t
capital_of\tis the capital of\tist die Hauptstadt von\t
"""
TRIPLES = "os\tcapital_of\tno\nse\tnext_to\tno\n"


@pytest.fixture
def names(tmp_path):
    path = tmp_path / "lands.tsv"
    path.write_text(NAMES, encoding="utf-8")
    return path


@pytest.fixture
def triples(tmp_path):
    path = tmp_path / "triples.tsv"
    path.write_text(TRIPLES, encoding="utf-8")
    return path


def rows(tmp_path, kind):
    return [row for row in read_pairs(tmp_path / "out").to_list() if row["kind"] == kind]


def test_names_of_one_entity_in_two_languages(names, tmp_path):
    made = knowledge_pairs([names], tmp_path / "out")
    found = rows(tmp_path, "entity names")
    assert {frozenset((row["source"], row["target"])) for row in found} == {
        frozenset(pair) for pair in (
            ("Norway", "Norwegen"), ("Norway", "नॉर्वे"), ("Norwegen", "नॉर्वे"), ("Oslo", "ओस्लो"),
            ("is the capital of", "ist die Hauptstadt von"),
        )
    }  # fmt: skip
    assert all(row["source_lang"] != row["target_lang"] for row in found)
    assert Counter(row["group_id"] for row in found) == {"lands:no": 3, "lands:os": 2, "lands:capital_of": 1}
    assert made["entity names"] == len(found) == 6 and made["entities"] == 4  # Oslo in German reads the same


def test_so_many_of_each(names, tmp_path):
    made = knowledge_pairs([names], tmp_path / "out", per_entity=1)
    assert made["entity names"] <= 3
    drawn = set()
    for seed in range(12):
        knowledge_pairs([names], tmp_path / "out", per_entity=1, seed=seed)
        drawn |= {(row["source"], row["target"]) for row in rows(tmp_path, "entity names") if "no" in row["group_id"]}
    assert len(drawn) > 3  # other languages, and both directions
    only = knowledge_pairs([names], tmp_path / "out", languages=["eng_Latn", "hin_Deva"])
    assert only["languages"].keys() <= {"eng_Latn", "hin_Deva"}


def test_triples_and_descriptions(names, triples, tmp_path):
    texts = tmp_path / "said.jsonl"
    texts.write_text(
        '{"key": "os", "en": ["A city on a fjord."]}\n{"key": "xx", "en": ["Nothing."]}\n', encoding="utf-8"
    )
    made = knowledge_pairs([names], tmp_path / "out", triples=triples, descriptions=[texts])
    norway = {"Norway", "Norwegen", "नॉर्वे"}
    found = rows(tmp_path, "triple")
    assert {row["source"] for row in found} == {
        "Oslo is the capital of", "Oslo ist die Hauptstadt von", "ओस्लो capital of", "Sweden next to",
    }  # fmt: skip
    assert {row["target"] for row in found} <= norway and {row["group_id"] for row in found} == {"lands:no"}
    assert [(row["source_lang"], row["source"][:4]) for row in found if "ist" in row["source"]] == [
        ("deu_Latn", "Oslo")
    ]
    (one,) = rows(tmp_path, "description")
    assert one["source"] == "A city on a fjord." and one["target"] in {"Oslo", "ओस्लो"} and one["group_id"] == "lands:os"
    (one,) = rows(tmp_path, "described triple")
    assert one["source"] == "A city on a fjord." and one["target"] in norway and one["group_id"] == "lands:no"
    assert (made["triple"], made["description"], made["described triple"]) == (4, 1, 1)
    assert made["descriptions_without_names"] == 1 and made["named_in_one_language"] == 1


def test_the_mention_of_a_description_stands_beside_it(names, tmp_path):
    texts = tmp_path / "said.jsonl"
    texts.write_text(
        '{"key": "os", "en": ["In Norway lies Oslo, or Oslo."], "hi": ["एक शहर"]}\n'
        '{"key": "no", "de": ["Norwegens"]}\n',
        encoding="utf-8",
    )
    made = knowledge_pairs([names], tmp_path / "out", descriptions=[texts])
    found = {row["source"]: row["mention"] for row in rows(tmp_path, "description")}
    assert found == {"In Norway lies Oslo, or Oslo.": "15-19", "एक शहर": "", "Norwegens": ""}  # whole words
    assert made["mentions"] == 1
    assert {row["mention"] for row in rows(tmp_path, "entity names")} == {""}
    knowledge_pairs([names], tmp_path / "plain")
    assert "mention" not in read_pairs(tmp_path / "plain").column_names


def test_triples_that_cannot_be_used_are_kept_aside(names, triples, tmp_path):
    triples.write_text(
        TRIPLES + "no\tcapital_of\tos\nos\tcapital_of\tno\nno\tis\tno\nno\tis\tQ9\nno\tis\nlands:no\tis\tos\n",
        encoding="utf-8",
    )  # fmt: skip
    made = knowledge_pairs([names], tmp_path / "out", triples=triples)
    assert made["rejects"] == {
        "a cycle": 1, "a repetition": 1, "a triple of an entity with itself": 1, "an entity without a name": 1,
        "expected subject TAB relation TAB object": 1,
    }  # fmt: skip
    aside = (tmp_path / "out" / "rejects.tsv").read_text(encoding="utf-8")
    assert "a cycle\t" in aside and "triples.tsv\t3\tno\\tcapital_of\\tos (the reverse is line 1)\n" in aside
    assert "triples.tsv\t4\tos\\tcapital_of\\tno (of line 1)\n" in aside
    assert "triples.tsv\t6\tno\\tis\\tQ9 (no name of Q9)\n" in aside
    assert "triples.tsv\t7\tno\\tis\n" in aside
    assert {"Norway is", "Norwegen is"} <= {row["source"] for row in rows(tmp_path, "triple")}


def test_refused(names, tmp_path):
    with pytest.raises(InputError, match="at least 1; got 0"):
        knowledge_pairs([names], tmp_path / "out", per_entity=0)
    with pytest.raises(
        InputError, match="no entity is named in two languages, .*: 4 have names, such as lands:no in eng_L"
    ):
        knowledge_pairs([names], tmp_path / "out", languages=["eng_Latn"])
    lost = tmp_path / "lost.tsv"
    lost.write_text("Q1\tis\tno\nno\tis\tno\n", encoding="utf-8")
    with pytest.raises(
        InputError, match=r"lost\.tsv: none of 2 triples can be used; line 1: an entity without a name: Q1"
    ):
        knowledge_pairs([names], tmp_path / "out", triples=lost)
    assert not (tmp_path / "out").exists()


def test_the_verb(names, triples, tmp_path, align):
    printed = align("pairs", "knowledge", names, "--triples", triples, "--out", tmp_path / "out").out
    assert json.loads(printed)["triple"] == 4
    assert "no words are given: expected names" in align("pairs", "knowledge", "--out", tmp_path / "other", code=2).err
