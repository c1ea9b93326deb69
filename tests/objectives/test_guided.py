from __future__ import annotations

import math

import pytest
import torch

from align.objectives import info_nce
from align.objectives.guided import guided


def rows(n, seed, d=3):
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def cosine(a, b):
    return float(a @ b) / float(a.norm() * b.norm())


def by_definition(s, t, gs, gt, temperature, margin, kind, groups, anchors):
    losses = []
    for i in anchors:
        own = cosine(gs[i], gt[i])
        limit = own - (abs(own) * margin if kind == "relative" else margin)
        blocks = [((s[i], t), (gs[i], gt)), ((s[i], s), (gs[i], gs)), ((t[i], t), (gt[i], gt))]
        others = [
            cosine(a, b[j]) / temperature
            for (a, b), (ga, gb) in blocks for j in range(len(s))
            if j != i and groups[i] != groups[j] and not cosine(ga, gb[j]) > limit
        ]  # fmt: skip
        gold = cosine(s[i], t[i]) / temperature
        losses.append(math.log(sum(math.exp(x) for x in [gold, *others])) - gold)
    return sum(losses) / len(losses)


@pytest.mark.parametrize(("margin", "kind"), [(0.0, "absolute"), (0.2, "absolute"), (0.3, "relative")])
@pytest.mark.parametrize("groups", [range(6), [0, 1, 0, 2, 1, 3]])
@pytest.mark.parametrize("anchors", [slice(None), slice(2, 5)])
def test_it_is_its_definition(margin, kind, groups, anchors):
    given = [rows(6, 1), rows(6, 2), rows(6, 3, 4), rows(6, 3, 4) + 0.7 * rows(6, 4, 4)]
    given[3][3] *= -0.5  # a pair that the guide finds apart
    expected = by_definition(*given, 0.3, margin, kind, groups, range(6)[anchors])
    groups = torch.tensor(list(groups))
    found = guided(*given, temperature=0.3, margin=margin, margin_kind=kind, groups=groups, rows=anchors)
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_a_guide_decides_which_negatives_count():
    source, target = rows(4, 1), rows(4, 2)
    blind = torch.eye(4, dtype=torch.float64)  # finds all others at 0, below the pair's 1
    everything = guided(source, target, blind, blind, temperature=0.3)
    assert everything > info_nce(source, target, symmetric=False, temperature=0.3)  # two blocks more
    same = torch.ones(4, 4, dtype=torch.float64)
    same[:, 0] = torch.tensor([1.0, -1, 1, -1])  # 0 and 2 are as near as pairs are, and 1 and 3
    assert guided(source, target, same, same, temperature=0.3, margin=0.1) < everything
    nothing = guided(source, target, blind, -blind, temperature=0.3)  # every other one is nearer than the pair
    assert nothing.item() == 0.0


def test_gradients_reach_the_vectors_and_not_the_guide():
    given = [rows(4, seed).requires_grad_() for seed in (1, 2, 3, 4)]
    heat = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b, t: guided(a, b, *given[2:], temperature=t), (*given[:2], heat))
    guided(*given).backward()
    assert given[2].grad is None and given[3].grad is None


def test_messages():
    with pytest.raises(ValueError, match=r"got \(2, 3\), \(2, 3\), \(2, 3\), \(1, 3\)"):
        guided(rows(2, 1), rows(2, 1), rows(2, 1), rows(1, 1))
    with pytest.raises(ValueError, match="a margin out of absolute, relative, got 'wide'"):
        guided(*[rows(2, 1)] * 4, margin_kind="wide")
