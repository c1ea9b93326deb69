"""Sparse vectors beside dense ones, against rows kept as dictionaries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_array

from align.errors import InputError
from align.vectors.folder import Vectors, open_vectors
from align.vectors.sparse import SparseVectors, sparse_columns, sparse_of, terms_of
from align.vectors.writing import save_vectors, write_part

ROWS = [{4: 0.5, 1: 0.25}, {}, {0: 1.0}, {3: 0.125, 4: 2.0}]
TERMS = ["▁a", "ब", "c", '"', "e"]


def matrix() -> csr_array:
    """With a stored 0, and the terms of a row out of order."""
    numbers = [term for row in ROWS for term in row]
    weights = [weight for row in ROWS for weight in row.values()]
    ends = np.cumsum([0, *map(len, ROWS)])
    made = csr_array((weights, numbers, ends), shape=(len(ROWS), len(TERMS)))
    made.data[made.indices == 3] = 0.0
    return made


def table(terms: list[list[int]], weights: list[list[float]]) -> pa.Table:
    kinds = {"sparse_terms": pa.list_(pa.int32()), "sparse_weights": pa.list_(pa.float32())}
    columns = zip(kinds.items(), (terms, weights), strict=True)
    return pa.table({name: pa.array(values, kind) for (name, kind), values in columns})


def saved(out: Path, sparse: csr_array | None = None, **made: object) -> Vectors:
    names = ["a", "b", "c", "d"]
    return save_vectors(
        out, names, np.eye(4), texts=names, encoder={}, part_rows=3,
        sparse=SparseVectors(matrix() if sparse is None else sparse, TERMS, made),
    )  # fmt: skip


def test_columns_are_the_terms_of_each_row_in_order_and_no_zero() -> None:
    given = matrix()
    terms, weights = sparse_columns(given)
    assert terms.to_pylist() == [[1, 4], [], [0], [4]]
    assert weights.to_pylist() == [[0.25, 0.5], [], [1.0], [2.0]]
    assert (terms.type, weights.type) == (pa.list_(pa.int32()), pa.list_(pa.float32()))
    assert given.nnz == 5  # as it was


@pytest.mark.parametrize("rows", [[], [[]], [[], [2]], [[0, 4], [], [1]]])
def test_a_matrix_comes_back_from_its_columns(rows: list[list[int]]) -> None:
    weights = [[1.0 + term for term in row] for row in rows]
    found = sparse_of(table(rows, weights), 5)
    expected = np.zeros((len(rows), 5), dtype=np.float32)
    for row, terms in enumerate(rows):
        expected[row, terms] = np.array(terms) + 1
    assert found.dtype == np.float32 and found.shape == expected.shape
    assert (found.toarray() == expected).all()
    again = pa.table(dict(zip(("sparse_terms", "sparse_weights"), sparse_columns(found), strict=True)))
    assert again.equals(table(rows, weights))


def test_rows_of_the_middle_of_a_table_are_read_as_they_are() -> None:
    whole = pa.concat_tables([table([[0], [1, 2]], [[1.0], [2.0, 3.0]]), table([[4]], [[5.0]])])
    assert sparse_of(whole.slice(1), 5).toarray().tolist() == [[0, 2, 3, 0, 0], [0, 0, 0, 0, 5]]


def test_parts_hold_them_and_the_folder_says_what_they_are(tmp_path: Path) -> None:
    made = saved(tmp_path / "v", activation="relu")
    assert made.manifest["sparse"] | {"sha256": ""} == {"terms": 5, "sha256": "", "activation": "relu"}
    assert made.columns == ()
    assert terms_of(open_vectors(made.folder)) == TERMS
    found = np.concatenate([sparse_of(part, 5).toarray() for part in made.tables()])
    assert (found == matrix().toarray()).all()


def test_other_weights_or_terms_are_another_folder(tmp_path: Path) -> None:
    saved(tmp_path / "v")
    saved(tmp_path / "v")
    other = matrix()
    other.data[0] += 1
    with pytest.raises(InputError, match="content"):
        saved(tmp_path / "v", other)
    with pytest.raises(InputError, match=r"sparse.*activation"):
        saved(tmp_path / "v", activation="elu")


def test_dense_vectors_have_no_terms(tmp_path: Path) -> None:
    made = save_vectors(tmp_path / "v", ["a"], np.eye(1), texts=["a"], encoder={})
    assert terms_of(made) is None
    assert not (tmp_path / "v" / "terms.json").exists()


def test_damaged_terms_are_refused(tmp_path: Path) -> None:
    made = saved(tmp_path / "v")
    path = tmp_path / "v" / "terms.json"
    path.write_text(path.read_text().replace("c", "d"))
    with pytest.raises(InputError, match=r"terms\.json is damaged"):
        terms_of(made)
    path.unlink()
    with pytest.raises(InputError, match=r"terms\.json"):
        terms_of(made)


def test_parts_of_one_folder_are_all_sparse_or_none(tmp_path: Path) -> None:
    made = saved(tmp_path / "v")
    (tmp_path / "v" / "part-00001.parquet").unlink()
    with pytest.raises(InputError, match="do not agree whether there are sparse vectors"):
        write_part(made.folder, 1, made.part(0).drop_columns(["sparse_terms", "sparse_weights"]))


@pytest.mark.parametrize(
    ("rows", "weights", "message"),
    [
        ([[0], [1, 2]], [[1.0], [1.0]], "row 1 has 2 sparse terms, and 1 weights"),
        ([[0, 5]], [[1.0, 1.0]], "numbered 0 to 5; expected 0 to 4"),
        ([[-1, 2]], [[1.0, 1.0]], "numbered -1 to 2"),
    ],
)
def test_columns_that_make_no_matrix(rows: list[list[int]], weights: list[list[float]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        sparse_of(table(rows, weights), 5)


def test_what_cannot_be_stored(tmp_path: Path) -> None:
    bad = matrix()
    bad.data[2] = np.nan
    with pytest.raises(InputError, match="row 2 holds NaN or Inf"):
        sparse_columns(bad)
    with pytest.raises(InputError, match="4 vectors but 2 sparse vectors"):
        saved(tmp_path / "v", matrix()[:2])
    with pytest.raises(InputError, match="of 4 terms, but names of 5"):
        saved(tmp_path / "v", matrix()[:, :4])
    with pytest.raises(InputError, match="cannot be called 'sparse_terms'"):
        save_vectors(tmp_path / "v", ["a"], np.eye(1), texts=["a"], encoder={}, columns={"sparse_terms": ["x"]})
    assert not (tmp_path / "v").exists()
