"""Spans of tag sequences, and how many of them are found: F1 as seqeval counts it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

Span = tuple[str, int, int]
"""Type, first word and last word, from 0."""


class SpanCounts(NamedTuple):
    """Of one sentence, or of several added up."""

    right: int
    """Spans of the gold that are predicted with the same type, begin and end."""
    gold: int
    predicted: int


def spans(tags: Sequence[str]) -> set[Span]:
    """The spans of ``O``, ``B-TYPE`` and ``I-TYPE``, as seqeval has them.

    A span begins at ``B-``, and also at an ``I-`` that continues nothing: after ``O``, after another type, or first. So
    any sequence that a classifier of words gives has spans.

    >>> sorted(spans(["B-PER", "I-PER", "B-PER", "O", "I-LOC", "I-ORG"]))
    [('LOC', 4, 4), ('ORG', 5, 5), ('PER', 0, 1), ('PER', 2, 2)]

    References:
        Ramshaw and Marcus 1995; seqeval (Nakayama 2018), its default mode.
    """
    found: set[Span] = set()
    begin = 0
    for place, tag in enumerate([*tags, "O"]):
        before = tags[place - 1] if place else "O"
        continued = tag[:1] == "I" and before[2:] == tag[2:]
        if not continued:
            if before != "O":
                found.add((before[2:], begin, place - 1))
            begin = place
    return found


def span_counts(gold: Sequence[str], predicted: Sequence[str]) -> SpanCounts:
    """Counts of one sentence; F1 of many is 2 right / (gold + predicted) of their sums (micro).

    >>> span_counts(["B-PER", "I-PER", "O"], ["B-PER", "O", "B-LOC"])
    SpanCounts(right=0, gold=1, predicted=2)

    Raises:
        ValueError: other numbers of words.
    """
    if len(gold) != len(predicted):
        raise ValueError(f"span_counts needs as many tags on both sides, got {len(gold)} and {len(predicted)}")
    of_gold, found = spans(gold), spans(predicted)
    return SpanCounts(len(of_gold & found), len(of_gold), len(found))
