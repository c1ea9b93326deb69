from __future__ import annotations

import json

import pytest
from exported import (
    check_engine,
    check_export,
    check_inner_product,
    check_large_batches,
    fill,
    nearest,
    payload,
    queries,
    rows,
    schema,
)

from align.engines.qdrant_edge import QdrantEdge
from align.errors import InputError

edge = pytest.importorskip("qdrant_edge", reason="needs qdrant-edge-py")


@pytest.fixture
def shard(tmp_path):
    """Open the shard of a folder; all are closed at the end."""
    opened = []

    def open_shard(**options):
        opened.append(QdrantEdge(str(tmp_path), **{"name": "align"} | options))
        return opened[-1]

    yield open_shard
    for target in opened:
        target.close()


def test_every_call_of_an_engine(shard):
    check_engine(lambda: shard(exact=True), count=100)


def test_the_whole_way(tmp_path):
    proof = check_export("qdrant-edge", str(tmp_path / "edge"), tmp_path / "vectors", dtype="float16", exact=True)
    assert proof["exact"]


def test_batches_above_those_of_an_operation(shard):
    check_large_batches(lambda: shard(exact=True))


def test_the_metric_is_the_inner_product(shard):
    check_inner_product(shard)


def test_a_batch_is_flushed_before_it_counts(shard):
    target = shard()
    target.prepare(schema())
    engine, calls = target._shard, []

    class Recorded:
        def __getattr__(self, name):
            calls.append(name)
            return getattr(engine, name)

    target._shard = Recorded()
    target.upsert(rows(300))
    assert calls == ["update", "update", "flush"]


def test_float16(shard, tmp_path):
    corpus, given = rows(300, dtype="float16"), queries(20)
    target = shard(exact=True)
    fill(target, corpus, wanted=schema(dtype="float16"))
    assert '"float16"' in (tmp_path / "align" / "edge_config.json").read_text()
    assert target.search(given.astype("float16").astype("float32"), 10) == nearest(corpus, given.astype("float16"), 10)


def test_the_engine_alone_reads_the_shard(shard, tmp_path):
    corpus = rows(3)
    target = shard()
    fill(target, corpus)
    target.close()
    assert json.loads((tmp_path / "align" / "align.json").read_text()) == schema().described()
    alone = edge.EdgeShard.load(str(tmp_path / "align"))
    [found] = alone.query(
        edge.QueryRequest(limit=1, query=edge.Query.Nearest(corpus.column("vector")[0].as_py()), with_payload=True)
    )
    assert found.payload == {"id": "it's"} | payload(corpus)["it's"]
    assert found.score == pytest.approx(1, abs=1e-6)
    assert set(alone.info().payload_schema) == {"language", "script"}
    alone.close()


def test_a_large_shard_is_indexed(shard, monkeypatch):
    corpus, make = rows(3_000, dimension=64), edge.EdgeConfig
    small = edge.EdgeOptimizersConfig(indexing_threshold=100)  # kB, in place of ten thousand
    monkeypatch.setattr(edge, "EdgeConfig", lambda **given: make(**given, optimizers=small))
    target = shard(m=32, ef_construct=200)
    assert not target.exact
    fill(target, corpus, batch=1_000, wanted=schema(dimension=64))
    assert target._shard.info().indexed_vectors_count >= 2_000
    given = queries(10, 64)
    found, expected = target.search(given, 10), nearest(corpus, given, 10)
    assert sum(len(set(a) & set(b)) for a, b in zip(found, expected, strict=True)) >= 95
    assert (
        target.search(given, 10, where={"language": ["deu"]})[0][:3]
        == nearest(corpus, given, 3, {"language": ["deu"]})[0]
    )


def test_a_folder_that_is_not_ours(shard, tmp_path):
    (tmp_path / "align").mkdir()
    (tmp_path / "align" / "x").write_text("")
    (tmp_path / "file").write_text("")
    for name in ("align", "file"):
        with pytest.raises(InputError, match="is there, but was not made by align export"):
            shard(name=name).prepare(schema())
    (tmp_path / "align" / "align.json").write_text("{")
    with pytest.raises(InputError, match="align.json is not valid JSON"):
        shard().prepare(schema())


def test_a_shard_that_was_begun_is_made_now(shard, tmp_path):
    (tmp_path / "align").mkdir()
    (tmp_path / "align" / "align.json").write_text(json.dumps(schema().described()))
    with pytest.raises(InputError, match="is not there: run align export first"):
        shard().prepare(schema(), make=False)
    target = shard()
    fill(target, rows(3))
    assert target.count() == 3


def test_a_damaged_shard_is_a_sentence(shard, tmp_path):
    target = shard()
    fill(target, rows(3))
    target.close()
    (tmp_path / "align" / "edge_config.json").write_text("{")
    with pytest.raises(InputError, match="shard .*align: "):
        shard().prepare(schema())


def test_a_shard_that_is_open_elsewhere(shard):
    shard().prepare(schema())
    with pytest.raises(InputError, match="shard .*align: it is open in another process"):
        shard().prepare(schema())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "a/b"}, "the name of a shard is that of a folder, without a slash, got 'a/b'"),
        ({"name": ".."}, "the name of a shard"),
        ({"m": 0}, "m is a whole number of 1 or more, got 0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        QdrantEdge("x", **{"name": "align"} | options)
