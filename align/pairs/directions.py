"""Which languages of line-aligned text make pairs, and which side each takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from align.errors import InputError
from align.text.languages import check_language

Side = Literal["source", "target"]
ENGLISH = "eng_Latn"


@dataclass(frozen=True)
class Directions:
    """Language pairs out of line-aligned files: each language with a pivot, or the pairs that are named."""

    pairs: tuple[tuple[str, str], ...] = ()
    """(source, target) pairs to make; (): every language with the pivot."""
    pivot: str | None = None
    """Language in every pair; None: eng_Latn if it is there, else the first of two."""
    pivot_side: Side = "source"
    """Side of the pivot."""

    def __post_init__(self) -> None:
        if self.pivot_side not in get_args(Side):
            raise InputError(f"the side of the pivot is source or target; got {self.pivot_side!r}")
        for code in [*(code for pair in self.pairs for code in pair), *([self.pivot] if self.pivot else [])]:
            check_language(code)
        for pair in self.pairs:
            if len(pair) != 2 or pair[0] == pair[1]:
                raise InputError(f"expected a pair of two languages, got {'-'.join(pair)}")

    def of(self, codes: Sequence[str], place: str) -> list[tuple[str, str]]:
        """The (source, target) pairs among ``codes``, the languages of the files at ``place``.

        Raises:
            InputError: a language that is asked for is missing, or there is no pivot.
        """
        for code in [code for pair in self.pairs for code in pair] or ([self.pivot] if self.pivot else []):
            if code not in codes:
                raise InputError(f"{place}: expected text in {code}, found {', '.join(codes)}")
        if self.pairs:
            return list(self.pairs)
        if len(codes) < 2:
            raise InputError(f"{place}: expected two languages or more, found {codes[0]} only")
        pivot = self.pivot or (ENGLISH if ENGLISH in codes else codes[0] if len(codes) == 2 else "")
        if not pivot:
            raise InputError(f"{place}: the pivot {ENGLISH} is not there; name one of {', '.join(codes)}")
        others = [code for code in codes if code != pivot]
        return [(pivot, code) if self.pivot_side == "source" else (code, pivot) for code in others]
