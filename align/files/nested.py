"""Nested mappings, such as settings of settings, as one level of dotted names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names and values of all that is no mapping, in order; the names of what it lies in come before a dot.

    >>> dict(flattened({"pooling": {"kind": "mean", "layer": 8}, "unit": True}))
    {'pooling.kind': 'mean', 'pooling.layer': 8, 'unit': True}
    """
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
