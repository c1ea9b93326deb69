"""Bilingual dictionaries, a translation a line: MUSE, XLING, PanLex-BLI, Sinhala-English."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from align.errors import InputError
from align.files.cells import tsv_lines
from align.files.packed import also_packed
from align.files.whole import existing_file, refuse_markup, two_sides
from align.pairs.lexicons.format import Format, WordPair
from align.text.language_names import named_language
from align.text.tags import tagged_sides

SUFFIXES = also_packed([".tsv", ".txt", ".trans", ".dict"])
"""Endings of dictionaries in a folder; a file that is named may have any."""
DICTIONARY = "a dictionary (source TAB target)"
"""What was expected, for messages."""


def dictionary_pairs(path: Path | str, *, source_lang: str, target_lang: str) -> Iterator[WordPair]:
    """Lines ``source TAB target`` or ``source SPACE target`` of a file, plain or compressed, in order.

    A word with several translations stands on several lines; they share the concept ``source_lang:word``. Entries of
    several words need the tab. A blank line or side is a row with the problem ``empty``; so are bytes that
    are no UTF-8, and another number of columns; where no line has two, the first is an InputError.
    A header that names the two columns (their codes, or ``align.files.whole.SIDES`` in any case) says where they are,
    whatever else stands beside them.
    """
    name, started, read = str(path), False, False
    first: InputError | None = None
    header: DictionaryHeader | None = None
    for number, line, wrong in tsv_lines(existing_file(path)):
        if wrong:
            problem = wrong.partition(" (")[0]  # without the byte, which would be a reason of its own
            yield WordPair(name, number, source_lang, target_lang, line, "", f"{source_lang}:", problem)
            continue
        if not started and line.strip():
            started = True
            refuse_markup(line, name, number, expected=DICTIONARY)
            header = dictionary_header(line, source_lang, target_lang)
            if header:
                continue
        problem = ""
        try:
            source, target = two_columns(line, name, number, header) if line.strip() else ("", "")
            read = True
        except InputError as error:
            first = first or error
            source, target, problem = line, "", f"expected {header.columns if header else 2} columns"
        problem = problem or ("" if source and target else "empty")
        concept = f"{source_lang}:{source}"
        yield WordPair(name, number, source_lang, target_lang, source, target, concept, problem)
    if first and not read:
        raise first


class DictionaryHeader(NamedTuple):
    """Where a header says that the two words stand, among how many columns."""

    source: int
    target: int
    columns: int


def dictionary_header(line: str, source_lang: str = "", target_lang: str = "") -> DictionaryHeader | None:
    """The header that a first line is; ``None``: it is two words.

    Where the languages are not known, the names of any two large ones are a header, in this order.
    """
    cells = [cell.strip() for cell in line.split("\t" if "\t" in line else None)]
    sides = two_sides(cells) or (tagged_sides(cells, source_lang, target_lang) if source_lang else None)
    if not sides and not source_lang and len({*filter(None, map(_large, cells))}) == len(cells) == 2:
        sides = (0, 1)
    return DictionaryHeader(*sides, len(cells)) if sides else None


def _large(cell: str) -> str:
    return named_language(cell, rare=False)


def two_columns(line: str, name: str, number: int, header: DictionaryHeader | None = None) -> tuple[str, str]:
    """The two sides of a line, at its tab or, without one, at its spaces (U+0020 only: others are part of a word)."""
    tab, columns = "\t" in line, header.columns if header else 2
    cells = line.split("\t") if tab else [cell for cell in line.split(" ") if cell]
    if len(cells) != columns and columns > 2:
        raise InputError(f"{name}, line {number}: expected {columns} columns as in the header, got {len(cells)}")
    if len(cells) != columns:
        hint = "" if tab or len(cells) < 2 else "; entries of several words need a tab between source and target"
        what = "source TAB target" if tab else "source and target, with a tab or a space between them"
        raise InputError(f"{name}, line {number}: expected {what}, got {len(cells)} columns{hint}")
    source, target = (header.source, header.target) if header else (0, 1)
    return cells[source].strip(), cells[target].strip()


FORMAT = Format(
    "dictionary",
    lambda source, sides, languages: dictionary_pairs(source, source_lang=sides[0], target_lang=sides[1]),
    help="Dictionaries, source TAB target (or a space): eng_Latn-deu_Latn=FILE, or files named so, or folders.",
    recognises=lambda name, head: False,
    two_sides=True,
    page=("dictionaries", "pairs, TSV or MUSE format", "your own", "yours"),
)
