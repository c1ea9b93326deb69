"""Search by sparse vectors and by both, against loops over dictionaries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from align.errors import InputError
from align.indexes.index import load_index
from align.indexes.lexical import Lexical
from align.similarity.fusion import fuse
from align.vectors.sparse import SparseVectors
from align.vectors.writing import save_vectors

MADE = {"activation": "relu", "head": "abc"}
TERMS = [f"t{i}" for i in range(6)]


def sparse_rows(n: int, seed: int) -> csr_array:
    rng = np.random.default_rng(seed)
    return csr_array((rng.random((n, 6)) * (rng.random((n, 6)) < 0.4)).astype(np.float32))


@pytest.fixture
def lexical(tmp_path: Path) -> Lexical:
    names = [f"r{i}" for i in range(9)]
    dense = np.random.default_rng(1).standard_normal((9, 4))
    save_vectors(
        tmp_path / "v", names, dense, texts=names, encoder={}, part_rows=4,
        languages=["hin_Deva"] * 5 + ["ell_Grek"] * 4, sparse=SparseVectors(sparse_rows(9, 2), TERMS, MADE),
    )  # fmt: skip
    return Lexical(load_index(tmp_path / "v"), MADE)


def scores(lexical: Lexical, sparse: csr_array, dense: np.ndarray, weight: float) -> list[list[float]]:
    rows = np.random.default_rng(1).standard_normal((9, 4))
    stored = sparse_rows(9, 2).toarray()
    found = []
    for q, unit in zip(sparse.toarray(), dense, strict=True):
        products = [sum(float(a) * float(b) for a, b in zip(q, row, strict=True)) for row in stored]
        cosines = [unit @ row / np.linalg.norm(unit) / np.linalg.norm(row) for row in rows]
        found.append([weight * a + (1 - weight) * b for a, b in zip(products, cosines, strict=True)])
    return found


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("k", [1, 4, 12])
def test_every_row_is_compared(lexical: Lexical, weight: float, k: int) -> None:
    sparse, dense = sparse_rows(5, 3), np.random.default_rng(4).standard_normal((5, 4))
    values, rows = lexical.search(sparse, dense, k, weight=weight)
    assert values.shape == rows.shape == (5, k)
    for query, of in enumerate(scores(lexical, sparse, dense, weight)):
        order = [row for row in sorted(range(9), key=lambda row: -round(of[row], 6)) if weight < 1 or of[row] > 0][:k]
        assert rows[query].tolist() == order + [-1] * (k - len(order))
        np.testing.assert_allclose(values[query][: len(order)], [of[row] for row in order], atol=2e-6)


def test_only_chosen_rows(lexical: Lexical) -> None:
    sparse = csr_array(np.ones((1, 6), dtype=np.float32))
    rows = lexical.search(sparse, None, 9, where={"language": ["ell_Grek"]})[1]
    assert set(rows[0].tolist()) <= {5, 6, 7, 8, -1} and (rows[0] >= 0).any()


def test_a_query_without_terms_has_no_sparse_hit(lexical: Lexical) -> None:
    nothing = csr_array((1, 6), dtype=np.float32)
    values, rows = lexical.search(nothing, None, 3)
    assert rows.tolist() == [[-1, -1, -1]] and np.isneginf(values).all()
    _, fused = lexical.fused(nothing, np.ones((1, 4)), 3)
    assert fused.tolist() == lexical.search(nothing, np.ones((1, 4)), 3, weight=0.0)[1].tolist()


def test_ranks_are_fused() -> None:
    values, rows = fuse([np.array([[4, 7, 1]]), np.array([[7, 2, -1]])], 5)
    assert rows.tolist() == [[7, 4, 2, 1, -1]]
    expected = [1 / 62 + 1 / 61, 1 / 61, 1 / 62, 1 / 63]
    np.testing.assert_allclose(values[0, :4], expected, rtol=1e-6)
    assert np.isneginf(values[0, 4])
    assert fuse([np.array([[3, 1]]), np.array([[1, 3]])], 1)[1].tolist() == [[1]]  # of equal ones the lower row


def test_parts_add_up_to_the_score(lexical: Lexical) -> None:
    sparse = sparse_rows(5, 3)
    values, rows = lexical.search(sparse, None, 4)
    for of_values, of_rows, of_parts in zip(values, rows, lexical.parts(sparse, rows), strict=True):
        for value, row, parts in zip(of_values, of_rows, of_parts, strict=True):
            assert sum(parts.values()) == pytest.approx(value, abs=2e-6) if row >= 0 else parts == {}
            assert list(parts.values()) == sorted(parts.values(), reverse=True) and set(parts) <= set(TERMS)


def test_the_weight_is_that_of_most_right_answers(lexical: Lexical) -> None:
    gold = np.arange(9)
    right, wrong = np.random.default_rng(1).standard_normal((9, 4)), np.ones((9, 4))
    by_dense, recalls = lexical.best_weight(csr_array((9, 6), dtype=np.float32), right, gold, k=1)
    assert by_dense == 0.0 and recalls["0.00"] == 1.0 > recalls["1.00"]
    by_sparse, recalls = lexical.best_weight(sparse_rows(9, 2), wrong, gold, k=1)
    assert recalls[f"{by_sparse:.2f}"] == max(recalls.values()) > recalls["0.00"]


def test_what_cannot_be_searched(lexical: Lexical, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"another encoder than the index: head \(\"abc\" in the index, \"abd\" in"):
        Lexical(lexical.index, MADE | {"head": "abd"})
    save_vectors(tmp_path / "dense", ["a"], np.eye(1), texts=["a"], encoder={})
    with pytest.raises(InputError, match="has no sparse vectors: expected a folder that align encode --sparse wrote"):
        Lexical(load_index(tmp_path / "dense"), MADE)
