"""Sentences as words: text with spaces between the words, raw text with a splitter of one's choice, CoNLL-U."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import regex

from align.errors import InputError, unknown
from align.files.packed import plain_suffix
from align.files.whole import read_lines

SPLITTERS = {
    "spaces": regex.compile(r"[^ \t]+"),
    "words": regex.compile(r"[\p{L}\p{M}\p{N}_]+(?:['’][\p{L}\p{M}]+)*|\S"),
    "characters": regex.compile(r"\S\p{M}*"),
}
"""``spaces``: the words stand there already; white space other than blanks and tabs is a word (KFTT has U+3000 so).
``words``: runs of letters, marks and digits, also with an apostrophe between letters; every other sign alone.
``characters``: each with its marks, for scripts without spaces."""


class Sentence(NamedTuple):
    """One sentence of a file."""

    words: list[str]
    line: int
    """Its first line in the file, from 1."""
    id: str = ""
    """``sent_id`` of CoNLL-U."""
    text: str = ""
    """The line, where it is one."""
    starts: tuple[int, ...] = ()
    """Of each word its first character in the text."""
    misc: tuple[str, ...] = ()
    """Of each word the last column of CoNLL-U."""


def read_sentences(path: Path | str, *, split: str = "spaces") -> Iterator[Sentence]:
    """The sentences of a file: a CoNLL-U file (``.conllu``) holds words, of any other each line is a sentence.

    Of CoNLL-U the syntactic words are taken, 1, 2, ...; ranges (1-2) and empty nodes (1.1) are not among them. An empty
    line is a sentence without words, so that lines stay in step.

    Raises:
        InputError: an unknown splitter, a line of CoNLL-U that is none; what :func:`align.files.whole.read_lines`
            refuses.
    """
    if split not in SPLITTERS:
        raise InputError(unknown("splitter", split, SPLITTERS))
    if plain_suffix(path) == ".conllu":
        yield from _from_conllu(path)
        return
    for number, line in enumerate(read_lines(path), 1):
        found = list(SPLITTERS[split].finditer(line))
        yield Sentence([one[0] for one in found], number, "", line, tuple(one.start() for one in found))


def _from_conllu(path: Path | str) -> Iterator[Sentence]:
    rows: list[tuple[int, str]] = []
    for number, line in enumerate([*read_lines(path), ""], 1):
        if line.strip():
            rows.append((number, line))
        elif rows:
            yield _conllu(path, rows)
            rows = []


def _conllu(path: Path | str, rows: list[tuple[int, str]]) -> Sentence:
    words: list[str] = []
    misc: list[str] = []
    name = ""
    for number, line in rows:
        if line.startswith("#"):
            name = line.partition("=")[2].strip() if line[1:].strip().startswith("sent_id") else name
            continue
        cells = line.split("\t")
        if len(cells) != 10:
            raise InputError(f"{path}, line {number}: expected the 10 columns of CoNLL-U, got {len(cells)}")
        if not regex.fullmatch(r"\d+([-.]\d+)?", cells[0]):
            raise InputError(f"{path}, line {number}: expected the number of a word, got {cells[0][:20]!r}")
        if cells[0].isdecimal():
            if int(cells[0]) != len(words) + 1:
                raise InputError(f"{path}, line {number}: expected word {len(words) + 1}, got {cells[0]!r}")
            words.append(cells[1])
            misc.append(cells[9])
    return Sentence(words, rows[0][0], name, misc=tuple(misc))


def read_parallel(
    source: Path | str, target: Path | str, *, split: str = "spaces"
) -> Iterator[tuple[Sentence, Sentence]]:
    """The sentences of two files, each with its translation.

    Raises:
        InputError: one file has more sentences than the other; two sentences of CoNLL-U are of different ``sent_id``.
    """
    sides = [read_sentences(path, split=split) for path in (source, target)]
    number = 0
    while True:
        one, other = (next(side, None) for side in sides)
        if one is None and other is None:
            return
        if one is None or other is None:
            longer, shorter = (source, target) if other is None else (target, source)
            raise InputError(
                f"{longer} has more sentences than {shorter}, which ends after {number}: expected a line for each line"
            )
        number += 1
        if one.id and other.id and one.id != other.id:
            raise InputError(
                f"sentence {number} is {one.id!r} in {source}, line {one.line}, and {other.id!r} in {target}, line "
                f"{other.line}: expected the same sentences in the same order"
            )
        yield one, other
