"""Names of entities by language: a table of a key and locales, or JSON Lines of lists of names."""

from __future__ import annotations

from pathlib import Path

from align.errors import InputError
from align.files.entity_names import names_rows
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
    found: Labels = {}
    for number, entity, named, problem in names_rows(path):
        if problem:
            raise InputError(f"{path}, line {number}: {problem}")
        for locale, names in named:
            code = locale_language(locale)
            for name in map(str.strip, names if code else ()):
                own = found.setdefault(code, {}).setdefault(entity, [])
                own += [name] if name not in own else []
    if len(found) < 2:
        raise InputError(
            f"{path} has names in {', '.join(found) or 'no language'}: expected names of entities in two languages at "
            "least, a table such as id TAB en TAB hi"
        )
    return found
