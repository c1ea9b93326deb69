from __future__ import annotations

import copy
import json
import logging
import socket
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from exported import (
    ENCODER,
    HOSTILE,
    check_engine,
    check_export,
    check_inner_product,
    check_large_batches,
    check_refusals,
    fill,
    nearest,
    payload,
    queries,
    rows,
    schema,
)  # fmt: skip

from align import export
from align.engines import qdrant
from align.engines.qdrant import Qdrant
from align.engines.qdrant_requests import point_id
from align.engines.target import Unreachable
from align.errors import InputError
from align.vectors.writing import save_vectors

pytest.importorskip("qdrant_client", reason="needs qdrant-client")


@pytest.fixture
def collection(tmp_path):
    """Open a collection of a folder; all are closed at the end."""
    opened = []

    def open_collection(to=tmp_path / "qdrant", **options):
        opened.append(Qdrant(str(to), **{"name": "align"} | options))
        return opened[-1]

    yield open_collection
    for target in opened:
        target.close()


class Stub(BaseHTTPRequestHandler):
    """The few calls of Qdrant's REST that an export makes, answered by the client's own engine in memory.

    There is no server of Qdrant to install: this shows what is sent and how answers are taken, not what a server does.
    """

    def log_message(self, *_):
        pass

    def _answer(self):
        from qdrant_client import models

        server, engine = self.server, self.server.engine
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        address = urlsplit(self.path)
        _, _, name, *rest = address.path.split("/")
        call = (self.command, "/".join(rest))
        server.calls.append((call, parse_qs(address.query), copy.deepcopy(body), dict(self.headers)))
        if server.failures:
            status, headers, text = server.failures.pop(0)
            return self._send(status, text, headers)
        match call:
            case ("GET", "exists"):
                made = {"exists": engine.collection_exists(name)}
            case ("GET", ""):
                made = engine.get_collection(name).model_dump(mode="json")
                if server.old:
                    made["config"].pop("metadata")
                made["status"] = server.status
            case ("PUT", ""):
                made = engine.create_collection(
                    name, vectors_config=models.VectorParams(**body["vectors"]), metadata=body["metadata"]
                )
            case ("DELETE", ""):
                made = engine.delete_collection(name)
            case ("PUT", "points"):
                engine.upsert(name, points=models.Batch(**body["batch"]))
                made = {"operation_id": 1, "status": "completed"}
            case ("PUT", "index"):
                made = {"operation_id": 1, "status": "completed"}
            case ("POST", "points/count"):
                made = engine.count(name).model_dump(mode="json")
            case ("POST", "points/query/batch"):
                for search in body["searches"]:
                    search.pop("params")
                requests = [models.QueryRequest(**search) for search in body["searches"]]
                made = [answer.model_dump(mode="json") for answer in engine.query_batch_points(name, requests)]
            case ("POST", "points"):
                made = [point.model_dump(mode="json") for point in engine.retrieve(name, body["ids"])]
        self._send(200, {"result": made, "status": "ok", "time": 0.0})

    do_GET = do_PUT = do_POST = do_DELETE = _answer

    def _send(self, status, value, headers=()):
        content = json.dumps(value).encode()
        self.send_response(status)
        for header in (("Content-Type", "application/json"), ("Content-Length", str(len(content))), *headers):
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def server(monkeypatch):
    from qdrant_client import QdrantClient

    monkeypatch.delenv("QDRANT_API_KEY", raising=False)
    stub = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    stub.engine = QdrantClient(location=":memory:", force_disable_check_same_thread=True)
    stub.calls, stub.failures, stub.old, stub.status = [], [], False, "green"
    stub.url = f"http://127.0.0.1:{stub.server_port}"
    threading.Thread(target=stub.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield stub
    stub.shutdown()
    stub.server_close()
    stub.engine.close()


def test_every_call_of_an_engine(collection):
    check_engine(collection, count=40)  # local mode syncs the disk for every point


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_whole_way(server, tmp_path, dtype):
    assert check_export("qdrant", server.url, tmp_path / "vectors", dtype=dtype, exact=True)["exact"]


def test_batches_above_those_of_a_request(server, collection):
    check_large_batches(lambda: collection(server.url))


def test_the_metric_is_the_inner_product(collection):
    check_inner_product(collection)


def test_in_memory(collection):
    target = collection(":memory:")
    fill(target, rows(30))
    assert target.exact
    assert target.search(queries(3), 5) == nearest(rows(30), queries(3), 5)


def test_float16(collection):
    corpus, given = rows(200, dtype="float16"), queries(20)
    target = collection(":memory:")
    fill(target, corpus, wanted=schema(dtype="float16"))
    assert target.search(given, 10) == nearest(corpus, given, 10)


def test_a_point_id_is_made_of_the_row_id_alone():
    assert point_id("a") == str(uuid.uuid5(uuid.UUID("8f2c1b1e-5a0d-5c3b-9d57-0c0f4a7f6e21"), "a"))
    assert len({point_id(name) for name in [*HOSTILE, "a", "A", "a "]}) == len(HOSTILE) + 3


def test_what_is_stored(collection, tmp_path):
    from qdrant_client import QdrantClient

    corpus = rows(3)
    target = collection()
    fill(target, corpus, wanted=schema())
    target.close()
    client = QdrantClient(path=str(tmp_path / "qdrant"))
    about = client.get_collection("align")
    assert about.config.metadata["align"]["encoder"] == ENCODER | {"romanizer": None}
    assert (about.config.params.vectors.size, about.config.params.vectors.distance) == (8, "Dot")
    [point] = client.retrieve("align", [point_id("it's")], with_vectors=True)
    assert point.payload == {"id": "it's"} | payload(corpus)["it's"]
    np.testing.assert_array_equal(np.float32(point.vector), corpus.column("vector")[0].as_py())
    client.close()


def test_a_collection_that_is_not_ours(collection, tmp_path):
    from qdrant_client import QdrantClient, models

    client = QdrantClient(path=str(tmp_path / "qdrant"))
    params = models.VectorParams(size=8, distance=models.Distance.COSINE)
    client.create_collection("align", vectors_config=params)
    client.close()
    target = collection()
    with pytest.raises(InputError, match="collection align of .*qdrant is there, but was not made by align export"):
        target.prepare(schema())
    assert target.count() == 0


def test_folders_that_are_not_qdrants(collection, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x").write_text("")
    for name in ("file", "other"):
        with pytest.raises(InputError, match=f"{name} is there, but is no folder of Qdrant"):
            collection(tmp_path / name).prepare(schema())
    (tmp_path / "other" / "meta.json").write_text("{")
    with pytest.raises(InputError, match="meta.json is not valid JSON"):
        collection(tmp_path / "other").prepare(schema())
    with pytest.raises(InputError, match="is not there: run align export first"):
        collection(tmp_path / "new").prepare(schema(), make=False)
    assert not (tmp_path / "new").exists()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the client leaves its lock file open
def test_a_folder_that_is_open_elsewhere(collection):
    collection().prepare(schema())
    with pytest.raises(InputError, match="already accessed by another instance"):
        collection().prepare(schema())


def test_many_points_in_local_mode_are_said_once(collection, caplog, monkeypatch):
    from qdrant_client.common import client_warnings
    from qdrant_client.local.local_collection import LocalCollection

    monkeypatch.setattr(qdrant, "LOCAL_POINTS", 20)
    monkeypatch.setattr(LocalCollection, "LARGE_DATA_THRESHOLD", 20)
    client_warnings.SEEN_MESSAGES.discard("large-local-collection")
    with caplog.at_level(logging.WARNING, "align"):
        fill(collection(), rows(30), batch=5)
    assert [record.message for record in caplog.records if "slow above 20 points" in record.message] != []
    assert len(caplog.records) == 1


def test_every_call_over_http(server, collection):
    check_engine(lambda: collection(server.url))
    sent = {}
    for call, query, body, headers in server.calls:
        sent.setdefault(call, []).append((query, body, headers))
    made = sent["PUT", ""][0][1]
    assert made["vectors"] == {"size": 8, "distance": "Dot", "datatype": "float32"}
    assert made["hnsw_config"] == {"m": 16, "ef_construct": 100}
    assert made["metadata"] == {"align": schema().described()}
    assert {body["field_name"] for _, body, _ in sent["PUT", "index"]} == {"language", "script"}
    assert all(query == {"wait": ["true"]} for query, _, _ in sent["PUT", "points"])
    assert max(len(body["batch"]["ids"]) for _, body, _ in sent["PUT", "points"]) <= 128


def test_refusals_over_http(server, collection):
    check_refusals(lambda: collection(server.url))


def test_a_server_searches_by_its_index_or_exactly(server, collection):
    searched = []
    for options in ({}, {"exact": True, "ef_search": 5}):
        target = collection(server.url, **options)
        fill(target, rows(5))
        target.search(queries(1), 7)
        *_, (_, _, body, _) = server.calls
        searched.append((target.exact, body["searches"][0]["params"]))
    assert searched == [(False, {"exact": False, "hnsw_ef": 128}), (True, {"exact": True, "hnsw_ef": 7})]


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
def test_the_key_is_of_the_environment_and_in_no_message(server, collection, monkeypatch):
    monkeypatch.setenv("QDRANT_API_KEY", "s3cret")
    target = collection(server.url.replace("http://", "http://user:hunter2@"))
    server.failures = [(403, [], {"status": {"error": "Forbidden"}})]
    with pytest.raises(InputError, match="403 Forbidden; the key is read from QDRANT_API_KEY") as raised:
        target.prepare(schema())
    assert server.calls[0][3]["api-key"] == "s3cret"
    assert "s3cret" not in str(raised.value) and "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("failure", "error", "message"),
    [
        ((503, [], {"status": {"error": "starting"}}), Unreachable, "503 starting"),
        ((500, [], "?"), Unreachable, "500 Internal Server Error"),
        ((429, [("Retry-After", "3")], {"status": {"error": "slowly"}}), Unreachable, "slowly"),
        ((408, [], {}), Unreachable, "408 Request Timeout"),
        ((400, [], {"status": {"error": "Wrong input"}}), InputError, "align of http://127.*: 400 Wrong input"),
    ],
)
def test_what_a_server_says(server, collection, failure, error, message):
    target = collection(server.url)
    target.prepare(schema())
    server.failures = [failure]
    with pytest.raises(error, match=message):
        target.upsert(rows(3))
    target.upsert(rows(3))
    assert target.count() == 3


def test_an_index_that_never_comes_is_not_waited_for_for_ever(server, tmp_path):
    vectors = save_vectors(tmp_path / "v", ["a"], np.eye(1, 8), texts=["a"], encoder=ENCODER)
    export(vectors, "qdrant", server.url)
    server.status = "yellow"
    with pytest.raises(InputError, match=r"align of http.*: its index is not ready after 0\.1 s \(status yellow, 0 v"):
        export(vectors, "qdrant", server.url, index_wait="0.1")
    server.status = "red"
    with pytest.raises(InputError, match="align of http.*: its index failed, status red: "):
        export(vectors, "qdrant", server.url)


def test_an_old_server_keeps_no_metadata(server, collection):
    server.old = True
    with pytest.raises(InputError, match=r"the server keeps no metadata; expected Qdrant 1\.16 or later"):
        collection(server.url).prepare(schema())
    assert not server.engine.collection_exists("align")


def test_a_server_that_is_away(collection):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Unreachable, match="refused"):
        collection(f"http://127.0.0.1:{port}").prepare(schema())


def test_a_server_that_does_not_answer(collection, monkeypatch):
    monkeypatch.setattr(qdrant, "TIMEOUT", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Unreachable, match="(?i)timed out"):
        collection(f"http://127.0.0.1:{silent.getsockname()[1]}").prepare(schema())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "a/b"}, "the name of a collection has 1 to 255 letters, none of .*, got 'a/b'"),
        ({"name": ".."}, "the name of a collection"),
        ({"name": ""}, "the name of a collection"),
        ({"m": 0}, "m is a whole number of 1 or more, got 0"),
        ({"index_wait": 0}, "index_wait of Qdrant is a number of seconds, more than 0 and finite, got 0"),
        ({"ef_search": "x"}, "ef_search is a whole number of 1 or more, got 'x'"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        Qdrant("x", **{"name": "align"} | options)
