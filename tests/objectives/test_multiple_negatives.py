from __future__ import annotations

import math

import pytest
import torch

from align.objectives import multiple_negatives


@pytest.fixture(params=[0, 1, 3, None])
def block(request) -> int | None:
    return request.param


def rows(n, seed, d=6):
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def by_definition(source, target, negative, temperature, groups=None, symmetric=False):
    """One anchor and one candidate at a time."""

    def cos(a, b):
        return float(a @ b) / float(a.norm() * b.norm())

    def one_way(anchors, candidates, extra):
        losses = []
        for i, anchor in enumerate(anchors):
            others = [j for j in range(len(candidates)) if j == i or not (groups and groups[j] == groups[i])]
            scores = [cos(anchor, candidates[j]) for j in others] + [cos(anchor, wrong) for wrong in extra]
            own = cos(anchor, candidates[i]) / temperature
            losses.append(math.log(sum(math.exp(s / temperature) for s in scores)) - own)
        return sum(losses) / len(losses)

    forward = one_way(source, target, negative)
    return (forward + one_way(target, source, [])) / 2 if symmetric else forward


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("groups", [None, [0, 1, 0, 2, 1]])
@pytest.mark.parametrize("negatives", [0, 3, 5])
def test_it_matches_its_definition(symmetric, groups, negatives, block):
    source, target, negative = rows(5, 0), rows(5, 1), rows(negatives, 2)
    value = multiple_negatives(
        source, target, negative, temperature=0.3, symmetric=symmetric,
        groups=torch.tensor(groups) if groups else None, block=block,
    )  # fmt: skip
    assert value.item() == pytest.approx(by_definition(source, target, negative, 0.3, groups, symmetric), rel=1e-12)


def test_it_equals_sentence_transformers(block):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import losses

    # the loss reads embeddings only; a model that is never called satisfies its constructor
    theirs = losses.MultipleNegativesRankingLoss(SentenceTransformer(modules=[torch.nn.Identity()], device="cpu"))
    a, b, c = (rows(7, seed) for seed in range(3))
    expected = theirs.compute_loss_from_embeddings([a, b, c], None)
    value = multiple_negatives(a, b, c, temperature=1 / theirs.scale, block=block)
    assert value.item() == pytest.approx(expected.item(), rel=1e-9)


def test_a_number_by_hand(block):
    one, other = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    # its own target at cosine 1, one negative at cosine 0: log(1 + e^-1)
    value = multiple_negatives(one, one, other, temperature=1.0, block=block)
    assert value.item() == pytest.approx(math.log(1 + math.exp(-1)))
    same = torch.ones(3, 4)
    assert multiple_negatives(same, same, same, block=block).item() == pytest.approx(math.log(6))
    assert multiple_negatives(one, one, block=block).item() == 0.0


def test_gradients_reach_every_input(block):
    source, target, negative = (rows(3, seed).requires_grad_() for seed in range(3))
    groups = torch.tensor([4, 4, 9])

    def run(a, b, c):
        return multiple_negatives(a, b, c, temperature=0.5, groups=groups, symmetric=True, block=block)

    assert torch.autograd.gradcheck(run, (source, target, negative))
    for grad in torch.autograd.grad(run(source, target, negative), (source, target, negative)):
        assert (grad.abs().sum(dim=1) > 0).all()


def test_a_hard_negative_of_the_same_group_stays_a_negative(block):
    source, target = rows(2, 0), rows(2, 1)
    near = source[:1].clone()  # as near as can be to row 0, whose group row 1 shares
    with_it = multiple_negatives(source, target, near, groups=torch.tensor([5, 5]), temperature=1.0, block=block)
    without = multiple_negatives(source, target, groups=torch.tensor([5, 5]), temperature=1.0, block=block)
    assert without.item() == pytest.approx(0.0)
    assert with_it.item() > 0.1


def test_messages():
    with pytest.raises(ValueError, match=r"needs \(K, D\) negatives, got \(2, 3\) for targets of shape \(2, 6\)"):
        multiple_negatives(rows(2, 0), rows(2, 1), rows(2, 2, d=3))
    with pytest.raises(ValueError, match="needs a temperature > 0"):
        multiple_negatives(rows(2, 0), rows(2, 1), temperature=0.0)


def test_a_hard_negative_that_is_a_texts_own_is_none(block):
    source, target, negative = (rows(3, seed).requires_grad_() for seed in range(3))
    groups, of_negatives = torch.tensor([4, 5, 6]), torch.tensor([6, 9, 4])

    def run(a, b, c):
        return multiple_negatives(a, b, c, temperature=0.5, groups=groups, negative_groups=of_negatives, block=block)

    cosines = [[torch.cosine_similarity(a, c, dim=0).item() / 0.5 for c in (*target, *negative)] for a in source]
    barred = {(0, 5), (2, 3)}  # anchor, place among targets and negatives
    losses = [
        math.log(sum(math.exp(s) for j, s in enumerate(line) if (i, j) not in barred)) - line[i]
        for i, line in enumerate(cosines)
    ]
    assert run(source, target, negative).item() == pytest.approx(sum(losses) / 3, rel=1e-9)
    assert torch.autograd.gradcheck(run, (source, target, negative))
    with pytest.raises(ValueError, match=r"one group per negative \(3\), got 2"):
        multiple_negatives(source, target, negative, groups=groups, negative_groups=of_negatives[:2])
