"""Which words of a sentence are switched: runs of neighbours, drawn until a share of all words is reached."""

from __future__ import annotations

import numpy as np

from align.errors import InputError


def draw_spans(
    words: int, rate: float, length: float, rng: np.random.Generator, *, longest: int | None = None
) -> list[tuple[int, int]]:
    """Runs (start, stop) of the places 0..words, in order, none of which overlap; together ``rate`` of them.

    A run has Poisson(``length``) words, 1 at least, and no more than are still to be drawn; it starts at any place
    where it fits. Where none is left, it is a word shorter.

    >>> draw_spans(10, 0.3, 3.5, np.random.default_rng(0))
    [(0, 2), (2, 3)]

    Args:
        words: of the sentence.
        rate: share of its words, 0..1, rounded to whole words; 1 word at least.
        length: the mean of the Poisson distribution, in words.
        rng: source of all randomness.
        longest: words of a run, at most.

    Raises:
        InputError: a rate outside 0..1, or a length that is not positive.

    References:
        Lewis et al. 2020 (BART), arXiv:1910.13461, section 2.2: text infilling; here no run is empty.
    """
    if not 0 < rate <= 1:
        raise InputError(f"the share of words to switch is in 0..1, and not 0; got {rate:g}")
    if not length > 0:
        raise InputError(f"the mean length of switched spans is positive; got {length:g}")
    free = np.ones(words, dtype=bool)
    left = min(words, max(1, round(rate * words)))
    spans: list[tuple[int, int]] = []
    while left:
        size = int(min(max(1, rng.poisson(length)), left, longest or left))
        starts = np.flatnonzero(np.convolve(free, np.ones(size), "valid") == size)
        while not len(starts):  # a single word fits wherever one is left
            size -= 1
            starts = np.flatnonzero(np.convolve(free, np.ones(size), "valid") == size)
        start = int(rng.choice(starts))
        free[start : start + size] = False
        spans.append((start, start + size))
        left -= size
    return sorted(spans)
