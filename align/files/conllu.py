"""Sentences of CoNLL-U: the words with their ten cells, without multiword tokens, empty nodes and comments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from align.errors import InputError
from align.files.whole import read_lines

COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")


@dataclass(frozen=True)
class ConlluSentence:
    """The syntactic words of a sentence, and what its comments say of it."""

    rows: tuple[tuple[str, ...], ...]
    """(n, 10) cells of each word, in the order of ``COLUMNS``."""
    name: str = ""
    """Of ``# sent_id =``; "": none."""
    text: str = ""
    """Of ``# text =``; "": none."""
    lines: tuple[int, ...] = field(default=(), compare=False)
    """(n,) the line of each word in the file."""

    def column(self, name: str) -> tuple[str, ...]:
        """(n,) cells of one of ``COLUMNS``; ``form`` are the words."""
        return tuple(row[COLUMNS.index(name)] for row in self.rows)


def read_conllu(path: Path | str) -> Iterator[ConlluSentence]:
    """Sentences of a file in their order. Line ends may be CRLF, and the last sentence need not end in a blank line.

    A multiword token (``3-4``) is left out: its words stand below it. So is an empty node (``8.1``), which is no word.
    A sentence without a word is one of no rows, so that the files of a pair stay in step.

    Raises:
        InputError: no such file, a line without ten cells, words not numbered 1, 2, ..., or one without a form.

    References:
        https://universaldependencies.org/format.html
    """
    comments: dict[str, str] = {}
    rows: list[tuple[str, ...]] = []
    lines: list[int] = []
    begun = False
    for number, line in _with_end(path):
        if not line.strip():
            if begun:
                yield ConlluSentence(tuple(rows), comments.get("sent_id", ""), comments.get("text", ""), tuple(lines))
            comments, rows, lines, begun = {}, [], [], False
            continue
        begun = True
        if line.startswith("#") and not rows:
            key, equals, value = line[1:].partition("=")
            comments |= {key.strip(): value.strip()} if equals else {}
            continue
        cells = tuple(line.split("\t"))
        where = f"{path}, line {number}"
        if len(cells) != len(COLUMNS):
            raise InputError(f"{where}: expected ten cells between tabs (CoNLL-U), got {len(cells)}: {line[:40]!r}")
        if "-" in cells[0] or "." in cells[0]:
            continue
        if cells[0] != str(len(rows) + 1):
            raise InputError(f"{where}: expected word {len(rows) + 1} of the sentence, got id {cells[0]!r}")
        if not cells[1].strip():
            raise InputError(f"{where}: word {cells[0]} has no form")
        rows.append(cells)
        lines.append(number)


def _with_end(path: Path | str) -> Iterator[tuple[int, str]]:
    """Numbered lines, and a blank one after the last."""
    number = 0
    for number, line in enumerate(read_lines(path), 1):
        yield number, line
    yield number + 1, ""
