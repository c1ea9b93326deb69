from __future__ import annotations

import math

import pytest
import torch
from allocations import Allocations
from torch.nn.functional import cross_entropy, linear

from align.objectives import vocabulary
from align.objectives.vocabulary import linear_cross_entropy


def setup(p=9, v=13, d=4, *, dtype=torch.float64, scale=1.0):
    generator = torch.Generator().manual_seed(0)
    shapes = ((p, d), (v, d), (v,))
    inputs = [(scale * torch.randn(shape, generator=generator)).to(dtype).requires_grad_() for shape in shapes]
    return *inputs, torch.randint(v, (p,), generator=generator)


def by_definition(states, weight, bias, truth):
    """One position and one piece at a time."""
    total = 0.0
    for state, gold in zip(states.tolist(), truth.tolist(), strict=True):
        pairs = zip(weight.tolist(), bias.tolist() if bias is not None else [0.0] * len(weight), strict=True)
        logits = [sum(s * w for s, w in zip(state, row, strict=True)) + b for row, b in pairs]
        total += math.log(sum(math.exp(x) for x in logits)) - logits[gold]
    return total


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("block", [1, 4, 100, None])
@pytest.mark.parametrize(("p", "v"), [(9, 13), (1, 2), (3, 1)])
def test_it_matches_its_definition_with_gradients(biased, block, p, v):
    states, weight, bias, truth = setup(p, v)
    bias = bias if biased else None
    loss = linear_cross_entropy(states, weight, bias, truth, block=block)
    assert loss.item() == pytest.approx(by_definition(states, weight, bias, truth), rel=1e-10)
    inputs = (states, weight, bias) if biased else (states, weight)
    assert torch.autograd.gradcheck(
        lambda s, w, b=None: linear_cross_entropy(s, w, b, truth, block=block), inputs, atol=1e-6
    )
    if v > 1:
        assert all(g.abs().sum() > 0 for g in torch.autograd.grad(loss, inputs))


def test_a_number_by_hand():
    # two pieces at logits 0 and 1, the first is true: log(1 + e)
    loss = linear_cross_entropy(torch.ones(1, 1), torch.tensor([[0.0], [1.0]]), None, torch.tensor([0]))
    assert loss.item() == pytest.approx(math.log(1 + math.e))
    same = linear_cross_entropy(torch.ones(3, 2), torch.ones(7, 2), torch.ones(7), torch.tensor([0, 3, 6]))
    assert same.item() == pytest.approx(3 * math.log(7))


@pytest.mark.parametrize("scale", [0.1, 3.0])
def test_float32_is_within_1e_6_of_the_definition_in_float64(scale):
    *inputs, truth = setup(70, 3000, 64, dtype=torch.float32, scale=scale)
    doubles = [tensor.detach().double().requires_grad_() for tensor in inputs]
    exact = cross_entropy(linear(*doubles), truth, reduction="sum")
    loss = linear_cross_entropy(*inputs, truth, block=16)
    assert loss.item() == pytest.approx(exact.item(), rel=1e-6)
    expected, got = torch.autograd.grad(exact, doubles), torch.autograd.grad(loss, inputs)
    for g, e in zip(got, expected, strict=True):
        assert ((g.double() - e).norm() / e.norm()).item() < 1e-6 * max(1, scale)


def test_bfloat16_autocast():
    *inputs, truth = setup(40, 50, 16, dtype=torch.float32)
    inputs[0].data /= 4
    with torch.autocast("cpu", dtype=torch.bfloat16):
        plain = cross_entropy(linear(*inputs), truth, reduction="sum")
        blocked = linear_cross_entropy(*inputs, truth, block=7)
    exact = cross_entropy(linear(*inputs), truth, reduction="sum")
    assert blocked.dtype == torch.float32
    assert blocked.item() != pytest.approx(exact.item(), rel=1e-6)  # a bfloat16 product
    assert blocked.item() == pytest.approx(plain.item(), rel=1e-3)
    results = [torch.autograd.grad(loss, inputs) for loss in (blocked, plain, exact)]
    for ours, theirs, true in zip(*results, strict=True):
        assert ours.dtype == torch.float32
        assert (ours - true).norm() <= 1.05 * (theirs - true).norm()
        assert (ours - true).norm() < 0.02 * true.norm()


