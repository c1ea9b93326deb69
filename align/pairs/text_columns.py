"""Arrow columns that are texts, however a table keeps them: plain, large, as views, as categories."""

from __future__ import annotations

from typing import Any

import pyarrow as pa


def as_text(column: Any) -> Any:
    """One Arrow array of strings: those of the column, or its values as Python writes them."""
    if is_text(column.type):
        column = column.cast(pa.large_string())
        return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return pa.array(list(map(str, column.to_pylist())), pa.large_string())


def is_text(kind: Any) -> bool:
    """Whether a type is one of texts."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
