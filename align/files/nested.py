"""Nested mappings, such as settings of settings, as one level of dotted names; and what differs in two."""

from __future__ import annotations

import json
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


def differences(stored: Mapping[str, Any], given: Mapping[str, Any], here: str, there: str) -> str:
    """The fields in which two descriptions differ, in words; "" if in none. Null is as good as absent.

    >>> differences({"pooling": {"layer": 8}}, {"pooling": {"layer": 4}}, "in the index", "in the queries")
    'pooling.layer (8 in the index, 4 in the queries)'
    """
    a, b = dict(flattened(stored)), dict(flattened(given))
    named = (
        f"{name} ({json.dumps(a.get(name))} {here}, {json.dumps(b.get(name))} {there})"
        for name in sorted({*a, *b})
        if a.get(name) != b.get(name)
    )
    return ", ".join(named)
