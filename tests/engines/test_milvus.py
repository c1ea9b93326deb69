from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from exported import ENCODER, check_empty, check_engine, check_refusals, fill, nearest, queries, rows, schema

from align import export, verify_export
from align.engines.milvus import open_target
from align.engines.target import Unreachable
from align.errors import InputError
from align.vectors.writing import save_vectors

pytest.importorskip("pymilvus", reason="needs pymilvus")
pytest.importorskip("milvus_lite", reason="needs milvus-lite")


class Server:
    """milvus-lite as a process of its own, on 127.0.0.1."""

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        words = ["server", "--data-dir", str(self.folder), "--host", "127.0.0.1", "--port", str(self.port)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "milvus_lite.cmdline", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert self.process.poll() is None and time.monotonic() < deadline, "milvus-lite did not start"
                time.sleep(0.05)

    def kill(self):
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("milvus"))
    yield made
    made.kill()


@pytest.fixture
def collection(server, request):
    """Open a collection of the test's own; all are closed at the end."""
    opened = []
    name = f"align_{request.node.name}"

    def open_collection(**options):
        opened.append(open_target(server.address, **{"name": name, "index": "FLAT"} | options))
        return opened[-1]

    yield open_collection
    for target in opened:
        target.close()


def folder(path, count, *, dimension=8, dtype="float32", encoder=ENCODER):
    vectors = 3 * np.random.default_rng(count).normal(size=(count, dimension)).astype(dtype)
    ids = [f"row {i}" for i in range(count)]
    languages = ["hin_Deva" if i % 3 else "eng_Latn" for i in range(count)]
    texts = [f"नमस्ते {i}" for i in range(count)]
    return save_vectors(path, ids, vectors, texts=texts, languages=languages, encoder=encoder)


def test_the_contract(collection):
    check_engine(collection)


def test_refusals(collection):
    check_refusals(collection)


def test_no_rows(collection):
    check_empty(collection)


@pytest.mark.parametrize(
    ("index", "options"), [("FLAT", {}), ("HNSW", {"m": "8"}), ("IVF_FLAT", {"nlist": "8", "nprobe": 8}), (None, {})]
)
def test_every_index_is_verified(server, tmp_path, index, options):
    vectors = folder(tmp_path / "v", 300)
    given = {"name": f"index_{index}", **options} | ({"index": index} if index else {})
    made = export(vectors, "milvus", server.address, batch_rows=128, **given)
    assert (made["rows"], made["count"], made["others"], made["to"]) == (300, 300, 0, server.address)
    result = verify_export(vectors, "milvus", server.address, queries=50, **given)
    assert result["passed"] and result["recall"] >= 0.99
    assert (result["exact"], result["least_recall"]) == ((True, None) if index == "FLAT" else (False, 0.99))


def test_the_index_is_built_with_what_was_asked_for(collection):
    target = collection(index="HNSW", m=5, ef_construction=33)
    fill(target, rows(20))
    with target._asked() as client:
        stored = client.describe_index(target.name, "vector")
    assert (stored["index_type"], stored["params"]) == ("HNSW", {"M": 5, "efConstruction": 33})
    assert collection(index=None).prepare(schema()) is None  # the collection's own
    with pytest.raises(InputError, match=r"has an index HNSW of COSINE, but FLAT of COSINE was asked for: remove"):
        collection(index="FLAT").prepare(schema())


def test_a_collection_of_someone_else_is_refused(server, collection):
    from pymilvus import MilvusClient

    client = MilvusClient(server.address)
    client.create_collection("theirs", dimension=8)
    client.close()
    with pytest.raises(InputError, match=r"collection theirs of http.* was not made by align export: give another"):
        collection(name="theirs").prepare(schema())


