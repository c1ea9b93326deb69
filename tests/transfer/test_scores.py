from __future__ import annotations

import logging

import pytest
from result_dicts import result, save, score

from align.errors import InputError
from align.transfer.scores import Score, read_scores

HEADER = "source\ttarget\tscore\n"


@pytest.fixture
def table(tmp_path):
    def write(text, name="scores.tsv", header=HEADER):
        path = tmp_path / name
        path.write_text(header + text, encoding="utf-8")
        return path

    return write


def test_a_table(table, caplog):
    path = table("eng_Latn\thin_Deva\t0.5\n\nhin_Deva\teng_Latn\t1e-1\neng_Latn\teng_Latn\t.9\n")
    with caplog.at_level(logging.INFO):
        found = read_scores([path])
    assert found == [Score("eng_Latn", "hin_Deva", 0.5), Score("hin_Deva", "eng_Latn", 0.1)]
    assert "1 scores of a language with itself are left out" in caplog.text


def test_columns_by_their_names_and_lines_of_json(table):
    csv = table("0.5,pos,hin_Deva,eng_Latn\n", "a.csv", "Score,task,Target,Source\n")
    jsonl = table('{"source": "deu_Latn", "target": "hin_Deva", "score": 0.25, "task": "pos"}\n', "b.jsonl", "")
    assert read_scores([csv, jsonl], task="pos") == [
        Score("eng_Latn", "hin_Deva", 0.5, "pos"), Score("deu_Latn", "hin_Deva", 0.25, "pos")
    ]  # fmt: skip


def test_results_of_probes_and_of_searches(tmp_path):
    probes = [
        result("m", [score("deu_Latn", [1, 0], other=source), score(source, [1, 1], other=source)],
               benchmark="sib200", task="classification")
        for source in ("eng_Latn", "hin_Deva")
    ]  # fmt: skip
    for number, one in enumerate(probes):
        save(tmp_path / "probes" / f"{number}.json", one)
    name = "sib200 classification P@1"
    expected = [Score("eng_Latn", "deu_Latn", 0.5, name), Score("hin_Deva", "deu_Latn", 0.5, name)]
    assert read_scores([tmp_path / "probes"]) == expected
    back = score("deu_Latn", [1, 1], direction="from_pivot") | {"id": "eng_Latn>deu_Latn"}
    path = save(tmp_path / "search.json", result("m", [score("deu_Latn", [1, 0]), back]))
    assert read_scores([path]) == [Score("eng_Latn", "deu_Latn", 0.75, "tatoeba retrieval P@1")]  # of both directions
    assert read_scores([tmp_path / "probes", path], task=name) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("eng_Latn\thi\t1\n", "line 2: unknown language code 'hi': expected iso639-3_Script such as hin_Deva; did you"),
        ("eng_Latn\thin_Deva\tx\n", "line 2: expected a finite score, got 'x'"),
        ("eng_Latn\thin_Deva\tnan\n", "line 2: expected a finite score, got 'nan'"),
        ("eng_Latn\thin_Deva\t\n", "line 2: expected a finite score, got None"),
        ("eng_Latn\thin_Deva\n", "line 2: expected 3 columns as in line 1, got 2"),
        ("a\tb\n" * 0, "expected scores of pairs of languages (source, target, score), got none in"),
        ("eng_Latn\teng_Latn\t1\n", "expected scores of pairs of languages (source, target, score), got none in"),
        ("eng_Latn\thin_Deva\t1\neng_Latn\thin_Deva\t2\n", "line 3: a second score of eng_Latn for hin_Deva, the f"),
    ],
)
def test_bad_rows(table, text, sentence):
    with pytest.raises(InputError) as raised:
        read_scores([table(text)])
    assert sentence in str(raised.value)


def test_what_cannot_be_one_table(table, tmp_path):
    both = table("a\teng_Latn\thin_Deva\t1\nb\teng_Latn\thin_Deva\t1\n", header="task\t" + HEADER)
    with pytest.raises(InputError, match="the scores are of 2 tasks, a, b: choose one"):
        read_scores([both])
    with pytest.raises(InputError, match="unknown task 'c': expected one of a, b"):
        read_scores([both], task="c")
    models = table("a\teng_Latn\thin_Deva\t1\nb\teng_Latn\tdeu_Latn\t1\n", header="model\t" + HEADER)
    with pytest.raises(InputError, match="expected scores of one model, got those of 'a', 'b'"):
        read_scores([models])
    with pytest.raises(InputError, match="expected a column 'score'; found source, target"):
        read_scores([table("eng_Latn\thin_Deva\n", header="source\ttarget\n")])
    errors = save(tmp_path / "low.json", result("m", [score("deu_Latn", [1, 0])], lower_is_better=True))
    with pytest.raises(InputError, match="of tatoeba retrieval P@1 lower is better"):
        read_scores([errors])
    with pytest.raises(InputError, match=r"got none in no file"):
        read_scores([])
