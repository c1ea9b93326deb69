"""Bytes that are no text: named, so that no file is read as garbage."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.files.guessing import NAMES, guess

NUL_BYTE = "a NUL byte, as in binary data or in UTF-16 without a byte-order mark; expected text in UTF-8"
_FORMATS = {
    rb"%PDF-": "a PDF document",
    rb"PK\x03\x04": "a ZIP archive or an office document",
    rb"\xd0\xcf\x11\xe0": "an office document",
    rb"\{\\rtf": "a rich-text document",
    rb"\x1f\x8b": "a gzip file",
    rb"\xfd7zXZ\0": "an xz file",
    rb"BZh[1-9]1AY&SY": "a bzip2 file",
    rb"\x28\xb5\x2f\xfd": "a zstd file",
    rb"7z\xbc\xaf": "a 7z archive",
    rb"PAR1[^\t\n\r -~]": "a Parquet file",
    rb"ARROW1\0": "an Arrow file",
    rb"\x93NUMPY": "a NumPy array",
    rb"SQLite format 3\0": "an SQLite database",
    rb"version https://git-lfs\.github\.com/": "a pointer to a file in Git LFS",
}
"""What a file is, by how it begins; the first that fits."""
_HOW = {
    "a gzip file": ", or let its name end in .gz", "an xz file": ", or let its name end in .xz",
    "a bzip2 file": ", or let its name end in .bz2", "a zstd file": ", or let its name end in .zst",
    "a pointer to a file in Git LFS": " by git lfs pull",
}  # fmt: skip


def refuse_format(head: bytes, path: Path | str) -> None:
    """Refuse what begins as no text at all.

    Raises:
        InputError: ``head``, the first bytes of the (unpacked) file, is the mark of such a format, which is named.
    """
    found = next((name for mark, name in _FORMATS.items() if re.match(mark, head)), None)
    if found:
        raise InputError(f"{path} is {found}; expected text in UTF-8: convert it first{_HOW.get(found, '')}")


def refuse_unmarked(head: bytes, path: Path | str) -> None:
    """Refuse UTF-16 and UTF-32 that do not say so by a byte-order mark.

    Raises:
        InputError: ``head``, first bytes without a mark, is such text.
    """
    if b"\0" in head and (wide := guess(head)):
        name = NAMES[wide.codec]
        raise InputError(
            f"{path} is {name} without a byte-order mark, {wide.shown!r}; expected text in UTF-8: convert it by iconv "
            f"-f {name} -t UTF-8"
        )


def nul_in(record: Mapping[str, Any]) -> str:
    r"""Which value of a row holds the character NUL (``\0``, in JSON ``\u0000``), at any depth; ``""``: none does."""
    name = next((name for name, value in record.items() if _holds_nul(value)), None)
    return "" if name is None else f"{name!r} holds the character NUL, as binary data does; expected text"


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, Mapping):
        return any(map(_holds_nul, (*value, *value.values())))
    return isinstance(value, list | tuple) and any(map(_holds_nul, value))
