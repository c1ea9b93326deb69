from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from exported import (
    ENCODER,
    check_engine,
    check_export,
    check_inner_product,
    fill,
    nearest,
    payload,
    queries,
    rows,
    schema,
)  # fmt: skip

from align.engines.lance import Lance
from align.engines.target import Unreachable
from align.errors import InputError
from align.vectors.folder import vectors_of

lancedb = pytest.importorskip("lancedb", reason="needs lancedb")


@pytest.fixture
def table(tmp_path):
    def open_table(to=tmp_path / "lance", **options):
        return Lance(str(to), **{"name": "align"} | options)

    return open_table


@pytest.mark.parametrize("index", ["none", "ivf_hnsw_sq"])
def test_every_call_of_an_engine(table, index):
    check_engine(lambda: table(index=index))  # too few rows for an index: exact either way


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_whole_way(tmp_path, dtype):
    assert check_export("lance", str(tmp_path / "lance"), tmp_path / "vectors", dtype=dtype)["exact"]


def test_the_metric_is_the_inner_product(table):
    check_inner_product(table)


def test_float16(table, tmp_path):
    corpus, given = rows(300, dtype="float16"), queries(20).astype("float16").astype("float32")
    target = table()
    fill(target, corpus, wanted=schema(dtype="float16"))
    assert target.exact
    assert target.search(given, 10) == nearest(corpus, given, 10)
    stored = lancedb.connect(tmp_path / "lance").open_table("align").to_arrow()
    assert stored.schema.field("vector").type == pa.list_(pa.float16(), 8)
    order = np.argsort(stored.column("id").to_pylist())
    wanted = np.argsort(corpus.column("id").to_pylist())
    np.testing.assert_array_equal(vectors_of(stored)[order], vectors_of(corpus)[wanted])


def test_what_made_the_vectors_is_the_metadata(table, tmp_path):
    fill(table(), rows(3))
    stored = lancedb.connect(tmp_path / "lance").open_table("align").schema.metadata
    assert json.loads(stored[b"align"]) == schema().described()
    assert json.loads(stored[b"align"])["encoder"] == ENCODER


KINDS = {"ivf_flat": "IvfFlat", "ivf_pq": "IvfPq", "ivf_hnsw_sq": "IvfHnswSq"}


@pytest.mark.parametrize("index", KINDS)
def test_an_index_is_built_once_and_used(table, tmp_path, monkeypatch, index):
    corpus, given = rows(600, dimension=32), queries(10, 32)
    target = table(index=index, partitions=2, probes=2, refine=20)
    assert not target.exact
    fill(target, corpus, batch=600, wanted=schema(dimension=32))

    def built():
        opened = lancedb.connect(tmp_path / "lance").open_table("align")
        return [(entry.index_type, entry.num_indexed_rows, entry.num_unindexed_rows) for entry in opened.list_indices()]

    assert built() == [(KINDS[index], 600, 0)]
    found, expected = target.search(given, 10), nearest(corpus, given, 10)
    assert sum(len(set(a) & set(b)) for a, b in zip(found, expected, strict=True)) >= 95
    found, expected = (
        target.search(given, 5, where={"language": ["o'x"]}),
        nearest(corpus, given, 5, {"language": ["o'x"]}),
    )
    assert sum(len(set(a) & set(b)) for a, b in zip(found, expected, strict=True)) >= 48
    again = table(index=index)
    again.prepare(schema(dimension=32))
    again.upsert(rows(30, start=600, dimension=32))
    monkeypatch.setattr(again._table, "create_index", None)  # it is extended, not built
    again.finish()
    assert sum(covered for _, covered, _ in built()) == 630 and built()[0][2] == 0
    exact = table()
    exact.prepare(schema(dimension=32))
    assert exact.search(given, 10) == nearest(rows(630, dimension=32), given, 10)


def test_small_files_are_merged(table, tmp_path):
    target = table()
    target.prepare(schema())
    for first in range(0, 100, 10):
        target.upsert(rows(10, start=first))
    assert target._table.stats()["fragment_stats"]["num_fragments"] == 10
    target.finish()
    assert target._table.stats()["fragment_stats"]["num_fragments"] == 1
    assert target.count() == 100


def test_an_id_twice_in_a_batch_is_refused(table):
    target = table()
    target.prepare(schema())
    with pytest.raises(InputError, match="table align of .*lance: id 'id-10' is twice in one batch"):
        target.upsert(rows(20).take([10, 11, 10]))
    assert target.count() == 0


def test_more_ids_than_one_statement_takes(table):
    corpus = rows(2_100)
    target = table()
    fill(target, corpus, batch=2_100)
    ids = corpus.column("id").to_pylist()
    assert target.payloads(ids) == payload(corpus)


def test_a_table_that_is_not_ours(table, tmp_path):
    database = lancedb.connect(tmp_path / "lance")
    database.create_table("align", pa.table({"id": ["a"], "vector": [[1.0]]}))
    database.create_table("broken", pa.table({"id": ["a"]}).replace_schema_metadata({"align": "{"}))
    for name in ("align", "broken"):
        with pytest.raises(InputError, match=f"table {name} of .*lance is there, but was not made by align export"):
            table(name=name).prepare(schema())
        assert database.open_table(name).count_rows() == 1


def test_foreign_columns_are_refused(table, tmp_path):
    fill(table(), rows(3))
    lancedb.connect(tmp_path / "lance").open_table("align").add_columns({"price": "1"})
    with pytest.raises(InputError, match=r"has other columns: id string, .*price int.*; expected id string, text_sha"):
        table().prepare(schema())


def test_folders(table, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file is a file; expected a folder"):
        table(tmp_path / "file").prepare(schema())
    with pytest.raises(InputError, match="is not there: run align export first"):
        table(tmp_path / "new").prepare(schema(), make=False)
    assert not (tmp_path / "new").exists()


def test_a_damaged_table_is_a_sentence(table, tmp_path):
    fill(table(), rows(3))
    for path in (tmp_path / "lance" / "align.lance" / "_versions").iterdir():
        path.write_bytes(b"x")
    with pytest.raises(InputError, match="table align of .*lance: "):
        table().prepare(schema())


def test_a_store_that_is_away(table, monkeypatch):
    def away(*_, **__):
        raise RuntimeError("lance error: LanceError(IO): Generic S3 error:\n  connection refused")

    monkeypatch.setattr(lancedb, "connect", away)
    with pytest.raises(Unreachable, match="Generic S3 error: connection refused"):
        table("s3://bucket/x").prepare(schema())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "a/b"}, "the name of a table has letters a to z, digits, _, - and ., got 'a/b'"),
        ({"name": ".."}, "the name of a table"),
        ({"name": "x\"'; --"}, "the name of a table"),
        ({"index": "hnsw"}, "index is one of none, ivf_flat, ivf_pq, ivf_hnsw_sq, got 'hnsw'"),
        ({"probes": 0}, "probes is a whole number of 1 or more, got 0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        Lance("x", **{"name": "align"} | options)
