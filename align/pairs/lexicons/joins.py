"""Lines of many dictionaries, joined two languages at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from align.pairs.filters.language_pairs import pair_name
from align.pairs.lexicons.kinds import find_lexicons, lexicon_rows
from align.pairs.lexicons.pivot import Pivot, pivot_noise, routes_of
from align.pairs.lexicons.rows import WordPair


class Joins:
    """Keeps lines with the pivot to join them, and lines without it to measure what comes of it."""

    def __init__(self, pivot: Pivot) -> None:
        self.noise: dict[str, Any] = {}
        self.fewer_routes = 0
        self._pivot = pivot
        self._to_join: dict[str, list[WordPair]] = defaultdict(list)
        self._direct: dict[str, list[WordPair]] = defaultdict(list)

    def keep(self, line: WordPair) -> None:
        """Take note of a line of two languages."""
        codes = {line.source_lang, line.target_lang}
        if self._pivot.language in codes:
            self._to_join[(codes - {self._pivot.language}).pop()].append(line)
        else:
            self._direct[pair_name(*codes)].append(line)

    def pairs(self) -> Iterator[WordPair]:
        """Joined pairs of all two languages; ``noise`` (see ``pivot_noise``) and ``fewer_routes`` are filled in.

        Raises:
            InputError: a dictionary to measure against is missing or damaged.
        """
        for lexicon in find_lexicons(self._pivot.direct) if self._pivot.direct else ():
            for row in lexicon_rows(lexicon):
                if isinstance(row, WordPair) and not row.problem:
                    self._direct[pair_name(row.source_lang, row.target_lang)].append(row)
        for one, two in combinations(sorted(self._to_join), 2):
            joined = routes_of(self._to_join[one], self._to_join[two], pivot=self._pivot.language)
            name = pair_name(one, two)
            if name in self._direct:
                self.noise[name] = pivot_noise(joined, self._direct[name])
            for pair, routes in joined:
                if routes < self._pivot.min_routes:
                    self.fewer_routes += 1
                else:
                    yield pair
