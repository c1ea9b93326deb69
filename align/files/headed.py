"""Rows of TSV or CSV under a header."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from align.errors import InputError
from align.files.cells import cell_lines
from align.files.whole import INDEX


def headed_rows(
    path: Path, check: Callable[[list[str]], None] | None = None
) -> Iterator[tuple[int, list[tuple[str, str]], str]]:
    """Line numbers, cells with the names of their columns, and why a row cannot be read (then it has no cells).

    Lines of white space alone are passed over, as editors and spreadsheets leave them at the end, and so is the index
    of pandas. ``check`` may refuse the header.

    Raises:
        InputError: a header that cannot be read; what ``check`` raises.
    """
    header: list[str] = []
    kept: list[int] = []
    for number, cells, problem in cell_lines(path):
        if not header:
            if problem:
                raise InputError(f"{path}, line {number}: {problem}")
            header = [name.strip() for name in cells]
            kept = [place for place, name in enumerate(header) if not INDEX.fullmatch(name)]
            if check is not None:
                check([header[place] for place in kept])
            continue
        if not problem and not any(cell.strip() for cell in cells):
            continue
        if not problem and len(cells) != len(header):
            problem = f"expected {len(header)} columns as in line 1, got {len(cells)}"
        yield number, [] if problem else [(header[place], cells[place]) for place in kept], problem
