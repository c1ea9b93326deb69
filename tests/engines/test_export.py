"""The core of the export and of the verification, against an engine in memory that can be told to misbehave."""

from __future__ import annotations

import traceback

import numpy as np
import pytest

from align import export, verify_export
from align.cli.export import reason
from align.engines.agreement import agreement
from align.engines.folder import exact_search
from align.engines.opening import hidden, secrets, shown
from align.engines.registry import engines
from align.engines.retry import again, await_index
from align.engines.target import Engine, Schema, Unreachable, absent, agree, check_seconds
from align.errors import InputError
from align.vectors.folder import vectors_of
from align.vectors.writing import save_vectors

ENCODER = {"model": "toy", "pooling": "mean"}
WORD = "hunter22"


class Memory:
    """A target that is a dictionary; ``world`` outlives it, as a server does."""

    exact = True

    def __init__(self, world, name):
        self.world, self.name, self.log = world, name, world.setdefault("log", [])

    def prepare(self, schema, *, make=True):
        self._may_fail("prepare")
        stored = self.world.setdefault("collections", {})
        if self.name not in stored:
            if not make:
                raise absent(f"collection {self.name}")
            stored[self.name] = (schema.described(), {})
        about, self.rows = stored[self.name]
        agree(about, schema, f"collection {self.name}")

    def upsert(self, table):
        self._may_fail("upsert")
        columns = table.drop_columns("vector").to_pylist()
        for row, vector in zip(columns, vectors_of(table), strict=True):
            self.rows[row.pop("id")] = (row, vector)

    def finish(self):
        self._may_fail("finish")

    def count(self):
        return len(self.rows) - self.world.get("lost", 0)

    def search(self, queries, k, *, where=None):
        asked = where if where and self.world.get("filters", True) else {}
        kept = {key: row for key, row in self.rows.items() if all(row[0][name] in of for name, of in asked.items())}
        ids, vectors = list(kept), np.stack([vector for _, vector in kept.values()]).astype(np.float64)
        found = [[ids[row] for row in np.argsort(-(vectors @ query), kind="stable")[:k]] for query in queries]
        return self.world.get("answer", lambda rows: rows)(found)

    def payloads(self, ids):
        found = {key: self.rows[key][0] for key in ids if key in self.rows}
        return self.world.get("payload", lambda rows: rows)(found)

    def close(self):
        self.log.append("close")

    def _may_fail(self, what):
        self.log.append(what)
        if self.world.get("failures", {}).get(what):
            self.world["failures"][what] -= 1
            raise Unreachable("no route")


@pytest.fixture
def world(monkeypatch):
    """The engine ``memory``, and the state of its one server."""
    state = {}

    def open_target(to: str, *, name: str, size: int = 1, fast: bool = False, share: float | None = None,
                    password: str = "") -> Memory:  # fmt: skip
        state["options"] = {"size": size, "fast": fast, "share": share}
        if to == "explode":
            raise RuntimeError(f"cannot log in with {password}")
        return Memory(state, name)

    monkeypatch.setitem(engines(), "memory", Engine("memory", "anywhere", open_target))
    monkeypatch.setattr("align.engines.retry.time.sleep", lambda seconds: None)
    monkeypatch.setattr("align.engines.retry.FIRST", 0)
    return state


