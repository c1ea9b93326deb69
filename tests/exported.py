"""What every engine of align.engines has to do, written once: each test file of an engine calls it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_array

from align import export, verify_export
from align.engines.folder import Folder
from align.engines.target import Hybrid, Schema
from align.errors import InputError
from align.vectors.folder import vector_table, vectors_of
from align.vectors.sparse import SPARSE, sparse_columns
from align.vectors.writing import save_vectors

DIMENSION = 8
ENCODER = {"model": "toy", "pooling": "mean", "dimension": DIMENSION, "romanizer": None}
HOSTILE = [
    "it's",
    'say "x"',
    "a\\b",
    "%s {} ; DROP TABLE x; --",
    "עברית ہے 𝔘",
    "x" * 500,
    "é" * 500,
    " ",
    "a\nb\t",
    "'",
]
"""Ids that break what quotes badly."""
HARSH = ["\x01\x1b[0m\x7f", "100%", "%2F%00%s", "a'b\"c`$", "x" * 1024, "é" * 1024, "\u2028\ufeff", "\r\n"]
HARSH += ['json:"x"', "\ufffe", "e\u0301", "é", "a", "A", "a ", " a", "../a", "a\\", "\\u0000", "null", "1", "01"]
"""Ids that control characters, quotes, escapes, their size or a likeness may spoil."""
PLACES = {
    "milvus": ("align.db", {"index": "FLAT"}),
    "qdrant": ("align", {"exact": True}),
    "qdrant-edge": ("align", {"exact": True}),
}
"""Where a test writes to, and with what to be exact, unless a folder will do."""
CLIENTS = {
    "milvus": ("pymilvus", "milvus_lite"), "qdrant": ("qdrant_client",), "qdrant-edge": ("qdrant_edge",),
    "lance": ("lancedb",), "pgvector": ("psycopg",),
}  # fmt: skip
LANGUAGES = ["deu", "o'x", "", 'q"']


def schema(**changes: Any) -> Schema:
    facts = {"name": "align", "dimension": DIMENSION, "dtype": "float32", "encoder": ENCODER, "texts": True}
    return Schema(**facts | changes)


def rows(count: int, *, start: int = 0, dtype: str = "float32", dimension: int = DIMENSION, seed: int = 0) -> pa.Table:
    """Rows ``start`` to ``start + count - 1`` of the corpus of the seed; the first have hostile ids."""
    numbers = range(start, start + count)
    vectors = np.stack([unit(dimension, seed, number) for number in numbers]) if count else np.zeros((0, dimension))
    return vector_table(
        [HOSTILE[number] if number < len(HOSTILE) else f"id-{number}" for number in numbers],
        vectors.astype(dtype),
        texts=[f"text {number} of {seed}" for number in numbers],
        languages=[LANGUAGES[number % len(LANGUAGES)] for number in numbers],
        scripts=["Latn" for _ in numbers],
    )


def unit(dimension: int, *seeds: int) -> np.ndarray:
    vector = np.random.default_rng(seeds).normal(size=dimension)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def queries(count: int, dimension: int = DIMENSION) -> np.ndarray:
    return np.stack([unit(dimension, 99, number) for number in range(count)])


def nearest(
    table: pa.Table, given: np.ndarray, k: int, where: Mapping[str, Sequence[str]] | None = None
) -> list[list[str]]:
    """The definition: all inner products, in double precision, one query at a time."""
    ids, values = table.column("id").to_pylist(), table.drop_columns("vector").to_pylist()
    vectors = vectors_of(table).astype(np.float64)
    found = []
    for query in given.astype(np.float64):
        order = np.argsort(-(vectors @ query), kind="stable")
        allowed = [row for row in order if all(values[row][name] in of for name, of in (where or {}).items())]
        found.append([ids[row] for row in allowed[:k]])
    return found


def payload(table: pa.Table) -> dict[str, dict[str, str]]:
    columns = [name for name in table.column_names if name not in ("id", "vector")]
    return {row["id"]: {name: row[name] for name in columns} for row in table.select(["id", *columns]).to_pylist()}


def fill(target: Any, table: pa.Table, *, batch: int = 100, wanted: Schema | None = None) -> None:
    target.prepare(wanted or schema())
    for first in range(0, table.num_rows, batch):
        target.upsert(table.slice(first, batch))
    target.finish()


def check_engine(make: Callable[[], Any], count: int = 250) -> None:
    """Load, search, filter, load again, change a row, close and open again; ``make`` opens the same collection."""
    table, given = rows(count), queries(5)
    target = make()
    fill(target, table)
    assert target.count() == count
    assert target.search(given, 10) == nearest(table, given, 10)
    for languages in (["o'x"], ["", 'q"'], ["deu"], ["' OR '1'='1"], ["xxx"], []):
        where = {"language": languages}
        assert target.search(given, 7, where=where) == nearest(table, given, 7, where), languages
    assert target.search(given[:1], 1_000) == nearest(table, given[:1], 1_000)
    assert target.search(given[:0], 3) == []
    assert target.payloads([*HOSTILE, "not there"]) == payload(table.slice(0, len(HOSTILE)))
    target.close()
    target.close()

    again = make()
    fill(again, table, batch=77)
    assert again.count() == count
    again.upsert(rows(3, start=count - 2, seed=7))  # two rows change, one is new
    again.upsert(rows(1, start=count + 1, seed=7))
    again.upsert(table.slice(0, 0))
    again.finish()
    changed = pa.concat_tables([table.slice(0, count - 2), rows(4, start=count - 2, seed=7)])
    assert again.count() == count + 2
    assert again.search(given, 10) == nearest(changed, given, 10)
    assert again.payloads([f"id-{count - 1}"]) == payload(rows(1, start=count - 1, seed=7))
    again.close()

    reader = make()
    reader.prepare(schema(), make=False)
    assert reader.search(given, 3) == nearest(changed, given, 3)
    reader.close()


def check_columns(make: Callable[[], Any], *, start: int = 0) -> None:
    """Columns of the user's own are payload, and rows are chosen by their values, also by several columns at once."""
    plain = rows(60, start=start)
    domains = [HOSTILE[row % 6] if row % 5 else "" for row in range(60)]
    made = {"domain": domains, "Licence_2": ["CC0" if row % 3 else "CC BY 4.0" for row in range(60)], "order": domains}
    table = plain
    for name, values in made.items():
        table = table.add_column(table.num_columns - 1, name, pa.array(values, pa.string()))
    target, given = make(), queries(4)
    fill(target, table, wanted=schema(columns=tuple(made)))
    for where in (
        {"domain": [HOSTILE[3]]}, {"domain": [HOSTILE[0], HOSTILE[1]], "Licence_2": ["CC0"]}, {"order": [""]},
        {"language": ["deu"], "Licence_2": ["CC BY 4.0", "CC0"]}, {"domain": ["CC0"]}, {"domain": []},
    ):  # fmt: skip
        assert target.search(given, 7, where=where) == nearest(table, given, 7, where), where
    some = table.slice(30, 5)
    assert target.payloads(some["id"].to_pylist()) == payload(some)
    target.close()
    other = make()
    with pytest.raises(InputError, match=r"holds other vectors: columns \(\[.Licence_2., .domain., .order.\] there"):
        other.prepare(schema(columns=("domain",)))
    other.close()


