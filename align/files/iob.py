"""Sentences of IOB2: a word and the tag of its span a line, as CoNLL-2003, WikiANN and Universal NER have them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from align.errors import InputError
from align.files.whole import read_lines

_TAG = re.compile(r"O|[BI]-\S+")


@dataclass(frozen=True)
class IobSentence:
    """Words, each with ``O``, or with ``B-TYPE`` where a span begins and ``I-TYPE`` where it goes on."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    """(n,) one a word."""
    name: str = ""
    """Of ``# sent_id =``; "": none."""
    lines: tuple[int, ...] = field(default=(), compare=False)
    """(n,) the line of each word in the file."""


def read_iob(path: Path | str) -> Iterator[IobSentence]:
    """Sentences of a file in their order, parted by blank lines; line ends may be CRLF.

    Cells are parted by tabs, or where there is none by spaces. A line is ``WORD ... TAG``, or, in a sentence whose
    lines are numbered 1, 2, ..., ``NUMBER WORD TAG ...`` (Universal NER). Lines before the first word that begin with
    ``# `` are comments; ``-DOCSTART-`` is left out.

    Raises:
        InputError: no such file, a line without a tag, a tag of another scheme, or an ``I-`` that continues nothing
            (IOB1); with file, line and value.

    References:
        Ramshaw and Marcus 1995; Tjong Kim Sang and De Meulder 2003 (CoNLL-2003).
    """
    block: list[tuple[int, list[str]]] = []
    name = ""
    number = 0
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            if block:
                yield _sentence(path, block, name)
            block, name = [], ""
        elif line.startswith("# ") and not block:
            key, equals, value = line[2:].partition("=")
            name = value.strip() if equals and key.strip() == "sent_id" else name
        elif not line.startswith("-DOCSTART-"):
            block.append((number, line.split("\t") if "\t" in line else line.split()))
    if block:
        yield _sentence(path, block, name)


def _sentence(path: Path | str, block: list[tuple[int, list[str]]], name: str) -> IobSentence:
    numbered = all(len(cells) > 2 and cells[0] == str(place) for place, (_, cells) in enumerate(block, 1))
    words: list[str] = []
    tags: list[str] = []
    for number, cells in block:
        where = f"{path}, line {number}"
        if len(cells) < 2:
            raise InputError(f"{where}: expected a word and a tag, got {' '.join(cells)[:40]!r}")
        word, tag = (cells[1], cells[2]) if numbered else (cells[0], cells[-1])
        if not word.strip():
            raise InputError(f"{where}: the word before the tag {tag!r} is empty")
        if not _TAG.fullmatch(tag):
            raise InputError(f"{where}: tag {tag!r}; expected O, B-TYPE or I-TYPE (IOB2): turn other schemes into it")
        before = tags[-1] if tags else "O"
        if tag[0] == "I" and before[2:] != tag[2:]:
            raise InputError(
                f"{where}: {tag} stands after {before}: in IOB2 a span begins with B-{tag[2:]}; is the file IOB1?"
            )
        words.append(word)
        tags.append(tag)
    return IobSentence(tuple(words), tuple(tags), name, tuple(number for number, _ in block))
