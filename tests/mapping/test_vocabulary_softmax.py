from __future__ import annotations

import math

import pytest
import torch

from align.mapping.vocabulary_softmax import vocabulary_softmax


def by_definition(queries, candidates, rows, golds, temperature):
    def cosine(a, b):
        dot = sum(x * y for x, y in zip(a, b, strict=True))
        return dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))

    total = 0.0
    for i, query in enumerate(queries.tolist()):
        right = [g for row, g in zip(rows.tolist(), golds.tolist(), strict=True) if row == i]
        scores = [math.exp(cosine(query, one) / temperature) for one in candidates.tolist()]
        wrong = sum(score for j, score in enumerate(scores) if j not in right)
        total += sum(-math.log(scores[g] / (scores[g] + wrong)) for g in right) / len(right)
    return total / len(queries)


def drawn(*shape, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=draw, dtype=torch.float64)


@pytest.mark.parametrize(
    ("size", "words", "pairs"),
    [
        (1, 2, [(0, 1)]),
        (2, 5, [(0, 1), (0, 4), (1, 0)]),
        (3, 7, [(0, 0), (1, 0), (2, 3), (2, 4), (2, 5), (1, 6)]),
    ],
)
def test_matches_the_definition(size, words, pairs):
    queries, candidates = drawn(size, 4), drawn(words, 4, seed=1)
    rows, golds = torch.tensor(pairs).T
    found = vocabulary_softmax(queries, candidates, rows, golds, temperature=0.3)
    assert found.item() == pytest.approx(by_definition(queries, candidates, rows, golds, 0.3), rel=1e-9)


def test_equal_candidates_cost_log_v():
    candidates = torch.ones(7, 3)
    loss = vocabulary_softmax(torch.ones(2, 3), candidates, torch.tensor([0, 1]), torch.tensor([3, 5]))
    assert loss.item() == pytest.approx(math.log(7))


def test_golds_are_not_each_others_negatives():
    """All words but one are golds: each stands against that one alone, at equal similarity log 2."""
    rows, golds = torch.zeros(4, dtype=torch.long), torch.arange(4)
    assert vocabulary_softmax(torch.ones(1, 3), torch.ones(5, 3), rows, golds).item() == pytest.approx(math.log(2))


def test_every_word_a_gold_costs_nothing():
    rows, golds = torch.zeros(3, dtype=torch.long), torch.arange(3)
    assert vocabulary_softmax(drawn(1, 3), drawn(3, 3), rows, golds).item() == 0.0


def test_gradients_reach_queries_and_candidates():
    queries, candidates = drawn(2, 4).requires_grad_(), drawn(5, 4, seed=1).requires_grad_()
    rows, golds = torch.tensor([0, 0, 1]), torch.tensor([1, 4, 0])
    assert torch.autograd.gradcheck(
        lambda q, c: vocabulary_softmax(q, c, rows, golds, temperature=0.5), (queries, candidates)
    )
    vocabulary_softmax(queries, candidates, rows, golds).backward()
    assert queries.grad.abs().sum() > 0 and (candidates.grad.abs().sum(1) > 0).all()


def test_bfloat16_scores_are_summed_in_float32():
    rows, golds = torch.tensor([0]), torch.tensor([1])
    found = vocabulary_softmax(torch.ones(1, 3).bfloat16(), torch.ones(5000, 3).bfloat16(), rows, golds)
    assert found.dtype == torch.float32 and found.item() == pytest.approx(math.log(5000), rel=1e-3)
