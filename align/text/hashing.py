"""The hash of a text, for whatever is kept or compared by what it says."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def text_sha256(text: str) -> str:
    """Hex SHA-256 of a text's UTF-8 bytes; a lone surrogate, which UTF-8 has no bytes for, counts as itself.

    >>> text_sha256("a")[:12]
    'ca978112ca1b'
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def json_hash(parts: Any) -> str:
    """SHA-256 of JSON values."""
    return text_sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False))
