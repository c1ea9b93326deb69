"""Rows of names: a table of a key and a column a locale, or JSON Lines of a key and lists of names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from align.errors import InputError
from align.files.headed import headed_rows
from align.files.json_lines import json_values
from align.files.not_text import nul_in
from align.files.packed import plain_suffix
from align.files.whole import existing_file


class NamesRow(NamedTuple):
    """The names of an entity, as they are written; or, as ``problem``, why the row cannot be read."""

    number: int
    key: str
    names: list[tuple[str, list[str]]]
    """Locales, each with its names; never an empty one."""
    problem: str = ""


def names_rows(path: Path | str, check: Callable[[list[str]], None] | None = None) -> Iterator[NamesRow]:
    """The rows of a file with their line numbers.

    ``.jsonl``: the first member of an object is the key, every other one ``locale: [names]``. Else the first column is
    the key, every other one is headed by a locale; a first column headed ``en`` is the key and the English name. An
    empty cell is no name.

    Args:
        path: packed or not.
        check: may refuse the header of a table.

    Raises:
        InputError: no such file, a header that cannot be read, or no row that can, with the first.
    """
    path = existing_file(path)
    rows = _from_lists(path) if plain_suffix(path) == ".jsonl" else _from_table(path, check)
    wrong, read = "", False
    for row in rows:
        read = read or not row.problem
        wrong = wrong or (f"{path}, line {row.number}: {row.problem}" if row.problem else "")
        yield row
    if wrong and not read:
        raise InputError(wrong)


def _from_table(path: Path, check: Callable[[list[str]], None] | None) -> Iterator[NamesRow]:
    for number, cells, problem in headed_rows(path, check):
        if problem:
            yield NamesRow(number, "", [], problem)
            continue
        heading, key = cells[0]
        named = cells if heading == "en" else cells[1:]
        yield NamesRow(number, key, [(locale, [name]) for locale, name in named if name.strip()])


def _from_lists(path: Path) -> Iterator[NamesRow]:
    for number, record, problem in json_values(path):
        if not problem and (not isinstance(record, dict) or not record):
            problem = f'expected an object such as {{"id": "Q585", "en": ["Oslo"]}}, got {record!s:.60}'
        problem = problem or nul_in(record)
        if problem:
            yield NamesRow(number, "", [], problem)
            continue
        (_, key), *lists = record.items()
        for locale, names in lists:
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise InputError(f"{path}, line {number}: expected a list of names in {locale!r}, got {names!r:.60}")
        yield NamesRow(number, str(key), [(locale, [n for n in names if n.strip()]) for locale, names in lists])
