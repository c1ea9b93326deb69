"""Conditional transliteration of files with a token a line and labels beside it, as CoNLL files have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from align.errors import InputError
from align.files.whole import read_lines, whole_file
from align.pairs.conversion import Conversion, Converter
from align.pairs.romanizers import Romanizer, chosen_romanizer
from align.pairs.tagging.tagger import Tagger
from align.text.languages import check_language


def convert_columns(
    source: Path | str,
    target: Path | str,
    tagger: Tagger | None = None,
    conversion: Conversion | None = None,
    *,
    lang: str,
    column: int = 1,
    backend: str = "uroman",
    processes: int = 1,
    romanizer: Romanizer | None = None,
) -> dict[str, Any]:
    r"""Write ``source`` to ``target`` with its tokens converted and all else as it is; return ``Converter.counts``.

    Lines end in ``\n``. Blank lines, and lines that begin with ``#`` and have no tab (comments of CoNLL-U), stay.

    Args:
        source: UTF-8 text, plain or ``.gz``: columns between tabs, a token a line.
        target: file to write, whole or not at all.
        tagger: as in ``convert``.
        conversion: as in ``convert``.
        lang: as in ``convert``.
        column: number of the column with the token, from 1; 2 in CoNLL-U.
        backend: as in ``convert``.
        processes: as in ``convert``.
        romanizer: as in ``convert``.

    Raises:
        InputError: as ``convert``; also an empty file, a line without a tab, without this column or with nothing in it
            (file, line).
    """
    if column < 1:
        raise InputError(f"column is a number from 1, got {column}")
    run, _ = chosen_romanizer(romanizer, backend=backend, processes=processes)
    converter = Converter(tagger, conversion or Conversion(), run)
    check_language(lang)
    lines = list(read_lines(source))
    rows = {i: _row(f"{source}, line {i + 1}", line, column) for i, line in enumerate(lines) if not _kept(line)}
    if not rows:
        raise InputError(f"{source} is empty: expected lines of columns between tabs")
    (tokens,) = converter.convert([[cells[column - 1] for cells in rows.values()]], lang)
    for token, (i, cells) in zip(tokens, rows.items(), strict=True):
        lines[i] = "\t".join([*cells[: column - 1], token, *cells[column:]])
    with whole_file(Path(target)) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(line + "\n" for line in lines)
    return converter.counts()


def _kept(line: str) -> bool:
    return not line.strip(" ") or (line.startswith("#") and "\t" not in line)


def _row(place: str, line: str, column: int) -> list[str]:
    cells = line.split("\t")
    if len(cells) < max(2, column):
        many = f"{len(cells)} column{'s' if len(cells) > 1 else ''}"
        raise InputError(f"{place}: expected at least {max(2, column)} columns between tabs, got {many}")
    if not cells[column - 1].strip():
        raise InputError(f"{place}: expected a token in column {column}, got nothing")
    return cells