def folder(path, count, *, dtype="float32", seed=0, store_texts=True, encoder=ENCODER, part_rows=30):
    vectors = 5 * np.random.default_rng(seed).normal(size=(count, 6)).astype(dtype)
    ids = [f"r{i}" for i in range(count)]
    return save_vectors(
        path, ids, vectors, texts=[f"text {i}" for i in ids], encoder=encoder, store_texts=store_texts,
        languages=["deu" if i % 2 else "" for i in range(count)], part_rows=part_rows,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_every_row_is_there_as_a_unit_vector(world, tmp_path, dtype):
    vectors = folder(tmp_path / "v", 70, dtype=dtype)
    made = export(vectors, "memory", "x", name="n", batch_rows=16)
    facts = {"engine": "memory", "to": "x", "name": "n", "rows": 70, "count": 70, "others": 0}
    assert {key: made[key] for key in facts} == facts and made["rows_per_second"] > 0
    _, rows = world["collections"]["n"]
    given = np.concatenate([vectors_of(table) for table in vectors.tables()]).astype(np.float64)
    sent = np.stack([rows[f"r{i}"][1] for i in range(70)])
    assert sent.dtype == dtype
    expected = given / np.linalg.norm(given, axis=1, keepdims=True)
    np.testing.assert_allclose(sent, expected, atol=1e-6 if dtype == "float32" else 2**-11)
    assert set(rows["r1"][0]) == {"text_sha256", "language", "script", "text"}
    assert (rows["r1"][0]["language"], rows["r1"][0]["text"]) == ("deu", "text r1")
    assert world["log"] == ["prepare", *["upsert"] * world["log"].count("upsert"), "finish", "close"]
    assert export(tmp_path / "v", "memory", "x", name="n")["count"] == 70  # again, from the folder's path


def test_texts_that_are_not_stored_are_not_sent(world, tmp_path):
    export(folder(tmp_path / "v", 3, store_texts=False), "memory", "x")
    assert set(world["collections"]["align"][1]["r0"][0]) == {"text_sha256", "language", "script"}


def test_no_rows(world, tmp_path):
    vectors = folder(tmp_path / "v", 0)
    assert export(vectors, "memory", "x")["count"] == 0
    with pytest.raises(InputError, match=r"v has no rows: there is nothing to verify"):
        verify_export(vectors, "memory", "x")


def test_what_does_not_answer_is_asked_again(world, tmp_path):
    vectors = folder(tmp_path / "v", 40)
    world["failures"] = {"prepare": 1, "upsert": 3, "finish": 2}
    assert export(vectors, "memory", "x", batch_rows=20, retries=3)["count"] == 40
    world["failures"] = {"upsert": 3}
    with pytest.raises(InputError) as error:
        export(vectors, "memory", "https://me:hunter22@host", retries=2)
    assert str(error.value) == (
        "memory at https://me:***@host cannot be reached (3 tries; no route): start it, then run the same command again"
    )
    assert world["log"][-1] == "close"
    world["failures"] = {"prepare": 1}
    with pytest.raises(InputError, match=r"\(1 try; no route\)"):
        export(vectors, "memory", "x", retries=0)


def test_waits_double_and_are_bounded():
    waits = []

    def call():
        raise Unreachable("away")

    with pytest.raises(InputError):
        again(call, retries=10, where="x", sleep=waits.append)
    full = [min(20.0, 0.25 * 2**i) for i in range(10)]
    assert len(waits) == 10
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, full, strict=True))
    assert len({wait / most for wait, most in zip(waits, full, strict=True)}) > 1  # jitter


def test_the_wait_for_an_index_is_bounded():
    now, left = [0.0], iter(["3 rows", "1 row", ""])

    def sleep(seconds):
        now[0] += seconds

    await_index(lambda: next(left), seconds=9, where="x", sleep=sleep, clock=lambda: now[0])
    assert now == [1.0]
    with pytest.raises(InputError) as error:
        await_index(lambda: "2 rows", seconds=3.2, where="memory at x", sleep=sleep, clock=lambda: now[0])
    assert now == [pytest.approx(4.2)]
    assert str(error.value) == (
        "memory at x: its index is not ready after 3.2 s (2 rows); every row is written: run the same command again, "
        "with a larger --option index_wait=SECONDS if it needs longer"
    )
    for value in (0, -1, float("inf"), float("nan"), "x"):
        with pytest.raises(InputError, match="wait of Y is a number of seconds, more than 0 and finite, got"):
            check_seconds("Y", wait=value)


def test_another_collection_is_refused_before_any_row(world, tmp_path):
    export(folder(tmp_path / "v", 3), "memory", "x")
    world["log"].clear()
    other = folder(tmp_path / "w", 3, encoder=ENCODER | {"pooling": "cls"})
    with pytest.raises(InputError, match=r'holds other vectors: pooling \("mean" there, "cls" here\); give another'):
        export(other, "memory", "x")
    assert world["log"] == ["prepare", "close"]


def test_a_damaged_part_is_not_sent(world, tmp_path):
    vectors = folder(tmp_path / "v", 70)
    part = tmp_path / "v" / "part-00001.parquet"
    part.write_bytes(part.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"part-00001.parquet is damaged"):
        export(vectors, "memory", "x")
    assert set(world["collections"]["align"][1]) == {f"r{i}" for i in range(30)}


