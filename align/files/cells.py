"""Cells of a table in a text file: TSV as corpora have it, TSV with quotes as pandas and R write it, and CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from align.errors import InputError
from align.files.lines import text_lines
from align.files.packed import plain_suffix

PEEKED = 20
"""Lines that say whether all cells are in quotes."""


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
    of the first lines are, but for numbers, so that a text in quotation marks stays one. CSV, by its name, parts them
    at the sign that line 1 has most of, comma, semicolon or tab. A line whose quotation mark is never closed is bad.

    Raises:
        InputError: as :func:`align.files.lines.byte_lines`, or a cell of CSV beyond all measure.
    """
    lines = text_lines(path)
    head = list(islice(lines, PEEKED))
    if plain_suffix(path) == ".csv":
        first = head[0][0] if head else ""
        yield from _quoted(path, chain(head, lines), max(",;\t", key=first.count))
    elif all_quoted([line for line, _ in head]):
        yield from _quoted(path, chain(head, lines), "\t")
    else:
        for number, (line, problem) in enumerate(chain(head, lines), 1):
            yield Cells(number, tsv_cells(line), problem)


def tsv_cells(line: str) -> list[str]:
    r"""The cells of a line of TSV; one in quotation marks holds others, doubled.

    >>> tsv_cells('"Yes."\t"He said ""yes"" twice"')
    ['"Yes."', 'He said "yes" twice']
    """
    cells = line.split("\t")
    return list(map(_unquoted, cells)) if '""' in line else cells


def _quoted(path: Path | str, lines: Iterator[tuple[str, str]], between: str, before: int = 0) -> Iterator[Cells]:
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
                yield from _quoted(path, iter(given[1:]), between, start + 1)
                return
            yield Cells(start + 1, cells or [""], next((problem for _, problem in given if problem), ""))
            start = before + reader.line_num
            given.clear()
    except csv.Error as error:
        raise InputError(f"{path}, line {start + 1}: {error}") from error


def all_quoted(head: Sequence[str]) -> bool:
    """Whether every cell of these lines is in quotation marks or a number, and some are; the last may go on."""
    return bool(head) and '"' in head[0] and bool(_QUOTED.fullmatch("".join(f"{line}\n" for line in head)))


def _unquoted(cell: str) -> str:
    inner = cell[1:-1]
    if len(cell) < 2 or not cell[0] == cell[-1] == '"' or '""' not in inner or '"' in inner.replace('""', ""):
        return cell
    return inner.replace('""', '"')
