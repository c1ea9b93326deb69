"""Descriptions as JSON, such as of what made vectors, and how two of them differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from align.errors import InputError
from align.files.nested import flattened


def plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """A description as JSON reads it back: what two of them are compared as.

    Raises:
        InputError: it holds what JSON does not know.
    """
    try:
        made: dict[str, Any] = json.loads(json.dumps(dict(value), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InputError(f"the description is not JSON: {error}") from error
    return made


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
