from __future__ import annotations

import math

import pytest
import torch

from align.objectives.siglip import siglip


def rows(n, seed, d=4):
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def by_definition(source, target, temperature, bias, groups=None, anchors=None):
    total, chosen = 0.0, anchors or range(len(source))
    for i in chosen:
        for j in range(len(target)):
            if groups and i != j and groups[i] == groups[j]:
                continue
            cosine = float(source[i] @ target[j]) / float(source[i].norm() * target[j].norm())
            z = 1 if i == j else -1
            total += math.log(1 + math.exp(-z * (cosine / temperature + bias)))
    return total / len(chosen)


@pytest.mark.parametrize("groups", [None, [0, 1, 0, 2, 1]])
@pytest.mark.parametrize("anchors", [None, [1, 2]])
def test_it_is_its_definition(groups, anchors):
    a, b = rows(5, 1), rows(5, 2)
    found = siglip(
        a, b, temperature=0.3, bias=-2.0, groups=None if groups is None else torch.tensor(groups),
        rows=slice(1, 3) if anchors else None,
    )  # fmt: skip
    assert found.item() == pytest.approx(by_definition(a, b, 0.3, -2.0, groups, anchors), rel=1e-12)


def test_by_hand():
    one = torch.tensor([[3.0, 0.0], [0.0, 1.0]])
    expected = math.log(1 + math.exp(-(10 - 10))) + math.log(1 + math.exp(-10))  # cosines 1 and 0, the paper's start
    assert siglip(one, one).item() == pytest.approx(expected, rel=1e-6)


def test_gradients_reach_everything():
    given = [rows(4, 1), rows(4, 2), torch.tensor(0.5, dtype=torch.float64), torch.tensor(-1.0, dtype=torch.float64)]
    given = [each.requires_grad_() for each in given]
    assert torch.autograd.gradcheck(lambda a, b, t, bias: siglip(a, b, temperature=t, bias=bias), given)


def test_processes_share_it():
    a, b = rows(6, 1), rows(6, 2)
    shares = [siglip(a, b, rows=slice(i, i + 2)) for i in (0, 2, 4)]
    assert (sum(shares) / 3).item() == pytest.approx(siglip(a, b).item(), rel=1e-12)


def test_messages():
    with pytest.raises(ValueError, match="as many targets as sources, got 3 and 2"):
        siglip(rows(2, 1), rows(3, 1))
    with pytest.raises(ValueError, match="siglip needs a temperature > 0, got nan"):
        siglip(rows(2, 1), rows(2, 1), temperature=math.nan)
