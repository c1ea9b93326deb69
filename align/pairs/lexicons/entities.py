"""Names of territories, languages, scripts, currencies and emoji in many locales (CLDR, iso-codes)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from align.errors import InputError
from align.files.packed import plain_name, plain_suffix
from align.files.whole import existing_file
from align.pairs.lexicons.format import ConceptWord, Format
from align.pairs.reading.records import bad_row, json_records, some_read, tsv_records
from align.text.tags import locale_language

LICENCES = {"cldr-": "Unicode-3.0", "iso-codes-": "LGPL-2.1-or-later"}
"""By the start of the file name: the collections that these files are taken from."""


def entity_words(path: Path | str) -> Iterator[ConceptWord]:
    """Names of a wide table, a row an entity and a column a locale, or of JSON Lines of lists of names.

    ``.tsv``: the first column is the key, every other one is headed by a locale (``en, sr-Latn, zh_CN, sr@latin``). A
    first column headed ``en`` is the key and the English name. An empty cell is no name. ``.jsonl``: the first member
    of an object is the key, every other one ``locale: [names]``; all names of an entity share the concept, which for
    emoji keywords means that they are related. The concept is ``file:key``. A name in a locale that has no code is a
    row with the problem ``unknown locale xq``.
    """
    path = existing_file(path)
    stem, ending = Path(plain_name(path)).stem, plain_suffix(path)
    if ending == ".jsonl":
        return _from_lists(path, stem)
    if ending == ".tsv":
        return _from_table(path, stem)
    raise InputError(f"{path}: expected names in a file that ends in .tsv, .jsonl, also compressed")


def _good(path: Path, records: Iterator[tuple[int, dict[str, Any]]]) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Records, and of one that cannot be read why."""
    for number, record in some_read(records, lambda number: f"{path}, line {number}"):
        yield number, bad_row(record) or record


def _from_table(path: Path, stem: str) -> Iterator[ConceptWord]:
    def check(header: list[str]) -> None:
        if not any(map(locale_language, header[1:])):
            found = ", ".join(header[:5])
            raise InputError(f"{path}, line 1: expected a key and locales, such as code TAB en TAB de, got {found}")

    for number, record in _good(path, tsv_records(path, check, keep_bad=True)):
        if isinstance(record, str):
            yield ConceptWord(str(path), number, "", "", "", problem=record)
            continue
        (first, key), *names = record.items()
        for locale, name in ([(first, key)] if first == "en" else []) + names:
            if name:
                yield _word(path, number, f"{stem}:{key}", locale, name)


def _from_lists(path: Path, stem: str) -> Iterator[ConceptWord]:
    for number, record in _good(path, json_records(path, keep_bad=True)):
        if isinstance(record, str):
            yield ConceptWord(str(path), number, "", "", "", problem=record)
            continue
        (_, key), *lists = record.items()
        for locale, names in lists:
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise InputError(f"{path}, line {number}: expected a list of names in {locale!r}, got {names!r:.60}")
            for name in names:
                yield _word(path, number, f"{stem}:{key}", locale, name)


def _word(path: Path, number: int, concept: str, locale: str, name: str) -> ConceptWord:
    language = locale_language(locale)
    problem = "" if language else f"unknown locale {locale}"
    return ConceptWord(str(path), number, concept, language, name.strip(), problem=problem)


def _recognised(name: str, head: bytes) -> bool:
    """Whether the first line is a key and locales: two or more that are known, and most, of a heading or an object."""
    line = head.partition(b"\n")[0].decode("utf-8", "replace").strip("\ufeff\r")
    if plain_suffix(name) == ".tsv":
        locales = line.split("\t")[1:]
    else:
        locales = re.findall(r'"([^"]*)": *\[', line) if plain_suffix(name) == ".jsonl" else []
    known = sum(map(bool, map(locale_language, locales)))
    return known > 1 and 2 * known > len(locales)


FORMAT = Format(
    "entities",
    lambda source, sides, languages: entity_words(source),
    help="Names: a .tsv of a key and locales, or .jsonl of lists.",
    recognises=_recognised,
    turn=4,
    licence=lambda source: next((held for start, held in LICENCES.items() if Path(source).name.startswith(start)), ""),
    page=(
        "CLDR, iso-codes", "names of territories, languages, ...", "a table, key and locales", "Unicode-3.0, LGPL-2.1"
    ),
)  # fmt: skip
