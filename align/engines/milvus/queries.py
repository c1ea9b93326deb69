"""What Milvus is asked: searches by terms, and expressions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scipy.sparse import csr_array

from align.engines.sparse import term_weights

ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})
"""Of a string in an expression."""


def lexical(queries: csr_array) -> dict[str, Any]:
    """A search by the terms of these queries."""
    return {"data": term_weights(queries), "anns_field": "sparse", "param": {"metric_type": "IP", "params": {}}}


def quoted(words: Sequence[str]) -> str:
    """A list as an expression of Milvus has it: not as JSON, whose escapes of control characters it does not know."""
    return "[" + ", ".join(f'"{word.translate(ESCAPES)}"' for word in words) + "]"
