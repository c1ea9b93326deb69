"""softmax_nli, matryoshka, distil."""

from __future__ import annotations

import math

import pytest
import torch

from align.objectives import cosine_mse, distil, matryoshka, multiple_negatives, softmax_nli, unexplained


def rows(n, seed, d=4):
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_softmax_nli_by_definition():
    source, target = rows(3, 0).requires_grad_(), rows(3, 1).requires_grad_()
    head = torch.nn.Linear(12, 3).double()
    label = torch.tensor([2, 0, 1])
    expected = 0.0
    for u, v, truth in zip(source.tolist(), target.tolist(), label.tolist(), strict=True):
        features = [*u, *v, *(abs(a - b) for a, b in zip(u, v, strict=True))]
        logits = [
            sum(w * x for w, x in zip(weights, features, strict=True)) + bias
            for weights, bias in zip(head.weight.tolist(), head.bias.tolist(), strict=True)
        ]
        expected += math.log(sum(map(math.exp, logits))) - logits[truth]
    loss = softmax_nli(source, target, label, head)
    assert loss.item() == pytest.approx(expected / 3, rel=1e-12)
    grads = torch.autograd.grad(loss, (source, target, head.weight))
    assert all((g.abs().sum() > 0).all() for g in grads)
    assert torch.autograd.gradcheck(lambda a, b: softmax_nli(a, b, label, head), (source, target))
    assert softmax_nli(source, target, label, lambda f: 0 * f[:, :3]).item() == pytest.approx(math.log(3))
    with pytest.raises(ValueError, match=r"softmax_nli needs .*, got \(3, 4\), \(3, 4\) and \(2,\)"):
        softmax_nli(source, target, label[:2], head)


def test_matryoshka_is_a_weighted_sum_over_prefixes():
    source, target, negative = (rows(3, seed).requires_grad_() for seed in range(3))
    loss = matryoshka(multiple_negatives, source, target, negative, dimensions=[2, 4], weights=[0.5, 2.0])
    small = multiple_negatives(source[:, :2], target[:, :2], negative[:, :2])
    whole = multiple_negatives(source, target, negative)
    assert loss.item() == pytest.approx(0.5 * small.item() + 2 * whole.item(), rel=1e-12)
    assert matryoshka(multiple_negatives, source, target, None, dimensions=[4]).item() == pytest.approx(
        multiple_negatives(source, target).item()
    )
    score = torch.tensor([0.1, 0.9, 0.4], dtype=torch.float64)
    graded = matryoshka(lambda a, b: cosine_mse(a, b, score), source, target, dimensions=[1])
    assert graded.item() == pytest.approx(cosine_mse(source[:, :1], target[:, :1], score).item())
    assert all((g.abs().sum(dim=1) > 0).all() for g in torch.autograd.grad(loss, (source, target, negative)))


@pytest.mark.parametrize(("dimensions", "weights"), [([], None), ([0], None), ([5], None), ([2, 4], [1.0])])
def test_matryoshka_messages(dimensions, weights):
    with pytest.raises(
        ValueError, match=r"matryoshka needs (dimensions in 1\.\.4|one weight a dimension, got 1 for 2)"
    ):
        matryoshka(multiple_negatives, rows(2, 0), rows(2, 1), dimensions=dimensions, weights=weights)


def test_distil_by_definition():
    source, target, teacher = (rows(3, seed).requires_grad_() for seed in range(3))
    expected = 0.0
    for side in (source, target):
        error = [(a - b) ** 2 for x, y in zip(side.tolist(), teacher.tolist(), strict=True)
                 for a, b in zip(x, y, strict=True)]  # fmt: skip
        expected += sum(error) / len(error)
    loss = distil(source, target, teacher)
    assert loss.item() == pytest.approx(expected, rel=1e-12)
    loss.backward()
    assert (source.grad.abs().sum(dim=1) > 0).all()
    assert (target.grad.abs().sum(dim=1) > 0).all()
    assert teacher.grad is None


def test_unexplained_variance():
    teacher = rows(50, 0)
    assert unexplained(teacher, teacher).item() == 0.0
    assert unexplained(teacher.mean(dim=0).expand(50, 4), teacher).item() == pytest.approx(1.0)
    # a teacher at -1 and 1 has variance 1; a student at half of it leaves a quarter
    assert unexplained(torch.tensor([[-0.5], [0.5]]), torch.tensor([[-1.0], [1.0]])).item() == pytest.approx(0.25)
    # the teacher's variance, not the student's: a student three times too large
    assert unexplained(torch.tensor([[-3.0], [3.0]]), torch.tensor([[-1.0], [1.0]])).item() == pytest.approx(4.0)
    with pytest.raises(ValueError, match="needs two"):
        unexplained(teacher[:2], teacher)
