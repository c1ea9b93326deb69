"""Lines of a text file of word vectors: which are a word and its numbers, and which are passed over, and why."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from align.errors import InputError
from align.files.lines import NOT_UTF8, text_lines
from align.files.whole import refuse_markup

logger = logging.getLogger(__name__)

PEEKED = 100
"""Lines that say how many numbers a row has, by what most of them have."""
BETWEEN = re.compile("[ \t]+")
"""Not all white space: there are words of U+00A0 and the like."""


@dataclass
class Skipped:
    """What was passed over, by reason, with the first line of each."""

    path: Path
    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, int] = field(default_factory=dict)

    def add(self, reason: str, line: int) -> None:
        """Count a line."""
        self.counts[reason] += 1
        self.first.setdefault(reason, line)

    def told(self) -> str:
        """All of it in a sentence; empty if there is nothing."""
        return "; ".join(f"{count} {why}, first line {self.first[why]}" for why, count in self.counts.items())


def vector_rows(path: Path, skipped: Skipped) -> Iterator[tuple[int, str, list[str]]]:
    """Line number, word and number fields of each row; all rows have as many fields.

    Between the fields stand spaces or tabs, any number of them; the word is what is left of the last d fields, so that
    it may hold spaces, and numbers. The first line may say ``rows dimensions``; where the rows differ from that, they
    are believed, and it is logged. Fields are not parsed.

    Raises:
        InputError: a damaged file, a web page, or no row in its first lines.
    """
    lines = ((number, *line) for number, line in enumerate(text_lines(path), 1) if line[0].strip(" \t"))
    head = list(islice(lines, PEEKED + 1))
    if not head:
        raise InputError(f"{path} is empty; expected a word and its numbers on each line")
    refuse_markup(head[0][1], path, head[0][0], expected="a word and its numbers")
    said = _header(head[0][1])
    rows = head[1:] if said else head
    d = _dimensions([text for _, text, problem in rows if not problem], said)
    if not d:
        number, text, _ = rows[0] if rows else head[0]
        raise InputError(
            f"{path}, line {number}: expected 'rows dimensions' or a word and its numbers, got {text[:40]!r}"
        )
    count = 0
    for number, text, problem in chain(rows, lines):
        count += 1
        word, fields = split_row(text, d)
        if problem:
            skipped.add("hold invalid UTF-8" if problem.startswith(NOT_UTF8) else "hold a NUL byte", number)
        elif len(fields) != d:
            skipped.add(f"have fewer than {d} numbers", number)
        elif not word:
            skipped.add("have no word", number)
        else:
            yield number, word, fields
    if said and said != (count, d):
        logger.warning("%s, line 1 says %d rows of %d numbers; there are %d rows of %d", path, *said, count, d)


def _header(text: str) -> tuple[int, int] | None:
    fields = BETWEEN.split(text.strip(" \t"))
    return (int(fields[0]), int(fields[1])) if len(fields) == 2 and all(map(str.isdecimal, fields)) else None


def _dimensions(rows: list[str], said: tuple[int, int] | None) -> int:
    """How many numbers most rows end in, leaving a word before them; 0: none. Of equally many counts the first."""
    counts = Counter(map(_numbers, rows))
    if said and said[1] and 2 * sum(n for found, n in counts.items() if found >= said[1]) > len(rows):
        least = min((found for found in counts if found >= said[1]), default=0)
        return said[1] if least == said[1] else counts.most_common(1)[0][0]  # else all rows have more numbers
    return counts.most_common(1)[0][0] if counts else 0


def _numbers(text: str) -> int:
    """How many fields at the end of a line are numbers, the first of its fields aside."""
    fields = BETWEEN.split(text.strip(" \t"))[1:]
    return next((n for n, field in enumerate(reversed(fields)) if not is_number(field)), len(fields))


def split_row(text: str, d: int) -> tuple[str, list[str]]:
    r"""A word and the d fields behind it; none if there are fewer.

    >>> split_row("Apollo 11\t.5  1", 2)
    ('Apollo 11', ['.5', '1'])
    """
    text = text.rstrip(" \t")
    word, *fields = text.rsplit(" ", d)
    if len(fields) == d and "  " not in text and text.find("\t", len(word)) < 0:
        return word, fields
    parts = BETWEEN.split(text)
    return " ".join(parts[:-d]), parts[-d:] if len(parts) > d else []


def is_number(text: str) -> bool:
    """Whether a field is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
