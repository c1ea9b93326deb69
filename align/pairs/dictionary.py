"""Bilingual dictionaries, a translation a line: MUSE, XLING, PanLex-BLI, Sinhala-English."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from align.errors import InputError
from align.files import read_lines, refuse_markup
from align.pairs.lexical_rows import WordPair

SUFFIXES = tuple(name + gz for name in (".tsv", ".txt", ".trans", ".dict") for gz in ("", ".gz"))
"""Endings of dictionaries in a folder; a file that is named may have any."""
DICTIONARY = "a dictionary (source TAB target)"
"""What was expected, for messages."""


def dictionary_pairs(path: Path | str, *, source_lang: str, target_lang: str) -> Iterator[WordPair]:
    """Lines ``source TAB target`` or ``source SPACE target`` of a file, plain or ``.gz``, in order.

    A word with several translations stands on several lines; they share the concept ``source_lang:word``. Entries of
    several words need the tab. A blank line or side is a row with the problem ``empty``.

    Raises:
        InputError: no such file, not UTF-8, an XML or HTML page, or a line of other than two columns (with its number).
    """
    name, started = str(path), False
    for number, line in enumerate(read_lines(path), 1):
        if not started and line.strip():
            started = True
            refuse_markup(line, name, number, expected=DICTIONARY)
        source, target = two_columns(line, name, number) if line.strip() else ("", "")
        problem = "" if source and target else "empty"
        concept = f"{source_lang}:{source}"
        yield WordPair(name, number, source_lang, target_lang, source, target, concept, problem)


def two_columns(line: str, name: str, number: int) -> tuple[str, str]:
    """The two sides of a line, at its tab or, without one, at its spaces (U+0020 only: others are part of a word).

    Raises:
        InputError: there are more columns, or only one.
    """
    tab = "\t" in line
    cells = line.split("\t") if tab else [cell for cell in line.split(" ") if cell]
    if len(cells) != 2:
        hint = "" if tab or len(cells) < 2 else "; entries of several words need a tab between source and target"
        what = "source TAB target" if tab else "source and target, with a tab or a space between them"
        raise InputError(f"{name}, line {number}: expected {what}, got {len(cells)} columns{hint}")
    return cells[0].strip(), cells[1].strip()
