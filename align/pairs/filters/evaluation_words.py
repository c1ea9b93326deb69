"""Pairs whose words stand in evaluation dictionaries are kept out of training."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from align.errors import InputError
from align.files.whole import SIDES, read_lines, refuse_markup, two_sides
from align.pairs.filters.held_out import GivenTests
from align.pairs.filters.lines import SURROGATE
from align.pairs.lexicons.dictionary import DICTIONARY
from align.text.normal_forms import normalised, text_hash

Level = Literal["word", "pair"]
NUMBER = re.compile(r"-?\d+([.,]\d+)?")
HEADERS = (*SIDES, ("word1", "word2"))
"""Names of the two columns of a test set that has a header."""


@dataclass
class _Set:
    """Hashes of the words and of the unordered pairs of one test set, and the pairs that met them."""

    words: set[int] = field(default_factory=set)
    pairs: set[int] = field(default_factory=set)
    removed: int = 0
    same_pair: int = 0


class EvaluationWords:
    """Words and pairs of test sets, each a file, a folder or a pattern such as ``xling/*/*test*``.

    Level ``pair``: a pair is removed if its two words are a line of a test set, in either order. Level ``word``, the
    strictest: if either of its words stands anywhere in a test set, whatever its language. Words are equal if
    ``normalised`` makes them so. The paper (Green, Ponzetto and Glavaš, ACL 2023) removed at word level, but the words
    of its validation dictionaries only: pairs of the test dictionaries could stay in.

    A file is a dictionary (``.tsv``, ``.txt``, ``.trans``, ``.gz`` of these: the two columns that a header names, else
    the first two, at tabs or else at spaces; a score may follow; one column is a word) or a ``.csv`` with a header, of
    which those or the first two columns after ``ID`` count (Multi-SimLex). A folder counts with all visible files below
    it. Memory: some 70 bytes a word.

    Raises:
        InputError: no such file, a set without a word, a page of markup, an unknown level, or a line of more columns.
    """

    def __init__(self, given: GivenTests = (), *, level: Level = "word") -> None:
        if level not in get_args(Level):
            raise InputError(f"exclude_level is one of {', '.join(get_args(Level))}; got {level!r}")
        self.level = level
        self._sets: dict[str, _Set] = {}
        for path in [given] if isinstance(given, (str, Path)) else given:
            self._sets[str(path)] = held = _Set()
            for file in _files(Path(path)):
                for words in _lines(file):
                    keys = [normalised(word) for word in words if not SURROGATE.search(word)]
                    held.words.update(text_hash(key) for key in keys if key)
                    if len(keys) == 2:
                        held.pairs.add(_pair_hash(*keys))
            if not held.words:
                raise InputError(f"{path} holds no word to leave out")

    def meets(self, source: str, target: str) -> bool:
        """Whether a pair, of words already ``normalised``, must go; counted for every set that it meets."""
        if not self._sets:
            return False
        words, pair, found = {text_hash(source), text_hash(target)}, _pair_hash(source, target), False
        for held in self._sets.values():
            same = pair in held.pairs
            removed = same or (self.level == "word" and not held.words.isdisjoint(words))
            held.same_pair += same
            held.removed += removed
            found = found or removed
        return found

    def described(self) -> dict[str, dict[str, int]]:
        """By test set: its ``words`` and ``pairs``, the pairs ``removed`` for it, those of them that are its lines."""
        return {
            name: {
                "words": len(held.words),
                "pairs": len(held.pairs),
                "removed": held.removed,
                "removed_same_pair": held.same_pair,
            }
            for name, held in self._sets.items()
        }


def _pair_hash(one: str, two: str) -> int:
    return text_hash("\t".join(sorted((one, two))))


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        files = [file for file in path.rglob("*") if file.is_file()]
        hidden = [any(part.startswith(".") for part in file.relative_to(path).parts) for file in files]
        return sorted(file for file, hide in zip(files, hidden, strict=True) if not hide)
    if not path.exists() and any(character in str(path) for character in "*?["):
        files = sorted(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))))
        if not files:
            raise InputError(f"no file matches {path}")
        return files
    return [path]


def _lines(file: Path) -> Iterator[Sequence[str]]:
    name = str(file)
    rows: Any = read_lines(file)
    if name.endswith((".csv", ".csv.gz")):
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
