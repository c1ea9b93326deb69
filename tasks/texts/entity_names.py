"""Names of entities by language: a table of a key and locales, or JSON Lines of lists of names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from align.errors import InputError
from align.files.json_lines import json_values
from align.files.packed import plain_suffix
from align.files.whole import read_lines
from align.text.tags import locale_language

Labels = dict[str, dict[str, list[str]]]
"""By language, then by entity, its names."""


def read_entity_names(path: Path | str) -> Labels:
    """The names of a file: ``.tsv`` of a key and a column a locale, or ``.jsonl`` of a key and lists of names.

    ``id TAB en TAB hi``: an empty cell is no name; a first column that is headed ``en`` is key and name.
    ``{"id": "Q585", "en": ["Oslo"], "hi": ["ओस्लो"]}``: the first member is the key. Locales without a code, and
    repeated names, are passed over.

    Raises:
        InputError: no such file, a line of other columns, what is no list of names, fewer than two languages.
    """
    rows = _from_json(path) if plain_suffix(path) == ".jsonl" else _from_table(path)
    found: Labels = {}
    for entity, names in rows:
        for locale, several in names:
            code = locale_language(locale)
            if code and several:
                own = found.setdefault(code, {}).setdefault(entity, [])
                own += [name for name in dict.fromkeys(several) if name not in own]
    if len(found) < 2:
        raise InputError(
            f"{path} has names in {', '.join(found) or 'no language'}: expected names of entities in two languages at "
            "least, a table such as id TAB en TAB hi"
        )
    return found


Rows = list[tuple[str, list[tuple[str, Sequence[str]]]]]


def _from_table(path: Path | str) -> Rows:
    rows: Rows = []
    header: list[str] = []
    for number, line in enumerate(read_lines(path), 1):
        cells = line.split("\t")
        if not header:
            header = cells
            continue
        if not line.strip():
            continue
        if len(cells) != len(header):
            raise InputError(f"{path}, line {number}: expected {len(header)} columns, got {len(cells)}")
        first = 0 if header[0] == "en" else 1
        names = zip(header[first:], cells[first:], strict=True)
        rows.append((cells[0], [(locale, [name.strip()] if name.strip() else []) for locale, name in names]))
    return rows


def _from_json(path: Path | str) -> Rows:
    rows: Rows = []
    for number, record, problem in json_values(path):
        if problem or not isinstance(record, dict) or not record:
            expected = '{"id": "Q585", "en": ["Oslo"]}'
            raise InputError(f"{path}, line {number}: expected such as {expected}, got {problem or record!s:.60}")
        (_, key), *lists = record.items()
        for locale, names in lists:
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise InputError(f"{path}, line {number}: expected a list of names in {locale!r}, got {names!r:.60}")
        rows.append((str(key), lists))
    return rows
