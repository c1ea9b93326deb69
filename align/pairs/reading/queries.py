"""Texts to look up: lines of a file, or a column of a table."""

from __future__ import annotations

import logging
from pathlib import Path

from align.files.whole import existing_file, read_lines
from align.pairs.reading.records import bad_row, column, place_of, read_rows, text_of
from align.pairs.reading.sources import ROW_SUFFIXES, RowFile

COLUMNS = ("query", "text")

logger = logging.getLogger(__name__)


def read_queries(path: Path | str) -> list[str]:
    """The lines of a text file; of a table, by the ending of its name, the column ``query`` or else ``text``.

    A query that cannot be read is blank, and logged: the others keep their places.

    Raises:
        InputError: no such file, none of its queries can be read, or a table with neither column.
    """
    source = RowFile(existing_file(path))
    if not source.name.endswith(ROW_SUFFIXES):
        return list(read_lines(source.path, blank_bad=True))
    texts, name = [], ""
    for number, record in read_rows(source):
        problem, text = bad_row(record), ""
        if not problem:
            name = name or column(COLUMNS, record, source.name)
            text, problem = text_of(record.get(name))
        if problem:
            logger.warning("%s: %s, which is no query", place_of(source, number), problem)
        texts.append(text)
    return texts
