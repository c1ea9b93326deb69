"""Exports that are folders of files: read back as a reader would, not by the code that wrote them."""

from __future__ import annotations

import errno
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import Request, urlopen

import numpy as np
import pyarrow.parquet as pq
import pytest
from exported import HOSTILE

from align import export, verify_export
from align.engines.json_rows import bounded_files
from align.errors import InputError
from align.similarity.cosine import normalize
from align.vectors.folder import vectors_of
from align.vectors.writing import save_vectors

ENCODER = {"model": "toy", "pooling": "mean"}
ENGINES = ("parquet", "npy", "opensearch", "elasticsearch", "vespa")
COUNT, DIMENSION = 70, 6


def folder(path, *, count=COUNT, dtype="float32", store_texts=True, encoder=ENCODER, seed=0, ids=None):
    vectors = 4 * np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(dtype)
    names = ids or [
        HOSTILE[i] if i < len(HOSTILE) and len(HOSTILE[i].encode()) < 512 else f"r{i}" for i in range(count)
    ]
    return save_vectors(
        path, names, vectors, texts=[f"text\n {i} \U0001d518 \u2028" for i in range(count)], encoder=encoder,
        languages=["deu" if i % 2 else "" for i in range(count)], scripts=["Latn"] * count, store_texts=store_texts,
        part_rows=30,
    )  # fmt: skip


def unit_rows(vectors):
    """Ids, payloads and vectors of a folder by the definition, one row at a time."""
    found = {}
    for table in vectors.tables():
        for row in table.to_pylist():
            vector = np.array(row.pop("vector"), dtype=np.float64)
            found[row.pop("id")] = (row, vector / np.linalg.norm(vector))
    return found


def read_parquet(to):
    rows = [row for path in sorted(to.glob("part-*.parquet")) for row in pq.read_table(path).to_pylist()]
    return [(row.pop("id"), row.pop("vector"), row) for row in rows]


def read_npy(to):
    vectors = np.load(to / "vectors.npy", mmap_mode="r")
    rows = [json.loads(line) for line in (to / "ids.jsonl").read_text(encoding="utf-8").split("\n")[:-1]]
    assert len(rows) == len(vectors)
    return [(row.pop("id"), vector, row) for row, vector in zip(rows, vectors, strict=True)]


def read_bulk(to):
    lines = [line for path in sorted(to.glob("bulk-*.ndjson")) for line in path.read_bytes().split(b"\n")[:-1]]
    found = []
    for action, source in zip(lines[::2], lines[1::2], strict=True):
        action, source = json.loads(action), json.loads(source)
        assert action == {"index": {"_index": "align", "_id": source["id"]}}
        found.append((source.pop("id"), source.pop("vector"), source))
    return found


def read_vespa(to):
    found = []
    for line in (to / "feed.jsonl").read_bytes().split(b"\n")[:-1]:
        document = json.loads(line)
        fields = document.pop("fields")
        assert document == {"put": f"id:align:align::{fields['id']}"}
        found.append((fields.pop("id"), fields.pop("vector")["values"], fields))
    return found


