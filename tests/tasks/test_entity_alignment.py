"""Names find the names of their entities: by hand, by loops, files that are none."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from align.errors import InputError
from align.tasks.entity_alignment import PROTOCOL, TASK
from align.tasks.texts.entity_names import read_entity_names

TABLE = """\
id\ten\tde\thi\txq9
1\tNorway\tNorwegen\tनॉर्वे\ty
2\tFrance\tFrankreich\t\t
3\tSpain\t\tस्पेन\t
4\tSpain\tSpanien\t\t
"""


@pytest.fixture
def names(tmp_path):
    path = tmp_path / "lands.tsv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_names_of_a_table_and_of_lists(names, tmp_path):
    found = read_entity_names(names)
    assert found.keys() == {"eng_Latn", "deu_Latn", "hin_Deva"}
    assert found["deu_Latn"] == {"1": ["Norwegen"], "2": ["Frankreich"], "4": ["Spanien"]}
    lists = tmp_path / "lands.jsonl"
    lists.write_text('{"id": 7, "en": ["a", "b", "a"], "hi": ["c"], "??": ["d"]}\n\n', encoding="utf-8")
    assert read_entity_names(lists) == {"eng_Latn": {"7": ["a", "b"]}, "hin_Deva": {"7": ["c"]}}
    keyed = tmp_path / "keyed.tsv"
    keyed.write_text("en\tde\nNorway\tNorwegen\n", encoding="utf-8")
    assert read_entity_names(keyed)["eng_Latn"] == {"Norway": ["Norway"]}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.tsv", "id\ten\nx\ta\n", "has names in eng_Latn: expected names of entities in two languages"),
        ("a.tsv", "", "has names in no language|is empty"),
        ("a.tsv", "id\ten\tde\nx\ta\n", "line 2: expected 3 columns as in line 1, got 2"),
        ("a.jsonl", "[1]\n", r'line 1: expected an object such as {"id": "Q585", "en": \["Oslo"\]}, got \[1\]'),
        ("a.jsonl", '{"id": "x", "en": "a"}\n', "line 1: expected a list of names in 'en', got 'a'"),
    ],
)
def test_files_that_are_none(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_entity_names(path)


def scored(source, encode, **options):
    units = {unit.name: unit for unit in TASK.read(source, None, PROTOCOL, **options)}
    return {name: TASK.score(encode, unit, unit.load(), PROTOCOL)[0] for name, unit in units.items()}


def test_each_name_against_all_of_the_other_language_by_loops(names):
    rng = np.random.default_rng(0)
    kept: dict = {}

    def encode(texts, language):
        return np.array([kept.setdefault((text, language), rng.normal(size=8)) for text in texts])

    rows = scored(names, encode)
    assert rows.keys() == {f"eng_Latn-{x}" for x in ("deu_Latn", "hin_Deva")} | {
        f"{x}-eng_Latn" for x in ("deu_Latn", "hin_Deva")
    }  # fmt: skip
    labels = read_entity_names(names)
    for one in rows.values():
        source, target = labels[one["language"]], labels[one["other"]]
        ranks = {}
        for word in {w for e, ws in source.items() if e in target for w in ws}:
            golds = {g for e, ws in source.items() if word in ws for g in target.get(e, ())}
            x = kept[word, one["language"]]
            cos = {w: x @ kept[w, one["other"]] / np.linalg.norm(x) / np.linalg.norm(kept[w, one["other"]])
                   for ws in target.values() for w in ws}  # fmt: skip
            best = max(cos[gold] for gold in golds)
            ranks[word] = 1 + sum(value > best for w, value in cos.items() if w not in golds)
        assert one["metrics"]["NN P@1"] == pytest.approx(np.mean([rank == 1 for rank in ranks.values()]))
        assert one["metrics"]["NN MRR"] == pytest.approx(np.mean([1 / rank for rank in ranks.values()]))
        assert len(one["items"]) == len(ranks)


def test_an_entity_is_one_line_in_all_languages(names):
    rows = scored(names, lambda texts, language: np.eye(9)[: len(texts)])
    assert rows["eng_Latn-deu_Latn"]["lines"] == ["1", "2", "3"]  # Spain, of two entities, is the first's
    assert rows["deu_Latn-eng_Latn"]["lines"] == ["1", "2", "4"]
    assert rows["hin_Deva-eng_Latn"]["lines"] == ["1", "3"]


def test_ties_are_against_the_model(names):
    rows = scored(names, lambda texts, language: np.ones((len(texts), 3)))
    assert all(one["metrics"]["NN P@1"] == 0 for one in rows.values())
    assert {"NN P@5", "CSLS P@1", "CSLS MRR"} <= rows["eng_Latn-deu_Latn"]["metrics"].keys()


def test_the_pivot_and_the_languages(names, tmp_path):
    kinds = scored(names, lambda texts, language: np.eye(9)[: len(texts)], pivot="deu_Latn")
    assert {name for name in kinds if "deu_Latn" in name} == {*kinds}
    with pytest.raises(InputError, match="no names in rus_Cyrl, the pivot; there are deu_Latn, eng_Latn, hin_Deva"):
        list(TASK.read(names, None, PROTOCOL, pivot="rus_Cyrl"))
    units = [unit.name for unit in TASK.read(names, ["hin_Deva", "fra_Latn"], PROTOCOL)]
    assert units == ["fra_Latn", "eng_Latn-hin_Deva", "hin_Deva-eng_Latn"]
    apart = tmp_path / "apart.tsv"
    apart.write_text("id\ten\tde\n1\ta\t\n2\t\tb\n", encoding="utf-8")
    with pytest.raises(InputError, match="no entity that is named in both eng_Latn and deu_Latn"):
        next(iter(TASK.read(apart, None, PROTOCOL))).load()


def test_by_the_command_line(names, tmp_path, align):
    printed = align("eval", "seed", f"entity_alignment={names}", "--no-cache", "--out", tmp_path / "results")
    (file,) = (tmp_path / "results").rglob("*.json")
    result = json.loads(file.read_text(encoding="utf-8"))
    assert len(result["scores"]) == 4 and re.search(r"entities", printed.out)
