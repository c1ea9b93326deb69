"""Cells of a table in a text file: TSV as corpora have it, TSV with quotes as pandas and R write it, and CSV."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain, islice, takewhile
from pathlib import Path
from typing import NamedTuple

from align.files.lines import text_lines
from align.files.packed import plain_suffix

PEEKED = 20
"""Lines that say whether all cells are in quotes, and so many a row may have where some are."""


_CELL = r'(?:"(?:[^"]|"")*+"|[\d.eE+-]*+|NA)'
_QUOTED = re.compile(rf'(?:{_CELL}(?:\t{_CELL})+\n|\n){{2,}}(?:(?:{_CELL}\t)*"(?:[^"]|"")*+)?')
"""Two lines or more of cells in quotation marks, which may hold line ends, or of numbers; the last may go on."""


class Cells(NamedTuple):
    """A line, or the lines of a cell that holds line ends; ``problem`` says what is wrong with its bytes."""

    number: int
    """Of its first line, from 1."""
    cells: list[str]
    problem: str


def cell_lines(path: Path | str) -> Iterator[Cells]:
    """The cells of each line, blank lines too.

    TSV parts them at tabs. A cell is in quotation marks if each inside it is doubled and there is one; or if all cells
    of the first lines are, but for numbers, so that a text in quotation marks stays one; or if it goes on in lines that
    are no rows of their own. CSV, by its name, parts them at the sign that line 1 has most of, comma, semicolon or tab,
    without them ``|``, or at that of Excel's ``sep=;``. A line whose quotation mark is never closed is bad. Names of
    rows, which R writes without a name in line 1, are left out.

    Raises:
        InputError: as :func:`align.files.lines.byte_lines`.
    """
    rows = _rows(path)
    head = list(islice(rows, 3))
    columns = len(head[0].cells) if head else 0
    named = columns > 1 and [(row.cells[0], len(row.cells)) for row in head[1:]] == [
        ("1", columns + 1),
        ("2", columns + 1),
    ]
    for place, row in enumerate(chain(head, rows)):
        yield row._replace(cells=row.cells[1:]) if named and place else row


def tsv_lines(path: Path | str) -> Iterator[tuple[int, str, str]]:
    r"""The same as lines of TSV without quotes: number, line, problem. Tabs and line ends in a cell become spaces."""
    for number, cells, problem in cell_lines(path):
        yield number, "\t".join(cell.translate({9: " ", 10: " "}) for cell in cells), problem


def _rows(path: Path | str) -> Iterator[Cells]:
    lines = text_lines(path)
    head = list(islice(lines, PEEKED))
    if plain_suffix(path) == ".csv":
        first = head[0][0] if head else ""
        if told := re.fullmatch(r"sep=(.)", first, re.IGNORECASE):
            yield from _quoted(chain(head[1:], lines), told[1], 1)
        else:
            yield from _quoted(chain(head, lines), max(",;\t|", key=first.count))
    elif all_quoted([line for line, _ in head]):
        yield from _quoted(chain(head, lines), "\t")
    else:
        yield from _tsv(chain(head, lines))


def _tsv(lines: Iterator[tuple[str, str]]) -> Iterator[Cells]:
    """Rows of TSV: a line, or a few of which some have too few cells, where in one row a cell in quotes goes on."""
    ahead, columns, number = deque[tuple[str, str]](), 0, 1
    while pair := ahead.popleft() if ahead else next(lines, None):
        line, problem = pair
        cells, used = tsv_cells(line), 1
        columns = columns or len(cells)
        if not problem and cells[-1].startswith('"') and cells[-1].count('"') % 2:
            ahead.extend(islice(lines, PEEKED - len(ahead)))
            good = takewhile(lambda follower: not follower[1], ahead)
            if joined := _joined([line, *(text for text, _ in good)], columns):
                cells, used = joined
                for _ in range(used - 1):
                    ahead.popleft()
        yield Cells(number, cells, problem)
        number += used


def _joined(lines: Sequence[str], columns: int) -> tuple[list[str], int] | None:
    """The first row of these lines if it has all columns and more than one line, of which one is no row; and its lines.

    Texts begin and end with quotation marks of their own, too: lines that all are rows stay as they are.
    """
    reader = csv.reader((f"{line}\n" for line in lines), delimiter="\t", strict=True)
    try:
        cells = next(reader)
    except csv.Error:
        return None
    used = reader.line_num
    whole = all(line.count("\t") + 1 == columns for line in lines[:used])
    return (cells, used) if len(cells) == columns and used > 1 and not whole else None


def tsv_cells(line: str) -> list[str]:
    r"""The cells of a line of TSV; one in quotation marks holds others, doubled.

    >>> tsv_cells('"Yes."\t"He said ""yes"" twice"')
    ['"Yes."', 'He said "yes" twice']
    """
    cells = line.split("\t")
    return list(map(_unquoted, cells)) if '""' in line else cells


def _quoted(lines: Iterator[tuple[str, str]], between: str, before: int = 0) -> Iterator[Cells]:
    given: list[tuple[str, str]] = []  # the lines of the row that is read

    def rows() -> Iterator[str]:
        for pair in lines:
            given.append(pair)
            yield f"{pair[0]}\n"

    reader, start = csv.reader(rows(), delimiter=between), before
    try:
        for cells in reader:
            if len(given) > 1 and cells[-1].endswith("\n") and sum(line.count('"') for line, _ in given) % 2:
                line, problem = given[0]  # the file ended in a cell: this line is bad, and others may be good
                yield Cells(start + 1, [line], problem or "a quotation mark is never closed")
                yield from _quoted(iter(given[1:]), between, start + 1)
                return
            yield Cells(start + 1, cells or [""], next((problem for _, problem in given if problem), ""))
            start = before + reader.line_num
            given.clear()
    except csv.Error as error:  # a cell beyond all measure, most often for a quotation mark that is never closed
        yield Cells(start + 1, [given[0][0]], given[0][1] or f"no row of CSV ({error})")
        yield from _quoted(chain(given[1:], lines), between, start + 1)


def all_quoted(head: Sequence[str]) -> bool:
    """Whether every cell of these lines is in quotation marks or a number, and some are; the last may go on."""
    return bool(head) and '"' in head[0] and bool(_QUOTED.fullmatch("".join(f"{line}\n" for line in head)))


def _unquoted(cell: str) -> str:
    inner = cell[1:-1]
    if len(cell) < 2 or not cell[0] == cell[-1] == '"' or '""' not in inner or '"' in inner.replace('""', ""):
        return cell
    return inner.replace('""', '"')
