"""Where a span of words stands in the translation: by the links of its words, or by which n-gram is most like it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from align.alignment.spans import Span
from align.errors import InputError, unknown

METHODS = ("alignment", "ranked")
EMPTY, GAP, LONG, TAKEN, CROSSED = "no word of it is linked", "not contiguous", "too long", "overlap", "crossed"
"""Why a span has no place in the translation."""
Alone = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts -> (n, d) unit vectors of each by itself."""


@dataclass(frozen=True)
class Projecting:
    """How spans are carried over."""

    method: str = "ranked"
    """alignment or ranked."""
    bridge: bool = False
    """Of alignment: take what lies between the linked words too, instead of leaving the span aside."""
    longer: int = 3
    """A place has up to twice the words of the span and so many more."""
    shortlist: int = 8
    """Of ranked: candidates, best in context, that are also compared by themselves."""
    monotone: bool = False
    """Whether spans keep their order."""

    def __post_init__(self) -> None:
        """Refuse what is no choice."""
        if self.method not in METHODS:
            raise InputError(unknown("method of projection", self.method, METHODS))
        if self.longer < 0 or self.shortlist < 1:
            raise InputError(f"expected longer of at least 0, shortlist of 1, got {self.longer}, {self.shortlist}")


class Place(NamedTuple):
    """A candidate: words ``start`` to ``end`` - 1 of the translation."""

    start: int
    end: int
    score: float


class Side(NamedTuple):
    """A sentence for the comparison of n-grams."""

    words: Sequence[str]
    vectors: NDArray[np.float32]
    """(R, d) unit vectors of its words."""
    numbers: NDArray[np.int64]
    """(R,) the word of each; a word without one counts for no n-gram."""


def linked(span: Span, links: Sequence[tuple[int, int]]) -> list[int]:
    """T: the words of the translation that a word of the span is linked with, ascending."""
    return sorted({j for i, j in links if span.start <= i < span.end})


def by_alignment(
    span: Span, links: Sequence[tuple[int, int]], scores: Sequence[float], how: Projecting
) -> tuple[list[Place], str]:
    """From the first to the last of the words T that are linked, with the mean score of its links; or none, and why.

    Sources: the filters of Li and Callison-Burch 2023 (PAXQA): empty, not contiguous, too long.
    """
    words = linked(span, links)
    if not words:
        return [], EMPTY
    start, end = words[0], words[-1] + 1
    if end - start > len(words) and not how.bridge:
        return [], GAP
    if end - start > 2 * (span.end - span.start) + how.longer:
        return [], LONG
    own = [score for (i, _), score in zip(links, scores, strict=True) if span.start <= i < span.end]
    return [Place(start, end, float(np.mean(own)))], ""


def ranked(
    span: Span, source: Side, target: Side, links: Sequence[tuple[int, int]], alone: Alone, how: Projecting
) -> tuple[list[Place], str]:
    """N-grams of the translation, the most like the span first; those without a linked word only where there is none.

    score = 1/2 context + 1/2 alone. Context: 1/2 (mean over the span's words of the highest cosine with a word of the
    candidate + mean over the candidate's words of the highest with a word of the span): a candidate that lacks a word
    loses by the first, one with a word too many by the second. Alone: the cosine of the two texts by themselves, of the
    ``shortlist`` candidates that are best in context.

    Sources: candidates and both directions: Garcia-Ferrero et al. 2023 (T-Projection); contextual and isolated
    similarity: Le et al. 2024 (CODEC's candidates, scored here without a decoder).
    """
    most = 2 * (span.end - span.start) + how.longer
    own = np.flatnonzero((source.numbers >= span.start) & (source.numbers < span.end))
    if not len(own) or not len(target.numbers):
        return [], EMPTY
    cosines = source.vectors[own] @ target.vectors.T  # (words of the span, R)
    words = set(linked(span, links))
    found = []
    for first in range(len(target.numbers)):
        forward = np.full(len(own), -1.0)
        backward = 0.0
        for last in range(first, len(target.numbers)):
            start, end = int(target.numbers[first]), int(target.numbers[last]) + 1
            if end - start > most:
                break
            forward = np.maximum(forward, cosines[:, last])
            backward += float(cosines[:, last].max())
            if not words or any(start <= j < end for j in words):
                found.append(Place(start, end, float(forward.mean() + backward / (last - first + 1)) / 2))
    if not found:
        return [], LONG
    found.sort(key=lambda place: (-place.score, place.end - place.start))
    short = found[: how.shortlist]
    texts = [" ".join(source.words[span.start : span.end]), *(" ".join(target.words[p.start : p.end]) for p in short)]
    vectors = alone(texts)
    likeness = vectors[1:] @ vectors[0]
    scored = [p._replace(score=(p.score + float(like)) / 2) for p, like in zip(short, likeness, strict=True)]
    return sorted(scored, key=lambda place: (-place.score, place.end - place.start)), ""


def placed(
    spans: Sequence[Span], candidates: Sequence[Sequence[Place]], *, monotone: bool = False
) -> list[tuple[Place | None, str]]:
    """Of each span a place of its own, and why it has none: the best pair of all first, then the best that is left.

    Args:
        spans: of the sentence.
        candidates: of each span, best first.
        monotone: a place must lie behind those of the spans before it, and before those of the spans behind.
    """
    found: list[tuple[Place | None, str]] = [(None, TAKEN) for _ in spans]
    every = [(place, k) for k, of in enumerate(candidates) for place in of]
    for place, k in sorted(every, key=lambda pair: -pair[0].score):
        if found[k][0] is not None:
            continue
        taken = [(other, n) for n, (other, _) in enumerate(found) if other is not None]
        if any(place.start < other.end and other.start < place.end for other, _ in taken):
            continue
        if monotone and any((spans[n].start < spans[k].start) != (other.start < place.start) for other, n in taken):
            found[k] = None, CROSSED
            continue
        found[k] = place, ""
    return found


def exact_f1(gold: Iterable[set[Span]], found: Iterable[set[Span]]) -> dict[str, tuple[float, int, int, int]]:
    """By label, and by ``""`` over all: F1, and how many spans are right, found and in gold.

    >>> exact_f1([{Span(0, 1, "A"), Span(2, 3, "B")}], [{Span(0, 1, "A"), Span(2, 4, "B")}])[""]
    (0.5, 1, 2, 2)
    """
    counts: dict[str, list[int]] = {"": [0, 0, 0]}
    for right, made in zip(gold, found, strict=True):
        for label in {"", *(one.label for one in right | made)}:
            of = counts.setdefault(label, [0, 0, 0])
            one, other = ({span for span in side if label in ("", span.label)} for side in (right, made))
            for k, number in enumerate((len(one & other), len(other), len(one))):
                of[k] += number
    return {label: (2 * a / (b + c) if b + c else 0.0, a, b, c) for label, (a, b, c) in counts.items()}
