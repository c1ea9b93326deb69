from __future__ import annotations

import pytest
import torch

from align.objectives.spread import spread


def rows(n, seed, d=4):
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("d", [2, 50])  # the mean square is below 1/D, and above
def test_it_is_its_definition(d):
    vectors, labels = rows(6, 1, d) + 0.3, [0, 1, 0, 2, 3, 3]
    cosines = [
        float(vectors[i] @ vectors[j]) / float(vectors[i].norm() * vectors[j].norm())
        for i in range(6) for j in range(6) if labels[i] != labels[j]
    ]  # fmt: skip
    first, second = sum(cosines) / len(cosines), sum(c * c for c in cosines) / len(cosines)
    both = spread(vectors, torch.tensor(labels))
    assert both.item() == pytest.approx(first**2 + max(0.0, second - 1 / d), rel=1e-12)
    assert spread(vectors, torch.tensor(labels), moments="second").item() == pytest.approx(second, rel=1e-12)


def test_by_hand():
    same = torch.tensor([[2.0, 0.0], [1.0, 0.0]])
    assert spread(same, torch.tensor([0, 1])).item() == 1.5  # 1 + (1 - 1/2)
    assert spread(torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1])).item() == 0.0


def test_gradients_and_degenerate_batches():
    vectors = rows(5, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: spread(v, torch.tensor([0, 1, 2, 0, 1])), (vectors,))
    loss = spread(vectors, torch.zeros(5, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0.0
    assert vectors.grad.abs().sum() == 0


def test_it_spreads():
    vectors = (rows(12, 1, 8) + 2.0).requires_grad_()
    labels = torch.arange(12)
    for _ in range(200):
        (gradient,) = torch.autograd.grad(spread(vectors, labels), vectors)
        vectors = (vectors - 5.0 * gradient).detach().requires_grad_()
    assert spread(vectors, labels).item() < 0.01


def test_messages():
    with pytest.raises(ValueError, match="spread needs moments out of both, second, got 'third'"):
        spread(rows(2, 1), torch.tensor([0, 1]), moments="third")
    with pytest.raises(ValueError, match="spread needs"):
        spread(rows(2, 1), torch.tensor([0]))
