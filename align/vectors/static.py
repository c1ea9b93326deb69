"""Static word vectors: text files of word2vec, fastText and GloVe, read as a stream and written whole."""

from __future__ import annotations

import gzip
import logging
import math
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import TextIOWrapper
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from align.errors import InputError, there_are
from align.files.lines import encoding_of
from align.files.packed import open_bytes
from align.files.whole import existing_file, whole_file
from align.vectors.vector_lines import Skipped, split_row, vector_rows

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class StaticVectors:
    """One vector a word, whatever stands beside it."""

    words: tuple[str, ...]
    """(n,) distinct words, in the order of the file: the frequent ones first."""
    vectors: NDArray[np.float32]
    """(n, d) finite numbers; row i is the vector of word i."""

    def __post_init__(self) -> None:
        """Refuse anything but a row for each word and a word only once."""
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.words):
            shape = self.vectors.shape
            raise InputError(f"{len(self.words)} words and vectors of shape {shape}: expected a row for each word")
        if len(self.rows) != len(self.words):
            raise InputError(f"{len(self.words)} words, {len(self.rows)} of them different: expected each once")

    @cached_property
    def rows(self) -> dict[str, int]:
        """Row of each word."""
        return {word: row for row, word in enumerate(self.words)}

    def covered(self, words: Sequence[str]) -> NDArray[np.bool_]:
        """(len(words),) whether each has a vector, letter for letter."""
        return np.array([word in self.rows for word in words], dtype=np.bool_)


def read_vectors(
    path: str | Path, *, limit: int | None = None, lowercase: bool = False, words: Collection[str] | None = None
) -> StaticVectors:
    """Read a text file of vectors (``.vec``, ``.txt``, plain or compressed): on each line a word and its d numbers.

    The first line may say ``n d`` (word2vec, fastText) or be a word already (GloVe); :func:`vector_rows
    <align.vectors.vector_lines.vector_rows>` says how a line is read. Of several lines of one word the first stays.
    Lines that repeat one, and those that are no row (bytes that are no UTF-8, too few numbers, NaN), are passed over,
    counted and logged. Rows that are not kept are not parsed, reading stops at the last one that can be, and memory is
    that of the rows kept.

    Args:
        path: the file.
        limit: distinct words to read at most, from the top; ``None``: all.
        lowercase: fold words to lower case, as MUSE does: of ``Apple`` and ``apple`` the first in the file stays.
        words: keep only these, of those that ``limit`` leaves; ``None``: all. Folded as the file's.

    Raises:
        InputError: no such file, an empty, damaged or binary one, a web page, no row, or none of ``words``.
    """
    path = _text_file(path)
    if limit is not None and limit < 1:
        raise InputError(f"limit must be at least 1 word, got {limit}")
    wanted = None if words is None else frozenset(map(str.lower, words) if lowercase else words)
    numbers, rows = array("f"), dict[str, int]()
    passed: set[str] = set()  # words that count for the limit only
    repeated, d, skipped = 0, 0, Skipped(path)
    for line, word, fields in vector_rows(path, skipped):
        d = len(fields)
        word = word.lower() if lowercase else word
        if word in rows or word in passed:
            repeated += 1
            continue
        if wanted is None or word in wanted:
            values, problem = _parsed(fields)
            if problem:
                skipped.add(problem, line)
                continue
            rows[word] = len(rows)
            numbers.extend(values)
        elif limit is not None:
            passed.add(word)
        if len(rows) + len(passed) == limit or (wanted is not None and len(rows) == len(wanted)):
            break  # what follows is not even looked at
    if not rows and (wanted is None or not d):
        raise InputError(f"{path} has no word with numbers: of its lines {skipped.told() or 'there is only the first'}")
    if not rows:
        told = f"; of its lines {skipped.told()}" if skipped.counts else ""
        raise InputError(f"{path} has none of the {len(wanted or ())} words that were asked for{told}")
    if skipped.counts:
        logger.warning("%s: lines are passed over: %s", path, skipped.told())
    if repeated:
        logger.warning("%s: %d lines repeat a word; the first line of each stays", path, repeated)
    return StaticVectors(tuple(rows), np.frombuffer(numbers, dtype=np.float32).reshape(-1, d))


