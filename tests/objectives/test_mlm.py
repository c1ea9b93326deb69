from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from align.objectives import mask_tokens, mlm
from align.objectives.mlm import IGNORED, Head


def setup(seed=0):
    torch.manual_seed(seed)
    hidden = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    head = nn.Linear(3, 7, dtype=torch.float64)
    labels = torch.tensor([[IGNORED, 5, IGNORED, 0], [6, IGNORED, IGNORED, IGNORED]])
    return hidden, head, labels


def test_matches_its_definition():
    hidden, head, labels = setup()
    total, count = 0.0, 0
    for b in range(2):
        for t in range(4):
            if labels[b, t] != IGNORED:
                logits = head(hidden[b, t]).tolist()
                total += math.log(sum(math.exp(x) for x in logits)) - logits[int(labels[b, t])]
                count += 1
    assert count == 3
    assert mlm(hidden, labels, head).item() == pytest.approx(total / 3, rel=1e-12)
    assert mlm(hidden, labels, head, count=10.0).item() == pytest.approx(total / 10, rel=1e-12)


@pytest.mark.parametrize("bias", [True, False])
def test_a_head_in_two_steps_is_the_same(bias):
    hidden, _, labels = setup()
    inner, outer = nn.Linear(3, 4, dtype=torch.float64), nn.Linear(4, 7, bias=bias, dtype=torch.float64)
    values, gradients = [], []
    for head in (lambda h: outer(inner(h).tanh()), Head(lambda h: inner(h).tanh(), outer.weight, outer.bias)):
        values.append(mlm(hidden, labels, head, count=5.0))
        gradients.append(torch.autograd.grad(values[-1], (hidden, *inner.parameters(), *outer.parameters())))
    assert values[1].item() == pytest.approx(values[0].item(), rel=1e-12)
    for plain, blocked in zip(*gradients, strict=True):
        assert plain.abs().sum() > 0
        assert torch.allclose(plain, blocked, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("make", [lambda linear: linear, lambda linear: Head(nn.Identity(), *linear.parameters())])
def test_packed_states(make):
    hidden, linear, labels = setup()
    expected = mlm(hidden, labels, linear)
    packed, truth = hidden[:, 1:].reshape(-1, 3), labels[:, 1:].reshape(-1)  # without one masked position
    both = torch.cat([packed, hidden[:, 0]]), torch.cat([truth, labels[:, 0]])
    assert mlm(*both, make(linear)).item() == pytest.approx(expected.item(), rel=1e-12)


def test_a_head_that_knows_nothing_costs_the_log_of_the_vocabulary():
    hidden, _, labels = setup()
    assert mlm(hidden, labels, lambda h: torch.zeros(len(h), 7)).item() == pytest.approx(math.log(7))


def test_the_head_sees_masked_positions_only():
    hidden, head, labels = setup()
    seen = []
    mlm(hidden, labels, lambda h: (seen.append(h.shape), head(h))[1])
    assert seen == [(3, 3)]


@pytest.mark.parametrize("steps", [1, 2])
def test_no_masked_position_costs_nothing_and_keeps_the_graph(steps):
    hidden, linear, labels = setup()
    inner = nn.Linear(3, 3, dtype=torch.float64)
    head = Head(inner, linear.weight, linear.bias) if steps == 2 else lambda h: linear(inner(h))
    loss = mlm(hidden, torch.full_like(labels, IGNORED), head)
    loss.backward()
    assert loss.item() == 0.0
    for tensor in (hidden, *linear.parameters(), *inner.parameters()):
        assert (tensor.grad == 0).all()


def test_gradients():
    hidden, head, labels = setup()
    assert torch.autograd.gradcheck(lambda h, w: mlm(h, labels, lambda x: x @ w.T), (hidden, head.weight))


def test_messages():
    hidden, head, labels = setup()
    with pytest.raises(ValueError, match=r"got \(2, 4, 3\) and \(2, 3\)"):
        mlm(hidden, labels[:, :3], head)
    with pytest.raises(ValueError, match=r"needs \(..., D\) hidden states and \(...\) labels, got \(3,\) and \(\)"):
        mlm(hidden[0, 0], labels[0, 0], head)
    with pytest.raises(ValueError, match=r"rate in 0..1, got 1.5"):
        mask_tokens(labels, labels > 0, rate=1.5, mask_id=1, vocabulary=9, generator=torch.Generator())


def draw(rate=0.15, seed=0, n=40_000):
    ids = torch.full((4, n // 4), 50)
    maskable = torch.ones_like(ids, dtype=torch.bool)
    maskable[:, 0] = False
    generator = torch.Generator().manual_seed(seed)
    return (*mask_tokens(ids, maskable, rate=rate, mask_id=1, vocabulary=1000, generator=generator), ids, maskable)


def test_shares_of_masking():
    masked, labels, ids, maskable = draw()
    chosen = labels != IGNORED
    n = chosen.sum().item()
    assert n / maskable.sum().item() == pytest.approx(0.15, abs=0.01)
    assert (masked[chosen] == 1).sum().item() / n == pytest.approx(0.8, abs=0.02)
    assert (masked[chosen] == 50).sum().item() / n == pytest.approx(0.1, abs=0.02)
    assert torch.equal(masked[~chosen], ids[~chosen])
    assert torch.equal(labels[chosen], ids[chosen])
    assert not chosen[:, 0].any()


def test_masking_is_seeded_and_leaves_its_input():
    first, second, other = draw(seed=3), draw(seed=3), draw(seed=4)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[1], other[1])
    assert (first[2] == 50).all()


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_extreme_rates(rate):
    _, labels, _, maskable = draw(rate=rate)
    assert (labels != IGNORED).sum().item() == rate * maskable.sum().item()
