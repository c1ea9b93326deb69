"""Names of territories, languages, scripts, currencies and emoji in many locales (CLDR, iso-codes)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from align.errors import InputError
from align.files.entity_names import names_rows
from align.files.packed import plain_name, plain_suffix
from align.files.whole import existing_file
from align.pairs.lexicons.format import ConceptWord, Format
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
    stem, ending = Path(plain_name(path)).stem, plain_suffix(path)
    if ending not in (".jsonl", ".tsv"):
        raise InputError(f"{existing_file(path)}: expected names in a file that ends in .tsv, .jsonl, also compressed")
    for number, key, named, wrong in names_rows(path, partial(_check_header, path)):
        if wrong:
            yield ConceptWord(str(path), number, "", "", "", problem=wrong)
        for locale, names in named:
            language = locale_language(locale)
            problem = "" if language else f"unknown locale {locale}"
            for name in names:
                yield ConceptWord(str(path), number, f"{stem}:{key}", language, name.strip(), problem=problem)


def _check_header(path: Path | str, header: list[str]) -> None:
    if not any(map(locale_language, header[1:])):
        found = ", ".join(header[:5])
        raise InputError(f"{path}, line 1: expected a key and locales, such as code TAB en TAB de, got {found}")


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
