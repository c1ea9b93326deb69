"""``group_id`` of a text: equal texts mean the same, in every table."""

from __future__ import annotations

from align.files.whole import sha256
from align.pairs.reading.row_sources import AnyRows, RowFile
from align.text.normal_forms import normalised, text_hash


def text_group(*texts: str) -> str:
    """16 hex digits, the hash of one text or several: those that ``normalised`` makes equal share it, in any table."""
    key = "\t".join(map(normalised, texts))
    return f"{text_hash(key):016x}"


def missing_group(source: AnyRows, number: int) -> str:
    """The group of a row that has no text: of the content of its file, wherever that lies, and the row's number."""
    return text_group(f"\0 {sha256(source.path) if isinstance(source, RowFile) else source.name} {number}")
