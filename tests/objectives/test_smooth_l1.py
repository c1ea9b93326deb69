from __future__ import annotations

import pytest
import torch

from align.objectives.distillation.smooth_l1 import smooth_l1


def rows(n, seed, d=6):
    return 3 * torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def by_definition(side, teacher, beta, whiten):
    total = 0.0
    for s, t in zip(side, teacher, strict=True):
        if whiten:
            t = (t - t.mean()) / (t.var(correction=0) + 1e-5).sqrt()
        for x, y in zip(s, t, strict=True):
            error = abs(float(x - y))
            total += error**2 / (2 * beta) if error <= beta else error - beta / 2
    return total / side.numel()


@pytest.mark.parametrize("beta", [0.5, 2.0])
@pytest.mark.parametrize("whiten", [True, False])
def test_it_is_its_definition(beta, whiten):
    a, b, t = rows(4, 1), rows(4, 2), rows(4, 3)
    expected = by_definition(a, t, beta, whiten) + by_definition(b, t, beta, whiten)
    assert smooth_l1(a, b, t, beta=beta, whiten=whiten).item() == pytest.approx(expected, rel=1e-12)


def test_by_hand():
    zero = torch.zeros(1, 2)
    assert smooth_l1(zero + 1, zero + 5, zero, whiten=False).item() == 4.25  # 1/4, and 5 - 1


def test_only_the_student_learns():
    a, b, t = (rows(3, seed).requires_grad_() for seed in (1, 2, 3))
    assert torch.autograd.gradcheck(lambda a, b: smooth_l1(a, b, t), (a, b))
    smooth_l1(a, b, t).backward()
    assert t.grad is None


def test_messages():
    with pytest.raises(ValueError, match=r"got \(2, 6\), \(2, 6\), \(2, 5\)"):
        smooth_l1(rows(2, 1), rows(2, 1), rows(2, 1, 5))
    with pytest.raises(ValueError, match="smooth_l1 needs beta > 0, got 0"):
        smooth_l1(rows(2, 1), rows(2, 1), rows(2, 1), beta=0)
