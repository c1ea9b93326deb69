"""Sparse vectors into every engine that holds them, read back as others would, and what a verification notices."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from exported import (
    CLIENTS,
    DIMENSION,
    ENCODER,
    PLACES,
    TERMS,
    by_both,
    by_terms,
    check_sparse,
    nearest,
    queries,
    sparse_rows,
    weights_matrix,
)
from scipy.sparse import csr_array, load_npz

from align import export, verify_export
from align.cli.export import reason
from align.engines import npy, verify_sparse
from align.engines.opening import opened
from align.engines.registry import engine, engines
from align.engines.send import schema_of
from align.engines.sparse import check_weights, exact_sparse, term_weights
from align.engines.target import Hybrid, Sparse
from align.errors import InputError
from align.vectors.folder import Vectors, vectors_of
from align.vectors.sparse import SparseVectors
from align.vectors.writing import save_vectors

HOLD = sorted({*engines()} - {"lance", "pgvector"})
"""Engines that hold sparse vectors; pgvector is tested where its server is."""
FUSE = {"milvus", "qdrant", "qdrant-edge"}


def folder(path: Path, count: int = 60, terms: list[str] = TERMS, **made: Any) -> Vectors:
    table, weights = sparse_rows(count, start=20)
    columns = {name: table[name].to_pylist() for name in ("id", "text", "language", "script")}
    sparse = SparseVectors(weights_matrix(weights), terms, made)
    return save_vectors(
        path, columns["id"], 3 * vectors_of(table), texts=columns["text"], languages=columns["language"],
        scripts=columns["script"], encoder=ENCODER, sparse=sparse, part_rows=25,
    )  # fmt: skip


def place(name: str, tmp_path: Path) -> tuple[str, dict[str, Any]]:
    for client in CLIENTS.get(name, ()):
        pytest.importorskip(client, reason=f"needs {client}")
    where, options = PLACES.get(name, ("align", {}))
    return str(tmp_path / where), options


@pytest.mark.parametrize("name", HOLD)
def test_an_engine_finds_by_terms(name: str, tmp_path: Path) -> None:
    to, options = place(name, tmp_path)
    check_sparse(lambda: engine(name).open_target(to, name="align", **options), start=20)


@pytest.mark.parametrize("name", HOLD)
def test_the_whole_way(name: str, tmp_path: Path) -> None:
    to, options = place(name, tmp_path)
    vectors = folder(tmp_path / "v", activation="relu")
    done = export(vectors, name, to, batch_rows=16, **options)
    assert (done["count"], done["sparse"]) == (60, True)
    proof = verify_export(vectors, name, to, queries=40, **options)
    assert proof["passed"] and proof["sparse"]["passed"], proof
    assert (proof["sparse"]["recall"], proof["sparse"]["wrong_queries"]) == (1, 0)
    assert ("hybrid" in proof) == (name in FUSE)
    assert proof.get("hybrid", {"recall": 1})["recall"] == 1
    with pytest.raises(InputError, match=r'holds other vectors: sparse.activation \("relu" there, "elu" here\)'):
        export(folder(tmp_path / "other", activation="elu"), name, to, **options)


def test_an_engine_that_holds_none_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    to, options = place("lance", tmp_path)
    vectors = folder(tmp_path / "v")
    with caplog.at_level(logging.WARNING, "align"):
        done = export(vectors, "lance", to, **options)
    assert (done["count"], done["sparse"]) == (60, False)
    assert f"lance at {to} holds no sparse vectors: the dense ones alone are there" in caplog.messages
    proof = verify_export(vectors, "lance", to, queries=20, **options)
    assert proof["passed"] and "sparse" not in proof


def test_a_folder_of_dense_vectors_says_nothing_of_sparse_ones(tmp_path: Path) -> None:
    vectors = save_vectors(tmp_path / "v", ["a"], np.eye(1, 3), texts=["x"], encoder=ENCODER)
    assert "sparse" not in export(vectors, "npy", str(tmp_path / "out"))
    assert "sparse" not in verify_export(vectors, "npy", str(tmp_path / "out"), queries=3, k=1)
    assert not {"terms.json", "sparse.npz", "sparse.jsonl"} & {path.name for path in (tmp_path / "out").iterdir()}
    assert "sparse" not in schema_of(vectors, "align").described()


def test_files_are_read_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npy, "ROWS", 7)
    vectors = folder(tmp_path / "v")
    export(vectors, "npy", str(tmp_path / "out"))
    assert verify_export(vectors, "npy", str(tmp_path / "out"), queries=30)["passed"]


@pytest.mark.parametrize("name", ["npy", "parquet", "opensearch", "elasticsearch", "vespa"])
def test_a_reader_finds_every_weight(name: str, tmp_path: Path) -> None:
    _, weights = sparse_rows(60, start=20)
    export(folder(tmp_path / "v"), name, str(tmp_path / "out"), batch_rows=7)
    out = tmp_path / "out"
    assert json.loads((out / "terms.json").read_text(encoding="utf-8")) == TERMS
    found = READ[name](out)
    assert [{int(term): np.float32(weight) for term, weight in row.items()} for row in found] == weights


def read_npy(out: Path) -> list[dict[Any, float]]:
    rows = [json.loads(line) for line in (out / "sparse.jsonl").read_text(encoding="utf-8").split("\n")[:-1]]
    ids = [json.loads(line)["id"] for line in (out / "ids.jsonl").read_text(encoding="utf-8").split("\n")[:-1]]
    assert [list(row) for row in rows] == [[key] for key in ids]
    named = [{TERMS.index(term): weight for term, weight in row.popitem()[1].items()} for row in rows]
    matrix = load_npz(out / "sparse.npz")
    assert matrix.format == "csr" and matrix.dtype == np.float32 and matrix.shape == (60, len(TERMS))
    assert (matrix.toarray() == weights_matrix(named).toarray()).all()
    return named


def read_parquet(out: Path) -> list[dict[Any, float]]:
    rows = [row for path in sorted(out.glob("part-*.parquet")) for row in pq.read_table(path).to_pylist()]
    return [dict(zip(row["sparse_terms"], row["sparse_weights"], strict=True)) for row in rows]


def read_bulk(out: Path) -> list[dict[Any, float]]:
    lines = (out / "bulk-00000.ndjson").read_text(encoding="utf-8").split("\n")[1::2]
    return [json.loads(line)["sparse"] for line in lines]


def read_vespa(out: Path) -> list[dict[Any, float]]:
    lines = (out / "feed.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line)["fields"]["sparse"]["cells"] for line in lines]


READ = {
    "npy": read_npy, "parquet": read_parquet, "opensearch": read_bulk, "elasticsearch": read_bulk, "vespa": read_vespa,
}  # fmt: skip


@pytest.mark.parametrize(("name", "kind"), [("opensearch", "rank_features"), ("elasticsearch", "sparse_vector")])
def test_servers_that_score_features_get_names_without_dots(name: str, kind: str, tmp_path: Path) -> None:
    export(folder(tmp_path / "v"), name, str(tmp_path / "out"))
    mappings = json.loads((tmp_path / "out" / "index.json").read_text())["mappings"]
    assert mappings["properties"]["sparse"] == {"type": kind}
    assert all(term.isdecimal() for row in read_bulk(tmp_path / "out") for term in row)


def test_servers_that_score_features_get_no_weight_below_zero(tmp_path: Path) -> None:
    weights = [{1: 0.5}, {}, {0: -0.25, 2: 1.0}]
    vectors = save_vectors(
        tmp_path / "v", ["a", "b", "c"], np.eye(3), texts=["", "", ""], encoder=ENCODER,
        sparse=SparseVectors(weights_matrix(weights), TERMS),
    )  # fmt: skip
    for name in ("opensearch", "elasticsearch"):
        with pytest.raises(InputError, match=rf"{name} takes sparse weights above 0, but id 'c' has -0\.25"):
            export(vectors, name, str(tmp_path / name))
        assert not (tmp_path / name).exists()
    assert export(vectors, "vespa", str(tmp_path / "vespa"))["count"] == 3


def test_too_many_terms_are_named_with_their_row() -> None:
    table, _ = sparse_rows(5, start=20)
    check_weights(table, "x", most=6)
    with pytest.raises(InputError, match="x takes at most 5 terms of a row, but id 'id-20' has 6"):
        check_weights(table, "x", most=5)
    with pytest.raises(InputError, match="x takes at most 5 terms of a row, but id 'id-22' has 6"):
        check_weights(table.slice(2), "x", most=5)


def test_the_schema_of_vespa_ranks_by_terms_and_by_both(tmp_path: Path) -> None:
    export(folder(tmp_path / "v"), "vespa", str(tmp_path / "out"))
    text = (tmp_path / "out" / "align.sd").read_text(encoding="utf-8")
    document, profiles = text.split("    rank-profile cosine {")
    assert "        field sparse type tensor<float>(term{}) {\n            indexing: summary | attribute\n" in document
    assert document.count("{") == document.count("}") + 1  # the schema's own
    both = profiles.partition("    rank-profile hybrid inherits cosine {")[2]
    assert "reciprocal_rank_fusion(closeness(field, vector), lexical)" in both
    assert profiles.count("query(s) tensor<float>(term{})") == profiles.count("sum(query(s) * attribute(sparse))") == 2
    assert text.count("{") == text.count("}")


def test_two_terms_of_one_name_are_no_line_of_json(tmp_path: Path) -> None:
    names = [*TERMS[:-1], TERMS[1]]
    with pytest.raises(InputError, match=r"two terms are called 'a\.b': a line of sparse\.jsonl cannot hold both"):
        export(folder(tmp_path / "v", terms=names), "npy", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    assert export(folder(tmp_path / "w", terms=names), "parquet", str(tmp_path / "p"))["count"] == 60


def test_exact_search_by_hand() -> None:
    table, _ = sparse_rows(4, start=20)
    made = [{0: 1.0}, {0: 2.0, 1: 1.0}, {2: 5.0}, {0: 2.0}]
    for place, (name, column) in enumerate(zip(("sparse_terms", "sparse_weights"), ([list(row) for row in made],
                                               [list(row.values()) for row in made]), strict=True)):  # fmt: skip
        at = table.num_columns - 2 + place
        table = table.set_column(at, name, [column])
    asked = weights_matrix([{0: 1.0}, {0: 1.0, 1: -3.0, 2: 1.0}])
    parts = [table.slice(0, 2), table.slice(2)]
    assert exact_sparse(parts, asked, 3) == [["id-21", "id-23", "id-20"], ["id-22", "id-23", "id-20"]]
    assert exact_sparse(parts, asked, 1) == [["id-21"], ["id-22"]]
    assert exact_sparse([], asked, 1) == [[], []]
    assert term_weights(asked) == [{0: 1.0}, {0: 1.0, 1: -3.0, 2: 1.0}]


class TestVerification:
    """An exact engine, a folder, whose answers by terms are changed on their way; and one that fuses."""

    @pytest.fixture
    def told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        vectors = folder(tmp_path / "v")
        export(vectors, "npy", str(tmp_path / "out"))
        kind = type(npy.open_target("x", name="align"))
        honest = kind.search_sparse

        def verify(change: Any = None, fuse: Any = None, k: int = 10) -> dict[str, Any]:
            def changed(self: Any, queries: csr_array, k: int, *, where: Any = None) -> list[list[str]]:
                return [change(ids) if change else ids for ids in honest(self, queries, k, where=where)]

            def fused(self: Any, dense: Any, sparse: csr_array, k: int) -> list[list[str]]:
                found = []
                for first, second in zip(self.search(dense, 100), honest(self, sparse, 100), strict=True):
                    total: dict[str, float] = {}
                    for ids in (first, second):
                        for rank, key in enumerate(ids):
                            total[key] = total.get(key, 0) + 1 / (61 + rank)
                    ids = sorted(total, key=lambda key: -total[key])[:k]
                    found.append(fuse(ids, first, second))
                return found

            monkeypatch.setattr(kind, "search_sparse", changed)
            if fuse:
                monkeypatch.setattr(kind, "search_hybrid", fused, raising=False)
            return verify_export(vectors, "npy", str(tmp_path / "out"), queries=30, k=k)

        return verify

    def test_what_is_right_passes(self, told: Any) -> None:
        result = told()
        assert result["passed"] and result["sparse"] == {
            "queries": 30, "blank": result["sparse"]["blank"], "recall": 1, "wrong_queries": 0, "passed": True
        }  # fmt: skip
        assert "hybrid" not in result

    @pytest.mark.parametrize(
        "change",
        [
            lambda ids: ids[::-1],
            lambda ids: ids[1:],
            lambda ids: ids[:-1],
            lambda ids: [*ids[:-1], "nobody"],
            lambda ids: [*ids[:-1], *ids[:1]],
            lambda ids: [],
        ],
        ids=["order", "first missing", "last missing", "unknown", "twice", "none"],
    )
    def test_what_is_wrong_is_noticed(self, told: Any, change: Any) -> None:
        result = told(change)
        assert not result["passed"] and not result["sparse"]["passed"] and result["sparse"]["wrong_queries"] > 20
        assert not result["wrong_queries"]
        assert "to 30 queries by terms it found" in reason(result)

    def test_a_row_that_shares_no_term_is_no_answer(self, told: Any) -> None:
        _, weights = sparse_rows(60, start=20)
        empty = next(f"id-{20 + row}" for row, of in enumerate(weights) if not of)
        result = told(lambda ids: [*ids[:-1], empty])
        assert result["sparse"]["wrong_queries"] > 20 and result["sparse"]["recall"] < 1

    def test_where_fewer_rows_than_k_share_a_term_they_all_have_to_come_and_no_others(self, told: Any) -> None:
        _, weights = sparse_rows(60, start=20)
        empty = next(f"id-{20 + row}" for row, of in enumerate(weights) if not of)
        assert told(k=60)["passed"]
        for change in (lambda ids: [*ids, empty], lambda ids: ids[:-1], lambda ids: ids[1:]):
            result = told(change, k=60)["sparse"]
            assert result["wrong_queries"] > 20 and result["recall"] < 1 and not result["passed"]

    def test_a_fusion_is_compared(self, told: Any) -> None:
        result = told(fuse=lambda ids, first, second: ids)
        assert result["passed"] and result["hybrid"] == {"queries": 30, "recall": 1, "passed": True}

    @pytest.mark.parametrize(
        "fuse",
        [
            lambda ids, first, second: first[:10],
            lambda ids, first, second: (second + first)[:10],
            lambda ids, first, second: [*ids[:9], "nobody"],
            lambda ids, first, second: ids[:9],
            lambda ids, first, second: ids[:9] + ids[:1],
        ],
        ids=["dense alone", "sparse first", "unknown", "missing", "twice"],
    )
    def test_a_wrong_fusion_is_noticed(self, told: Any, fuse: Any) -> None:
        result = told(fuse=fuse)
        assert not result["passed"] and result["hybrid"]["recall"] < 0.99 and result["sparse"]["passed"]
        assert "to 30 queries by vectors and terms it found" in reason(result)


def test_queries_are_means_of_two_rows(tmp_path: Path) -> None:
    vectors = folder(tmp_path / "v")
    asked = verify_sparse.drawn_sparse(vectors, schema_of(vectors, "align"), 200, np.random.default_rng(0)).toarray()
    _, weights = sparse_rows(60, start=20)
    ends = weights_matrix(weights).toarray()
    rng = np.random.default_rng(0)
    pairs, share = rng.integers(60, size=(200, 2)), rng.uniform(0.55, 0.9, size=(200, 1)).astype(np.float32)
    np.testing.assert_allclose(asked, ends[pairs[:, 0]] * share + ends[pairs[:, 1]] * (1 - share), rtol=1e-6)


def test_scores_are_those_of_the_definition(tmp_path: Path) -> None:
    vectors = folder(tmp_path / "v", count=130)  # more than the 100 of a list
    table, weights = sparse_rows(130, start=20)
    ids, asked, dense = table["id"].to_pylist(), [weights[0], {}, {1: 1.0}], queries(3)
    answers = {"sparse": [["id-20", "nobody", "id-20"], ["id-21"], []], "hybrid": [["id-20", "id-77"], [], ["x"]]}
    schema = schema_of(vectors, "align")
    found = verify_sparse.scores_sparse(vectors, schema, dense, weights_matrix(asked), answers, 3)
    best, true = found["sparse"]
    of_one = [sum(asked[0].get(term, 0) * of for term, of in row.items()) for row in weights]
    of_other = [row.get(1, 0) for row in weights]
    np.testing.assert_allclose(best[[0, 2]], [sorted(of, reverse=True)[:3] for of in (of_one, of_other)], atol=1e-6)
    np.testing.assert_allclose(true[0], [of_one[0], -np.inf, -np.inf], rtol=1e-6)
    assert best[1].tolist() == [0, 0, 0] and true[1].tolist() == [-np.inf, 0, 0] and (true[2] == -np.inf).all()
    totals = [
        by_both(nearest(table, one[None], 100)[0], by_terms(query, ids, weights, 100))
        for one, query in zip(dense, asked, strict=True)
    ]
    best, true = found["hybrid"]
    np.testing.assert_allclose(best, [sorted(total.values(), reverse=True)[:3] for total in totals], rtol=1e-6)
    np.testing.assert_allclose(true[0], [totals[0]["id-20"], totals[0].get("id-77", 0), -np.inf], rtol=1e-6)
    assert (true[1:] == -np.inf).all()


def test_an_engine_says_by_what_it_has_what_it_holds(tmp_path: Path) -> None:
    for name in HOLD:
        to, options = place(name, tmp_path)
        with opened(name, to, "align", options) as target:
            assert isinstance(target, Sparse) and isinstance(target, Hybrid) == (name in FUSE)


def test_a_collection_of_no_rows_has_no_answers(tmp_path: Path) -> None:
    vectors = folder(tmp_path / "v", count=0)
    export(vectors, "npy", str(tmp_path / "out"))
    with opened("npy", str(tmp_path / "out"), "align", {}) as target:
        target.prepare(schema_of(vectors, "align"), make=False)
        assert target.search_sparse(weights_matrix([{0: 1.0}]), 3) == [[]]  # type: ignore[attr-defined]
    assert vectors.dimension == DIMENSION
