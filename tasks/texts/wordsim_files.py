"""The file formats of word similarity sets: each gives pairs of words with the score that people gave them."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from align.errors import InputError
from align.files.packed import plain_suffix
from align.files.whole import SIDES, column_names, existing_file, read_lines, refuse_markup, two_sides

Pair = tuple[str, str, float]
Row = Mapping[str, str]

_WORDS = (
    ("word1", "word2"), ("w1", "w2"), ("wordone", "wordtwo"), ("worda", "wordb"), ("term1", "term2"),
    ("phrase1", "phrase2"), ("sentence1", "sentence2"), ("first", "second"), *SIDES,
)  # fmt: skip
_SCORES = (
    "score", "simlex999", "humanmean", "similarity", "simscore", "similarityscore", "relatedness", "goldscore", "gold",
    "average", "averagescore", "meanscore", "mean", "rating", "averagerating", "meanrating",
)  # fmt: skip
_OTHERS = ("", "id", "index", "no", "nr", "pairid", "type", "pos", "relation", "split", "language", "lang")
"""Columns of neither words nor scores."""


def read_pairs(path: Path) -> list[Pair]:
    """Pairs of one file; a name ending in ``.csv`` or ``.data.txt`` says its format, any other is a table.

    Where there is a header, the columns are found by their names, wherever they stand.

    Raises:
        InputError: a row that is no pair with a score, or another header (with path and line).
    """
    if plain_suffix(path) == ".csv":
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
    """``word TAB word TAB score``, spaces where no word holds one, or the columns that a header names."""
    lines = list(_lines(path))
    head = lines[0].split("\t") if "\t" in lines[0] else lines[0].split()
    places = _places(head, f"{path}, line 1", "word1,word2,score") if _is_header(head) else None
    columns = len(head) if places else 3
    pairs = []
    for number, line in enumerate(lines, 1):
        if number == 1 and places:
            continue
        cells = line.strip("\r\n ").split("\t")
        if len(cells) != columns:
            cells = line.split()
        if len(cells) != columns:
            form = "word TAB word TAB score" if places is None else f"{columns} columns as in the header"
            raise InputError(f"{path}, line {number}: {line[:60]!r} is no pair; expected {form}")
        first, second, score = (cells[place] for place in places or (0, 1, 2))
        pairs.append(_pair(first, second, score, f"{path}, line {number}"))
    return pairs


def _is_header(cells: Sequence[str]) -> bool:
    named = two_sides(cells, _WORDS) or not set(_SCORES).isdisjoint(column_names(cells))
    return bool(named) and not any(map(_is_number, cells))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _places(head: Sequence[str], where: str, form: str) -> tuple[int, int, int]:
    """Places of word 1, word 2 and the score: by their names, or the words are the only columns that may be.

    Raises:
        InputError: the columns cannot be told; with the names that are there.
    """
    names = column_names(head)
    scores = [place for place, name in enumerate(names) if name in _SCORES]
    words = two_sides(head, _WORDS)
    if words is None:
        left = [place for place, name in enumerate(names) if place not in scores and name not in _OTHERS]
        words = (left[0], left[1]) if len(left) == 2 else None
    if words is None or len(scores) != 1 or any(names.count(names[place]) > 1 for place in (*words, scores[0])):
        raise InputError(
            f"{where}: expected a header such as {form}, got {','.join(head)[:100]}: it cannot be told which hold "
            "the two words and one score"
        )
    return (*words, scores[0])


def _crosslingual(path: Path) -> list[Pair]:
    rows = _csv(path)
    names = list(rows[0])
    first, second, score = (names[at] for at in _places(names, f"{path}, line 1", "ID,CMN,ENG,PoS,score"))
    if f"{second}-{first}".casefold() in path.name.casefold():  # the name of the file says which language comes first
        first, second = second, first
    return [_pair(row[first], row[second], row[score], f"{path}, line {line}") for line, row in enumerate(rows, 2)]


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
