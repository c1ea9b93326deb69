"""What no pair may hold: the sentences of test sets, the words of evaluation dictionaries."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from align.errors import InputError
from align.files.archives import files_in, is_folder, is_there
from align.files.cells import cell_lines
from align.files.packed import plain_suffix
from align.files.whole import SIDES, existing_file, read_lines, refuse_markup, two_sides
from align.pairs.choices import check_choice
from align.pairs.lexicons.dictionary import DICTIONARY
from align.pairs.reading.records import file_records
from align.text.case import one_i
from align.text.normal_forms import normalised, text_hash
from align.text.surrogates import SURROGATES

GivenTests = Sequence["Path | str"] | Path | str
Level = Literal["word", "pair"]
NUMBER = re.compile(r"-?\d+([.,]\d+)?")
HEADERS = (*SIDES, ("word1", "word2"))
"""Names of the two columns of a test set that has a header."""


@dataclass
class _Set:
    """Hashes of the texts and of the unordered pairs of one test set, and the pairs that met them."""

    texts: set[int] = field(default_factory=set)
    pairs: set[int] = field(default_factory=set)
    removed: int = 0
    same_pair: int = 0


def _sets(given: GivenTests, read: Callable[[Path], Iterator[Sequence[str]]], what: str) -> dict[str, _Set]:
    """The test sets that are given; ``read`` yields the texts that belong together."""
    sets: dict[str, _Set] = {}
    for path in [given] if isinstance(given, (str, Path)) else given:
        sets[str(path)] = held = _Set()
        for texts in read(Path(path)):
            keys = [one_i(normalised(text)) for text in texts if not SURROGATES.search(text)]
            held.texts.update(text_hash(key) for key in keys if key)
            if len(keys) == 2:
                held.pairs.add(_pair_hash(*keys))
        if not held.texts:
            raise InputError(f"{path} holds no {what} to leave out")
    return sets


class HeldOut:
    """Hashes of the texts of some test sets, each a file or a folder; memory: some 70 bytes a text.

    A text is a line, a field of a ``.tsv`` line, or a value of a ``.jsonl`` or ``.parquet`` row; a folder counts with
    all visible files below it. Texts meet when ``normalised`` makes them equal; i and ı are one letter in this.

    Raises:
        InputError: no such file, or a set without any text.
    """

    def __init__(self, given: GivenTests) -> None:
        self._sets = _sets(given, lambda path: ([text] for file in _files(path) for text in file_texts(file)), "text")

    def meets(self, *texts: str) -> bool:
        """Whether one of these texts, already ``normalised``, stands in a test set; counted for each set it does."""
        hashes, found = {text_hash(one_i(text)) for text in texts} if self._sets else set(), False
        for held in self._sets.values():
            met = not held.texts.isdisjoint(hashes)
            held.removed += met
            found = found or met
        return found

    def described(self) -> dict[str, dict[str, int]]:
        """For the manifest, by set: its ``texts``, and the ``pairs`` that it kept out."""
        return {name: {"texts": len(held.texts), "pairs": held.removed} for name, held in self._sets.items()}


def visible_files(folder: Path) -> list[Path]:
    """Files below a folder by name; none that is hidden, by a dot before its name or that of a folder on the way."""
    if not folder.is_dir():
        return files_in(folder)
    files = (file for file in folder.rglob("*") if file.is_file())
    return sorted(file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts))


def file_texts(file: Path) -> Iterator[str]:
    """Texts of a file: its lines, cells of ``.tsv`` and ``.csv``, or values of ``.jsonl`` and ``.parquet`` rows."""
    if plain_suffix(file) in (".jsonl", ".ndjson", ".parquet"):
        yield from _strings(record for _, record in file_records(file))
    elif plain_suffix(file) in (".tsv", ".csv"):
        for number, cells, problem in cell_lines(existing_file(file)):
            if problem:
                raise InputError(f"{file}, line {number}: {problem}")
            yield from cells
    else:
        yield from read_lines(file)


def _strings(records: Iterator[dict[str, Any]]) -> Iterator[str]:
    return (value for record in records for value in record.values() if isinstance(value, str))


class EvaluationWords:
    """Words and pairs of test sets, each a file, a folder or a pattern such as ``xling/*/*test*``.

    Level ``pair``: a pair is removed if its two words are a line of a test set, in either order. Level ``word``, the
    strictest: if either of its words stands anywhere in a test set, whatever its language. Words are equal if
    ``normalised`` makes them so, with one letter for i and ı, whose capitals depend on the language. The paper (Green,
    Ponzetto and Glavaš, ACL 2023) removed at word level, but the words of its validation dictionaries only: pairs of
    the test dictionaries could stay in.

    A file is a dictionary (``.tsv``, ``.txt``, ``.trans``, compressed or not: the two columns that a header names, else
    the first two, at tabs or else at spaces; a score may follow; one column is a word) or a ``.csv`` with a header, of
    which those or the first two columns after ``ID`` count (Multi-SimLex). A folder counts with all visible files below
    it. Memory: some 70 bytes a word.

    Raises:
        InputError: no such file, a set without a word, a page of markup, an unknown level, or a line of more columns.
    """

    def __init__(self, given: GivenTests = (), *, level: Level = "word") -> None:
        check_choice("exclude_level", level, Level)
        self.level = level
        self._sets = _sets(given, lambda path: (words for file in _files(path) for words in _lines(file)), "word")

    def meets(self, source: str, target: str) -> bool:
        """Whether a pair, of words already ``normalised``, must go; counted for every set that it meets."""
        if not self._sets:
            return False
        source, target = one_i(source), one_i(target)
        words, pair, found = {text_hash(source), text_hash(target)}, _pair_hash(source, target), False
        for held in self._sets.values():
            same = pair in held.pairs
            removed = same or (self.level == "word" and not held.texts.isdisjoint(words))
            held.same_pair += same
            held.removed += removed
            found = found or removed
        return found

    def described(self) -> dict[str, dict[str, int]]:
        """By test set: its ``words`` and ``pairs``, the pairs ``removed`` for it, those of them that are its lines."""
        return {
            name: {
                "words": len(held.texts),
                "pairs": len(held.pairs),
                "removed": held.removed,
                "removed_same_pair": held.same_pair,
            }
            for name, held in self._sets.items()
        }


def _pair_hash(one: str, two: str) -> int:
    return text_hash("\t".join(sorted((one, two))))


def _files(path: Path) -> list[Path]:
    if is_folder(path):
        return visible_files(path)
    if not is_there(path) and any(character in str(path) for character in "*?["):
        files = sorted(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))))
        if not files:
            raise InputError(f"no file matches {path}")
        return files
    return [path]


def _lines(file: Path) -> Iterator[Sequence[str]]:
    name = str(file)
    rows: Any = read_lines(file)
    if plain_suffix(file) == ".csv":
        yield from _csv_lines(rows)
        return
    started, sides = False, None
    for number, line in enumerate(rows, 1):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in (line.split("\t") if "\t" in line else line.split(" "))]
        if not started:
            started, sides = True, two_sides(cells, HEADERS)
            refuse_markup(line, name, number, expected=DICTIONARY)
            if sides:
                continue
        if sides and len(cells) > max(sides):
            yield [cells[place] for place in sides]
            continue
        cells = [cell for cell in cells if cell]
        if "\t" not in line and len(cells) > 2 and not NUMBER.fullmatch(cells[2]):
            raise InputError(f"{name}, line {number}: expected two words, with a tab between them, got {len(cells)}")
        yield cells[:2]


def _csv_lines(lines: Iterator[str]) -> Iterator[Sequence[str]]:
    reader = csv.reader(lines)
    header = next(reader, [])
    first = 1 if header and header[0].strip().casefold() == "id" else 0
    sides = two_sides(header, HEADERS) or (first, first + 1)
    for row in reader:
        yield [row[place].strip() for place in sides if place < len(row)]