def test_rows_that_are_lost_are_told(world, tmp_path):
    world["lost"] = 2
    with pytest.raises(InputError, match=r"memory at x has 3 rows of align after 5 were written: export again"):
        export(folder(tmp_path / "v", 5), "memory", "x")


def test_options(world, tmp_path):
    vectors = folder(tmp_path / "v", 1)
    export(vectors, "memory", "x", size="12", fast="True", share="0.5")
    assert world["options"] == {"size": 12, "fast": True, "share": 0.5}
    for given, message in (
        ({"size": "x"}, "option size of memory must be a whole number, got 'x'"),
        ({"fast": "1"}, "option fast of memory must be true or false, got '1'"),
        ({"share": ""}, "option share of memory must be a number, got ''"),
        ({"sizes": 1}, "memory has no option 'sizes': expected one of size, fast, share, password; did you mean size?"),
    ):
        with pytest.raises(InputError) as error:
            export(vectors, "memory", "x", **given)
        assert str(error.value) == message
    with pytest.raises(InputError, match="no engine 'milvu': expected one of elasticsearch, lance, milvus, npy"):
        export(vectors, "milvu", "x")
    with pytest.raises(InputError, match="expected batch_rows from 1 and retries from 0, got 0 and 7"):
        export(vectors, "memory", "x", batch_rows=0)


def test_a_password_in_another_error_is_hidden(world, tmp_path):
    with pytest.raises(InputError, match=r"^cannot log in with \*\*\*$") as error:
        export(folder(tmp_path / "v", 1), "memory", "explode", password=WORD)
    assert WORD not in "".join(traceback.format_exception(error.value))


@pytest.mark.parametrize(
    ("to", "expected", "words"),
    [
        ("http://h:19530", "http://h:19530", []),
        ("postgresql://me@h/base", "postgresql://me@h/base", []),
        ("postgresql://me:pa%40ss@h:5432/base", "postgresql://me:***@h:5432/base", ["pa%40ss", "pa@ss"]),
        ("https://:key@h", "https://:***@h", ["key"]),
        ("postgresql://me:p@ss/w@h/base", "postgresql://me:***@h/base", ["p@ss/w"]),
        ("http://h/?api_key=abc&x=1", "http://h/?api_key=***&x=1", ["abc"]),
        ("host=h password='a b' user=me", "host=h password=*** user=me", ["a b"]),
        ("host=h PASSWORD = abc", "host=h PASSWORD = ***", ["abc"]),
        ("/a/folder", "/a/folder", []),
    ],
)
def test_passwords_are_not_shown(to, expected, words):
    assert shown(to) == expected
    assert sorted(secrets(to, {})) == sorted(words)


def test_secret_options():
    assert secrets("x", {"api_key": "abc", "token": "", "index": "FLAT"}) == ["abc"]
    with pytest.raises(InputError, match=r"^no \*\*\* here$"), hidden(["abc"]):
        raise InputError("no abc here")
    with pytest.raises(KeyError, match="other"), hidden(["abc"]):
        raise KeyError("other")


def test_filtered_queries_are_asked_too(world, tmp_path):
    vectors = folder(tmp_path / "v", 70)
    export(vectors, "memory", "x")
    verified = verify_export(vectors, "memory", "x", queries=150, k=50)
    assert verified["passed"] and verified["filtered"] == [
        {"column": "language", "value": "deu", "rows": 35, "queries": 100, "recall": 1.0, "wrong_queries": 0}
    ]
    world["filters"] = False  # as if the engine filtered its own hits of all rows, or not at all
    verified = verify_export(vectors, "memory", "x", queries=150, k=50)
    assert (verified["passed"], verified["wrong_queries"], verified["filtered"][0]["wrong_queries"]) == (False, 0, 100)
    assert 0.2 < verified["filtered"][0]["recall"] < 0.8
    assert "of the 35 rows with language 'deu' it found 0." in reason(verified)
    alone = save_vectors(tmp_path / "w", ["a", "b"], np.eye(2, 6), texts=["a", "b"], encoder=ENCODER)
    export(alone, "memory", "x", name="alone")
    assert verify_export(alone, "memory", "x", name="alone", queries=3)["filtered"] == []


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_an_exact_engine_passes(world, tmp_path, dtype):
    vectors = folder(tmp_path / "v", 70, dtype=dtype)
    export(vectors, "memory", "x")
    result = verify_export(vectors, "memory", "x", queries=40, k=5)
    assert result["passed"] and result["exact"]
    facts = ("recall", "wrong_queries", "rows", "count", "unknown_ids", "payloads", "wrong_payloads", "queries")
    assert [result[key] for key in facts] == [1.0, 0, 70, 70, 0, 70, [], 40]
    assert verify_export(vectors, "memory", "x", queries=40, k=100)["passed"]  # more than there are
    assert verify_export(vectors, "memory", "x", queries=np.eye(6)[:2], k=1)["queries"] == 2


