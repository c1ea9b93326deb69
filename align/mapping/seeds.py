"""Seed dictionaries as rows of two vocabularies."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.files.whole import refuse_markup
from align.pairs.lexicons.dictionary import DICTIONARY, dictionary_header, two_columns

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Seed:
    """Pairs of words that have a vector on both sides, and what became of the others."""

    rows: NDArray[np.int64]
    """(n, 2) rows of source and target, each pair once."""
    lines: int
    """Lines of the dictionary that are not blank."""
    repeated: int
    """Lines that name a pair of words again."""
    lowered: int
    """Covered pairs of which a word was found in lower case only."""
    sources: int
    """Different source words of the dictionary."""
    covered_sources: int
    """Those of them in at least one covered pair."""
    uncovered: tuple[tuple[str, str], ...]
    """Pairs of which a word has no vector."""
    odd: tuple[str, ...] = ()
    """Why lines were set aside, with their numbers: they are no two words."""

    def coverage(self) -> dict[str, int | float]:
        """The counts, as JSON values."""
        return {
            "lines": self.lines,
            "set_aside": len(self.odd),
            "repeated": self.repeated,
            "pairs": len(self.rows),
            "uncovered_pairs": len(self.uncovered),
            "lowered_pairs": self.lowered,
            "source_words": self.sources,
            "covered_source_words": self.covered_sources,
            "coverage": round(self.covered_sources / self.sources, 4) if self.sources else 0.0,
        }


def pairs_of(
    dictionary_lines: Iterable[str],
    source_words: Sequence[str],
    target_words: Sequence[str],
    *,
    name: str = "dictionary",
) -> Seed:
    r"""Rows of the pairs of a dictionary: ``source TAB target``, or two words with a space between.

    A word is looked up as it stands, then in lower case (XLING's dictionaries are cased, most vocabularies are not).
    A source word may stand on several lines with several targets. Words of several tokens need the tab. A line of
    another number of columns, or with a blank one, is set aside.

    Args:
        dictionary_lines: lines of text; blank ones are passed over.
        source_words: word of each source row.
        target_words: word of each target row.
        name: file of the lines, for messages.

    Raises:
        InputError: no line of two words (with the first of the others), a web page, or no line at all.
    """
    source, target = _first_rows(source_words), _first_rows(target_words)
    seen: dict[tuple[str, str], tuple[int, int] | None] = {}
    lines = lowered = 0
    started, header = False, None
    odd: list[str] = []
    for number, line in enumerate(dictionary_lines, 1):
        if not line.strip():
            continue
        if not started:
            started = True
            refuse_markup(line, name, number, expected=DICTIONARY)
            header = dictionary_header(line)
            if header:
                continue
        lines += 1
        try:
            pair = two_columns(line, name, number, header)
        except InputError as error:
            odd.append(str(error))
            continue
        if not all(pair):
            odd.append(f"{name}, line {number}: expected two words, one is blank")
            continue
        if pair in seen:
            continue
        left, right = _row(pair[0], source), _row(pair[1], target)
        seen[pair] = None if left is None or right is None else (left, right)
        if seen[pair]:
            lowered += pair[0] not in source or pair[1] not in target
    if not lines:
        raise InputError(f"{name} is empty: expected source TAB target on each line")
    if not seen:
        raise InputError(odd[0])
    if odd:
        logger.warning("%s: %d of %d lines are set aside, the first: %s", name, len(odd), lines, odd[0])
    rows = list(dict.fromkeys(row for row in seen.values() if row))
    return Seed(
        rows=np.array(rows, dtype=np.int64).reshape(-1, 2),
        lines=lines,
        repeated=lines - len(odd) - len(seen),
        lowered=lowered,
        sources=len({pair[0] for pair in seen}),
        covered_sources=len({pair[0] for pair, row in seen.items() if row}),
        uncovered=tuple(pair for pair, row in seen.items() if not row),
        odd=tuple(odd),
    )


def identical_seed(
    source_words: Sequence[str], target_words: Sequence[str], *, numerals: bool = False
) -> NDArray[np.int64]:
    """Pairs of the words that both vocabularies spell alike.

    Args:
        source_words: word of each source row.
        target_words: word of each target row.
        numerals: only those with a digit and without a letter (``1984``, ``3.5``).

    Returns:
        (n, 2) rows of source and target, by source row; none: (0, 2).
    """
    target = _first_rows(target_words)
    pairs = [
        (row, target[word])
        for word, row in _first_rows(source_words).items()
        if word in target and (not numerals or _is_numeral(word))
    ]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _first_rows(words: Sequence[str]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for row, word in enumerate(words):
        rows.setdefault(word, row)
    return rows


def _row(word: str, rows: dict[str, int]) -> int | None:
    return rows.get(word, rows.get(word.lower()))


def _is_numeral(word: str) -> bool:
    return any(letter.isdigit() for letter in word) and not any(letter.isalpha() for letter in word)
