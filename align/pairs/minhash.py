"""Texts that share most of their character n-grams, found by MinHash and never by comparing all pairs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

BANDS = 20
MISSED = 0.001  # of the pairs at the threshold itself; above it fewer
MOST_ROWS = 8
BLOCK_CHARACTERS = 1_000_000
_BASE = 0x9E3779B97F4A7C15


class NearTexts:
    """An index of texts that finds those whose Jaccard similarity with a query is at least ``threshold``.

    J(A, B) = |A and B| / |A or B| over the sets of character n-grams (``ngrams``). A text has ``BANDS`` x r minima,
    each of another random hash over its n-grams; two texts agree in one with probability J. Candidates agree in all r
    of some band, with probability 1 - (1 - J^r)^BANDS; r is the largest, up to ``MOST_ROWS``, that misses a pair at the
    threshold with probability ``MISSED`` or less. The Jaccard of each candidate is then computed exactly.

    Memory: some 250 bytes a text beside the text.

    Args:
        texts: not empty ones, each different.
        threshold: smallest J, above 0 and at most 1.
        n: characters (code points) of an n-gram.
        seed: of the hashes.

    References:
        Broder 1997 (MinHash); Leskovec, Rajaraman and Ullman 2014, Mining of Massive Datasets, section 3.4 (bands).
    """

    def __init__(self, texts: Sequence[str], *, threshold: float, n: int = 5, seed: int = 0) -> None:
        self.texts, self.threshold, self.n = texts, threshold, n
        rng = np.random.default_rng(seed)
        size = (BANDS * rows_of_a_band(threshold), 1)
        self._factors = rng.integers(0, 1 << 63, size, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        self._terms = rng.integers(0, 1 << 64, size, dtype=np.uint64)
        keys = np.concatenate([self._band_keys(block) for _, block in _blocks(texts)], axis=1)  # (BANDS, texts)
        self._order = keys.argsort(axis=1, kind="stable").astype(np.int32)
        self._keys = np.take_along_axis(keys, self._order, axis=1)

    def search(self, queries: Sequence[str]) -> Iterator[tuple[int, int, float]]:
        """(query, text, J) for each text with J >= ``threshold``, in the order of queries, then of texts."""
        for start, block in _blocks(queries):
            seen, grams = -1, set[str]()
            for query, text in self._candidates(block):
                if query != seen:
                    seen, grams = query, ngrams(block[query], self.n)
                other = ngrams(self.texts[text], self.n)
                shared = len(grams & other)
                similarity = shared / (len(grams) + len(other) - shared)
                if similarity >= self.threshold:
                    yield start + query, text, similarity

    def _candidates(self, queries: Sequence[str]) -> Iterator[tuple[int, int]]:
        found = []
        for keys, indexed, order in zip(self._band_keys(queries), self._keys, self._order, strict=True):
            first, end = np.searchsorted(indexed, keys, "left"), np.searchsorted(indexed, keys, "right")
            counts = end - first
            places = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts) + np.repeat(first, counts)
            found.append(np.repeat(np.arange(len(queries)), counts) * len(self.texts) + order[places])
        for pair in np.unique(np.concatenate(found)).tolist():
            yield divmod(pair, len(self.texts))

    def _band_keys(self, texts: Sequence[str]) -> Hashes:
        """(BANDS, texts) hash of the minima of each band."""
        grams, starts = _hashed_ngrams(texts, self.n)
        minima = np.stack(
            [np.minimum.reduceat(grams * a + b, starts) for a, b in zip(self._factors, self._terms, strict=True)]
        )
        keys: Hashes = np.zeros((BANDS, len(texts)), dtype=np.uint64)
        for row in minima.reshape(BANDS, -1, len(texts)).transpose(1, 0, 2):
            keys = _mixed(keys ^ row)
        return keys


def ngrams(text: str, n: int) -> set[str]:
    """Character n-grams of a text; of one shorter than n, the text itself.

    >>> sorted(ngrams("banana", 3)), ngrams("a", 3)
    (['ana', 'ban', 'nan'], {'a'})
    """
    return {text[i : i + n] for i in range(max(1, len(text) - n + 1))}


def rows_of_a_band(threshold: float) -> int:
    """The r of ``NearTexts``."""
    needed = 1 - MISSED ** (1 / BANDS)  # J^r at the threshold
    return MOST_ROWS if threshold >= 1 else max(1, min(MOST_ROWS, int(math.log(needed) / math.log(threshold))))


def _hashed_ngrams(texts: Sequence[str], n: int) -> tuple[Hashes, NDArray[np.int64]]:
    """Hashes of the n-grams of texts, one text after the other, and where each one's begin."""
    full = [text.ljust(n, "\0") for text in texts]
    letters = np.frombuffer("".join(full).encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    windows = np.zeros(len(letters) - n + 1, dtype=np.uint64)
    for i in range(n):
        windows = windows * np.uint64(_BASE) + letters[i : len(letters) - n + 1 + i]
    lengths = np.array([len(text) for text in full])
    counts = lengths - n + 1
    starts = counts.cumsum() - counts
    inside = np.arange(counts.sum()) + np.repeat(np.arange(len(full)) * (n - 1), counts)  # windows within one text
    return _mixed(windows[inside]), starts


def _mixed(hashes: Hashes) -> Hashes:
    """The finaliser of splitmix64: each bit depends on every bit."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))


def _blocks(texts: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """The texts in parts of about ``BLOCK_CHARACTERS``, each with the number of its first."""
    start = size = 0
    for end, text in enumerate(texts, 1):
        size += len(text)
        if size >= BLOCK_CHARACTERS or end == len(texts):
            yield start, texts[start:end]
            start, size = end, 0
