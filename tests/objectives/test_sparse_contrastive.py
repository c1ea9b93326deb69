from __future__ import annotations

import math

import pytest
import torch

from align.objectives.inputs import Inputs
from align.objectives.sparse_contrastive import (
    OBJECTIVE,
    SparseContrastiveOptions,
    flops,
    overuse,
    ramp,
    sparse_contrastive,
)


def weights(n=5, k=7, seed=0):
    """At least 0, half of them 0."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, k, generator=generator, dtype=torch.float64).clamp(min=0).add(0.01).requires_grad_()


def unit(row):
    length = math.sqrt(sum(x * x for x in row))
    return [x / length for x in row] if length else row


def by_definition(source, target, temperature, groups=None):
    a, b = ([unit(row) for row in side.tolist()] for side in (source, target))
    n, total = len(a), 0.0
    for left, right in ((a, b), (b, a)):
        for i in range(n):
            scores = [sum(x * y for x, y in zip(left[i], right[j], strict=True)) / temperature for j in range(n)]
            seen = [j for j in range(n) if j == i or groups is None or groups[j] != groups[i]]
            total += math.log(sum(math.exp(scores[j]) for j in seen)) - scores[i]
    return total / (2 * n)


def means(side):
    return [sum(column) / len(column) for column in zip(*side.tolist(), strict=True)]


@pytest.mark.parametrize("groups", [None, [0, 1, 0, 2, 3]])
@pytest.mark.parametrize("block", [None, 0, 2])
def test_the_loss_is_half_of_both_directions(groups, block):
    source, target = weights(), weights(seed=1)
    options = {"groups": None if groups is None else torch.tensor(groups), "block": block}
    loss = sparse_contrastive(source, target, temperature=0.3, **options)
    assert loss.item() == pytest.approx(by_definition(source, target, 0.3, groups))
    assert torch.autograd.gradcheck(lambda a, b: sparse_contrastive(a, b, temperature=0.3, **options), (source, target))
    assert all(slope.abs().sum() > 0 for slope in torch.autograd.grad(loss, (source, target)))


def test_penalties_are_of_the_mean_row():
    rows = weights()
    p = means(rows)
    assert overuse(rows).item() == pytest.approx(sum(x**3 for x in p) / sum(p))
    assert flops(rows).item() == pytest.approx(sum(x**2 for x in p))
    for penalty in (overuse, flops):
        assert torch.autograd.gradcheck(penalty, (rows,))
        assert penalty(rows * 3).item() == pytest.approx(9 * penalty(rows).item())


def test_numbers_by_hand():
    shared, own = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.eye(2)
    assert (overuse(shared).item(), flops(shared).item()) == (1.0, 1.0)
    assert (overuse(own).item(), flops(own).item()) == (0.25, 0.5)
    assert sparse_contrastive(own, own, temperature=1.0).item() == pytest.approx(math.log(1 + math.e**-1))
    # a term that all texts use is dear, one that a single text uses is not: R falls by more mass on rare terms
    rows = torch.tensor([[1.0, 0.1, 0.0], [1.0, 0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    frequent, rare, _ = torch.autograd.grad(overuse(rows), rows)[0][0].tolist()
    assert frequent > 0 > rare


@pytest.mark.parametrize("penalty", [overuse, flops])
def test_texts_without_terms(penalty):
    nothing = torch.zeros(3, 4, requires_grad=True)
    assert penalty(nothing).item() == 0
    loss = sparse_contrastive(nothing, nothing)
    assert loss.item() == pytest.approx(math.log(3))
    (loss + penalty(nothing)).backward()
    assert nothing.grad.isfinite().all()


@pytest.mark.parametrize(
    ("step", "kind", "steps", "expected"),
    [(0, "linear", 4, 0.0), (1, "linear", 4, 0.25), (3, "quadratic", 4, 0.5625), (4, "quadratic", 4, 1.0),
     (9, "linear", 4, 1.0), (0, "linear", 0, 1.0), (0, "quadratic", 0, 1.0)],
)  # fmt: skip
def test_ramps(step, kind, steps, expected):
    assert ramp(step, steps, kind) == expected


@pytest.mark.parametrize("name", ["overuse", "flops"])
def test_the_sum_has_both_penalties_by_their_weights(name):
    source, target = weights(), weights(seed=1)
    inputs = Inputs({"source_terms": source, "target_terms": target, "groups": torch.arange(5), "step": 5})
    options = SparseContrastiveOptions(
        weight=2.0, penalty=name, source_penalty=0.5, target_penalty=0.25, ramp="linear", ramp_steps=10
    )
    terms = OBJECTIVE.formula(inputs, options, None)
    penalty = {"overuse": overuse, "flops": flops}[name]
    assert {key: (weight, value.item()) for key, (weight, value) in terms.items()} == {
        "sparse_contrastive": (2.0, sparse_contrastive(source, target).item()),
        f"{name}_source": (0.5, penalty(source).item()), f"{name}_target": (0.25, penalty(target).item()),
    }  # fmt: skip


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"two \(B, K\) matrices, got \(5, 7\) and \(4, 7\)"):
        sparse_contrastive(weights(), weights(4))
    with pytest.raises(ValueError, match="at least one pair"):
        sparse_contrastive(weights(0), weights(0))
    with pytest.raises(ValueError, match="temperature > 0"):
        sparse_contrastive(weights(), weights(), temperature=0)
