"""The file formats of word similarity sets: each gives pairs of words with the score that people gave them."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from align.errors import InputError
from align.files import existing_file, read_lines, refuse_markup

Pair = tuple[str, str, float]
Row = Mapping[str, str]

_SCORES = ("score", "simlex999", "human (mean)")


def read_pairs(path: Path) -> list[Pair]:
    """Pairs of one file; a name ending in ``.csv`` or ``.data.txt`` says its format, any other is a table.

    Raises:
        InputError: a row that is no pair with a score, or another header (with path and line).
    """
    if re.search(r"\.csv(\.gz)?$", path.name):
        return _crosslingual(path)
    return _two_files(path) if path.name.endswith(".data.txt") else _table(path)


def read_translations(path: Path) -> dict[str, list[Pair]]:
    """Pairs by language (``ENG``) of Multi-SimLex: the words in ``path``, their scores in ``scores.csv`` beside it.

    Raises:
        InputError: one of them is missing, they differ in their ID column, or no language is in both.
    """
    words, scores = _csv(path), _csv(path.with_name("scores.csv"))
    if [row.get("ID") for row in words] != [row.get("ID") for row in scores]:
        raise InputError(f"{path} and scores.csv beside it differ in their ID column: expected the same pairs in order")
    pairs: dict[str, list[Pair]] = {}
    for name in scores[0]:
        if re.fullmatch("[A-Z]{3}", name) and {f"{name} 1", f"{name} 2"} <= set(words[0]):
            pairs[name] = [
                _pair(row[f"{name} 1"], row[f"{name} 2"], score[name], f"{path.with_name('scores.csv')}, line {line}")
                for line, (row, score) in enumerate(zip(words, scores, strict=True), 2)
            ]
    if not pairs:
        raise InputError(f"{path}, line 1: no language has columns such as 'ENG 1', 'ENG 2', and 'ENG' in scores.csv")
    return pairs


def _table(path: Path) -> list[Pair]:
    """``word TAB word TAB score``, spaces where no word holds one, or a table whose header names the score."""
    lines = list(_lines(path))
    head = [cell.strip().lower() for cell in lines[0].split("\t")]
    place = next((place for place, name in enumerate(head) if name in _SCORES), None)
    columns, score = (3, 2) if place is None else (len(head), place)
    pairs = []
    for number, line in enumerate(lines, 1):
        if number == 1 and place is not None:
            continue
        cells = line.strip().split("\t")
        if len(cells) != columns == 3:
            cells = line.split()
        if len(cells) != columns:
            form = "word TAB word TAB score" if columns == 3 else f"{columns} columns as in the header"
            raise InputError(f"{path}, line {number}: {line[:60]!r} is no pair; expected {form}")
        pairs.append(_pair(cells[0], cells[1], cells[score], f"{path}, line {number}"))
    return pairs


def _crosslingual(path: Path) -> list[Pair]:
    rows = _csv(path)
    names = list(rows[0])
    if len(names) != 5 or names[0] != "ID" or names[4] != "score":
        raise InputError(f"{path}, line 1: expected a header such as ID,CMN,ENG,PoS,score, got {','.join(names)[:60]}")
    return [
        _pair(row[names[1]], row[names[2]], row["score"], f"{path}, line {line}") for line, row in enumerate(rows, 2)
    ]


def _two_files(path: Path) -> list[Pair]:
    name = path.name.replace(".data.txt", ".gold.txt")
    gold = next((file for file in (path.with_name(name), path.parent.parent / "keys" / name) if file.exists()), None)
    if gold is None:
        raise InputError(f"{path} has no gold scores: expected {name} beside it or in ../keys")
    words, scores = list(_lines(path)), list(_lines(gold))
    if len(words) != len(scores):
        raise InputError(f"{path} has {len(words)} lines, {gold} has {len(scores)}: expected a score for each pair")
    pairs = []
    for number, (line, score) in enumerate(zip(words, scores, strict=True), 1):
        cells = line.split("\t")
        if len(cells) != 2:
            raise InputError(f"{path}, line {number}: {len(cells)} columns, expected word TAB word")
        pairs.append(_pair(cells[0], cells[1], score, f"{gold}, line {number}"))
    return pairs


def _csv(path: Path) -> Sequence[Row]:
    """Rows by column name, at least one."""
    reader = csv.DictReader(_lines(existing_file(path)), strict=True)
    rows = []
    try:
        for row in reader:
            if None in row or None in row.values():
                columns = len(reader.fieldnames or ())
                raise InputError(f"{path}, line {reader.line_num}: expected {columns} columns as in the header")
            rows.append(row)
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.reader.line_num}: {error}") from error
    if not rows:
        raise InputError(f"{path} has a header, but no row")
    return rows


def _lines(path: Path) -> Iterator[str]:
    """Lines, of which a lone carriage return may be the end (SimLex-999 in German)."""
    first = True
    for text in read_lines(path):
        for line in text.split("\r"):
            if first:
                refuse_markup(line, path, 1, expected="pairs of words")
            first = False
            yield line
    if first:
        raise InputError(f"{path} is empty; expected pairs of words with a score")


def _pair(first: str, second: str, score: str, where: str) -> Pair:
    try:
        value = float(score)
    except ValueError:
        value = math.inf
    if math.isinf(value):
        raise InputError(f"{where}: the score is {score!r}; expected a number, below a header that says score or none")
    return first.strip(), second.strip(), value
