from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from align.objectives import info_nce, nt_xent


@pytest.fixture(params=[0, 1, 3, None])
def block(request) -> int | None:
    """Rows of the similarity matrix at once: all as in the formula, one, an uneven number, chosen by size."""
    return request.param


def rows(n: int, seed: int, d: int = 5) -> Tensor:
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def similarity(a: Tensor, b: Tensor, cosine: bool) -> float:
    dot = sum(float(x) * float(y) for x, y in zip(a, b, strict=True))
    return dot / (float(a.norm()) * float(b.norm())) if cosine else dot


def nll(gold: float, others: list[float]) -> float:
    return -gold + math.log(sum(math.exp(x) for x in [gold, *others]))


def nt_xent_by_definition(source, target, *, temperature, cosine, groups=None, anchors=None):
    """One pair of rows at a time, float64."""
    size = len(source)
    everything, losses = [*source, *target], []
    for k in range(2 * size):
        partner = (k + size) % (2 * size)
        if anchors is not None and k % size not in anchors:
            continue
        others = []
        for j in range(2 * size):
            same = groups is not None and groups[j % size] == groups[k % size]
            if j not in (k, partner) and not same:
                others.append(similarity(everything[k], everything[j], cosine) / temperature)
        losses.append(nll(similarity(everything[k], everything[partner], cosine) / temperature, others))
    return sum(losses) / len(losses)


def info_nce_by_definition(source, target, *, temperature, cosine, symmetric, groups=None, anchors=None):
    def one_way(left, right):
        losses = []
        for i in anchors if anchors is not None else range(len(source)):
            others = []
            for j in range(len(right)):
                if j != i and not (groups is not None and groups[j] == groups[i]):
                    others.append(similarity(left[i], right[j], cosine) / temperature)
            losses.append(nll(similarity(left[i], right[i], cosine) / temperature, others))
        return sum(losses) / len(losses)

    forward = one_way(source, target)
    return (forward + one_way(target, source)) / 2 if symmetric else forward


@pytest.mark.parametrize("cosine", [True, False])
@pytest.mark.parametrize("groups", [None, [0, 1, 0, 2, 1, 3]])
@pytest.mark.parametrize("anchors", [None, [2, 3]])
def test_nt_xent_matches_its_definition(cosine, groups, anchors, block):
    source, target = rows(6, 1), rows(6, 2)
    expected = nt_xent_by_definition(source, target, temperature=0.3, cosine=cosine, groups=groups, anchors=anchors)
    got = nt_xent(
        source, target, temperature=0.3, cosine=cosine,
        groups=torch.tensor(groups) if groups else None, rows=slice(2, 4) if anchors else None,
        block=block,
    )  # fmt: skip
    assert got.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("cosine", [True, False])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("groups", [None, [0, 1, 0, 2, 1, 0, 9]])
@pytest.mark.parametrize("anchors", [None, [1, 2]])
def test_info_nce_matches_its_definition(cosine, symmetric, groups, anchors, block):
    source, target = rows(5, 1), rows(7, 2)
    expected = info_nce_by_definition(
        source, target, temperature=0.3, cosine=cosine, symmetric=symmetric, groups=groups, anchors=anchors
    )
    got = info_nce(
        source, target, temperature=0.3, cosine=cosine, symmetric=symmetric,
        groups=torch.tensor(groups) if groups else None, rows=slice(1, 3) if anchors else None,
        block=block,
    )  # fmt: skip
    assert got.item() == pytest.approx(expected, rel=1e-9)


def test_equal_similarities_cost_the_log_of_the_candidates(block):
    same = torch.ones(4, 3)
    assert nt_xent(same, same, block=block).item() == pytest.approx(math.log(7))
    assert info_nce(same, torch.ones(9, 3), symmetric=False, block=block).item() == pytest.approx(math.log(9))


