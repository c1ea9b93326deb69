from __future__ import annotations

import numpy as np
import pytest
import torch

from align.objectives.barlow_twins import barlow_twins


def rows(n, seed, d=4):
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_it_is_its_definition():
    a, b = rows(7, 1) + 3, rows(7, 2) * 2
    correlation = np.corrcoef(a.numpy().T, b.numpy().T)[:4, 4:]
    expected = sum(
        (1 - correlation[d, e]) ** 2 if d == e else 0.1 * correlation[d, e] ** 2 for d in range(4) for e in range(4)
    )
    assert barlow_twins(a, b, off_diagonal=0.1).item() == pytest.approx(expected, rel=1e-12)


def test_by_hand():
    side = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert barlow_twins(side, 3 * side + 5).item() == pytest.approx(0.0, abs=1e-10)
    assert barlow_twins(side, -side).item() == pytest.approx(8.0, rel=1e-6)
    assert barlow_twins(side, side.flip(1), off_diagonal=0.5).item() == pytest.approx(3.0, rel=1e-6)  # 2 + .5 * 2


def test_gradients_and_a_constant_dimension():
    a, b = rows(5, 1).requires_grad_(), rows(5, 2).requires_grad_()
    assert torch.autograd.gradcheck(barlow_twins, (a, b))
    still = torch.cat([rows(5, 1), torch.ones(5, 1, dtype=torch.float64)], dim=1).requires_grad_()
    loss = barlow_twins(still, still)
    loss.backward()
    assert loss.item() >= 1.0  # its correlation is 0
    assert torch.isfinite(still.grad).all()


def test_messages():
    with pytest.raises(ValueError, match=r"B >= 2, got \(1, 4\) and \(1, 4\)"):
        barlow_twins(rows(1, 1), rows(1, 1))
    with pytest.raises(ValueError, match=r"got \(3, 4\) and \(2, 4\)"):
        barlow_twins(rows(3, 1), rows(2, 1))