def test_queries_of_zeros_are_told_and_not_asked(world, tmp_path, caplog):
    vectors = save_vectors(tmp_path / "v", ["a", "b"], np.eye(2), texts=["x", "y"], encoder=ENCODER)
    export(vectors, "memory", "x")
    asked = np.array([[1, 0], [0, 0], [0, 1]], np.float32)
    assert verify_export(vectors, "memory", "x", queries=asked, k=1)["queries"] == 2
    assert "1 of 3 queries are zeros, have no nearest row, and are not asked" in caplog.messages
    with pytest.raises(InputError, match="all 2 queries are zeros, and have no nearest row: there is nothing"):
        verify_export(vectors, "memory", "x", queries=0 * asked[:2], k=1)


def test_one_row_and_a_row_of_zeros(world, tmp_path):
    vectors = save_vectors(tmp_path / "v", ["a"], np.zeros((1, 4)), texts=["x"], encoder=ENCODER)
    export(vectors, "memory", "x", name="zero")
    assert verify_export(vectors, "memory", "x", name="zero", queries=3)["passed"]
    vectors = folder(tmp_path / "w", 1)
    export(vectors, "memory", "x", name="one")
    assert verify_export(vectors, "memory", "x", name="one", queries=3)["passed"]


def test_equal_rows_may_come_in_any_order(world, tmp_path):
    rows = np.repeat(np.random.default_rng(1).normal(size=(10, 6)), 4, axis=0)
    vectors = save_vectors(
        tmp_path / "v", [f"r{i}" for i in range(40)], rows, texts=["x"] * 40, encoder=ENCODER, part_rows=7
    )
    export(vectors, "memory", "x")
    world["answer"] = lambda found: [[row[i] for i in (3, 2, 1, 0)] for row in found]
    assert verify_export(vectors, "memory", "x", queries=20, k=4)["passed"]
    world["answer"] = lambda found: [[row[0]] * 4 for row in found]
    assert verify_export(vectors, "memory", "x", queries=20, k=4)["wrong_queries"] == 20  # one of them four times


WRONG = {
    "swapped": lambda found: [[row[1], row[0], *row[2:]] for row in found],
    "short": lambda found: [row[:-1] for row in found],
    "none": lambda found: [[] for _ in found],
    "unknown": lambda found: [["who", *row[1:]] for row in found],
    "twice": lambda found: [[row[0], row[0], *row[2:]] for row in found],
    "far": lambda found: [[*row[:-1], "r0"] if "r0" not in row else row for row in found],
}


@pytest.mark.parametrize("how", WRONG)
def test_an_exact_engine_that_errs_does_not_pass(world, tmp_path, how):
    vectors = folder(tmp_path / "v", 70)
    export(vectors, "memory", "x")
    world["answer"] = WRONG[how]
    result = verify_export(vectors, "memory", "x", queries=30, k=5)
    assert not result["passed"] and result["wrong_queries"] >= 20
    assert result["unknown_ids"] == (30 if how == "unknown" else 0)
    expected = {"swapped": 1.0, "short": 0.8, "none": 0.0, "unknown": 0.8, "twice": 0.8}
    if how in expected:
        assert result["recall"] == pytest.approx(expected[how])


@pytest.mark.parametrize(("least", "passed"), [(0.8, True), (0.81, False)])
def test_an_approximate_engine_needs_its_recall(world, tmp_path, monkeypatch, least, passed):
    vectors = folder(tmp_path / "v", 70)
    export(vectors, "memory", "x")
    monkeypatch.setattr(Memory, "exact", False)
    world["answer"] = WRONG["short"]
    result = verify_export(vectors, "memory", "x", queries=30, k=5, recall=least)
    assert (result["passed"], result["recall"], result["least_recall"]) == (passed, 0.8, least)