def test_float16_autocast_stays_in_float32():
    *inputs, truth = setup(5, 20, 8, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.float16):
        loss = linear_cross_entropy(*inputs, truth)
    assert torch.equal(loss, linear_cross_entropy(*inputs, truth))


def test_only_what_is_wanted():
    *inputs, truth = setup()
    whole = torch.autograd.grad(linear_cross_entropy(*inputs, truth), inputs)
    for wanted in ((0,), (1,), (2,), (0, 2)):
        some = [x.detach().requires_grad_(k in wanted) for k, x in enumerate(inputs)]
        gradients = torch.autograd.grad(linear_cross_entropy(*some, truth, block=2), [some[k] for k in wanted])
        assert all(torch.allclose(g, whole[k]) for g, k in zip(gradients, wanted, strict=True))
    with torch.no_grad():
        assert not linear_cross_entropy(*(x.requires_grad_() for x in inputs), truth).requires_grad


def test_a_second_backward_and_a_weight():
    *inputs, truth = setup()
    loss = linear_cross_entropy(*inputs, truth)
    first = torch.autograd.grad(3 * loss, inputs, retain_graph=True)
    second = torch.autograd.grad(loss, inputs)
    expected = torch.autograd.grad(cross_entropy(linear(*inputs), truth, reduction="sum"), inputs)
    assert all(torch.allclose(g, e) for g, e in zip(second, expected, strict=True))
    assert all(torch.allclose(g, 3 * e) for g, e in zip(first, expected, strict=True))


def test_no_position():
    states, weight, bias, truth = setup(0)
    loss = linear_cross_entropy(states, weight, bias, truth)
    assert loss.item() == 0.0
    assert all((g == 0).all() for g in torch.autograd.grad(loss, (states, weight, bias)))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_broken_number_breaks_the_loss(bad, which):
    *inputs, truth = setup()
    inputs[which].data.view(-1)[0] = bad
    assert not linear_cross_entropy(*inputs, truth, block=2).isfinite()


def test_no_tensor_is_larger_than_a_block_or_the_embeddings(monkeypatch):
    p, v, d = 200, 300, 8
    *inputs, truth = setup(p, v, d, dtype=torch.float32)
    for block in (10, None):
        monkeypatch.setattr(vocabulary, "TILE", 20 * v)
        with Allocations(*inputs, truth) as made:
            (0.5 * linear_cross_entropy(*inputs, truth, block=block)).backward()
        assert made.largest == (block or 20) * v
        assert made.peak < 4 * (1.1 * (p * d + v * d + v) + (block or 20) * v)
    inputs[1].requires_grad_(False)
    inputs[0].grad = inputs[2].grad = None
    with Allocations(*inputs, truth) as frozen:
        linear_cross_entropy(*inputs, truth, block=10).backward()
    assert frozen.peak < made.peak - 4 * v * d


def test_messages():
    states, weight, bias, truth = setup()
    with pytest.raises(ValueError, match=r"needs \(P, D\), .* got \(9, 4\), \(13, 4\), \(8,\), \(13,\)"):
        linear_cross_entropy(states, weight, bias, truth[:8])
    with pytest.raises(ValueError, match=r"got \(9, 4\), \(13, 3\), \(9,\)$"):
        linear_cross_entropy(states, weight[:, :3], None, truth)
    with pytest.raises(ValueError, match=r"got .*, \(12,\)$"):
        linear_cross_entropy(states, weight, bias[:12], truth)
    with pytest.raises(ValueError, match="a block of 1 position or more, got 0"):
        linear_cross_entropy(states, weight, bias, truth, block=0)
    for wrong in (-1, 13):
        with pytest.raises(ValueError, match=r"a truth in 0\.\.12, got "):
            linear_cross_entropy(states, weight, bias, truth.index_fill(0, torch.tensor([2]), wrong))