def _parsed(fields: Sequence[str]) -> tuple[array[float], str]:
    """The numbers of a row, and what is wrong with them or ``""``."""
    try:
        values = array("f", map(float, fields))
    except ValueError:
        return array("f"), "hold what is no number"
    return values, "" if math.isfinite(sum(values)) else "hold NaN or infinity as float32"


def write_vectors(vectors: StaticVectors, path: str | Path) -> None:
    """Write text with an ``n d`` header, gzip if ``path`` ends in ``.gz``; whole or not at all.

    Nine digits, so that ``read_vectors`` gives back the same float32 numbers.

    Raises:
        InputError: a word that the format cannot hold (none, a line end, two spaces), NaN or infinity.
    """
    path = Path(path)
    if not len(vectors.words) or not vectors.vectors.shape[1]:
        raise InputError(f"{path} was not written: vectors of shape {vectors.vectors.shape} are empty")
    bad = np.flatnonzero(~np.isfinite(vectors.vectors).all(axis=1))
    if len(bad):
        raise InputError(f"{path} was not written: the vector of {vectors.words[bad[0]]!r} holds NaN or infinity")
    n, d = vectors.vectors.shape
    pattern = " ".join(["%.9g"] * d)  # the shortest repr may round to a neighbour on its way through float64
    with whole_file(path) as temporary, _writer(temporary, packed=path.suffix == ".gz") as file:
        file.write(f"{n} {d}\n")
        for word, row in zip(vectors.words, vectors.vectors, strict=True):
            if "\n" in word or split_row(f"{word} 0", 1) != (word, ["0"]) or not word:
                raise InputError(f"{path} was not written: the word {word!r} could not be read back")
            file.write(f"{word} {pattern % tuple(row.tolist())}\n")


Vectors = StaticVectors | Mapping[str, StaticVectors]
"""Vectors of every word, or of the words of each language by its code."""


def static_encode(vectors: Vectors, *, lowercase: bool = False) -> Callable[[Sequence[str], str], NDArray[np.float32]]:
    """``encode(words, language) -> (n, d)`` for the tasks; ask ``static_covered`` first which words have a vector.

    Args:
        vectors: of all words, or by language.
        lowercase: look words up in lower case; for vectors read so.

    Returns:
        The function. It raises InputError for a word without a vector and for a language without vectors.
    """

    def encode(words: Sequence[str], language: str) -> NDArray[np.float32]:
        found = _of(vectors, language)
        words = [word.lower() for word in words] if lowercase else words
        lacking = [word for word in words if word not in found.rows]
        if lacking:
            raise InputError(f"{language}: {len(lacking)} of {len(words)} words have no vector, first {lacking[0]!r}")
        return found.vectors[np.array([found.rows[word] for word in words], dtype=np.int64)]

    return encode


def static_covered(vectors: Vectors, *, lowercase: bool = False) -> Callable[[Sequence[str], str], NDArray[np.bool_]]:
    """``covered(words, language) -> (n,)`` whether each word has a vector; arguments as of ``static_encode``."""

    def covered(words: Sequence[str], language: str) -> NDArray[np.bool_]:
        return _of(vectors, language).covered([word.lower() for word in words] if lowercase else words)

    return covered


def _of(vectors: Vectors, language: str) -> StaticVectors:
    if isinstance(vectors, StaticVectors):
        return vectors
    if language not in vectors:
        raise InputError(f"no static vectors of {language}; there are those of {there_are(language, vectors)}")
    return vectors[language]


def _text_file(path: str | Path) -> Path:
    path = existing_file(path)
    with open_bytes(path) as file:
        head = file.read(65536)
    if not head:
        raise InputError(f"{path} is empty; expected a word and its numbers on each line")
    if b"\0" in head and encoding_of(head)[0] == "utf-8":
        raise InputError(
            f"{path} is binary; expected text: unpack it, or convert it in gensim with "
            "KeyedVectors.load_word2vec_format(..., binary=True).save_word2vec_format(...)"
        )
    return path


@contextmanager
def _writer(path: Path, *, packed: bool) -> Iterator[TextIOWrapper]:
    """A UTF-8 text file; packed without name and time, so that equal vectors give equal bytes."""
    with (
        open(path, "wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if packed else raw as file,
        TextIOWrapper(file, encoding="utf-8", newline="\n") as text,
    ):
        yield text
