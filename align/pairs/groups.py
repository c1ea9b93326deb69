"""``group_id`` of a text: equal texts mean the same, in every table."""

from __future__ import annotations

from align.normal_forms import normalised, text_hash


def text_group(*texts: str) -> str:
    """16 hex digits, the hash of one text or several: those that ``normalised`` makes equal share it, in any table."""
    key = "\t".join(map(normalised, texts))
    return f"{text_hash(key):016x}"
