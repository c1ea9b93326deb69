"""What Align writes, Align reads, and so do pandas, polars, pyarrow and 🤗 datasets: each reader sees the same rows."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import tiny_bert, tiny_tokenizer

from align.encoders.checkpoint import load_encoder
from align.files.whole import read_json
from align.mining.mining import mine
from align.pairs.reading.table import read_pairs
from align.pairs.translation import translation_pairs
from align.vectors.corpus.encoding import encode
from align.vectors.folder import open_vectors, vectors_of

LINES = {"ell_Grek": ['αβ "γ"', "δε\\tζ", "ζ, η", "NA ν γ"], "eng_Latn": ['ab "g"', "de\\tz", "z, e", "null"]}


def with_pandas(path):
    pandas = pytest.importorskip("pandas")
    if path.suffix == ".parquet":
        return pandas.read_parquet(path).to_dict("records")
    plain = {"sep": "\t", "quoting": 3, "keep_default_na": False, "dtype": str}
    return pandas.read_csv(path, **plain).to_dict("records")


def with_polars(path):
    polars = pytest.importorskip("polars")
    if path.suffix == ".parquet":
        return polars.read_parquet(path).to_dicts()
    return polars.read_csv(path, separator="\t", quote_char=None, infer_schema=False).to_dicts()


def with_datasets(path):
    from datasets import Dataset

    if path.suffix == ".parquet":
        return Dataset.from_parquet(str(path)).to_list()
    rows = Dataset.from_csv(str(path), sep="\t", quoting=3, keep_default_na=False).to_list()
    return [{name: str(value) for name, value in row.items()} for row in rows]


def with_pyarrow(path):
    from pyarrow import csv

    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    table = csv.read_csv(path, parse_options=csv.ParseOptions(delimiter="\t", quote_char=False),
                         convert_options=csv.ConvertOptions(column_types={}, strings_can_be_null=False))  # fmt: skip
    return [{name: str(value) for name, value in row.items()} for row in table.to_pylist()]


READERS = [with_pandas, with_polars, with_datasets, with_pyarrow]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A table of pairs, two folders of vectors, and what was mined from them."""
    place = tmp_path_factory.mktemp("made")
    tiny_bert().save_pretrained(place / "bert")
    tiny_tokenizer().save_pretrained(place / "bert")
    for code, lines in LINES.items():
        (place / f"{code}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    translation_pairs([place / f"{code}.txt" for code in LINES], place / "pairs")
    encoder = load_encoder(place / "bert")
    for code in LINES:
        encode(encoder, [place / f"{code}.txt"], place / code)
    mine(*(place / code for code in LINES), place / "mined.tsv")
    return place


@pytest.mark.parametrize("read", READERS)
def test_a_table_of_pairs(read, made):
    assert read(made / "pairs" / "pairs.parquet") == read_pairs(made / "pairs").to_list()


@pytest.mark.parametrize("read", READERS)
def test_vectors_with_their_ids_and_texts(read, made):
    stored = open_vectors(made / "ell_Grek")
    (part,) = (made / "ell_Grek").glob("*.parquet")
    rows = read(part)
    assert [row["text"] for row in rows] == LINES["ell_Grek"]
    column = next(name for name, value in rows[0].items() if len(np.atleast_1d(value)) == 16)
    vectors = np.array([np.asarray(row[column], dtype=np.float32) for row in rows])
    np.testing.assert_array_equal(vectors, np.concatenate([vectors_of(table) for table in stored.tables()]))


@pytest.mark.parametrize("read", READERS)
def test_what_was_mined(read, made):
    rows = read(made / "mined.tsv")
    lines = (made / "mined.tsv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == len(lines) - 1 > 0
    assert [*rows[0]] == lines[0].split("\t") and float(rows[0]["score"]) == float(lines[1].split("\t")[0])
    assert [row["x_id"] for row in rows] == [line.split("\t")[2] for line in lines[1:]]


def test_what_was_mined_is_gold_and_a_table_to_train_on(made):
    again = mine(*(made / code for code in LINES), made / "again.tsv", gold=made / "mined.tsv")
    assert again.numbers["precision"] == again.numbers["recall"] == 1
    translation_pairs({"-".join(LINES): made / "mined.tsv"}, made / "table")
    pairs, lines = read_pairs(made / "table"), (made / "mined.tsv").read_text(encoding="utf-8").splitlines()
    assert [[pair["source"], pair["target"]] for pair in pairs] == [line.split("\t")[4:] for line in lines[1:]]


def test_results(made):
    pandas = pytest.importorskip("pandas")
    from align.evaluation.evaluate import evaluate
    from align.evaluation.results import write_result

    (made / "verses").mkdir()
    for code, lines in LINES.items():
        (made / "verses" / f"{code}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    result = evaluate(load_encoder(made / "bert"), f"retrieval={made / 'verses'}", use_cache=False)
    write_result(made / "result.json", result)
    scores = read_json(made / "result.json")["scores"]
    frame = pandas.json_normalize(scores)
    assert frame["id"].tolist() == [one["id"] for one in scores] and frame["value"].dtype == float
