from __future__ import annotations

import math

import pytest
import torch

from align.objectives import info_nce, self_teaching
from align.objectives.distillation.self_teaching import OBJECTIVE, SelfTeachingOptions
from align.objectives.inputs import Inputs


def rows(n, seed, d=3):
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def cosine(a, b):
    return float(a @ b) / float(a.norm() * b.norm())


def by_definition(source, target, teacher, temperature, anchors):
    found = []
    for i in anchors:
        others = [j for j in range(len(source)) if j != i]
        taught = [math.exp(cosine(teacher[i], teacher[j]) / temperature) for j in others]
        made = [math.exp(cosine(target[i], source[j]) / temperature) for j in others]
        p, q = ([one / sum(row) for one in row] for row in (taught, made))
        found.append(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)))
    return temperature**2 * sum(found) / len(found)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
@pytest.mark.parametrize("anchors", [slice(None), slice(2, 5)])
def test_it_is_its_definition(temperature, anchors):
    given = rows(6, 1), rows(6, 2), rows(6, 3, 5)  # a teacher of other dimensions
    found = self_teaching(*given, temperature=temperature, rows=anchors)
    assert found.item() == pytest.approx(by_definition(*given, temperature, range(6)[anchors]), rel=1e-12)


def test_by_hand():
    axes = torch.eye(3, dtype=torch.float64)
    teacher = axes[[0, 0, 1]]  # to text 0, text 1 is near (1) and text 2 is far (0)
    p, q = 1 / (1 + math.exp(-1)), 0.5  # source 1 and 2 are as near to target 0: 0 both
    expected = p * math.log(p / q) + (1 - p) * math.log((1 - p) / q)
    assert self_teaching(axes, axes, teacher, temperature=1.0, rows=slice(0, 1)).item() == pytest.approx(expected)
    assert self_teaching(teacher, teacher, teacher).item() == pytest.approx(0, abs=1e-15)
    moved = teacher.clone()
    moved[0] = axes[2]  # the pair itself is not asked: target 0 sees sources 1 and 2 alone
    assert self_teaching(moved, teacher, teacher, rows=slice(0, 1)).item() == pytest.approx(0, abs=1e-15)


def test_gradients_reach_both_sides_and_not_the_teacher():
    source, target, teacher = (rows(4, seed).requires_grad_() for seed in (1, 2, 3))
    assert torch.autograd.gradcheck(lambda a, b: self_teaching(a, b, teacher, temperature=0.5), (source, target))
    self_teaching(source, target, teacher).backward()
    assert teacher.grad is None and source.grad.abs().min() > 0 and target.grad.abs().min() > 0


def test_one_pair_has_no_other():
    source = rows(1, 1).requires_grad_()
    alone = self_teaching(source, rows(1, 2), rows(1, 3))
    alone.backward()
    assert alone.item() == 0 and source.grad.abs().max() == 0


@pytest.mark.parametrize("teacher", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_objective_is_the_weighted_sum(share, teacher):
    source, target, start, other = rows(4, 1), rows(4, 2), rows(4, 3), rows(4, 4, 6)
    groups = torch.tensor([0, 1, 0, 2])
    options = SelfTeachingOptions(share=share, temperature=0.2, soft_temperature=0.4, teacher=teacher)
    assert OBJECTIVE.reads(options) == {"source", "target", "groups", "teacher" if teacher else "start"}
    given = {"source": source, "target": target, "groups": groups, "start": start, "teacher": other}
    contrast = info_nce(target, source, temperature=0.2, groups=groups)
    soft = self_teaching(source, target, other if teacher else start, temperature=0.4)
    found = OBJECTIVE.formula(Inputs(given), options, None)
    assert found.item() == pytest.approx(((1 - share) * contrast + share * soft).item(), rel=1e-12)


def test_messages():
    with pytest.raises(ValueError, match=r"self_teaching needs \(B, D\), \(B, D\) and .*\(2, 3\) and \(1, 3\)"):
        self_teaching(rows(2, 1), rows(2, 1), rows(1, 1))
    with pytest.raises(ValueError, match="temperature > 0, got 0.0"):
        self_teaching(*[rows(2, 1)] * 3, temperature=0.0)
