from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from align.objectives import mlm
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
