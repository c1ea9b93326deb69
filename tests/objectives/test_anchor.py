from __future__ import annotations

import pytest
import torch

from align.objectives import cosine_anchor, mse_anchor


def rows(n, seed):
    return torch.randn(n, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_cosine_anchor_matches_its_definition():
    a, b = rows(5, 1), rows(5, 2)
    expected = sum(1 - float(x @ y) / float(x.norm() * y.norm()) for x, y in zip(a, b, strict=True)) / 5
    assert cosine_anchor(a, b).item() == pytest.approx(expected, rel=1e-12)


def test_mse_anchor_matches_its_definition():
    a, b = rows(5, 1), rows(5, 2)
    expected = sum(float(x - y) ** 2 for r, s in zip(a, b, strict=True) for x, y in zip(r, s, strict=True)) / 20
    assert mse_anchor(a, b).item() == pytest.approx(expected, rel=1e-12)


def test_by_hand():
    right, up = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert cosine_anchor(right, up).item() == 1.0
    assert cosine_anchor(right, -right).item() == 2.0
    assert mse_anchor(right, up).item() == 2.5
    assert cosine_anchor(right, 3 * right).item() == pytest.approx(0.0, abs=1e-7)


@pytest.mark.parametrize("objective", [cosine_anchor, mse_anchor])
def test_only_the_current_side_learns(objective):
    current, frozen = rows(3, 1).requires_grad_(), rows(3, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda c: objective(c, frozen), (current,))
    objective(current, frozen).backward()
    assert current.grad.abs().sum() > 0
    assert frozen.grad is None


@pytest.mark.parametrize("objective", [cosine_anchor, mse_anchor])
def test_messages(objective):
    with pytest.raises(ValueError, match=r"got \(3, 4\) and \(2, 4\)"):
        objective(rows(3, 1), rows(2, 1))
    with pytest.raises(ValueError, match="N >= 1"):
        objective(rows(0, 1), rows(0, 1))