def test_float16(server, collection, tmp_path):
    vectors = folder(tmp_path / "v", 60, dtype="float16")
    with pytest.raises(InputError, match=r"has no float16 vectors \(milvus-lite\): give --option float32=true"):
        export(vectors, "milvus", server.address, name="half")
    options = {"name": "half", "index": "FLAT", "float32": "true"}
    export(vectors, "milvus", server.address, **options)
    result = verify_export(vectors, "milvus", server.address, queries=30, **options)
    assert result["passed"] and result["exact"] and result["tolerance"] == 2**-11


def test_float16_is_sent_as_it_is(monkeypatch):
    """milvus-lite has no such vectors: what would be sent to a server that has them."""
    from pymilvus import DataType, MilvusClient

    sent = {}

    class Client:
        has_collection = staticmethod(lambda name, timeout: False)
        create_collection = staticmethod(lambda name, schema, **_: sent.update(schema=schema.to_dict()))
        describe_index = staticmethod(lambda *_, **__: {"index_type": "FLAT", "metric_type": "COSINE"})
        load_collection = staticmethod(lambda *_, **__: None)
        upsert = staticmethod(lambda name, data, timeout: sent.update(rows=data))
        search = staticmethod(lambda name, data, **_: sent.update(queries=data) or [[] for _ in data])
        close = staticmethod(lambda: None)

    target = open_target("http://127.0.0.1:1", name="half", index="FLAT")
    monkeypatch.setattr(target, "_connected", Client)
    assert MilvusClient.create_schema  # that of the client itself is used
    target.prepare(schema(dtype="float16"))
    target.upsert(rows(2, dtype="float16"))
    target.search(queries(2), 3)
    target.close()
    vector = next(field for field in sent["schema"]["fields"] if field["name"] == "vector")
    assert (vector["type"], vector["params"]["dim"]) == (DataType.FLOAT16_VECTOR, 8)
    assert all(vector.dtype == np.float16 for vector in [*sent["queries"], *(row["vector"] for row in sent["rows"])])


def test_a_text_that_is_too_long_is_refused(collection):
    target, table = collection(), rows(2)
    target.prepare(schema())
    for name, advice in (("text", "encode without stored texts"), ("id", "give it a shorter one"),
                         ("language", "leave the column out")):  # fmt: skip
        column = table.column_names.index(name)
        message = rf"{name} of id .* has 65,536 bytes, but Milvus holds at most 65,535: {advice}"
        with pytest.raises(InputError, match=message):
            target.upsert(table.set_column(column, name, [["a", "é" * 32_768]]))
    assert target.count() == 0


def test_an_export_that_grew_and_one_that_shrank(server, tmp_path):
    large, small = folder(tmp_path / "large", 90), folder(tmp_path / "small", 40)
    export(large, "milvus", server.address, name="grown", index="FLAT")
    made = export(small, "milvus", server.address, name="grown", index="FLAT")
    assert (made["rows"], made["count"], made["others"]) == (40, 90, 50)
    result = verify_export(small, "milvus", server.address, name="grown", index="FLAT", queries=20)
    assert not result["passed"] and result["unknown_ids"] > 0


def test_a_file_of_milvus_lite(tmp_path):
    vectors, to = folder(tmp_path / "v", 50), str(tmp_path / "deep" / "index.db")
    export(vectors, "milvus", to, index="FLAT")
    assert verify_export(vectors, "milvus", to, queries=20)["exact"]
    assert export(vectors, "milvus", to)["count"] == 50


def test_an_address_where_nothing_is(tmp_path, caplog):
    vectors = folder(tmp_path / "v", 5)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://me:hunter22@127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(InputError) as error:
            export(vectors, "milvus", address, retries=1, token="hunter33")
    assert "cannot be reached (2 tries; Connection refused): start it, then run the same command" in str(error.value)
    assert "hunter" not in str(error.value) + caplog.text


def test_a_server_that_never_answers(collection):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        target = open_target(f"http://127.0.0.1:{silent.getsockname()[1]}", name="x", timeout=0.5)
        with pytest.raises(Unreachable):
            target.prepare(schema())
        target.close()


