"""The hard negatives of pair tables: one text a row in the column ``negative``, or several, not as many in each row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from align.errors import InputError
from align.pairs.table import negative_columns
from align.pairs.text_columns import as_text, is_text

if TYPE_CHECKING:
    from datasets import Dataset

NEGATIVE = "negative"


def are_lists(tables: Mapping[str, Dataset]) -> bool:
    """Whether any table has numbered columns: then those of all tables are read as lists."""
    return any(negative_columns(rows.column_names) not in ([], [NEGATIVE]) for rows in tables.values())


def lists_of(block: Mapping[str, Any], table: str) -> Any:
    """Arrow columns of one block, in order, as one column of lists: what is null or blank is left out.

    Raises:
        InputError: a column that is not of text.
    """
    expected = f"the table {table!r}: expected text in the column"
    columns = [_texts(column, f"{expected} {name}") for name, column in block.items()]
    size = len(columns[0])
    there = np.stack([_has_text(column) for column in columns], axis=1)  # (rows, columns)
    places = np.arange(len(columns)) * size + np.arange(size)[:, None]
    offsets = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
    texts = pa.concat_arrays(columns).take(pa.array(places[there]))
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), texts)


def is_list(column: Any) -> bool:
    """Whether a column is one of :func:`lists_of`."""
    return bool(pa.types.is_large_list(column.type))


def counts_of(lists: Any) -> Any:
    """(n,) texts of each row."""
    return np.diff(lists.offsets.to_numpy())


def _texts(column: Any, expected: str) -> Any:
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), pa.large_string())
    if not is_text(column.type):
        raise InputError(f"{expected}, got {column.type}")
    return as_text(column)


def _has_text(column: Any) -> Any:
    blank = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(column), ""), True)
    return pc.invert(blank).to_numpy(zero_copy_only=False)