READ = {
    "parquet": read_parquet, "npy": read_npy, "opensearch": read_bulk, "elasticsearch": read_bulk, "vespa": read_vespa,
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_reader_finds_every_row(tmp_path, engine, dtype):
    vectors, to = folder(tmp_path / "v", dtype=dtype), tmp_path / "out"
    made = export(vectors, engine, str(to), batch_rows=16)
    assert (made["rows"], made["count"]) == (COUNT, COUNT)
    expected, found = unit_rows(vectors), READ[engine](to)
    assert [key for key, _, _ in found] == list(expected)
    for key, vector, payload in found:
        assert payload == expected[key][0]
        stored = np.asarray(vector, dtype=dtype)
        np.testing.assert_allclose(stored, expected[key][1], atol=1e-7 if dtype == "float32" else 2**-11)
    sent = np.concatenate([normalize(vectors_of(table)).astype(dtype) for table in vectors.tables(rows=16)])
    assert (np.array([vector for _, vector, _ in found], dtype=dtype) == sent).all()  # no digit is lost
    queries = np.random.default_rng(3).normal(size=(5, DIMENSION))
    matrix = np.array([vector for _, vector, _ in found], dtype=np.float64)
    truth = np.array([vector for _, vector in expected.values()])
    if dtype == "float32":
        assert (np.argsort(-queries @ matrix.T)[:, :8] == np.argsort(-queries @ truth.T)[:, :8]).all()
    result = verify_export(vectors, engine, str(to), queries=30)
    assert result["passed"] and result["exact"] and result["payloads"] == COUNT


@pytest.mark.parametrize("engine", ENGINES)
def test_an_export_is_replaced_or_refused(tmp_path, engine):
    vectors, to = folder(tmp_path / "v"), tmp_path / "out"
    with pytest.raises(InputError, match=r"export .*out is not there: run align export first"):
        verify_export(vectors, engine, str(to))
    assert not to.exists()
    export(vectors, engine, str(to))
    before = {path.name: path.read_bytes() for path in to.iterdir()}
    export(vectors, engine, str(to), batch_rows=7)
    if engine != "parquet":  # whose row groups are the batches
        assert {path.name: path.read_bytes() for path in to.iterdir()} == before
    less = folder(tmp_path / "less", count=5, store_texts=True)
    assert export(less, engine, str(to))["count"] == 5
    assert verify_export(less, engine, str(to), queries=9)["passed"]
    before = {path.name: path.read_bytes() for path in to.iterdir()}
    for other, message in (
        (folder(tmp_path / "a", encoder=ENCODER | {"pooling": "cls"}), r'pooling \("mean" there, "cls" here\)'),
        (folder(tmp_path / "b", dtype="float16"), r'dtype \("float32" there, "float16" here\)'),
        (folder(tmp_path / "c", store_texts=False), r"texts \(true there, false here\)"),
    ):
        with pytest.raises(InputError, match=rf"export .*out holds other vectors: {message}"):
            export(other, engine, str(to))
    with pytest.raises(InputError, match=rf"is of engine {engine}, not of {'npy' if engine != 'npy' else 'vespa'}"):
        export(vectors, "npy" if engine != "npy" else "vespa", str(to))
    assert {path.name: path.read_bytes() for path in to.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c", "less", "out", "v"]


@pytest.mark.parametrize("engine", ENGINES)
def test_no_rows(tmp_path, engine):
    assert export(folder(tmp_path / "v", count=0), engine, str(tmp_path / "out"))["count"] == 0
    assert READ[engine](tmp_path / "out") == []


@pytest.mark.parametrize("engine", ENGINES)
def test_a_changed_byte_is_found(tmp_path, engine):
    vectors, to = folder(tmp_path / "v"), tmp_path / "out"
    export(vectors, engine, str(to))
    for path in to.iterdir():
        if "align-" not in path.name:
            good = path.read_bytes()
            path.write_bytes(good[:-9] + bytes([good[-9] ^ 1]) + good[-8:])
            with pytest.raises(InputError, match=rf"{path.name} is damaged: its SHA-256 is not the one in"):
                verify_export(vectors, engine, str(to))
            path.write_bytes(good)
    assert verify_export(vectors, engine, str(to), queries=5)["passed"]
    next(to.glob("[!_.]*")).unlink()
    with pytest.raises(InputError, match="no such file"):
        verify_export(vectors, engine, str(to))


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_is_left_of_an_export_that_fails(tmp_path, engine):
    vectors, to = folder(tmp_path / "v"), tmp_path / "out"
    part = tmp_path / "v" / "part-00002.parquet"
    whole = part.read_bytes()
    part.write_bytes(whole[:-5])
    with pytest.raises(InputError, match="part-00002.parquet is damaged"):
        export(vectors, engine, str(to))
    assert [path.name for path in tmp_path.iterdir()] == ["v"]
    part.write_bytes(whole)
    export(vectors, engine, str(to))
    part.write_bytes(whole[:-5])
    with pytest.raises(InputError, match="damaged"):
        export(vectors, engine, str(to))
    assert len(READ[engine](to)) == COUNT  # what was there stays
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "v"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_full_disk(tmp_path, monkeypatch, engine):
    vectors, to = folder(tmp_path / "v"), tmp_path / "out"
    from align.engines import bulk, npy, parquet, vespa

    def full(*given):
        raise OSError(errno.ENOSPC, "No space left on device")

    for home, name in (
        (bulk, "fields"),
        (npy, "vectors_of"),
        (parquet.pq.ParquetWriter, "write_table"),
        (vespa, "fields"),
    ):
        monkeypatch.setattr(home, name, full)
    with pytest.raises(InputError, match=r"out was not written: no space left on the disk"):
        export(vectors, engine, str(to))
    assert [path.name for path in tmp_path.iterdir()] == ["v"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_place_that_holds_something_else(tmp_path, engine):
    vectors = folder(tmp_path / "v")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    for place in ("mine", "file", "v"):
        with pytest.raises(
            InputError, match=rf"{place} (is a file|holds (thesis.txt|manifest.json), which is not of an export)"
        ):
            export(vectors, engine, str(tmp_path / place))
    with pytest.raises(InputError, match=rf"{engine} is written to a folder; expected its path"):
        export(vectors, engine, "http://127.0.0.1:9200")
    export(vectors, engine, str(tmp_path / "empty"))
    (tmp_path / "empty" / "_align-export.json").write_text("[]")
    with pytest.raises(InputError, match="is of engine None"):
        export(vectors, engine, str(tmp_path / "empty"))


def test_parquet_says_what_made_it(tmp_path):
    export(folder(tmp_path / "v"), "parquet", str(tmp_path / "out"), part_rows=40)
    paths = sorted((tmp_path / "out").glob("*.parquet"))
    assert [pq.ParquetFile(path).metadata.num_rows for path in paths] == [40, 30]
    schema = pq.read_schema(paths[1])
    assert json.loads(schema.metadata[b"align.export"])["encoder"] == ENCODER
    assert schema.field("vector").type.list_size == DIMENSION
    with pytest.raises(InputError, match="part_rows must be at least 1, got 0"):
        export(folder(tmp_path / "w"), "parquet", str(tmp_path / "out2"), part_rows=0)


@pytest.mark.parametrize(("engine", "kind", "width"), [
    ("opensearch", "knn_vector", "dimension"), ("elasticsearch", "dense_vector", "dims"),
])  # fmt: skip
def test_the_index_of_either_dialect(tmp_path, engine, kind, width):
    export(folder(tmp_path / "v"), engine, str(tmp_path / "out"), m=8)
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    mapping = index["mappings"]
    assert mapping["dynamic"] == "strict" and mapping["_meta"]["align.export"]["encoder"] == ENCODER
    vector = mapping["properties"]["vector"]
    assert (vector["type"], vector[width]) == (kind, DIMENSION)
    if engine == "opensearch":
        assert index["settings"]["index"]["knn"] is True
        assert vector["method"]["space_type"] == "innerproduct" and vector["method"]["parameters"]["m"] == 8
    else:
        assert (vector["similarity"], vector["index_options"]["type"], vector["index_options"]["m"]) == (
            "cosine", "hnsw", 8,
        )  # fmt: skip
    for _, _, payload in read_bulk(tmp_path / "out"):
        assert {"id", "vector", *payload} == set(mapping["properties"])  # strict: no other field


@pytest.mark.parametrize("engine", ["opensearch", "elasticsearch"])
def test_a_server_takes_the_requests(tmp_path, engine):
    """A stub of ``_bulk`` reads line by line, as the servers do; a request that is sent twice changes nothing."""
    vectors, to = folder(tmp_path / "v"), tmp_path / "out"
    export(vectors, engine, str(to), megabytes=1)
    documents, wrong = {}, []

    class Stub(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not body.endswith(b"\n") or self.headers["Content-Type"] != "application/x-ndjson":
                wrong.append("the request")
            lines = iter(body.split(b"\n")[:-1])
            for line in lines:
                action = json.loads(line)
                source = json.loads(next(lines))
                if set(action) != {"index"} or set(action["index"]) != {"_index", "_id"}:
                    wrong.append(line)
                if len(source["vector"]) != DIMENSION or not all(isinstance(x, (int, float)) for x in source["vector"]):
                    wrong.append(source)
                documents[action["index"]["_id"]] = source
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"errors": false}')

    server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        for path in [*sorted(to.glob("bulk-*.ndjson"))] * 2:
            headers = {"Content-Type": "application/x-ndjson"}
            request = Request(f"http://127.0.0.1:{server.server_port}/_bulk", path.read_bytes(), headers)
            with urlopen(request) as response:
                assert response.status == 200
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert not wrong
    assert list(documents) == list(unit_rows(vectors))


def test_files_are_bounded_and_entries_are_whole(tmp_path):
    with bounded_files(tmp_path, "bulk", "ndjson", 10) as write:
        for entry in ("aaaa\n", "bbbb\n", "c\n", "d" * 20 + "\n", "e\n"):
            write(entry)
    written = [path.read_text() for path in sorted(tmp_path.iterdir())]
    assert written == ["aaaa\nbbbb\n", "c\n", "d" * 20 + "\n", "e\n"]
    assert sorted(path.name for path in tmp_path.iterdir())[0] == "bulk-00000.ndjson"


def test_an_id_that_is_too_long_for_bulk_stands_in_its_row(tmp_path):
    ids = ["é" * 256, "é" * 257, "x" * 2000]
    export(folder(tmp_path / "v", count=3, ids=ids), "elasticsearch", str(tmp_path / "out"))
    lines = [
        json.loads(line) for line in (tmp_path / "out" / "bulk-00000.ndjson").read_text("utf-8").split("\n") if line
    ]
    names = [line["index"]["_id"] for line in lines[::2]]
    assert [row["id"] for row in lines[1::2]] == ids
    assert names == [ids[0], *(f"sha256:{hashlib.sha256(key.encode()).hexdigest()}" for key in ids[1:])]
    assert verify_export(tmp_path / "v", "elasticsearch", str(tmp_path / "out"), queries=5)["passed"]


def test_what_bulk_refuses(tmp_path):
    vectors = folder(tmp_path / "v")
    for name in ("", "Upper", "_x", "-x", ".x", "a b", "a/b", "a,b", "x" * 256):
        with pytest.raises(InputError, match="an index of opensearch has a name in lower case"):
            export(vectors, "opensearch", str(tmp_path / "out"), name=name)
    with pytest.raises(InputError, match="megabytes must be at least 1, got 0"):
        export(vectors, "elasticsearch", str(tmp_path / "out"), megabytes=0)
    with pytest.raises(InputError, match="a row of opensearch needs an id, got one that is empty"):
        export(folder(tmp_path / "none", count=1, ids=[""]), "opensearch", str(tmp_path / "out"))
    zero = save_vectors(tmp_path / "zero", ["a", "b"], [[1.0, 0.0], [0.0, 0.0]], texts=["x", "y"], encoder=ENCODER)
    with pytest.raises(InputError, match="the vector of id 'b' is all zeros, which elasticsearch refuses"):
        export(zero, "elasticsearch", str(tmp_path / "out"))
    assert export(zero, "opensearch", str(tmp_path / "out"))["count"] == 2
    wide = save_vectors(tmp_path / "wide", ["a"], np.ones((1, 4097)), texts=["x"], encoder=ENCODER)
    with pytest.raises(InputError, match="a dense_vector has at most 4,096 dimensions, got 4,097"):
        export(wide, "elasticsearch", str(tmp_path / "out2"))
    wide = save_vectors(tmp_path / "wider", ["a"], np.ones((1, 16_001)), texts=["x"], encoder=ENCODER)
    with pytest.raises(InputError, match="a knn_vector has at most 16,000 dimensions, got 16,001"):
        export(wide, "opensearch", str(tmp_path / "out2"))


VESPA = """schema docs {
    document docs {
        field id type string {
            indexing: summary | attribute
        }
        field text_sha256 type string {
            indexing: summary | attribute
        }
        field language type string {
            indexing: summary | attribute
            attribute: fast-search
            match: word
            rank: filter
        }
        field script type string {
            indexing: summary | attribute
            attribute: fast-search
            match: word
            rank: filter
        }
        field vector type tensor<float>(x[6]) {
            indexing: attribute | index
            attribute {
                distance-metric: angular
            }
            index {
                hnsw {
                    max-links-per-node: 24
                    neighbors-to-explore-at-insert: 200
                }
            }
        }
    }
    rank-profile cosine {
        inputs {
            query(q) tensor<float>(x[6])
        }
        first-phase {
            expression: closeness(field, vector)
        }
    }
}
"""


def test_the_schema_of_vespa(tmp_path):
    export(folder(tmp_path / "v", store_texts=False), "vespa", str(tmp_path / "out"), name="docs", m=24)
    about, _, text = (tmp_path / "out" / "docs.sd").read_text().partition("\n")
    assert json.loads(about.removeprefix("# align.export "))["encoder"] == ENCODER
    assert text == VESPA
    export(folder(tmp_path / "w"), "vespa", str(tmp_path / "out2"), name="docs")
    assert (
        "field text type string {\n            indexing: summary | index\n" in (tmp_path / "out2/docs.sd").read_text()
    )


def test_control_characters_are_written_to_vespa_as_json(tmp_path):
    """Vespa refuses a document with one; what begins as these do is written so, too, and all is read back."""
    ids = ["a\tb", "c\x01", "json:d"]
    bad = save_vectors(tmp_path / "bad", ids, np.eye(3), texts=["x\ty\n", "x\x0c", "z"], encoder=ENCODER)
    export(bad, "vespa", str(tmp_path / "out"))
    written = [json.loads(line) for line in (tmp_path / "out" / "feed.jsonl").read_text().split("\n") if line]
    assert [row["put"] for row in written] == [
        "id:align:align::a\tb", 'id:align:align::json:"c\\u0001"', 'id:align:align::json:"json:d"',
    ]  # fmt: skip
    assert [row["fields"]["text"] for row in written] == ["x\ty\n", 'json:"x\\f"', "z"]
    assert verify_export(bad, "vespa", str(tmp_path / "out"), queries=3, k=2)["passed"]


def test_what_vespa_refuses(tmp_path):
    vectors = folder(tmp_path / "v")
    with pytest.raises(
        InputError, match="a schema of Vespa has a name of letters, digits and _, no digit first, got 'a-"
    ):
        export(vectors, "vespa", str(tmp_path / "out"), name="a-b")
    with pytest.raises(InputError, match="a namespace of Vespa is of letters, digits, _ and -, got 'a:b'"):
        export(vectors, "vespa", str(tmp_path / "out"), namespace="a:b")
    none = save_vectors(tmp_path / "none", [""], np.eye(1), texts=["x"], encoder=ENCODER)
    with pytest.raises(InputError, match="a document of Vespa needs an id, got one that is empty"):
        export(none, "vespa", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