TERMS = ["", "a.b", 'say "x"', "ल", "%s", "é", *(f"term {number}" for number in range(6, 40))]
"""Names of terms that break what quotes badly; an engine knows them by their numbers."""


def sparse_rows(count: int, *, start: int = 0, seed: int = 0) -> tuple[pa.Table, list[dict[int, float]]]:
    """:func:`rows` with sparse vectors, and these as ``{term: weight}``; every seventh is empty."""
    table, made = rows(count, start=start, seed=seed), []
    for number in range(start, start + count):
        rng = np.random.default_rng([seed, number, 7])
        terms = rng.choice(len(TERMS), size=0 if number % 7 == 3 else 6, replace=False)
        made.append({int(term): float(np.float32(rng.uniform(0.1, 2))) for term in sorted(terms)})
    for name, column in zip(SPARSE, sparse_columns(weights_matrix(made)), strict=True):
        table = table.append_column(name, column)
    return table, made


def weights_matrix(made: Sequence[Mapping[int, float]]) -> csr_array:
    dense = np.zeros((len(made), len(TERMS)), dtype=np.float32)
    for row, weights in enumerate(made):
        for term, weight in weights.items():
            dense[row, term] = weight
    return csr_array(dense)


def by_terms(query: Mapping[int, float], ids: Sequence[str], made: Sequence[Mapping[int, float]], k: int) -> list[str]:
    """The definition: products of the weights that both have, rows that share none left out."""
    scores = {
        key: sum(query.get(term, 0) * weight for term, weight in row.items())
        for key, row in zip(ids, made, strict=True)
    }
    return sorted((key for key in ids if scores[key] > 0), key=lambda key: -scores[key])[:k]


