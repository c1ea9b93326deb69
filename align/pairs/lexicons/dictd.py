"""Dictionaries of the DICT protocol (dictd): an index of headwords, and a text that it cuts into entries."""

from __future__ import annotations

import gzip
import itertools
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple, cast

from align.errors import InputError
from align.files.not_text import NUL_BYTE
from align.files.whole import existing_file, read_lines

DIGITS = {digit: value for value, digit in enumerate(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
)}  # fmt: skip
"""Base 64 as dictd writes numbers: the most significant digit first, no padding."""
METADATA = ("00database", "00-database")
"""How the headwords of the entries about the dictionary itself begin."""


class Entry(NamedTuple):
    """One text, and the headwords that lead to it; ``number`` is the line in the index of the first of them."""

    number: int
    headwords: tuple[str, ...]
    text: str


class _Row(NamedTuple):
    offset: int
    length: int
    number: int
    headword: str


def read_dictd(index: Path | str) -> Iterator[Entry]:
    """Entries of a dictionary in the order of its text; headwords that share a text make one entry.

    Beside ``NAME.index`` lies ``NAME.dict.dz`` or ``NAME.dict``. It is read from front to back, so that memory holds
    the index (about 200 bytes a headword) and one entry. The entries about the dictionary itself are left out.

    Raises:
        InputError: a file is missing, empty, damaged or not what its name says, a line of the index is not headword,
            offset and length, or an entry lies beyond the end of the text or is not UTF-8; with path and line.
    """
    index = existing_file(index)
    rows = sorted(row for row in _rows(index) if not row.headword.startswith(METADATA))
    if not rows:
        raise InputError(f"{index} holds no headword")
    text = _text_of(index)
    try:
        with cast("IO[bytes]", gzip.open(text, "rb") if text.suffix == ".dz" else open(text, "rb")) as file:
            for _, group in itertools.groupby(rows, key=lambda row: row[:2]):
                same = list(group)
                yield Entry(same[0].number, tuple(row.headword for row in same), _cut(file, same[0], index, text))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{text} is not a complete dictzip file: {error}") from error


def _rows(index: Path) -> Iterator[_Row]:
    for number, line in enumerate(read_lines(index), 1):
        headword, *rest = line.split("\t")
        if len(rest) not in (2, 3):  # a fourth column spells the headword as it is printed
            raise InputError(
                f"{index}, line {number}: expected headword TAB offset TAB length, as in dictd, got {line[:40]!r}"
            )
        yield _Row(_number(rest[0], index, number), _number(rest[1], index, number), number, headword)


def _number(digits: str, index: Path, line: int) -> int:
    value = 0
    for digit in digits:
        value = value * 64 + DIGITS.get(digit, 0)
    if not digits or not DIGITS.keys() >= set(digits):
        place = f"{index}, line {line}"
        raise InputError(f"{place}: expected a number in base 64 (A-Z a-z 0-9 + /), got {digits[:40]!r}")
    return value


def _text_of(index: Path) -> Path:
    candidates = [index.with_suffix(suffix) for suffix in (".dict.dz", ".dict")]
    found = [path for path in candidates if path.is_file()]
    if index.suffix != ".index" or not found:
        names = " or ".join(path.name for path in candidates)
        raise InputError(f"{index}: expected the .index of a dictionary, and {names} beside it")
    return found[0]


def _cut(file: IO[bytes], row: _Row, index: Path, text: Path) -> str:
    file.seek(row.offset)
    raw = file.read(row.length)
    if len(raw) < row.length:
        end = row.offset + row.length
        raise InputError(f"{index}, line {row.number}: the entry ends at byte {end}, {text} before that")
    if b"\0" in raw:
        raise InputError(f"{index}, line {row.number}: its entry in {text} holds {NUL_BYTE}")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        place = f"{index}, line {row.number}: the bytes {row.offset} to {row.offset + row.length} of {text}"
        raise InputError(f"{place} are not UTF-8; is it of this index?") from error
