"""A corpus in chunks: the lines that make one part of a folder of vectors each."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice

from align.errors import InputError
from align.vectors.corpus.parts import Chunk
from align.vectors.corpus.rows import Corpus, Reject, Row
from align.vectors.corpus.survey import Survey


def read_chunks(
    corpus: Corpus,
    found: Survey,
    copies: Iterator[tuple[int, int]],
    *,
    part_rows: int,
    finished: Collection[int] = (),
) -> Iterator[Chunk]:
    """The corpus in chunks of ``part_rows`` lines; of parts that are ``finished`` no line is looked at.

    Args:
        corpus: to read.
        found: the survey of it.
        copies: position of each copy, in order, and that of the first row with its text: they become rejects.
        part_rows: lines of a chunk.
        finished: numbers of chunks to leave out.

    Raises:
        InputError: the corpus has not the lines that the survey counted.
    """
    rows = enumerate(corpus.rows(wanted=lambda position: position // part_rows not in finished))
    copy, first = next(copies, (-1, -1))
    for number in range(part_count(found, part_rows)):
        kept: list[Row] = []
        rejects: list[Reject] = []
        position = number * part_rows - 1
        for position, row in islice(rows, part_rows):
            if isinstance(row, Reject):
                rejects.append(row)
            elif row and position == copy:
                reason = f"the same text as {found.place(corpus, first)}"
                rejects.append(Reject(row.file, row.line, reason, row.id))
            elif row:
                kept.append(row)
            if position == copy:
                copy, first = next(copies, (-1, -1))
        if position + 1 != min((number + 1) * part_rows, found.lines):
            raise InputError(f"the corpus had {found.lines} lines and now has {position + 1}: it was changed meanwhile")
        if number not in finished:
            yield Chunk(number, kept, rejects)


def part_count(found: Survey, part_rows: int) -> int:
    """Parts of a corpus."""
    return -(-found.lines // part_rows)