def by_both(first: Sequence[str], second: Sequence[str]) -> dict[str, float]:
    """Reciprocal rank fusion of two lists, 100 deep."""
    total: dict[str, float] = {}
    for ids in (first[:100], second[:100]):
        for rank, key in enumerate(ids, start=1):
            total[key] = total.get(key, 0) + 1 / (60 + rank)
    return total


def check_sparse(make: Callable[[], Any], *, start: int = 0) -> None:
    """Load, search by terms and by both, filter, change a row, open again; other terms are refused."""
    (table, made), wanted = sparse_rows(150, start=start), schema(sparse={"terms": len(TERMS)}, terms=TERMS)
    ids, languages = table["id"].to_pylist(), table["language"].to_pylist()
    asked = [{0: 1.0, 5: 0.25}, made[0], {}, dict.fromkeys(range(len(TERMS)), 0.5), {39: 2.0}]
    given, dense = weights_matrix(asked), queries(len(asked))
    target = make()
    fill(target, table, wanted=wanted)
    assert target.search(dense, 10) == nearest(table, dense, 10)
    assert target.search_sparse(given, 10) == [by_terms(query, ids, made, 10) for query in asked]
    assert target.search_sparse(given, 500)[3] == by_terms(asked[3], ids, made, 500)
    assert target.search_sparse(given[:0], 3) == []
    for values in (["o'x"], ["", 'q"'], []):
        some = [row for row, language in enumerate(languages) if language in values]
        answer = [by_terms(query, [ids[row] for row in some], [made[row] for row in some], 5) for query in asked]
        assert target.search_sparse(given, 5, where={"language": values}) == answer, values
    if isinstance(target, Hybrid):
        found = target.search_hybrid(dense, given, 60)  # among so many a wrong constant changes the order
        for one, query, answer in zip(dense, asked, found, strict=True):
            total = by_both(nearest(table, one[None], 100)[0], by_terms(query, ids, made, 100))
            assert len(set(answer)) == 60
            np.testing.assert_allclose([total[key] for key in answer], sorted(total.values(), reverse=True)[:60], 1e-6)
        assert target.search_hybrid(dense[:0], given[:0], 3) == []
    target.close()
    if not isinstance(target, Folder):  # which is replaced whole
        again = make()
        again.prepare(wanted)
        other, _ = sparse_rows(1, start=start + 20, seed=5)
        again.upsert(other)
        again.finish()
        _, [made[20]] = sparse_rows(1, start=start + 20, seed=5)
        assert again.count() == 150
        assert again.search_sparse(given, 10) == [by_terms(query, ids, made, 10) for query in asked]
        again.close()
    for refused in (schema(), schema(sparse={"terms": len(TERMS) + 1}, terms=[*TERMS, "z"])):
        reader = make()
        with pytest.raises(InputError, match=r"align.* holds other vectors: sparse"):
            reader.prepare(refused, make=False)
        reader.close()


