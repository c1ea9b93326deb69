"""Fragment switching (xCoT): words of a sentence become what they are linked with in its translation."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from align.errors import InputError
from align.pairs.switching.sentence import Place, Sentence


@dataclass(frozen=True)
class FragmentSwitching:
    """How much of a sentence is switched."""

    rate: Annotated[float, "Share of the words of a sentence that are to be switched."] = 0.3
    longest: Annotated[int, "Words of a fragment, at most."] = 3

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 1:
            raise InputError(f"the share of words to switch is in 0..1, and not 0; got {self.rate:g}")
        if self.longest < 1:
            raise InputError(f"longest, the words of a fragment, is at least 1; got {self.longest}")


def linked_fragments(links: Collection[tuple[int, int]], words: Sequence[int], longest: int) -> dict[Place, Place]:
    """Fragments of a sentence, each with the place of its translation.

    A fragment is of neighbouring words, one to ``longest``, of which the first and the last are linked. Its translation
    goes from the first to the last word that it is linked with; no link of a word in between leads out of the fragment.

    >>> linked_fragments([(0, 1), (1, 0), (2, 2)], [0, 1, 2], 2)
    {(0, 1): (1, 2), (0, 2): (0, 2), (1, 2): (0, 1), (2, 3): (2, 3)}

    Args:
        links: (token of the sentence, token of the translation), from 0.
        words: the tokens that may be switched, ascending.
        longest: words of a fragment, at most.

    References:
        Koehn, Och and Marcu 2003, N03-1017: phrases consistent with a word alignment.
    """
    of_source: dict[int, list[int]] = {}
    of_target: dict[int, list[int]] = {}
    for i, j in links:
        of_source.setdefault(i, []).append(j)
        of_target.setdefault(j, []).append(i)
    may, found = {*words}, dict[Place, Place]()
    for start in words:
        for stop in range(start + 1, start + longest + 1):
            if stop - 1 not in may:
                break
            if start in of_source and stop - 1 in of_source:
                inside = [j for i in range(start, stop) for j in of_source.get(i, ())]
                first, last = min(inside), max(inside)
                back = (i for j in range(first, last + 1) for i in of_target.get(j, ()))
                if all(start <= i < stop for i in back):
                    found[start, stop] = (first, last + 1)
    return found


def switch_fragments(
    sentence: Sentence, translation: Sentence, links: Collection[tuple[int, int]], rng: np.random.Generator,
    how: FragmentSwitching = FragmentSwitching(),
) -> tuple[str, dict[Place, str]]:  # fmt: skip
    """The sentence with fragments of its translation swapped in, and what stands where.

    Fragments (:func:`linked_fragments`) are drawn, all as likely, until ``how.rate`` of the words are switched; none
    overlap, on neither side, and none goes beyond the share, but a first one. A fragment that reads the same in both is
    none. Fewer are switched where links leave no more.

    Args:
        sentence: see :func:`align.pairs.switching.sentence.cut`.
        translation: the same.
        links: between their tokens.
        rng: source of all randomness.
        how: how much is switched.

    References:
        Chai et al. 2024 (xCoT), arXiv:2401.07037: fragments of a translation in a sentence; the share is not published.
    """
    left = max(1, round(how.rate * len(sentence.words)))
    changes: dict[Place, str] = {}
    taken: tuple[set[int], set[int]] = (set(), set())
    fragments = [*linked_fragments(links, sentence.words, how.longest).items()]
    for k in rng.permutation(len(fragments)):
        (start, stop), (first, last) = fragments[k]
        sides = ({*range(start, stop)}, {*range(first, last)})
        text, own = _text(translation, first, last), _text(sentence, start, stop)
        if stop - start <= left and text != own and not any(a & b for a, b in zip(sides, taken, strict=True)):
            changes[start, stop] = text
            left -= stop - start
            for of, new in zip(taken, sides, strict=True):
                of |= new
    return sentence.replaced(changes), changes


def _text(sentence: Sentence, start: int, stop: int) -> str:
    """Tokens with what stands between them."""
    part = Sentence(sentence.tokens[start:stop], ("", *sentence.between[start + 1 : stop], ""), (), sentence.joined)
    return part.replaced({})