def test_an_index_that_never_comes_is_not_waited_for_for_ever(server, collection, monkeypatch):
    from pymilvus import MilvusClient

    told = MilvusClient.describe_index
    monkeypatch.setattr(MilvusClient, "describe_index", lambda *a, **o: told(*a, **o) | {"pending_index_rows": 1200})
    target = collection(index_wait=0.1)
    target.prepare(schema())
    target.upsert(rows(3))
    with pytest.raises(InputError, match=r"of http.*: its index is not ready after 0\.1 s \(1,200 rows to go\); every"):
        target.finish()


def test_a_server_that_is_killed_in_the_middle(tmp_path, monkeypatch):
    """What was acknowledged is there after the restart; the same export again completes it."""
    from align.engines.milvus import collection as milvus_collection

    monkeypatch.setattr("align.engines.retry.FIRST", 0.05)
    vectors = folder(tmp_path / "v", 600)
    server = Server(tmp_path / "data")
    acknowledged, upsert = [], milvus_collection.Collection.upsert

    def upsert_then_die(self, table):
        upsert(self, table)
        acknowledged.extend(table["id"].to_pylist())
        if len(acknowledged) == 300:
            server.kill()

    try:
        with monkeypatch.context() as patch:
            patch.setattr(milvus_collection.Collection, "upsert", upsert_then_die)
            with pytest.raises(InputError, match="cannot be reached"):
                export(vectors, "milvus", server.address, index="FLAT", batch_rows=50, retries=2)
        assert len(acknowledged) == 300
        server.start()
        target = open_target(server.address, name="align", index="FLAT")
        target.prepare(schema())
        assert target.count() == 300 and len(target.payloads(acknowledged)) == 300
        target.close()
        made = export(vectors, "milvus", server.address, index="FLAT", batch_rows=50)
        assert (made["count"], made["others"]) == (600, 0)
        assert verify_export(vectors, "milvus", server.address, queries=50)["passed"]
    finally:
        server.kill()


def test_a_server_that_comes_back_during_the_export(tmp_path, monkeypatch):
    """The export waits, and goes on by itself."""
    from align.engines.milvus import collection as milvus_collection

    monkeypatch.setattr("align.engines.retry.FIRST", 0.3)
    vectors = folder(tmp_path / "v", 200)
    server = Server(tmp_path / "data")
    upsert, restarts = milvus_collection.Collection.upsert, []

    def upsert_after_a_crash(self, table):
        if not restarts:
            server.kill()
            restarts.append(threading.Timer(0.3, server.start))
            restarts[0].start()
        upsert(self, table)

    try:
        monkeypatch.setattr(milvus_collection.Collection, "upsert", upsert_after_a_crash)
        assert export(vectors, "milvus", server.address, index="FLAT", retries=12)["count"] == 200
    finally:
        restarts[0].join()
        server.kill()


@pytest.mark.parametrize(
    ("to", "options", "message"),
    [
        ("http://127.0.0.1:1", {"name": "a-b"}, "letters, digits and _, no digit first, got 'a-b'"),
        ("127.0.0.1:19530", {}, "TO is no address of Milvus: expected http://HOST:PORT, or a file that ends in .db"),
        ("http://127.0.0.1:1", {"index": "flat"}, "one of FLAT, HNSW, IVF_FLAT, AUTOINDEX, got 'flat'"),
        ("http://127.0.0.1:1", {"m": 0}, "m of Milvus must be more than 0, got 0"),
        ("http://127.0.0.1:1", {"index_wait": float("inf")}, "index_wait of Milvus is a number of seconds, more than"),
    ],
)
def test_what_is_no_address_or_option(to, options, message):
    with pytest.raises(InputError) as error:
        open_target(to, **{"name": "align"} | options)
    assert message in str(error.value)


def test_filters_by_language(collection):
    target, table = collection(), rows(60)
    fill(target, table)
    found = target.search(queries(3), 5, where={"language": ["deu", 'q"']})
    assert found == nearest(table, queries(3), 5, {"language": ["deu", 'q"']})