def check_refusals(make: Callable[[], Any], *, start: int = 0) -> None:
    """A collection of other vectors is refused, by name, and stays as it was."""
    absent = make()
    with pytest.raises(InputError, match="is not there: run align export first"):
        absent.prepare(schema(), make=False)
    absent.close()
    first, table = make(), rows(20, start=start)
    fill(first, table)
    first.close()
    others = {
        "dimension": schema(dimension=9),
        "dtype": schema(dtype="float16"),
        "texts": schema(texts=False),
        "pooling": schema(encoder=ENCODER | {"pooling": "cls"}),
        "romanizer": schema(encoder=ENCODER | {"romanizer": "uroman 1"}),
    }
    for what, other in others.items():
        target = make()
        with pytest.raises(InputError, match=rf"align.* holds other vectors: {what} \(.* there, .* here\)"):
            target.prepare(other)
        target.close()
    reader = make()
    reader.prepare(schema(), make=False)
    assert reader.count() == 20
    assert reader.search(queries(2), 3) == nearest(table, queries(2), 3)
    reader.close()


def check_export(
    engine: str, to: str, folder: Path, *, dtype: str = "float32", start: int = 0, **options: Any
) -> dict[str, Any]:
    """The whole way, twice: a folder of vectors that are not unit, written to an engine, and verified."""
    table = rows(120, start=start)
    vectors = vectors_of(table) * np.linspace(0.1, 9, 120)[:, None]
    columns = {name: table.column(name).to_pylist() for name in ("id", "language", "script", "text")}
    save_vectors(
        folder, columns["id"], vectors.astype(dtype), texts=columns["text"], encoder=ENCODER,
        languages=columns["language"], scripts=columns["script"], part_rows=50,
    )  # fmt: skip
    for _ in range(2):
        done = export(folder, engine, to, batch_rows=33, retries=0, **options)
        assert (done["rows"], done["count"], done["others"]) == (120, 120, 0)
    proof = verify_export(folder, engine, to, queries=50, retries=0, **options)
    assert proof["passed"], proof
    assert proof["payloads"] == 100
    return proof


def check_ids(engine: str, to: str, folder: Path, ids: Sequence[str] = HARSH, **options: Any) -> None:
    """Each of these ids is a row of its own, found again by a search and by its id."""
    vectors = np.random.default_rng(0).normal(size=(len(ids), DIMENSION)).astype(np.float32)
    save_vectors(folder, ids, vectors, texts=ids, encoder=ENCODER)
    assert export(folder, engine, to, **options)["count"] == len(ids)
    proof = verify_export(folder, engine, to, queries=20, k=3, **options)
    assert proof["passed"] and proof["exact"] and proof["wrong_payloads"] == [], proof
    assert proof["payloads"] == len(ids)


def check_large_batches(make: Callable[[], Any]) -> None:
    """More rows, ids and queries in one call than an engine takes in one request."""
    table, given = rows(700), queries(300)
    target = make()
    fill(target, table, batch=700)
    assert target.count() == 700
    assert target.payloads(table.column("id").to_pylist()) == payload(table)
    assert target.search(given, 3) == nearest(table, given, 3)
    target.close()


def check_inner_product(make: Callable[[], Any]) -> None:
    """Of vectors that are not unit, as no export writes them, only the inner product puts the long one first."""
    vectors = np.zeros((2, DIMENSION), np.float32)
    vectors[0, 0], vectors[1, :2] = 1, 3
    target = make()
    fill(target, vector_table(["near", "long"], vectors, texts=["", ""]))
    assert target.search(vectors[:1], 2) == [["long", "near"]]
    target.close()


def check_empty(make: Callable[[], Any]) -> None:
    """A folder of no rows makes a collection of none."""
    target = make()
    fill(target, rows(0))
    assert target.count() == 0
    assert target.search(queries(2), 3) == [[], []]
    assert target.payloads(["x"]) == {}
    target.close()
