"""Pairs of words from a table of ``align pairs synonyms`` that is there, or from the lexicons it would be made of."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from align.errors import InputError
from align.pairs.filters.texts import WordFilters
from align.pairs.lexicons.lexicon import GivenLexicons
from align.pairs.reading.table import read_pairs
from align.pairs.synonyms import synonym_pairs


class WordRow(NamedTuple):
    """Two words of one meaning and their languages."""

    source: str
    target: str
    source_lang: str
    target_lang: str


def word_pairs(
    lexicons: Path | str | GivenLexicons, *, filters: WordFilters, exclude: Sequence[Path | str] = ()
) -> tuple[list[WordRow], dict[str, Any] | None]:
    """The rows in their order, and the manifest of what was made of lexicons; None of a table.

    Args:
        lexicons: a table, or what :func:`align.synonym_pairs` takes: dictionaries, ...
        filters: of lexicons; a table is as it was made.
        exclude: test dictionaries, of which no pair may hold a word; not with a table.

    Raises:
        InputError: words to exclude from a table, or as the functions that read.
    """
    with tempfile.TemporaryDirectory() as scratch:
        table = Path(lexicons) if isinstance(lexicons, (str, Path)) else None
        manifest = None
        if table is None or not (table / "manifest.json").is_file():
            table = Path(scratch, "words")
            manifest = synonym_pairs(lexicons, table, exclude=tuple(exclude), filters=filters)
        elif exclude:
            raise InputError(f"{lexicons} is a table already: exclude words where it is made (align pairs synonyms)")
        rows = read_pairs(table)
        return [WordRow(*row) for row in zip(*(rows[name] for name in WordRow._fields), strict=True)], manifest
