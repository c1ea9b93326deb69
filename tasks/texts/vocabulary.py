"""Candidate vocabularies: one word a line, the frequent ones first; their case, size and script."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError
from align.files.whole import read_lines, refuse_markup
from align.text.languages import script_share

logger = logging.getLogger(__name__)

COUNTED = re.compile(r"(\S.*)[ \t]+\d+(\.\d+)?")
"""A line of a list of frequencies: a word and its count."""


def read_vocabulary(path: Path | str) -> tuple[str, ...]:
    """Distinct words of a file, one a line, plain or compressed, in their order.

    If line 1 is a word and its count, after a TAB or a space, every line is (a list of frequencies): words are read.
    Blank lines and lines that repeat a word are passed over, counted and logged.

    Raises:
        InputError: no such file, no word in it, a web page or XML, a line with a TAB, or one without a count below
            lines with one (with path and line).
    """
    words: dict[str, None] = {}
    counts = False
    blank = number = 0
    for number, line in enumerate(read_lines(path, blank_bad=True), 1):
        word = line.strip(" \t")
        if not words:
            refuse_markup(word, path, number, expected="a vocabulary, one word a line")
            counts = bool(COUNTED.fullmatch(word))
        if counts and word:
            word = _counted(word, f"{path}, line {number}")
        if "\t" in word:
            raise InputError(f"{path}, line {number}: {word.count(chr(9)) + 1} columns, expected one word a line")
        if word:
            words[word] = None
        else:
            blank += 1
    if not words:
        raise InputError(f"{path} holds no word: expected one a line")
    repeated = number - blank - len(words)
    if blank or repeated:
        logger.info("%s: %d words; %d lines are blank, %d repeat a word", path, len(words), blank, repeated)
    return tuple(words)


def _counted(line: str, where: str) -> str:
    found = COUNTED.fullmatch(line)
    if not found:
        raise InputError(f"{where}: expected a word and its count, as in the lines before, got {line[:60]!r}")
    return found[1].strip()


def candidate_words(words: Iterable[str], *, lowercase: bool = False, limit: int | None = None) -> tuple[str, ...]:
    """The first ``limit`` distinct words, in lower case by choice; of several that are then equal the first stays.

    >>> candidate_words(["The", "cat", "the", "Dog"], lowercase=True, limit=3)
    ('the', 'cat', 'dog')
    """
    found: dict[str, None] = {}
    for word in words:
        if len(found) == limit:
            break
        found[word.lower() if lowercase else word] = None
    return tuple(found)


def outside_script(words: Sequence[str], language: str) -> NDArray[np.bool_]:
    """(n,) whether a word is in another script: it has letters, and fewer than half are of the language's script.

    Digits and punctuation are of no script: ``2005`` is never outside.

    >>> outside_script(["собака", "dog", "2005"], "rus_Cyrl").tolist()
    [False, True, False]
    """
    script = language.partition("_")[2]
    letters = {letter for letter in set("".join(words)) if letter.isalpha()}
    inside = {letter for letter in letters if script_share(letter, script)}
    counts = ((sum(c in inside for c in word), sum(c in letters for c in word)) for word in words)
    return np.array([2 * in_script < every for in_script, every in counts], dtype=np.bool_)
