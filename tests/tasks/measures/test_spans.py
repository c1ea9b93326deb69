"""Spans by hand, by a slow definition, and as the library seqeval has them, where it is installed."""

from __future__ import annotations

import random

import pytest

from align.tasks.measures.spans import SpanCounts, span_counts, spans

TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def slow_spans(tags):
    """Every stretch that begins a span, goes on and cannot go on further."""

    def begins(i):
        return tags[i] != "O" and (tags[i][0] == "B" or i == 0 or tags[i - 1] == "O" or tags[i - 1][2:] != tags[i][2:])

    n = len(tags)
    return {
        (tags[i][2:], i, j)
        for i in range(n)
        for j in range(i, n)
        if begins(i)
        and all(tags[k] == f"I-{tags[i][2:]}" for k in range(i + 1, j + 1))
        and not (j + 1 < n and tags[j + 1] == f"I-{tags[i][2:]}")
    }


def cases(seed, many=200):
    rng = random.Random(seed)
    return [[rng.choice(TAGS) for _ in range(rng.randint(0, 8))] for _ in range(many)]


def test_by_hand():
    assert spans([]) == set() == spans(["O"])
    assert spans(["B-A", "B-A", "I-A"]) == {("A", 0, 0), ("A", 1, 2)}
    assert spans(["I-A", "I-B", "I-B"]) == {("A", 0, 0), ("B", 1, 2)}
    assert spans(["B-A-B", "I-A-B"]) == {("A-B", 0, 1)}
    assert span_counts(["B-A", "O", "B-B"], ["B-A", "B-A", "B-C"]) == SpanCounts(1, 2, 3)


def test_against_the_definition():
    assert all(spans(tags) == slow_spans(tags) for tags in cases(0))


def test_against_seqeval():
    entities = pytest.importorskip("seqeval.metrics.sequence_labeling").get_entities
    from seqeval.metrics import f1_score

    assert all(spans(tags) == set(entities(tags)) for tags in cases(1))
    gold = [tags for tags in cases(2) if tags]
    rng = random.Random(3)
    said = [[tag if rng.random() < 0.7 else rng.choice(TAGS) for tag in tags] for tags in gold]
    right, of_gold, found = map(sum, zip(*map(span_counts, gold, said), strict=True))
    assert 2 * right / (of_gold + found) == pytest.approx(f1_score(gold, said), abs=1e-12)


def test_other_lengths_are_refused():
    with pytest.raises(ValueError, match="as many tags on both sides, got 1 and 2"):
        span_counts(["O"], ["O", "O"])