def test_payloads_and_counts_arecompared(world, tmp_path):
    vectors = folder(tmp_path / "v", 50)
    export(vectors, "memory", "x")
    world["payload"] = lambda rows: rows | {"r3": rows["r3"] | {"language": "xxx"}}
    result = verify_export(vectors, "memory", "x", queries=5)
    assert (result["passed"], result["wrong_payloads"]) == (False, ["r3"])
    world["payload"] = lambda rows: {key: row for key, row in rows.items() if key != "r9"}
    assert verify_export(vectors, "memory", "x", queries=5)["wrong_payloads"] == ["r9"]
    del world["payload"]
    world["lost"] = 1
    assert not verify_export(vectors, "memory", "x", queries=5)["passed"]


def test_vectors_of_another_corpus_do_not_pass(world, tmp_path):
    export(folder(tmp_path / "v", 50), "memory", "x")
    result = verify_export(folder(tmp_path / "w", 50, seed=1), "memory", "x", queries=20)
    assert not result["passed"] and result["wrong_queries"] == 20


def test_the_seed_decides_the_queries(world, tmp_path):
    vectors, asked = folder(tmp_path / "v", 50), []
    export(vectors, "memory", "x")
    world["answer"] = lambda found: asked.append(found) or found
    for seed in (0, 0, 1):
        verify_export(vectors, "memory", "x", queries=5, seed=seed)
    assert asked[0] == asked[2] != asked[4]  # each is asked of all rows, then of one language


def test_verification_makes_nothing(world, tmp_path):
    vectors = folder(tmp_path / "v", 5)
    with pytest.raises(InputError, match=r"collection align is not there: run align export first"):
        verify_export(vectors, "memory", "x")
    for options, message in (
        ({"k": 0}, "expected k from 1 and a recall from 0 to 1, got 0 and 0.99"),
        ({"recall": float("nan")}, "got 10 and nan"),
        ({"queries": 0}, "expected at least 1 query, got 0"),
        ({"queries": np.ones((2, 5))}, r"expected queries of shape \(n, 6\), got \(2, 5\)"),
    ):
        with pytest.raises(InputError, match=message):
            verify_export(vectors, "memory", "x", **options)


def test_near_ties_may_swap_by_hand():
    best = np.array([[0.9, 0.5], [0.9, 0.5]], dtype=np.float32)
    assert agreement(best, np.array([[0.9, 0.499999], [0.5, 0.9]], dtype=np.float32), 1e-6) == (1, 1.0)
    assert agreement(best, np.array([[0.9, 0.499], [0.9, -np.inf]], dtype=np.float32), 1e-6) == (2, 0.5)
    assert agreement(best[:1], np.array([[0.9, 0.4997]], dtype=np.float32), 2**-11) == (0, 1.0)


def test_exact_search_is_that_of_the_definition(tmp_path):
    vectors = folder(tmp_path / "v", 70)
    queries = np.random.default_rng(5).normal(size=(4, 6))
    rows = np.concatenate([vectors_of(table) for table in vectors.tables()]).astype(np.float64)
    cosines = queries @ rows.T / np.linalg.norm(rows, axis=1)
    for languages in (None, ["deu"], ["xxx"], []):
        allowed = [i for i in range(70) if languages is None or ("deu" if i % 2 else "") in languages]
        expected = [[f"r{i}" for i in sorted(allowed, key=lambda i: -row[i])[:9]] for row in cosines]
        where = None if languages is None else {"language": languages}
        assert exact_search(vectors.tables(rows=11), queries, 9, where=where) == expected
    assert exact_search([], queries, 3) == [[]] * 4


def test_agree():
    schema = Schema("n", 6, "float32", ENCODER, True)
    agree(schema.described(), schema, "it")
    for stored in (None, "x", {}, {"format": "other/1"}):
        with pytest.raises(InputError, match="it is there, but was not made by align export: give another --name"):
            agree(stored, schema, "it")
    with pytest.raises(InputError, match=r"it holds other vectors: dimension \(7 there, 6 here\), model"):
        agree(Schema("n", 7, "float32", {"model": "b", "pooling": "mean"}, True).described(), schema, "it")
