"""The two switches of the contrastive family: near candidates are no negatives, or weigh more."""

from __future__ import annotations

import pytest
import torch

from align.objectives import info_nce, multiple_negatives, nt_xent

SWITCHES = [{"false_negatives": 0.1}, {"hardness": 3.0}, {"false_negatives": 0.3, "hardness": 0.7}]


def rows(n, seed, d=3):
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def one_way(anchors, candidates, gold, chosen, meanings, of_anchor, itself, heat, false_negatives=None, hardness=0.0):
    """One candidate at a time: mean over the chosen anchors of -log softmax at their gold candidates."""
    losses = []
    for i in chosen:
        similarity = [torch.cosine_similarity(anchors[i], c, dim=0) for c in candidates]
        own = similarity[gold[i]]
        logits = [own / heat]
        for j, s in enumerate(similarity):
            same = meanings[j] == of_anchor[i] or (itself and i == j)
            near = false_negatives is not None and s > own + false_negatives
            if j != gold[i] and not same and not near:
                logits.append(s / heat + hardness * s.detach())
        losses.append(torch.logsumexp(torch.stack(logits), 0) - own / heat)
    return torch.stack(losses).mean()


def by_definition(name, source, target, heat, groups, chosen, **switches):
    n = len(source)
    if name == "nt_xent":
        everything, ids = torch.cat([source, target]), [*groups, *groups]
        gold = [(k + n) % (2 * n) for k in range(2 * n)]
        anchors = [*chosen, *(i + n for i in chosen)]
        return one_way(everything, everything, gold, anchors, ids, ids, True, heat, **switches)
    forward = one_way(source, target, range(n), chosen, groups, groups, False, heat, **switches)
    if name == "one-way":
        return forward
    return (forward + one_way(target, source[:n], range(n), chosen, groups, groups, False, heat, **switches)) / 2


OBJECTIVES = {
    "nt_xent": nt_xent, "info_nce": info_nce, "one-way": lambda *a, **k: info_nce(*a, symmetric=False, **k),
}  # fmt: skip


def gradients(loss, *tensors):
    return torch.autograd.grad(loss, tensors)


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("switches", SWITCHES)
@pytest.mark.parametrize("chosen", [slice(None), slice(1, 4)])
def test_values_and_gradients_are_those_of_the_definition_by_blocks_too(name, switches, chosen):
    source, target = (rows(7, seed).requires_grad_() for seed in (1, 2))
    heat = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    groups = [0, 1, 0, 2, 3, 4, 5]
    loss = by_definition(name, source, target, heat, groups, range(7)[chosen], **switches)
    expected = gradients(loss, source, target, heat)
    plain = by_definition(name, source, target, heat, groups, range(7)[chosen])
    assert abs(loss.item() - plain.item()) > 1e-3  # the switches do something
    for block in (0, 1, 3, None):
        found = OBJECTIVES[name](
            source, target, temperature=heat, groups=torch.tensor(groups), rows=chosen, block=block, **switches
        )
        assert found.item() == pytest.approx(loss.item(), rel=1e-12)
        for mine, theirs in zip(gradients(found, source, target, heat), expected, strict=True):
            assert torch.allclose(mine, theirs, rtol=1e-9, atol=1e-12), block


@pytest.mark.parametrize("block", [0, 2, None])
def test_hard_negatives_too(block):
    source, target, negative = rows(5, 1), rows(5, 2), rows(4, 3)
    candidates = torch.cat([target, negative])
    switches = {"false_negatives": 0.2, "hardness": 2.0}
    expected = one_way(source, candidates, range(5), range(5), range(9), range(5), False, 0.3, **switches)
    found = multiple_negatives(source, target, negative, temperature=0.3, block=block, **switches)
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)


def test_by_hand():
    source = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    target = torch.tensor([[0.6, 0.8], [1.0, 0.0]])  # cosines .6 1 / .8 0: each source is nearer to the other's target
    near = {"symmetric": False, "false_negatives": 0.1}
    assert info_nce(source, target, **near).item() == 0.0
    assert info_nce(source, target, symmetric=False, false_negatives=0.9).item() > 1


@pytest.mark.parametrize("objective", [nt_xent, info_nce, multiple_negatives])
def test_messages(objective):
    with pytest.raises(ValueError, match="needs false_negatives of at least 0, got -1"):
        objective(rows(3, 1), rows(3, 2), false_negatives=-1)
    with pytest.raises(ValueError, match="needs hardness of at least 0, got nan"):
        objective(rows(3, 1), rows(3, 2), hardness=float("nan"))