def test_two_orthogonal_pairs_by_hand(block):
    # Each row has its partner at cosine 1 and two others at 0, temperature 1/2: -log(e^2 / (e^2 + 2)) = 0.239545
    eye = torch.eye(2, dtype=torch.float64)
    assert nt_xent(eye, eye, temperature=0.5, block=block).item() == pytest.approx(0.239545, abs=1e-6)
    # InfoNCE has one other: log(1 + e^-2) = 0.126928
    assert info_nce(eye, eye, temperature=0.5, block=block).item() == pytest.approx(0.126928, abs=1e-6)


def test_one_pair_costs_nothing(block):
    assert nt_xent(rows(1, 1), rows(1, 2), block=block).item() == 0.0
    assert info_nce(rows(1, 1), rows(1, 2), block=block).item() == 0.0


@pytest.mark.parametrize("objective", [nt_xent, info_nce])
def test_pairs_of_one_group_have_no_negatives(objective, block):
    source, target = rows(3, 1).requires_grad_(), rows(3, 2).requires_grad_()
    loss = objective(source, target, groups=torch.zeros(3), block=block)
    assert loss.item() == 0.0
    assert all((g == 0).all() for g in torch.autograd.grad(loss, (source, target)))


@pytest.mark.parametrize("objective", [nt_xent, info_nce])
def test_mean_over_shards_of_anchors_is_the_whole(objective, block):
    source, target = rows(6, 1), rows(6, 2)
    parts = [objective(source, target, rows=slice(i, i + 2), block=block) for i in (0, 2, 4)]
    assert torch.stack(parts).mean().item() == pytest.approx(objective(source, target).item(), rel=1e-12)


OPTIONS = [
    (nt_xent, {}, 0), (nt_xent, {"rows": slice(1, 3)}, 0), (nt_xent, {"cosine": False}, 0), (info_nce, {}, 2),
    (info_nce, {"symmetric": False}, 2), (info_nce, {"cosine": False, "rows": slice(0, 3, 2)}, 2),
    (info_nce, {"cosine": False}, 1), (info_nce, {"rows": slice(1, 3)}, 0),
]  # fmt: skip


@pytest.mark.parametrize(("objective", "options", "extra"), OPTIONS)
def test_gradients_reach_both_sides_and_the_temperature(objective, options, extra, block):
    source, target = rows(4, 1).requires_grad_(), rows(4 + extra, 2).requires_grad_()
    temperature = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    groups = torch.tensor([0, 1, 2, 0, 1, 3][: 4 + extra])

    def loss(s, t, temp):
        return objective(s, t, temperature=temp, groups=groups, block=block, **options)

    assert torch.autograd.gradcheck(loss, (source, target, temperature))
    gradients = torch.autograd.grad(loss(source, target, temperature), (source, target, temperature))
    assert all(g.abs().sum() > 0 for g in gradients)


@pytest.mark.parametrize("objective", [nt_xent, info_nce])
def test_messages(objective):
    with pytest.raises(ValueError, match=r"needs \(N, D\) and \(M, D\) with M >= N, got \(3, 5\) and \(2, 5\)"):
        objective(rows(3, 1), rows(2, 2))
    with pytest.raises(ValueError, match=r"got \(3, 5\) and \(3, 4\)"):
        objective(rows(3, 1), rows(3, 2, d=4))
    with pytest.raises(ValueError, match="at least one pair"):
        objective(rows(0, 1), rows(0, 2))
    for bad in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="temperature > 0"):
            objective(rows(3, 1), rows(3, 2), temperature=bad)
    with pytest.raises(ValueError, match=r"one group per target \(3\), got \(2,\)"):
        objective(rows(3, 1), rows(3, 2), groups=torch.zeros(2))
    with pytest.raises(ValueError, match=r"at least one anchor, got slice\(3, 5, None\) of 3 pairs"):
        objective(rows(3, 1), rows(3, 2), rows=slice(3, 5))
    with pytest.raises(ValueError, match="a block of 1 row or more, 0 for all or None, got -1"):
        objective(rows(3, 1), rows(3, 2), block=-1)


def test_nt_xent_has_no_use_for_extra_targets():
    with pytest.raises(ValueError, match="as many targets as sources, got 4 and 3"):
        nt_xent(rows(3, 1), rows(4, 2))
