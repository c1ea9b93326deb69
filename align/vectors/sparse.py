"""Sparse lexical vectors beside the dense ones of a folder: two columns of each part, and what their terms are called.

sparse_terms     list<int32>, the numbers of the terms of a row, ascending
sparse_weights   list<float32>, their weights, none of them 0
terms.json       the V terms by their numbers, a JSON array of strings
manifest.json    "sparse": {"terms": V, "sha256": of terms.json, and whatever else made the weights}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from align.errors import InputError
from align.files.whole import existing_file, read_json, sha256, whole_file

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from align.vectors.folder import Vectors

SPARSE = ("sparse_terms", "sparse_weights")
TERMS = "terms.json"


class SparseVectors(NamedTuple):
    """Rows of weights, what their terms are called, and what made them."""

    matrix: csr_array
    """(rows, V)."""
    terms: Sequence[str]
    """V."""
    made: Mapping[str, Any] = {}
    """JSON values for the manifest."""


def sparse_columns(matrix: csr_array) -> tuple[pa.Array, pa.Array]:
    """The columns ``sparse_terms`` and ``sparse_weights`` of the rows of a matrix; stored zeros are left out.

    Raises:
        InputError: a weight is NaN or infinite.
    """
    from scipy.sparse import csr_array  # a second to import, for those who have sparse vectors alone

    rows = csr_array(matrix, dtype=np.float32, copy=True)
    rows.sum_duplicates()  # which also puts the terms of a row in order
    rows.eliminate_zeros()
    if len(bad := np.flatnonzero(~np.isfinite(rows.data))):
        row = np.searchsorted(rows.indptr, bad[0], side="right") - 1
        raise InputError(f"the sparse vector of row {row} holds NaN or Inf; expected finite weights")
    ends = pa.array(rows.indptr.astype(np.int32))
    terms, weights = pa.array(rows.indices.astype(np.int32)), pa.array(rows.data)
    return pa.ListArray.from_arrays(ends, terms), pa.ListArray.from_arrays(ends, weights)


def sparse_of(table: pa.Table, terms: int) -> csr_array:
    """(rows, terms) float32 weights of a table that has the two columns.

    Raises:
        InputError: a row's terms and weights are not equally many, or a term is not in 0..terms-1.
    """
    from scipy.sparse import csr_array

    numbers, weights = (table.column(name).combine_chunks() for name in SPARSE)
    lengths = [column.value_lengths().to_numpy(zero_copy_only=False) for column in (numbers, weights)]
    if not np.array_equal(*lengths):
        row = int(np.flatnonzero(lengths[0] != lengths[1])[0])
        raise InputError(f"row {row} has {lengths[0][row]} sparse terms, and {lengths[1][row]} weights")
    found, data = (column.flatten().to_numpy(zero_copy_only=False) for column in (numbers, weights))
    if len(found) and not 0 <= found.min() <= found.max() < terms:
        raise InputError(f"sparse terms are numbered {found.min()} to {found.max()}; expected 0 to {terms - 1}")
    return csr_array((data, found, np.append(0, np.cumsum(lengths[0]))), shape=(len(table), terms))


def terms_of(vectors: Vectors) -> list[str] | None:
    """What the terms of a folder are called, by their numbers; None: its vectors are dense alone.

    Raises:
        InputError: ``terms.json`` is missing, or not what it was.
    """
    about = vectors.manifest.get("sparse")
    if about is None:
        return None
    path = existing_file(vectors.folder / TERMS)
    if sha256(path) != about["sha256"]:
        raise InputError(f"{path} is damaged: its SHA-256 is not the one in the manifest; encode it again")
    terms: list[str] = read_json(path)
    return terms


def described(terms: Sequence[str], made: Mapping[str, Any]) -> dict[str, Any]:
    """What the manifest says of sparse vectors over these terms: how many, their SHA-256, and what made them."""
    return {"terms": len(terms), "sha256": hashlib.sha256(_bytes(terms)).hexdigest(), **made}


def write_terms(out: Path, terms: Sequence[str]) -> None:
    """Write ``terms.json`` of a folder that was begun."""
    with whole_file(out / TERMS) as temporary:
        temporary.write_bytes(_bytes(terms))


def _bytes(terms: Sequence[str]) -> bytes:
    return f"{json.dumps(list(terms), ensure_ascii=False, separators=(',', ':'))}\n".encode()
