"""Rows of names: what is a row, what is a name, and what cannot be read."""

from __future__ import annotations

import pytest

from align.errors import InputError
from align.files.entity_names import NamesRow, names_rows


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_and_lists_give_the_same_rows(tmp_path):
    table = written(tmp_path / "a.tsv", "key\ten\thi\nQ1\tOslo\tओस्लो\n\nQ2\t \tरोम\n")
    lists = written(
        tmp_path / "a.jsonl", '{"key": "Q1", "en": ["Oslo"], "hi": ["ओस्लो"]}\n\n{"key": "Q2", "hi": ["रोम"]}\n'
    )
    rows = [NamesRow(2, "Q1", [("en", ["Oslo"]), ("hi", ["ओस्लो"])]), NamesRow(4, "Q2", [("hi", ["रोम"])])]
    assert [*names_rows(table)] == rows
    assert [row._replace(number=row.number + 1) for row in names_rows(lists)] == rows


def test_a_key_that_is_a_name_and_an_index_that_is_none(tmp_path):
    path = written(tmp_path / "a.tsv", "Unnamed: 0\ten\tde\n0\tNorway\tNorwegen\n")
    assert [*names_rows(path)] == [NamesRow(2, "Norway", [("en", ["Norway"]), ("de", ["Norwegen"])])]


def test_what_cannot_be_read_is_a_row_with_the_reason(tmp_path):
    path = written(tmp_path / "a.tsv", "key\ten\thi\nQ1\tOslo\nQ2\tRome\tरोम\n")
    bad, good = names_rows(path)
    assert (bad.number, bad.problem) == (2, "expected 3 columns as in line 1, got 2") and good.key == "Q2"
    path = written(tmp_path / "a.jsonl", '{}\n[1]\n{"k": "Q1", "en": []}\n')
    assert [bool(row.problem) for row in names_rows(path)] == [True, True, False]


def test_refused(tmp_path):
    path = written(tmp_path / "a.jsonl", "{}\n")
    with pytest.raises(InputError, match='a.jsonl, line 1: expected an object such as {"id": "Q585"'):
        [*names_rows(path)]
    path = written(tmp_path / "b.jsonl", '{"k": "Q1", "en": [1]}\n')
    with pytest.raises(InputError, match=r"line 1: expected a list of names in 'en', got \[1\]"):
        [*names_rows(path)]
    with pytest.raises(InputError, match="no such file|does not exist"):
        [*names_rows(tmp_path / "c.tsv")]
